"""The switches of ``offcut segment`` that the hardware has as configuration inputs and metadata."""

import argparse
from dataclasses import dataclass

from offcut.cli import configuration
from offcut.cli.errors import CommandError
from offcut.config import Config

__all__ = ["Inputs", "add_arguments", "inputs"]

DEFAULT_MTU = 1500
MTU = (68, 65535)
"""Least (RFC 791) and greatest IP MTU, in bytes."""

ID_MODES = ("increment", "fixed", "15-bit")
"""What IPv4 IDs do from segment to segment, by the values of ``cfg_id_mode``."""

TCI_MAX = 0xFFFF
ETHERNET_BYTES, VLAN_BYTES, IPV4_BYTES, UDP_BYTES = 14, 4, 20, 8


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an engine is told beside its frames, the same for all of a run.

    Attributes
    ----------
    auto : bool
        Handle frames without a request by parsing.
    mtu : int
        The longest IP packet that ``auto`` sends, in bytes.
    uso_size : int
        Payload bytes of the datagrams that ``auto`` cuts UDP into; 0: it does not.
    id_mode : int
        An index into :data:`ID_MODES`.
    disable : frozenset of str
        Features that are switched off.
    vlan_tci : int or None
        The TCI of the VLAN tag that every frame gets.
    """

    auto: bool = False
    mtu: int = DEFAULT_MTU
    uso_size: int = 0
    id_mode: int = 0
    disable: frozenset[str] = frozenset()
    vlan_tci: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it is told (the engine's cfg_ inputs, and tuser)")
    group.add_argument("--mtu", type=int, metavar="BYTES", help="longest IP packet to send (default: 1500)")
    group.add_argument("--uso-size", type=int, metavar="BYTES", help="cut UDP above the MTU into datagrams of this payload")
    group.add_argument("--id-mode", choices=ID_MODES, default=ID_MODES[0], help="the IPv4 ID from segment to segment (default: increment)")
    group.add_argument("--vlan", type=int, metavar="TCI", help="insert a VLAN tag into every frame")
    configuration.add_disable(group)


def inputs(args: argparse.Namespace, config: Config) -> Inputs:
    """What the switches say.

    Raises
    ------
    CommandError
        If a number is out of its range, or has no meaning with the other switches.
    """
    if args.vnet_hdr:
        for switch, value in (("--mtu", args.mtu), ("--uso-size", args.uso_size)):
            if value is not None:
                raise CommandError(
                    f"{switch} {value} has no meaning with --vnet-hdr: each record's gso_size says where it is cut; leave {switch} out"
                )
    if args.vlan is not None and not 0 <= args.vlan <= TCI_MAX:
        raise CommandError(f"--vlan must lie between 0 and {TCI_MAX} (priority, DEI and a VLAN ID of 12 bits), not {args.vlan}")
    mtu = _mtu(args, config)
    return Inputs(
        auto=not args.vnet_hdr,
        mtu=mtu,
        uso_size=_uso_size(args, mtu),
        id_mode=ID_MODES.index(args.id_mode),
        disable=configuration.disabled(args),
        vlan_tci=args.vlan,
    )


def _mtu(args: argparse.Namespace, config: Config) -> int:
    if args.mtu is None:
        return DEFAULT_MTU
    least, greatest = MTU
    if not least <= args.mtu <= greatest:
        raise CommandError(f"--mtu must lie between {least} and {greatest} bytes, not {args.mtu}")
    frame = args.mtu + ETHERNET_BYTES + (VLAN_BYTES if args.vlan is not None else 0)
    if frame > config.mtu_max:
        raise CommandError(
            f"--mtu {args.mtu} makes frames of {frame} bytes, but --mtu-max is {config.mtu_max}; lower --mtu, or raise --mtu-max"
        )
    return int(args.mtu)


def _uso_size(args: argparse.Namespace, mtu: int) -> int:
    if args.uso_size is None:
        return 0
    greatest = mtu - IPV4_BYTES - UDP_BYTES
    if not 1 <= args.uso_size <= greatest:
        raise CommandError(
            f"--uso-size must lie between 1 and {greatest} bytes, for datagrams within an MTU of {mtu} (IPv6: 20 less), not {args.uso_size}"
        )
    return int(args.uso_size)
