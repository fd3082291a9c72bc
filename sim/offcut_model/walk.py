"""The walk through the headers that a segment request needs, in byte order."""

from typing import NamedTuple

from .headers import ETHERTYPE_IPV4, ETHERTYPE_VLAN, PROTOCOL_TCP, Ethernet, Field, Ipv4, Tcp, Vlan
from .refused import Refused
from .vnet import NEEDS_CSUM, VirtioNetHdr

__all__ = ["Offsets", "walk"]


class Offsets(NamedTuple):
    """Where the IP header, the TCP header and the payload begin, in bytes from the frame's first."""

    l3: int
    l4: int
    payload: int

    @property
    def ip_header_bytes(self) -> int:
        return self.l4 - self.l3


def walk(frame: bytes, request: VirtioNetHdr) -> Offsets:
    """Find the headers of TCP over IPv4 behind at most one tag, and hold them against the request.

    Raises
    ------
    Refused
        ``bad_header`` at the first field that contradicts, ``truncated`` at the first that the frame is too short for.
    """
    tags = 0
    ethertype = _read(frame, tags, Ethernet.TYPE)
    if ethertype == ETHERTYPE_VLAN:
        tags = Vlan.BYTES
        ethertype = _read(frame, tags, Ethernet.TYPE)
    if ethertype != ETHERTYPE_IPV4:
        raise Refused("bad_header", f"the request is for IPv4, the EtherType is 0x{ethertype:04x}")

    l3 = Ethernet.BYTES + tags
    version, ihl = divmod(_read(frame, l3, Ipv4.VERSION_IHL), 16)
    l4 = l3 + 4 * ihl
    if version != Ipv4.VERSION:
        raise Refused("bad_header", f"the request is for IPv4, the IP version is {version}")
    if 4 * ihl < Ipv4.LEAST_BYTES:
        raise Refused("bad_header", f"an IPv4 header has at least {Ipv4.LEAST_BYTES} bytes, not {4 * ihl}")
    if request.flags & NEEDS_CSUM and request.csum_start != l4:
        raise Refused("bad_header", f"csum_start is {request.csum_start}, the TCP header begins at {l4}")
    protocol = _read(frame, l3, Ipv4.PROTOCOL)
    if protocol != PROTOCOL_TCP:
        raise Refused("bad_header", f"the request is for TCP, the IP protocol is {protocol}")

    tcp_bytes = 4 * (_read(frame, l4, Tcp.DATA_OFFSET) >> 4)
    if tcp_bytes < Tcp.LEAST_BYTES:
        raise Refused("bad_header", f"a TCP header has at least {Tcp.LEAST_BYTES} bytes, not {tcp_bytes}")
    if l4 + tcp_bytes > len(frame):
        raise Refused("truncated", f"the frame has {len(frame)} bytes, its headers alone {l4 + tcp_bytes}")
    return Offsets(l3, l4, l4 + tcp_bytes)


def _read(frame: bytes, header: int, field: Field) -> int:
    if not field.within(frame, header):
        raise Refused("truncated", f"the frame has {len(frame)} bytes, and ends before a header field at byte {header + field.offset}")
    return field.of(frame, header)
