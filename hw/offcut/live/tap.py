"""TAP devices, and what they offer to Linux (``include/uapi/linux/if_tun.h``)."""

import fcntl
import os
import struct
from collections.abc import Collection
from typing import NamedTuple

__all__ = ["HEADER_BYTES", "LONG_HEADER_BYTES", "Tap", "offloads", "open_tap"]

TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
TUNSETVNETHDRSZ = 0x400454D8
TUNSETVNETLE = 0x400454DC
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000

TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_UFO = 0x01, 0x02, 0x04, 0x08, 0x10
TUN_F_USO4, TUN_F_USO6, TUN_F_UDP_TUNNEL_GSO, TUN_F_UDP_TUNNEL_GSO_CSUM = 0x20, 0x40, 0x80, 0x100

HEADER_BYTES, LONG_HEADER_BYTES = 10, 24
"""Of the virtio_net_hdr: plain, and with the offsets that a UDP tunnel needs."""


class _Offload(NamedTuple):
    feature: str
    bits: int
    needs_any: int
    """Linux grants it only with one of these."""


_SEGMENTATION = TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4
_OFFLOADS = (
    _Offload("tx-checksum-ip-generic", TUN_F_CSUM, 0),
    _Offload("tx-tcp-segmentation", TUN_F_TSO4, TUN_F_CSUM),
    _Offload("tx-tcp6-segmentation", TUN_F_TSO6, TUN_F_CSUM),
    _Offload("tx-tcp-ecn-segmentation", TUN_F_TSO_ECN, TUN_F_TSO4 | TUN_F_TSO6),
    _Offload("tx-udp-fragmentation", TUN_F_UFO, TUN_F_CSUM),  # granted, but Linux hands out no such request since 4.14
    _Offload("tx-udp-segmentation", TUN_F_USO4 | TUN_F_USO6, TUN_F_CSUM),  # since 6.2
    _Offload("tx-udp_tnl-segmentation", TUN_F_UDP_TUNNEL_GSO, _SEGMENTATION),  # since 6.17
    _Offload("tx-udp_tnl-csum-segmentation", TUN_F_UDP_TUNNEL_GSO_CSUM, TUN_F_UDP_TUNNEL_GSO),  # likewise
)
"""What a TAP can be told to offer, the oldest first."""


class Tap(NamedTuple):
    """An open device, which lives as long as ``fd`` is open. ``header_bytes`` stand before each frame; ``offers`` names what Linux granted."""

    fd: int
    header_bytes: int
    offers: tuple[str, ...]


def offloads(features: Collection[str]) -> list[int]:
    """The ``TUN_F_`` bits for an engine with ``features``, and, should the kernel not know them all, ever fewer: the newest go first."""
    granted: list[tuple[int, ...]] = [()]
    for offload in _OFFLOADS:
        bits = sum(granted[-1])
        if offload.feature in features and (not offload.needs_any or bits & offload.needs_any):
            granted.append((*granted[-1], offload.bits))
    return [sum(bits) for bits in reversed(granted)]


def open_tap(name: str, features: Collection[str] | None) -> Tap:
    """Make a TAP device in this thread's network namespace.

    Parameters
    ----------
    name : str
        The device's name.
    features : collection of str, optional
        What the engine behind it can do, by ``ethtool -k`` names: it is offered to Linux, and each frame has its request in front. None makes a
        plain device: no request, no offload.

    Raises
    ------
    OSError
        If there is no ``/dev/net/tun``, or no right to use it.
    """
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        flags = IFF_TAP | IFF_NO_PI | (0 if features is None else IFF_VNET_HDR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        if features is None:
            fcntl.ioctl(fd, TUNSETOFFLOAD, 0)
            return Tap(fd, 0, ())
        fcntl.ioctl(fd, TUNSETVNETLE, struct.pack("i", 1))
        granted = _grant(fd, offloads(features))
        header_bytes = LONG_HEADER_BYTES if granted & TUN_F_UDP_TUNNEL_GSO else HEADER_BYTES
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", header_bytes))
    except OSError:
        os.close(fd)
        raise
    return Tap(fd, header_bytes, tuple(offload.feature for offload in _OFFLOADS if granted & offload.bits))


def _grant(fd: int, choices: list[int]) -> int:
    for bits in choices[:-1]:
        try:
            fcntl.ioctl(fd, TUNSETOFFLOAD, bits)
            return bits
        except OSError:  # this kernel does not know them all
            continue
    fcntl.ioctl(fd, TUNSETOFFLOAD, choices[-1])
    return choices[-1]
