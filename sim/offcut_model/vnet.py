"""``struct virtio_net_hdr``: how a host asks for offloads (VIRTIO 1.3, section 5.1.6; ``include/uapi/linux/virtio_net.h``)."""

import struct
from dataclasses import dataclass, fields

__all__ = [
    "GSO_ECN",
    "GSO_NONE",
    "GSO_TCPV4",
    "GSO_TCPV6",
    "GSO_TYPES",
    "GSO_UDP",
    "GSO_UDP_L4",
    "GSO_UDP_TUNNEL",
    "GSO_UDP_TUNNEL_IPV6",
    "NEEDS_CSUM",
    "REQUEST_BYTES",
    "UDP_TUNNEL_CSUM",
    "VirtioNetHdr",
]

NEEDS_CSUM = 1
"""Bit of ``flags``: the checksum at ``csum_start + csum_offset`` is to be completed."""
UDP_TUNNEL_CSUM = 8
"""Bit of ``flags``: in a UDP tunnel, the outer checksum, too."""

GSO_NONE = 0
GSO_TCPV4 = 1
GSO_UDP = 3
GSO_TCPV6 = 4
GSO_UDP_L4 = 5
GSO_UDP_TUNNEL_IPV4 = 0x20
GSO_UDP_TUNNEL_IPV6 = 0x40
GSO_UDP_TUNNEL = GSO_UDP_TUNNEL_IPV4 | GSO_UDP_TUNNEL_IPV6
GSO_ECN = 0x80

_IN_TUNNELS = frozenset({GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4})
_WITH_ECN = frozenset({GSO_TCPV4, GSO_TCPV6})
GSO_TYPES = frozenset(
    base | tunnel | ecn
    for base in (GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4)
    for tunnel in (0, GSO_UDP_TUNNEL_IPV4, GSO_UDP_TUNNEL_IPV6)
    for ecn in (0, GSO_ECN)
    if (not tunnel or base in _IN_TUNNELS) and (not ecn or base in _WITH_ECN)
)
"""Every ``gso_type`` that exists but none: a kind of segment, in a tunnel or not, with ECN or not."""

REQUEST_BYTES = 10
"""The header's first bytes, which hold a request outside tunnels."""

_LAYOUT = "<BBHHHHHIHHHH"
_FORMS = {10: 6, 12: 7, 20: 10, 24: 12}
"""How many items of the layout each size of the header holds; one of them is the 20-byte form's padding."""
_PADDING = 9
_LIMITS = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFF_FFFF}


@dataclass(frozen=True, slots=True)
class VirtioNetHdr:
    """One frame's offload request. The fields are Linux's own; all are 0 if not given.

    Raises
    ------
    ValueError
        If a field does not fit its bits; the message names it.
    """

    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    num_buffers: int = 0
    hash_value: int = 0
    hash_report: int = 0
    outer_th_offset: int = 0
    inner_nh_offset: int = 0

    def __post_init__(self) -> None:
        for field, limit in _FIELD_LIMITS.items():
            value = getattr(self, field)
            if not 0 <= value <= limit:
                raise ValueError(f"{field} must lie between 0 and {limit}, not {value}")

    def pack(self, size: int = 10) -> bytes:
        """The header as ``size`` bytes (10, 12, 20 or 24), little-endian. Fields that the size has no room for are left out."""
        return struct.pack(_layout(size), *self._items()[: _FORMS[size]])

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, size: int | None = None) -> "VirtioNetHdr":
        """The header that stands in the first ``size`` bytes of ``data`` (10, 12, 20 or 24; by default all of it).

        Raises
        ------
        ValueError
            If there is no such size, or ``data`` is shorter.
        """
        size = len(data) if size is None else size
        layout = _layout(size)
        if len(data) < size:
            raise ValueError(f"A virtio_net_hdr of {size} bytes cannot be read from {len(data)}")
        items = list(struct.unpack_from(layout, data))
        del items[_PADDING : _PADDING + 1]
        return cls(*items)

    @property
    def base(self) -> int:
        """The kind of segment: ``gso_type`` without ECN and tunnel."""
        return self.gso_type & ~(GSO_ECN | GSO_UDP_TUNNEL)

    @property
    def tunnel(self) -> int:
        """The family of the UDP tunnel's outer header as its bit in ``gso_type``; 0 for no UDP tunnel."""
        return self.gso_type & GSO_UDP_TUNNEL

    @property
    def needs_csum(self) -> bool:
        """Whether NEEDS_CSUM is set."""
        return bool(self.flags & NEEDS_CSUM)

    def asks_nothing(self) -> bool:
        """Whether the ten bytes of the request are all 0."""
        return not any(self._items()[: _FORMS[REQUEST_BYTES]])

    def _items(self) -> list[int]:
        items = [getattr(self, field.name) for field in fields(self)]
        items.insert(_PADDING, 0)
        return items


def _layout(size: int) -> str:
    if size not in _FORMS:
        raise ValueError(f"A virtio_net_hdr has {', '.join(map(str, _FORMS))} bytes, not {size}")
    return _LAYOUT[: 1 + _FORMS[size]]


_CODES = [code for item, code in enumerate(_LAYOUT[1:]) if item != _PADDING]
_FIELD_LIMITS = {field.name: _LIMITS[code] for field, code in zip(fields(VirtioNetHdr), _CODES, strict=True)}
