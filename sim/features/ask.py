"""A scapy packet as a host hands it over: the request beside it, and the pseudo-header's sum where a checksum is asked for."""

from collections.abc import Mapping

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.sctp import SCTP
from scapy.packet import Packet
from scapy.utils import checksum

from offcut_model import VirtioNetHdr

__all__ = ["NEEDS_CSUM", "UDP_TUNNEL", "UDP_TUNNEL_CSUM", "asked", "handed_over"]

NEEDS_CSUM, UDP_TUNNEL_CSUM = 1, 8
UDP_TUNNEL = 0x60

CHECKSUM_OFFSET = {TCP: 16, UDP: 6, SCTP: 8}
PROTOCOL = {TCP: 6, UDP: 17, SCTP: 132}
ADDRESSES = {IP: slice(12, 20), IPv6: slice(8, 40)}
INNER = 3
"""Layers of a UDP tunnel in front of the inner IP header: outer UDP, tunnel header, inner Ethernet."""


def asked(frame: Packet, fields: Mapping[str, int]) -> VirtioNetHdr:
    """The whole request.

    Fields that are not given follow from the frame: NEEDS_CSUM is set, csum_start and csum_offset are those of the innermost transport header, the
    offsets of a UDP tunnel those of its headers.
    """
    fields = {"flags": NEEDS_CSUM, **fields}
    if fields["flags"] & NEEDS_CSUM and "csum_start" not in fields:
        transport = _innermost(frame)
        fields = {"csum_start": _offset(frame, transport), "csum_offset": CHECKSUM_OFFSET[type(transport)], **fields}
    if fields.get("gso_type", 0) & UDP_TUNNEL:
        outer = inner = frame[UDP]
        for _ in range(INNER):
            inner = inner.payload
        fields = {"outer_th_offset": _offset(frame, outer), "inner_nh_offset": _offset(frame, inner), **fields}
    return VirtioNetHdr(**fields)


def handed_over(frame: Packet, header: VirtioNetHdr) -> bytes:
    """The frame's bytes. What the request asks for is still to be done where the frame has a checksum for it."""
    data = bytearray(bytes(frame))
    if header.flags & NEEDS_CSUM:
        for transport in _transports(frame):
            if _offset(frame, transport) == header.csum_start:
                _leave_partial(frame, data, transport)
    if header.flags & UDP_TUNNEL_CSUM:
        _leave_partial(frame, data, frame[UDP])
    return bytes(data)


def _transports(frame: Packet) -> list[Packet]:
    layers = [frame]
    while layers[-1].payload:
        layers.append(layers[-1].payload)
    return [layer for layer in layers if type(layer) in CHECKSUM_OFFSET]


def _innermost(frame: Packet) -> Packet:
    return _transports(frame)[-1]


def _offset(frame: Packet, layer: Packet) -> int:
    return len(bytes(frame)) - len(bytes(layer))


def _leave_partial(frame: Packet, data: bytearray, transport: Packet) -> None:
    """Put the pseudo-header's folded sum where the checksum goes. (SCTP has none: its field is whatever it is.)"""
    if isinstance(transport, SCTP):
        return
    network = transport.underlayer
    while type(network) not in ADDRESSES:
        network = network.underlayer
    addresses = data[_offset(frame, network) :][ADDRESSES[type(network)]]
    pseudo = addresses + bytes([0, PROTOCOL[type(transport)]]) + len(bytes(transport)).to_bytes(4, "big")
    at = _offset(frame, transport) + CHECKSUM_OFFSET[type(transport)]
    data[at : at + 2] = (0xFFFF ^ checksum(bytes(pseudo))).to_bytes(2, "big")
