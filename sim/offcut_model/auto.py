"""Frames without a request: find out from their headers what they need.

A frame that is not understood passes unchanged, so nothing is lost to a parser's opinion.
"""

from typing import NamedTuple

from .cutting import cut_datagram, cut_payload, from_addresses
from .headers import IP_VERSIONS, PROTOCOL_ROUTING, PROTOCOL_TCP, PROTOCOL_UDP, Extension, Ipv4, Ipv6, Tcp, Udp, Vlan
from .layers import pseudo_sum
from .options import CHECKSUM, TSO, TSO6, UFO, USO, Options
from .plans import Cut, Fill, Plan, Whole
from .refused import Refused
from .walk import HEADER_BYTES, Kind, Layer, Reader, Walked, declared_end, ip, is_jumbo, link

__all__ = ["plan_auto"]

_UNCHANGED = Whole()
_LONGEST_PACKET = 0xFFFF
_FRAGMENT_UNIT = 8


class _Packet(NamedTuple):
    """An IP packet. Offsets in bytes from the frame's first."""

    version: int
    l3: int
    l4: int
    """What stands behind the IP header and its extension headers."""
    end: int
    protocol: int | None
    """That of what stands at ``l4``; None if it cannot be told, or nothing may be done about it."""
    named_at: int
    is_jumbo: bool

    @property
    def length(self) -> int:
        return self.end - self.l3

    def ip_layer(self) -> Layer:
        return Layer(Kind.IPV4 if self.version == 4 else Kind.IPV6, self.l3, self.l4, self.named_at)


def plan_auto(frame: bytes, options: Options, told: int) -> Plan:
    """Complete what fits the MTU, cut TCP and UDP that does not, refuse everything else that does not.

    ``frame`` ends where it was told to end; ``told`` is 0 if it was not.
    """
    reader = Reader(frame)
    packet = _packet(reader, told)
    if packet is None:
        return _UNCHANGED
    if packet.length > options.mtu:
        return _cut(reader, packet, options, told)
    # A capture may have lost the frame's end; what is not there cannot be summed.
    if packet.end > len(frame) or not options.has(CHECKSUM):
        return _UNCHANGED
    return Whole(_fills(reader, packet))


def _packet(reader: Reader, told: int) -> _Packet | None:
    """The frame's outermost IP packet; None if there is none, or its header makes no sense."""
    frame = reader.frame
    try:
        ethertype, l3 = link(reader)
        version = IP_VERSIONS[ethertype]
        chain = ip(reader, l3, version)
        upper = next(chain)
    except (Refused, KeyError):
        return None
    if not reader.holds(upper.start):
        return None
    end = declared_end(frame, l3, version)
    if not end and told - l3 > _LONGEST_PACKET:
        end = told
    if not end and version == 6:
        end = l3 + Ipv6.BYTES
    if end < upper.start:
        return None

    is_part = version == 4 and bool(Ipv4.FLAGS_FRAGMENT.of(frame, l3) & Ipv4.IS_FRAGMENT)
    before = upper
    try:
        for upper in chain:
            is_part |= before.protocol == PROTOCOL_ROUTING and Extension.SEGMENTS_LEFT.of(frame, before.start) != 0
            before = upper
    except Refused:
        is_part = True
    jumbo = version == 6 and is_jumbo(frame, l3, told)
    if jumbo and not frame.startswith(Extension.JUMBO, l3 + Ipv6.BYTES):
        is_part = True
    return _Packet(version, l3, upper.start, end, None if is_part else upper.protocol, upper.named_at, jumbo)


