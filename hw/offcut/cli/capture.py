"""Read pcap and pcapng captures record by record, and write pcap: scapy's readers and writer, with nothing passed over in silence.

scapy takes the end of the file for the end of the capture wherever it comes, and what it does not understand too; here both are errors. Its readers
cut a record at 65,535 bytes, which a super-frame exceeds, unless they are told another size, which only their methods with an underscore take: hence
the narrow bounds on its version in ``pyproject.toml``.
"""

import io
import logging
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, NoReturn, cast

from scapy.error import Scapy_Exception
from scapy.utils import RawPcapNgReader, RawPcapReader, RawPcapWriter

from offcut.cli.errors import CommandError, reason
from offcut.cli.output import Output

__all__ = ["ETHERNET", "PcapWriter", "Record", "read_capture"]

logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)  # what it warns of is an error here, and told as one

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

LINK_TYPE_MASK = 0x03FF_FFFF
"""The bits of pcap's link type field that hold it; those above tell of a frame check sequence."""

PCAP_RECORD_HEADER_BYTES = 16
TSOFFSET = 14
"""pcapng's option for the seconds to add to an interface's timestamps."""

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


def read_capture(file: io.BufferedReader, name: str, *, ethernet: bool = True) -> Iterator[Record]:
    """The records of a pcap or pcapng capture, one at a time, so that a capture may be longer than the memory.

    Parameters
    ----------
    file : buffered binary file
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
    for number, raw in enumerate(_records(_Source(file, name)), 1):
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
    """The file as scapy reads it. It may end where a block would begin, and nowhere else.

    Attributes
    ----------
    records : int
        How many have been read.
    taken : list of bytes
        What has been read since the last ``begin_block()``.
    """

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        self._file = file
        self.name = name
        self.records = 0
        self.taken: list[bytes] = []

    def first(self, length: int) -> bytes:
        """The first bytes of the file, which stay to be read."""
        with _explained(self.name):
            return self._file.peek(length)[:length]

    def begin_block(self) -> None:
        self.taken.clear()

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes; none at the end."""
        if length + sum(map(len, self.taken)) > LONGEST_BYTES:
            self.damaged(f"more than {LONGEST_BYTES} bytes are said to belong together")
        with _explained(self.name):
            data = self._file.read(length)
        if len(data) < length and (data or self.taken):
            raise CommandError(
                f"{self.name} is truncated: it ends inside record {self.records + 1}; copy it again, or keep the whole ones with `editcap`"
            )
        if data:
            self.taken.append(data)
        return data

    def damaged(self, what: str) -> NoReturn:
        raise CommandError(f"{self.name} is damaged behind record {self.records}: {what}")


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"cannot read {name}: {reason(error)}") from None


class _Pcap(RawPcapReader):
    """scapy's reader of pcap, without a bound of its own on a record's length."""

    f: Any

    def record(self) -> _Raw:
        data, about = self._read_packet(size=LONGEST_BYTES)
        if len(data) < about.caplen:  # scapy keeps 262,140 bytes and skips the rest
            data = b"".join(self.f.taken)[PCAP_RECORD_HEADER_BYTES:]
        time_ns = about.sec * 10**9 + about.usec * (1 if self.nano else 1000)
        return _Raw(self.linktype & LINK_TYPE_MASK, time_ns, about.wirelen, data)


class _PcapNg(RawPcapNgReader):
    """scapy's reader of pcapng, which also honours a snaplen of 0 (none), if_tsoffset, and a new section's own interfaces."""

    f: Any

    def record(self) -> _Raw | None:
        """The next block's record; None if it holds none."""
        block = self._read_block(size=LONGEST_BYTES)
        if block is None:
            return None
        data, about = block
        if about.tshigh is None:  # a simple packet block
            return _Raw(about.linktype, 0, about.wirelen, data)
        ticks_per_second, offset_s = about.tsresol
        time_ns = ((about.tshigh << 32) + about.tslow) * 10**9 // ticks_per_second + offset_s * 10**9
        return _Raw(about.linktype, time_ns, about.wirelen, data)

    def _read_block_shb(self) -> None:
        super()._read_block_shb()
        self.interfaces.clear()

    def _read_block_idb(self, block: bytes, size: int) -> None:
        super()._read_block_idb(block, size)
        offset = cast(bytes, self._read_options(block[8:]).get(TSOFFSET, bytes(8)))
        (offset_s,) = struct.unpack(self.endian + "q", offset)
        link_type, snaplen, options = self.interfaces.pop()
        # A packet comes with its interface's tsresol, so the offset travels there.
        self.interfaces.append((link_type, snaplen or LONGEST_BYTES, options | {"tsresol": (options["tsresol"], offset_s)}))

    def _check_interface_id(self, number: int) -> bool:
        if not super()._check_interface_id(number):
            self.f.damaged(f"interface {number} is unknown")
        return True


READERS: dict[bytes, Callable[[Any], _Pcap | _PcapNg]] = {
    b"\xa1\xb2\xc3\xd4": _Pcap,
    b"\xd4\xc3\xb2\xa1": _Pcap,
    b"\xa1\xb2\x3c\x4d": _Pcap,
    b"\x4d\x3c\xb2\xa1": _Pcap,
    b"\x0a\x0d\x0d\x0a": _PcapNg,
}
"""Who reads a file, by its first bytes."""


def _records(source: _Source) -> Iterator[_Raw]:
    magic = source.first(4)
    if magic not in READERS:
        hint = "; gunzip it first" if magic.startswith(GZIP) else ""
        raise CommandError(f"{source.name} is not a pcap or pcapng capture: it begins with {magic.hex(' ') or 'nothing'}{hint}")
    try:
        reader = READERS[magic](source)
        while True:
            source.begin_block()
            if raw := reader.record():
                source.records += 1
                yield raw
    except (EOFError, Scapy_Exception, struct.error) as error:
        if source.taken:
            source.damaged(str(error) or "a block that contradicts itself")


class PcapWriter:
    """Writes Ethernet frames as a pcap with nanosecond timestamps.

    Parameters
    ----------
    file : Output
        Gets the file header at once.
    """

    def __init__(self, file: Output) -> None:
        self._writer = RawPcapWriter(cast(IO[bytes], file), linktype=ETHERNET, endianness="<", nano=True, snaplen=LONGEST_BYTES)
        self._writer.write_header(None)

    def write(self, time_ns: int, frame: bytes) -> None:
        """Append one frame."""
        seconds, nanoseconds = divmod(time_ns, 10**9)
        self._writer.write_packet(frame, sec=seconds & 0xFFFF_FFFF, usec=nanoseconds)
