"""The switches that choose an engine, the same on every command."""

import argparse

from offcut.cli.errors import CommandError
from offcut.config import FEATURES, WIDTHS, Config

__all__ = ["add_arguments", "config"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the engine")
    group.add_argument("--width", type=int, default=64, metavar="BITS", help=f"bus width: {', '.join(map(str, WIDTHS))} (default: 64)")
    group.add_argument("--features", metavar="NAME,NAME...", help="what is built in, by `ethtool -k` names (default: everything)")
    group.add_argument(
        "--mtu-max", type=int, default=9216, metavar="BYTES", help="longest frame to leave, with Ethernet header (default: 9216)"
    )


def config(args: argparse.Namespace) -> Config:
    """The configuration that the switches ask for."""
    names = FEATURES.keys() if args.features is None else filter(None, args.features.split(","))
    try:
        return Config(width=args.width, features=frozenset(names), mtu_max=args.mtu_max)
    except ValueError as error:
        raise CommandError(str(error)) from None