def _fills(reader: Reader, packet: _Packet) -> tuple[Fill, ...]:
    version, l3, l4, end = packet.version, packet.l3, packet.l4, packet.end
    fills: tuple[Fill, ...] = ()
    if version == 4:
        fills = (Fill(l3, l4, l3 + Ipv4.CHECKSUM.offset, initial=0, may_be_zero=True),)
    if packet.protocol == PROTOCOL_TCP and l4 + Tcp.LEAST_BYTES <= end:
        initial = pseudo_sum(reader.frame, l3, version, PROTOCOL_TCP) + end - l4
        fills += (Fill(l4, end, l4 + Tcp.CHECKSUM.offset, initial),)
    if packet.protocol == PROTOCOL_UDP and l4 + Udp.BYTES <= end and reader.holds(l4 + Udp.BYTES):
        length = reader.read(Udp.LENGTH, l4)
        if Udp.BYTES <= length <= end - l4 and not _has_no_checksum(reader, packet):
            initial = pseudo_sum(reader.frame, l3, version, PROTOCOL_UDP) + length
            fills += (Fill(l4, l4 + length, l4 + Udp.CHECKSUM.offset, initial),)
    return fills


def _has_no_checksum(reader: Reader, packet: _Packet) -> bool:
    """Whether a UDP datagram says that it has none, which it may over IPv4."""
    return packet.version == 4 and reader.read(Udp.CHECKSUM, packet.l4) == 0


def _cut(reader: Reader, packet: _Packet, options: Options, told: int) -> Plan:
    cut = None
    if packet.protocol == PROTOCOL_TCP:
        cut = _cut_tcp(reader, packet, options)
    elif packet.protocol == PROTOCOL_UDP:
        cut = _cut_udp(reader, packet, options)
    leaves = HEADER_BYTES - (Vlan.BYTES if options.vlan_tci is not None else 0)
    if cut is None or len(cut.header) > leaves:
        raise Refused("too_big", f"the IP packet has {packet.length} bytes, the MTU is {options.mtu}, and nothing says how to cut it")
    if min(packet.end, told or packet.end) - cut.payload <= cut.size:
        return _UNCHANGED
    return cut


def _cut_tcp(reader: Reader, packet: _Packet, options: Options) -> Cut | None:
    if not options.has(TSO if packet.version == 4 else TSO6):
        return None
    l3, l4 = packet.l3, packet.l4
    if not reader.holds(l4 + Tcp.LEAST_BYTES):
        return None
    payload = l4 + 4 * (reader.read(Tcp.DATA_OFFSET, l4) >> 4)
    size = options.mtu - (payload - l3)
    if payload < l4 + Tcp.LEAST_BYTES or not reader.holds(payload) or size < 1:
        return None
    walked = Walked((packet.ip_layer(), Layer(Kind.TCP, l4, payload)), packet.is_jumbo)
    pseudo = from_addresses(reader.frame, *walked.layers)
    return cut_payload(reader.frame, walked, size, options, pseudo=pseudo, end=packet.end)


def _cut_udp(reader: Reader, packet: _Packet, options: Options) -> Cut | None:
    l3, l4, end = packet.l3, packet.l4, packet.end
    if not reader.holds(l4 + Udp.BYTES) or reader.read(Udp.LENGTH, l4) != end - l4:
        return None
    frame, has_no_checksum = reader.frame, _has_no_checksum(reader, packet)
    walked = Walked((packet.ip_layer(), Layer(Kind.UDP, l4, l4 + Udp.BYTES)), is_jumbo=False)
    if options.uso_size:
        if not options.has(USO) or l4 + Udp.BYTES - l3 + options.uso_size > options.mtu:
            return None
        pseudo = None if has_no_checksum else from_addresses(frame, *walked.layers)
        return cut_payload(frame, walked, options.uso_size, options, pseudo=pseudo, end=end)
    size = (options.mtu - (l4 - l3)) // _FRAGMENT_UNIT * _FRAGMENT_UNIT
    may_fragment = packet.version == 4 and Ipv4.FLAGS_FRAGMENT.of(frame, l3) == 0
    if not options.has(UFO) or not may_fragment or size < _FRAGMENT_UNIT:
        return None
    return cut_datagram(frame, walked, size, options, length=None if has_no_checksum else end - l4, end=end)
