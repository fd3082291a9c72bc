"""What cutting changes in each header: one class a header, each with the part of its checksum that all segments share."""

import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .checksum import invert, never_zero, ones_sum
from .headers import Field, Fragment, Gre, Ipv4, Ipv6, Tcp, Udp
from .options import Options

__all__ = [
    "FragmentPatch",
    "GrePatch",
    "Ipv4FragmentPatch",
    "Ipv4Patch",
    "Ipv6Patch",
    "Patch",
    "Piece",
    "TcpPatch",
    "TunnelPatch",
    "UdpPatch",
    "pseudo_sum",
]

_U16 = struct.Struct("!H")
_U16_PAIR = struct.Struct("!HH")
_U32 = struct.Struct("!I")


class Piece(NamedTuple):
    """One segment's share of the payload."""

    number: int
    """Which segment, from 0."""
    offset: int
    """Its first byte, from the payload's first."""
    length: int
    """In bytes."""
    total: int
    """Its one's-complement sum."""
    is_last: bool


class Patch(Protocol):
    """What differs from segment to segment in one header. ``start`` is the header's first byte."""

    def __call__(self, header: bytearray, piece: Piece) -> None:
        """Write the fields that ``piece`` asks for into ``header``, which holds the frame's headers from Ethernet on.

        Whatever is inside has been patched before.
        """


Numbering = Callable[[int, int], int]


def _counted(first: int, number: int) -> int:
    return (first + number) & 0xFFFF


def _fixed(first: int, number: int) -> int:
    return first


def _counted_low(first: int, number: int) -> int:
    return first & 0x8000 | (first + number) & 0x7FFF


_NUMBERINGS: tuple[Numbering, ...] = (_counted, _fixed, _counted_low)
"""By ``id_mode``."""


class Ipv4Patch:
    """IPv4 (``inet_gso_segment``): total length, identification, header checksum anew whatever stood there.

    Everything else stays, the flags and the fragment offset among it.
    """

    def __init__(self, headers: bytes | bytearray, start: int, end: int, id_mode: int) -> None:
        self._start = start
        self._headers_bytes = len(headers) - start
        self._identification = Ipv4.IDENTIFICATION.of(headers, start)
        self._numbered = _NUMBERINGS[id_mode]
        self._shared_sum = _sum_without(headers[start:end], Ipv4.TOTAL_LENGTH, Ipv4.IDENTIFICATION, Ipv4.CHECKSUM)

    def __call__(self, header: bytearray, piece: Piece) -> None:
        total_length = (self._headers_bytes + piece.length) & 0xFFFF
        identification = self._numbered(self._identification, piece.number)
        check = invert(self._shared_sum + total_length + identification)
        _U16_PAIR.pack_into(header, self._start + Ipv4.TOTAL_LENGTH.offset, total_length, identification)
        _U16.pack_into(header, self._start + Ipv4.CHECKSUM.offset, check)


class Ipv4FragmentPatch:
    """A fragment of an IPv4 packet: total length, offset and MF in place of all that stood there, header checksum."""

    def __init__(self, headers: bytes | bytearray, start: int, end: int) -> None:
        self._start = start
        self._headers_bytes = len(headers) - start
        self._shared_sum = _sum_without(headers[start:end], Ipv4.TOTAL_LENGTH, Ipv4.FLAGS_FRAGMENT, Ipv4.CHECKSUM)

    def __call__(self, header: bytearray, piece: Piece) -> None:
        total_length = self._headers_bytes + piece.length
        flags_fragment = (piece.offset & 0xFFFF) >> 3 | (0 if piece.is_last else Ipv4.MORE_FRAGMENTS)
        _U16.pack_into(header, self._start + Ipv4.TOTAL_LENGTH.offset, total_length & 0xFFFF)
        _U16.pack_into(header, self._start + Ipv4.FLAGS_FRAGMENT.offset, flags_fragment)
        check = invert(self._shared_sum + (total_length & 0xFFFF) + flags_fragment)
        _U16.pack_into(header, self._start + Ipv4.CHECKSUM.offset, check)


class Ipv6Patch:
    """IPv6 (``ipv6_gso_segment``): payload length, which counts the extension headers."""

    def __init__(self, headers: bytes | bytearray, start: int) -> None:
        self._start = start
        self._headers_bytes = len(headers) - start - Ipv6.BYTES

    def __call__(self, header: bytearray, piece: Piece) -> None:
        _U16.pack_into(header, self._start + Ipv6.PAYLOAD_LENGTH.offset, (self._headers_bytes + piece.length) & 0xFFFF)


