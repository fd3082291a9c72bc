"""Read pcap and pcapng captures record by record, and write pcap.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Not through a library: those at hand cut records at 64 KiB, which a super-frame
exceeds, and take the end of a truncated file for the end of the capture.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from offcut.cli.errors import CommandError, reason
from offcut.cli.output import Output

__all__ = ["ETHERNET", "PcapWriter", "Record", "read_capture"]

ETHERNET = 1
LINK_TYPES = {
    0: "BSD loopback",
    101: "raw IP",
    105: "802.11",
    113: "Linux cooked",
    127: "radiotap",
    228: "raw IPv4",
    276: "Linux cooked v2",
}
"""Link types that people meet, for messages; the number is told in any case."""

PCAP = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""First bytes of a pcap: byte order, and nanoseconds in a unit of the timestamp's fraction."""

LINK_TYPE_MASK = 0x03FF_FFFF
"""The bits of pcap's link type field that hold it; those above tell of a frame check sequence."""

SECTION_HEADER, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BYTE_ORDER = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
TSRESOL, TSOFFSET = 9, 14

GZIP = b"\x1f\x8b"

LONGEST_BYTES = 1 << 24
"""More than any record holds (BIG TCP ends at 512 KiB): a greater length is damage, and is not read into memory."""


@dataclass(frozen=True, slots=True)
class Record:
    """One captured frame: its ``number``, counted from 1, its time in ns since 1970, and its bytes."""

    number: int
    time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Raw:
    """A record as the file has it, not yet judged."""

    link_type: int
    time_ns: int
    wire_bytes: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    snaplen: int
    ticks_per_second: int
    offset_ns: int


def read_capture(file: BinaryIO, name: str, *, ethernet: bool = True) -> Iterator[Record]:
    """The records of a pcap or pcapng capture, one at a time, so that a capture may be longer than the memory.

    Parameters
    ----------
    file : binary file
        At the capture's first byte. It need not be seekable.
    name : str
        What messages call it.
    ethernet : bool
        Whether every record must be an Ethernet frame.

    Raises
    ------
    CommandError
        If this is no capture, is truncated or damaged, or if a record is cut short, empty, or no Ethernet frame.
    """
    source = _Source(file, name)
    for number, raw in enumerate(_records(source), 1):
        where = f"{name}: record {number}"
        if ethernet and raw.link_type != ETHERNET:
            kind = LINK_TYPES.get(raw.link_type, "unknown")
            raise CommandError(
                f"{where} has link type {raw.link_type} ({kind}), not Ethernet; capture on an Ethernet device (not `any`), "
                "or use --vnet-hdr if each record begins with a virtio_net_hdr"
            )
        if len(raw.data) < raw.wire_bytes:
            raise CommandError(
                f"{where} was cut by snaplen to {len(raw.data)} of {raw.wire_bytes} bytes; capture again with `tcpdump -s 0`"
            )
        if not raw.data:
            raise CommandError(f"{where} is empty; leave it out with `editcap {name} OUT {number}`")
        yield Record(number, raw.time_ns, raw.data)


class _Source:
    """A file that knows how many records have been read from it, and says so when it fails."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = name
        self.records = 0

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes, or as many as there are."""
        try:
            return self._file.read(length)
        except OSError as error:
            raise CommandError(f"cannot read {self.name}: {reason(error)}") from None

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        data = self.read(length)
        if len(data) < length:
            raise CommandError(
                f"{self.name} is truncated: it ends inside record {self.records + 1}; copy it again, or keep the whole ones with `editcap`"
            )
        return data

    def take_unless_end(self, length: int) -> bytes:
        """The next ``length`` bytes, or none where the file may end."""
        first = self.read(1)
        return first and first + self.take(length - 1)

    def damaged(self, what: str) -> NoReturn:
        raise CommandError(f"{self.name} is damaged: {what} behind record {self.records}")

    def check_length(self, length: int) -> None:
        if length > LONGEST_BYTES:
            self.damaged(f"a length of {length} bytes")


def _records(source: _Source) -> Iterator[_Raw]:
    magic = source.read(4)
    if magic in PCAP:
        records = _pcap(source, *PCAP[magic])
    elif magic == SECTION_HEADER.to_bytes(4, "big"):
        records = _pcapng(source)
    else:
        hint = "; gunzip it first" if magic.startswith(GZIP) else ""
        raise CommandError(f"{source.name} is not a pcap or pcapng capture: it begins with {magic.hex(' ') or 'nothing'}{hint}")
    for raw in records:
        source.records += 1
        yield raw


