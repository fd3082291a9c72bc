"""Frames for the parser's tests, and what it must find in them: plain Python on the frame's bytes."""

import struct
from dataclasses import dataclass, field

from support import ones, row_end

from offcut.tx.layouts import Drop, Kind

__all__ = ["Case", "ipv4", "rows_of"]


def ipv4(
    payload=b"x" * 100,
    *,
    tagged=False,
    options=b"",
    protocol=6,
    fragment=0x4000,
    total_length=None,
    version=4,
    ihl=None,
    ethertype=0x0800,
    tcp_options=b"",
    data_offset=None,
    flags=0x18,
    seq=0x12345678,
    identification=0xABCD,
    csum=0xBEEF,
    ip_csum=0x5A5A,
    udp_length=None,
    padding=b"",
):
    """An Ethernet frame with an IPv4 header and one of TCP or UDP; every field can be made to lie."""
    if protocol == 17:
        length = 8 + len(payload) if udp_length is None else udp_length
        transport = struct.pack("!HHHH", 1000, 2000, length, csum)
    else:
        words = 5 + len(tcp_options) // 4 if data_offset is None else data_offset
        transport = struct.pack("!HHIIHHHH", 1000, 2000, seq, 0x0A0B0C0D, words << 12 | flags, 500, csum, 0x7777) + tcp_options
    words = 5 + len(options) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(transport) + len(payload) if total_length is None else total_length
    addresses = bytes([10, 1, 2, 3, 192, 168, 255, 254])
    header = struct.pack("!BBHHHBBH", version << 4 | words, 0x28, length & 0xFFFF, identification, fragment, 64, protocol, ip_csum)
    tag = b"\x81\x00\x20\x05" if tagged else b""
    ethernet = bytes(range(1, 13)) + tag + ethertype.to_bytes(2, "big")
    return ethernet + header + addresses + options + transport + payload + padding


def rows_of(g, frame, fault=Drop.NONE):
    """The rows of a frame as the ingress gives them."""
    size = g.bus_bytes
    rows = []
    for at in range(0, len(frame), size):
        piece, last = frame[at : at + size], at + size >= len(frame)
        rows.append({
            "data": int.from_bytes(piece + b"\xcc" * (size - len(piece)), "little"),
            "end": row_end(len(piece), last=last, fault=fault if last else 0),
        })
    return rows


@dataclass
class Case:
    """A frame with its request, and the drop that must follow."""

    frame: bytes
    kind: Kind
    size: int = 100  # gso_size, or the MTU
    needs_csum: int = 1
    csum_start: int | None = None
    csum_offset: int = 16
    frame_len: int | None = None
    refused: Drop = Drop.NONE  # before its headers are looked at
    fault: Drop = Drop.NONE  # of its last row
    drop: Drop = Drop.NONE
    cut: bool = False
    ip: bool = False  # auto fills the IP header's checksum
    l4: bool = False  # ... and the transport's
    unchanged: bool = False  # auto leaves it alone
    request: dict = field(init=False)

    def __post_init__(self):
        self.l3 = 18 if self.frame[12:14] == b"\x81\x00" else 14
        ip = self.frame[self.l3 :].ljust(20, b"\0")
        self.ihl = 4 * (ip[0] & 15)
        self.total_length = int.from_bytes(ip[2:4], "big")
        self.protocol = ip[9]
        self.l4_at = self.l3 + self.ihl
        self.transport = self.frame[self.l4_at :].ljust(20, b"\0")
        self.header_len = self.l4_at + 4 * (self.transport[12] >> 4)
        if self.csum_start is None:
            self.csum_start = self.l4_at
        if self.frame_len is None:
            self.frame_len = len(self.frame)
        walk = self.kind in (Kind.SEGMENT, Kind.AUTO) and not self.refused
        auto = self.kind == Kind.AUTO
        self.request = {
            "kind": int(self.kind),
            "drop": int(self.refused),
            "walk": int(walk),
            "needs_csum": 0 if auto or self.kind == Kind.PASS else self.needs_csum,
            "size": self.size,
            "csum_start": 0 if auto else self.csum_start,
            "csum_low": 0 if auto else self.csum_start + self.csum_offset + 1,
            "csum_swap": 0 if auto else self.csum_offset % 2,
            "frame_len": self.frame_len,
        }

    # --- What must be in the plan. Sums are modulo 0xFFFF.

    @property
    def addresses(self):
        return self.frame[self.l3 + 12 : self.l3 + 20]

    @property
    def gso_size(self):
        """Payload bytes of a full segment."""
        return self.size - (self.header_len - self.l3) if self.kind == Kind.AUTO else self.size

    def segment_base(self):
        """What a segment's checksum starts with: everything but its sequence number, flags, payload and the index of its last byte."""
        t = self.transport
        header = self.frame[self.l4_at : self.header_len]
        fixed = header[:4] + header[8:12] + header[14:16] + header[18:]
        nothing_told = self.frame_len == 0 and self.total_length == 0
        if self.kind == Kind.AUTO or not self.needs_csum or nothing_told:
            pseudo = ones(self.addresses) + 6
        else:
            told = self.frame_len - self.l4_at if self.frame_len else self.total_length - self.ihl
            pseudo = int.from_bytes(t[16:18], "big") - told
        # The segment's own length is the index of its last byte, and 1 - l4 more.
        return (ones(fixed) + pseudo + 1 - self.l4_at) % 0xFFFF

    def whole_base(self):
        """What the checksum of a frame that auto completes starts with: a pseudo-header, and the old field taken out."""
        length = self.total_length - self.ihl if self.protocol == 6 else int.from_bytes(self.transport[4:6], "big")
        old = self.transport[16:18] if self.protocol == 6 else self.transport[6:8]
        return (ones(self.addresses) + self.protocol + length - int.from_bytes(old, "big")) % 0xFFFF

    def ip_sum(self):
        """The IP header's sum without its checksum; where the frame is cut also without length and ID."""
        header = self.frame[self.l3 : self.l4_at]
        varying = range(2, 6) if self.cut else ()
        return ones(bytes(0 if at in (10, 11) or at in varying else octet for at, octet in enumerate(header)))
