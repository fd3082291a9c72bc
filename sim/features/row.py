"""One line of the feature table: a request small enough to be read, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet
from scapy.utils import checksum

from offcut_model import Options, VirtioNetHdr

__all__ = ["Row"]

NEEDS_CSUM, UDP_TUNNEL_CSUM = 1, 8
UDP_TUNNEL = 0x60

CHECKSUM_OFFSET = {TCP: 16, UDP: 6, SCTP: 8}
PROTOCOL = {TCP: 6, UDP: 17, SCTP: 132}
ADDRESSES = {IP: slice(12, 20), IPv6: slice(8, 40)}
INNER = 3
"""Layers of a UDP tunnel in front of the inner IP header: outer UDP, tunnel header, inner Ethernet."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a feature does, shown on one request.

    Parameters
    ----------
    says : str
        The sentence that the row proves.
    frame : scapy.packet.Packet
        What the host hands over, with right lengths and checksums; the pseudo-header's sum takes the place of those that are asked for.
    asks : mapping of str to int
        Fields of the ``virtio_net_hdr``. Those about checksums follow from the frame unless they are given: NEEDS_CSUM is set, csum_start and
        csum_offset are those of the innermost transport header, the offsets of a UDP tunnel those of its headers. None: the header is all zeroes.
    tells : mapping
        What stands beside the request, as :class:`offcut_model.Options` names it.
    shows : str
        What to show of each wire frame, for scapy's ``sprintf``.
    leaves : tuple of str or str
        For each wire frame in order, what ``shows`` gives; or the reason of the drop.
    linux : str
        Nothing if Linux does just that; else the name of a difference in :data:`kernel.differences.DIFFERENCES`, or, if it has a space in it, why
        Linux cannot be asked.
    but : str
        In what small thing Linux differs all the same, by its own choice of order or number.
    """

    says: str
    frame: Packet
    asks: Mapping[str, int] | None
    shows: str
    leaves: tuple[str, ...] | str
    tells: Mapping[str, object] = field(default_factory=dict)
    linux: str = ""
    but: str = ""

    @property
    def asks_linux(self) -> bool:
        """Whether the running kernel can be asked."""
        return " " not in self.linux

    @property
    def options(self) -> Options:
        return Options(**self.tells)  # type: ignore[arg-type]

    @cached_property
    def header(self) -> VirtioNetHdr:
        """The whole request."""
        if self.asks is None:
            return VirtioNetHdr()
        fields = {"flags": NEEDS_CSUM, **self.asks}
        if fields["flags"] & NEEDS_CSUM and "csum_start" not in fields:
            transport = self._innermost
            fields = {"csum_start": self._offset(transport), "csum_offset": CHECKSUM_OFFSET[type(transport)], **fields}
        if fields.get("gso_type", 0) & UDP_TUNNEL:
            outer = self.frame[UDP]
            inner = outer
            for _ in range(INNER):
                inner = inner.payload
            fields = {"outer_th_offset": self._offset(outer), "inner_nh_offset": self._offset(inner), **fields}
        return VirtioNetHdr(**fields)

    @cached_property
    def raw(self) -> bytes:
        """The frame as the host hands it over."""
        data = bytearray(bytes(self.frame))
        if self.asks is not None and self.header.flags & NEEDS_CSUM and "csum_start" not in self.asks:
            self._leave_partial(data, self._innermost)
        if self.header.flags & UDP_TUNNEL_CSUM:
            self._leave_partial(data, self.frame[UDP])
        return bytes(data)

    def seen(self, wire: bytes) -> str:
        """What is shown of a wire frame."""
        return str(Ether(wire).sprintf(self.shows))

    @property
    def _layers(self) -> list[Packet]:
        layers = [self.frame]
        while layers[-1].payload:
            layers.append(layers[-1].payload)
        return layers

    @property
    def _innermost(self) -> Packet:
        return next(layer for layer in reversed(self._layers) if type(layer) in CHECKSUM_OFFSET)

    def _offset(self, layer: Packet) -> int:
        return len(bytes(self.frame)) - len(bytes(layer))

    def _leave_partial(self, data: bytearray, transport: Packet) -> None:
        """Put the pseudo-header's folded sum where the checksum goes. (SCTP has none: its field is whatever it is.)"""
        if isinstance(transport, SCTP):
            return
        network = transport.underlayer
        while type(network) not in ADDRESSES:
            network = network.underlayer
        start = self._offset(network)
        addresses = data[start:][ADDRESSES[type(network)]]
        pseudo = addresses + bytes([0, PROTOCOL[type(transport)]]) + len(bytes(transport)).to_bytes(4, "big")
        at = self._offset(transport) + CHECKSUM_OFFSET[type(transport)]
        data[at : at + 2] = (0xFFFF ^ checksum(bytes(pseudo))).to_bytes(2, "big")