def _pcap(source: _Source, order: str, fraction_ns: int) -> Iterator[_Raw]:
    (link_type,) = struct.unpack(order + "16xI", source.take(20))
    link_type &= LINK_TYPE_MASK
    header = struct.Struct(order + "4I")
    while start := source.take_unless_end(header.size):
        seconds, fraction, captured_bytes, wire_bytes = header.unpack(start)
        source.check_length(captured_bytes)
        yield _Raw(link_type, seconds * 10**9 + fraction * fraction_ns, wire_bytes, source.take(captured_bytes))


def _pcapng(source: _Source) -> Iterator[_Raw]:
    order = ""
    interfaces: list[_Interface] = []
    start = SECTION_HEADER.to_bytes(4, "big")  # reads the same in both byte orders
    while start:
        length = source.take(4)
        if int.from_bytes(start, "big") == SECTION_HEADER:
            mark = source.take(4)
            if mark not in BYTE_ORDER:
                source.damaged(f"a section with the byte-order mark {mark.hex(' ')}")
            order = BYTE_ORDER[mark]
            interfaces = []
        else:
            mark = b""
        kind, length_bytes = struct.unpack(order + "II", start + length)
        source.check_length(length_bytes)
        if length_bytes < 12 + len(mark) or length_bytes % 4:
            source.damaged(f"a block length of {length_bytes} bytes")
        body = source.take(length_bytes - 12 - len(mark))
        if source.take(4) != length:
            source.damaged("a block whose two lengths differ")
        try:
            if kind == INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind in PACKETS:
                yield PACKETS[kind](order, body, interfaces)
        except (struct.error, IndexError):
            source.damaged(f"a block of type {kind} that is too short, or whose interface is unknown,")
        start = source.take_unless_end(4)


def _interface(order: str, body: bytes) -> _Interface:
    link_type, snaplen = struct.unpack_from(order + "H2xI", body)
    ticks_per_second, offset_ns = 10**6, 0
    for code, value in _options(order, body, 8):
        if code == TSRESOL:
            ticks_per_second = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == TSOFFSET:
            offset_ns = struct.unpack(order + "q", value)[0] * 10**9
    return _Interface(link_type, snaplen, ticks_per_second, offset_ns)


def _options(order: str, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _enhanced_packet(order: str, body: bytes, interfaces: list[_Interface], layout: str = "5I") -> _Raw:
    number, high, low, captured_bytes, wire_bytes = struct.unpack_from(order + layout, body)
    interface = interfaces[number]
    time_ns = ((high << 32) + low) * 10**9 // interface.ticks_per_second + interface.offset_ns
    return _Raw(interface.link_type, time_ns, wire_bytes, _data(body, 20, captured_bytes))


def _old_packet(order: str, body: bytes, interfaces: list[_Interface]) -> _Raw:
    return _enhanced_packet(order, body, interfaces, "H2x4I")


def _simple_packet(order: str, body: bytes, interfaces: list[_Interface]) -> _Raw:
    (wire_bytes,) = struct.unpack_from(order + "I", body)
    interface = interfaces[0]
    captured_bytes = min(wire_bytes, interface.snaplen or wire_bytes)
    return _Raw(interface.link_type, 0, wire_bytes, _data(body, 4, captured_bytes))


def _data(body: bytes, start: int, length: int) -> bytes:
    if start + length > len(body):
        raise IndexError
    return body[start : start + length]


PACKETS: dict[int, Callable[[str, bytes, list[_Interface]], _Raw]] = {
    ENHANCED_PACKET: _enhanced_packet,
    SIMPLE_PACKET: _simple_packet,
    OLD_PACKET: _old_packet,
}


class PcapWriter:
    """Writes Ethernet frames as a pcap with nanosecond timestamps.

    Parameters
    ----------
    file : Output
        Gets the file header at once.
    """

    def __init__(self, file: Output) -> None:
        self._file = file
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_BYTES, ETHERNET))

    def write(self, time_ns: int, frame: bytes) -> None:
        """Append one frame."""
        seconds, nanoseconds = divmod(time_ns, 10**9)
        self._file.write(struct.pack("<4I", seconds & 0xFFFF_FFFF, nanoseconds, len(frame), len(frame)) + frame)
