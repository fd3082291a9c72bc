"""Frames without a request: find out from their headers what they need.

A frame that is not understood passes unchanged, so nothing is lost to a parser's opinion.
"""

from typing import NamedTuple

from .headers import ETHERTYPE_IPV4, ETHERTYPE_VLAN, PROTOCOL_TCP, PROTOCOL_UDP, Ethernet, Ipv4, Tcp, Udp, Vlan
from .layers import Ipv4Layer, TcpLayer, pseudo_sum
from .options import CHECKSUM, TSO, Options
from .plans import Cut, Fill, Plan, Whole
from .refused import Refused

__all__ = ["plan_auto"]

_UNCHANGED = Whole()
_LONGEST_PACKET = 0xFFFF


class _Packet(NamedTuple):
    """An IPv4 packet: offsets of its header, of what follows the header and of its end, in bytes from the frame's first."""

    l3: int
    l4: int
    end: int
    protocol: int
    is_fragment: bool

    @property
    def total_length(self) -> int:
        return self.end - self.l3


def plan_auto(frame: bytes, options: Options) -> Plan:
    """Complete what fits the MTU, cut TCP that does not, refuse everything else that does not."""
    packet = _packet(frame, options)
    if packet is None:
        return _UNCHANGED
    if packet.total_length > options.mtu:
        return _cut(frame, packet, options)
    # A capture may have lost the frame's end; what is not there cannot be summed.
    if packet.end > len(frame) or CHECKSUM not in options.features:
        return _UNCHANGED
    return Whole(_fills(frame, packet))


def _packet(frame: bytes, options: Options) -> _Packet | None:
    """The frame's IPv4 packet, behind at most one tag; None if there is none, or its header makes no sense."""
    tags = Vlan.BYTES if Ethernet.TYPE.of(frame, 0) == ETHERTYPE_VLAN else 0
    l3 = Ethernet.BYTES + tags
    if Ethernet.TYPE.of(frame, tags) != ETHERTYPE_IPV4:
        return None
    version, ihl = divmod(Ipv4.VERSION_IHL.of(frame, l3), 16)
    l4 = l3 + 4 * ihl
    if version != Ipv4.VERSION or 4 * ihl < Ipv4.LEAST_BYTES or len(frame) < l4:
        return None
    end = l3 + (Ipv4.TOTAL_LENGTH.of(frame, l3) or _big_tcp_length(frame, l3, options))
    if end < l4:
        return None
    is_fragment = bool(Ipv4.FLAGS_FRAGMENT.of(frame, l3) & Ipv4.IS_FRAGMENT)
    return _Packet(l3, l4, end, Ipv4.PROTOCOL.of(frame, l3), is_fragment)


def _big_tcp_length(frame: bytes, l3: int, options: Options) -> int:
    """The length of a packet that is too long for its own length field, which is then 0 (``iph_totlen``); 0 if it is not one."""
    told = len(frame) if options.frame_len is None else options.frame_len
    return told - l3 if told - l3 > _LONGEST_PACKET else 0


def _fills(frame: bytes, packet: _Packet) -> tuple[Fill, ...]:
    l3, l4, end = packet.l3, packet.l4, packet.end
    ip_header = Fill(l3, l4, l3 + Ipv4.CHECKSUM.offset, initial=0, may_be_zero=True)
    # What follows is only a part of a transport packet, or the start of one whose end is elsewhere.
    if packet.is_fragment:
        return (ip_header,)
    if packet.protocol == PROTOCOL_TCP and l4 + Tcp.LEAST_BYTES <= end:
        initial = pseudo_sum(frame, l3, PROTOCOL_TCP) + end - l4
        return (ip_header, Fill(l4, end, l4 + Tcp.CHECKSUM.offset, initial))
    if packet.protocol == PROTOCOL_UDP:
        length = Udp.LENGTH.of(frame, l4)
        has_checksum = Udp.CHECKSUM.of(frame, l4) != 0
        if has_checksum and Udp.BYTES <= length <= end - l4:
            initial = pseudo_sum(frame, l3, PROTOCOL_UDP) + length
            return (ip_header, Fill(l4, l4 + length, l4 + Udp.CHECKSUM.offset, initial))
    return (ip_header,)


def _cut(frame: bytes, packet: _Packet, options: Options) -> Plan:
    l3, l4, end = packet.l3, packet.l4, packet.end
    too_big = Refused("too_big", f"the IP packet has {packet.total_length} bytes, the MTU is {options.mtu}, and nothing says how to cut it")
    if TSO not in options.features or packet.protocol != PROTOCOL_TCP or packet.is_fragment or not Tcp.DATA_OFFSET.within(frame, l4):
        raise too_big
    payload = l4 + 4 * (Tcp.DATA_OFFSET.of(frame, l4) >> 4)
    gso_size = options.mtu - (payload - l3)
    if payload - l4 < Tcp.LEAST_BYTES or payload > len(frame) or gso_size < 1:
        raise too_big
    if min(end, options.frame_len or len(frame)) - payload <= gso_size:
        return _UNCHANGED
    headers = frame[:payload]
    layers = (TcpLayer(headers, l4, pseudo_sum(frame, l3, PROTOCOL_TCP), options), Ipv4Layer(headers, l3, l4))
    return Cut(payload, end, gso_size, layers)