class FragmentPatch:
    """The IPv6 fragment header: offset and M flag."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __call__(self, header: bytearray, piece: Piece) -> None:
        offset_flags = piece.offset & 0xFFFF | (0 if piece.is_last else Fragment.MORE_FRAGMENTS)
        _U16.pack_into(header, self._start + Fragment.OFFSET_FLAGS.offset, offset_flags)


class TcpPatch:
    """TCP (``tcp_gso_segment``): sequence number, flags by the segment's place, checksum.

    ``pseudo`` is the sum of the pseudo-header but for its length. A checksum that comes out as 0x0000 stays that: only UDP gives that value
    a meaning, and Linux's ``gso_make_checksum`` leaves it.
    """

    _CLEARED = (0x009, 0x089, 0x080)
    """On the first, a middle and the last segment: FIN and PSH, these and CWR, CWR. A single segment keeps all."""

    def __init__(self, headers: bytes | bytearray, start: int, pseudo: int, options: Options) -> None:
        self._start = start
        self._tcp_bytes = len(headers) - start
        self._sequence = Tcp.SEQUENCE.of(headers, start)
        self._single = offset_flags = Tcp.OFFSET_FLAGS.of(headers, start)
        changed = (options.tcp_clear_first, options.tcp_clear_middle, options.tcp_clear_last)
        self._first, self._middle, self._last = (
            offset_flags & ~(clear ^ change) for clear, change in zip(self._CLEARED, changed, strict=True)
        )
        self._shared_sum = pseudo + _sum_without(headers[start:], Tcp.SEQUENCE, Tcp.OFFSET_FLAGS, Tcp.CHECKSUM) + self._tcp_bytes

    def __call__(self, header: bytearray, piece: Piece) -> None:
        sequence = (self._sequence + piece.offset) & 0xFFFF_FFFF
        if piece.is_last:
            offset_flags = self._last if piece.number else self._single
        else:
            offset_flags = self._middle if piece.number else self._first
        check = invert(self._shared_sum + sequence + offset_flags + piece.length + piece.total)
        _U32.pack_into(header, self._start + Tcp.SEQUENCE.offset, sequence)
        _U16.pack_into(header, self._start + Tcp.OFFSET_FLAGS.offset, offset_flags)
        _U16.pack_into(header, self._start + Tcp.CHECKSUM.offset, check)


class UdpPatch:
    """UDP (``__udp_gso_segment``): length and checksum; with ``pseudo`` None the checksum field stays as it is."""

    def __init__(self, headers: bytes | bytearray, start: int, pseudo: int | None) -> None:
        self._start = start
        self._has_checksum = pseudo is not None
        self._shared_sum = (pseudo or 0) + _sum_without(headers[start:], Udp.LENGTH, Udp.CHECKSUM)

    def __call__(self, header: bytearray, piece: Piece) -> None:
        length = (Udp.BYTES + piece.length) & 0xFFFF
        _U16.pack_into(header, self._start + Udp.LENGTH.offset, length)
        if self._has_checksum:
            check = never_zero(invert(self._shared_sum + 2 * length + piece.total))
            _U16.pack_into(header, self._start + Udp.CHECKSUM.offset, check)


class TunnelPatch:
    """The outer UDP header of a tunnel (``__skb_udp_tunnel_segment``): length and checksum; with ``pseudo`` None that stays as it is."""

    def __init__(self, headers: bytes | bytearray, start: int, pseudo: int | None) -> None:
        self._start = start
        self._headers_bytes = len(headers) - start
        self._pseudo = pseudo

    def __call__(self, header: bytearray, piece: Piece) -> None:
        length = self._headers_bytes + piece.length
        _U16.pack_into(header, self._start + Udp.LENGTH.offset, length & 0xFFFF)
        if self._pseudo is not None:
            field = self._start + Udp.CHECKSUM.offset
            _U16.pack_into(header, field, 0)
            check = never_zero(invert(self._pseudo + length + ones_sum(header[self._start :]) + piece.total))
            _U16.pack_into(header, field, check)


class GrePatch:
    """GRE with a checksum (``gre_gso_segment``): from the GRE header to the end, without a pseudo-header, and 0x0000 stays that."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __call__(self, header: bytearray, piece: Piece) -> None:
        field = self._start + Gre.CHECKSUM.offset
        _U16.pack_into(header, field, 0)
        _U16.pack_into(header, field, invert(ones_sum(header[self._start :]) + piece.total))


def pseudo_sum(frame: bytes, start: int, version: int, protocol: int) -> int:
    """The sum of the pseudo-header (RFC 768; RFC 9293, section 3.1; RFC 8200, section 8.1) but for its length.

    ``start`` is the IP header's first byte.
    """
    addresses = Ipv4.ADDRESSES if version == 4 else Ipv6.ADDRESSES
    begin = start + addresses.offset
    return ones_sum(frame[begin : begin + addresses.size]) + protocol


def _sum_without(header: bytes | bytearray, *fields: Field) -> int:
    """The sum of a header with some fields taken as 0."""
    shared = bytearray(header)
    for field in fields:
        field.put(shared, 0, 0)
    return ones_sum(shared)
