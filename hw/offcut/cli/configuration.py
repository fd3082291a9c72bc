"""The switches that choose an engine and set its configuration inputs, the same on every command."""

import argparse

from offcut.cli.errors import CommandError
from offcut.config import DEFAULT_FEATURES, FEATURES, UFO_ORDERS, USER_WIDTH_MAX, WIDTHS, Config

__all__ = ["add_disable", "add_engine", "add_user_width", "config", "disabled"]

GROUPS = {"default": DEFAULT_FEATURES, "all": frozenset(FEATURES)}
"""What stands for several features."""


def add_engine(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """The switches that :func:`config` reads."""
    group = parser.add_argument_group("the engine")
    group.add_argument("--width", type=int, default=64, metavar="BITS", help=f"bus width: {', '.join(map(str, WIDTHS))} (default: 64)")
    left_out = ", ".join(name for name in FEATURES if name not in DEFAULT_FEATURES)
    group.add_argument(
        "--features",
        metavar="NAME,NAME...",
        help="what is built in, by the names of `offcut features`, which are those of `ethtool -k`; "
        f"or `default`, all but {left_out}; or `all` (default: default)",
    )
    group.add_argument(
        "--mtu-max", type=int, default=9216, metavar="BYTES", help="longest frame to leave, with Ethernet header (default: 9216)"
    )
    group.add_argument(
        "--ufo-order",
        choices=UFO_ORDERS,
        default=UFO_ORDERS[0],
        help="where the UDP fragment with the checksum leaves: behind the others, or before them as from Linux (default: last)",
    )
    return group


def add_user_width(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--user-width",
        type=int,
        default=0,
        metavar="BITS",
        help=f"bits of your own that go through with each frame, on tuser: up to {USER_WIDTH_MAX} (default: none)",
    )


def add_disable(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--disable", metavar="NAME,NAME...", help="features that are built in but switched off, as cfg_disable does")


def config(args: argparse.Namespace) -> Config:
    """The configuration that the switches ask for."""
    chosen = _names("default" if args.features is None else args.features)
    features = (chosen - GROUPS.keys()).union(*(GROUPS[name] for name in chosen & GROUPS.keys()))
    user_width = getattr(args, "user_width", 0)
    try:
        return Config(width=args.width, features=features, mtu_max=args.mtu_max, ufo_order=args.ufo_order, user_width=user_width)
    except ValueError as error:
        raise CommandError(str(error)) from None


def disabled(args: argparse.Namespace) -> frozenset[str]:
    """The features that ``--disable`` names."""
    names = _names(args.disable or "")
    try:
        for name in sorted(names):
            Config.bit(name)
    except ValueError as error:
        raise CommandError(f"--disable: {error}") from None
    return names


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))
