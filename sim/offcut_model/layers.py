"""What cutting changes in each header: one class a header, each with the part of its checksum that all segments share."""

import struct
from typing import NamedTuple, Protocol

from .checksum import invert, ones_sum
from .headers import Ipv4, Tcp
from .options import Options

__all__ = ["Ipv4Layer", "Layer", "Piece", "TcpLayer", "pseudo_sum"]

_IPV4_LENGTH_ID = struct.Struct("!HH")
_IPV4_CHECKSUM = struct.Struct("!H")
_TCP_SEQUENCE = struct.Struct("!I")
_TCP_OFFSET_FLAGS = struct.Struct("!H")
_TCP_CHECKSUM = struct.Struct("!H")


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


class Layer(Protocol):
    """A header that differs from segment to segment."""

    def patch(self, header: bytearray, piece: Piece) -> None:
        """Write the fields that ``piece`` asks for into ``header``, which holds the frame's headers from Ethernet on."""


class Ipv4Layer:
    """IPv4 (``inet_gso_segment``): total length, identification counted up by one, header checksum anew whatever stood there.

    Everything else stays, the flags and the fragment offset among it.
    """

    def __init__(self, headers: bytes, l3: int, l4: int) -> None:
        self._l3 = l3
        self._headers_bytes = len(headers) - l3
        self._identification = Ipv4.IDENTIFICATION.of(headers, l3)
        shared = bytearray(headers[l3:l4])
        for field in (Ipv4.TOTAL_LENGTH, Ipv4.IDENTIFICATION, Ipv4.CHECKSUM):
            _clear(shared, field.offset, field.size)
        self._shared_sum = ones_sum(shared)

    def patch(self, header: bytearray, piece: Piece) -> None:
        total_length = (self._headers_bytes + piece.length) & 0xFFFF
        identification = (self._identification + piece.number) & 0xFFFF
        check = invert(self._shared_sum + total_length + identification)
        _IPV4_LENGTH_ID.pack_into(header, self._l3 + Ipv4.TOTAL_LENGTH.offset, total_length, identification)
        _IPV4_CHECKSUM.pack_into(header, self._l3 + Ipv4.CHECKSUM.offset, check)


class TcpLayer:
    """TCP (``tcp_gso_segment``): sequence number, flags by the segment's place, checksum.

    ``pseudo_sum`` is the sum of the pseudo-header but for its length. A checksum that comes out as 0x0000 stays that: only UDP gives that
    value a meaning, and Linux's ``gso_make_checksum`` leaves it.
    """

    def __init__(self, headers: bytes, l4: int, pseudo_sum: int, options: Options) -> None:
        self._l4 = l4
        self._tcp_bytes = len(headers) - l4
        self._sequence = Tcp.SEQUENCE.of(headers, l4)
        self._offset_flags = Tcp.OFFSET_FLAGS.of(headers, l4)
        self._keep_first, self._keep_middle, self._keep_last = (
            0xF000 | keep for keep in (options.tcp_keep_first, options.tcp_keep_middle, options.tcp_keep_last)
        )
        shared = bytearray(headers[l4:])
        for field in (Tcp.SEQUENCE, Tcp.OFFSET_FLAGS, Tcp.CHECKSUM):
            _clear(shared, field.offset, field.size)
        self._shared_sum = pseudo_sum + ones_sum(shared) + self._tcp_bytes

    def patch(self, header: bytearray, piece: Piece) -> None:
        sequence = (self._sequence + piece.offset) & 0xFFFF_FFFF
        keep = self._keep_last if piece.is_last else self._keep_middle if piece.number else self._keep_first
        offset_flags = self._offset_flags & keep
        check = invert(self._shared_sum + sequence + offset_flags + piece.length + piece.total)
        _TCP_SEQUENCE.pack_into(header, self._l4 + Tcp.SEQUENCE.offset, sequence)
        _TCP_OFFSET_FLAGS.pack_into(header, self._l4 + Tcp.OFFSET_FLAGS.offset, offset_flags)
        _TCP_CHECKSUM.pack_into(header, self._l4 + Tcp.CHECKSUM.offset, check)


def pseudo_sum(frame: bytes, l3: int, protocol: int) -> int:
    """The sum of the IPv4 pseudo-header (RFC 768; RFC 9293, section 3.1) but for its length."""
    return Ipv4.ADDRESSES.of(frame, l3) + protocol


def _clear(header: bytearray, offset: int, size: int) -> None:
    header[offset : offset + size] = bytes(size)
