"""The frames that are measured, each with its request. Built by hand, so that a length in a table is the length on the bus."""

import struct
from dataclasses import dataclass

from offcut_model import Options, VirtioNetHdr, segment
from offcut_model.checksum import ones_sum

__all__ = ["CHECKSUM", "SUPER_FRAME", "Asked", "tcp", "udp", "vxlan"]

SUPER_FRAME = 64000
"""Bytes of a super-frame: what a host makes of a bulk transfer, in whole thousands."""

ETHERNET, IPV4, TCP, TIMESTAMPS, UDP, VXLAN = 14, 20, 20, 12, 8, 8
ADDRESSES = bytes([10, 0, 0, 1, 10, 0, 0, 2])


@dataclass(frozen=True)
class Asked:
    """A frame, what is asked of it, None for nothing; with ``auto`` the engine then parses it, for links of ``mtu`` bytes."""

    frame: bytes
    request: VirtioNetHdr | None = None
    auto: bool = False
    mtu: int = 1500

    def wire(self):
        """What must leave, by the golden model."""
        return segment(self.frame, self.request, Options(auto=self.auto, mtu=self.mtu))

    def packed(self):
        """The request as the engine's metadata."""
        return b"" if self.request is None else self.request.pack(24)


CHECKSUM = VirtioNetHdr(flags=1, csum_start=ETHERNET + IPV4, csum_offset=16)
"""One checksum, where TCP behind Ethernet and IPv4 has it."""


def tcp(length, *, gso_size=0, request=None, auto=False, mtu=1500, timestamps=False):
    """TCP over IPv4, ``length`` bytes; cut at ``gso_size`` if there is one."""
    option = bytes.fromhex("0101080a 00000001 00000002") if timestamps else b""
    header = ETHERNET + IPV4 + TCP + len(option)
    head = _ethernet(0x0800) + _ipv4(length - ETHERNET, 6)
    partial = _pseudo_header(length - ETHERNET - IPV4, 6)
    head += struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, (header - ETHERNET - IPV4) << 2, 0x10, 512, partial, 0) + option
    if gso_size:
        request = VirtioNetHdr(flags=1, gso_type=1, hdr_len=header, gso_size=gso_size, csum_start=34, csum_offset=16)
    return Asked(_filled(head, length), request, auto, mtu)


def udp(length, gso_size):
    """UDP over IPv4, ``length`` bytes, to be cut into datagrams of ``gso_size`` (USO)."""
    header = ETHERNET + IPV4 + UDP
    head = _ethernet(0x0800) + _ipv4(length - ETHERNET, 17) + _udp(4433, length - ETHERNET - IPV4)
    request = VirtioNetHdr(flags=1, gso_type=5, hdr_len=header, gso_size=gso_size, csum_start=34, csum_offset=6)
    return Asked(_filled(head, length), request)


def vxlan(length, gso_size):
    """TCP over IPv4 in VXLAN over IPv4, ``length`` bytes, to be cut at ``gso_size``; the outer UDP has a checksum, too."""
    inner = ETHERNET + IPV4 + UDP + VXLAN
    inner_ip = inner + ETHERNET
    inner_tcp = inner_ip + IPV4
    carried = tcp(length - inner).frame
    head = _ethernet(0x0800) + _ipv4(length - ETHERNET, 17) + _udp(4789, length - ETHERNET - IPV4)
    head += struct.pack("!II", 0x08000000, 42 << 8)
    request = VirtioNetHdr(
        flags=1 | 8,
        gso_type=1 | 0x20,
        hdr_len=inner_tcp + TCP,
        gso_size=gso_size,
        csum_start=inner_tcp,
        csum_offset=16,
        outer_th_offset=ETHERNET + IPV4,
        inner_nh_offset=inner_ip,
    )
    return Asked(head + carried, request)


def _ethernet(ethertype):
    return bytes.fromhex("020000000001 020000000002") + ethertype.to_bytes(2, "big")


def _ipv4(length, protocol):
    return struct.pack("!BBHHHBBH", 0x45, 0, length, 1, 0x4000, 64, protocol, 0) + ADDRESSES


def _udp(port, length):
    return struct.pack("!HHHH", 40000, port, length, _pseudo_header(length, 17))


def _pseudo_header(length, protocol):
    """What a host leaves in a checksum field that is still to be completed: the sum of addresses, protocol and length."""
    return ones_sum(ADDRESSES + struct.pack("!HH", protocol, length))


def _filled(head, length):
    """The headers and as many bytes of payload as ``length`` leaves; no two words of it alike for a while."""
    return (head + bytes(range(1, 251)) * (length // 250 + 1))[:length]
