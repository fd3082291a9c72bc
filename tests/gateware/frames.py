"""Frames of every kind that the engine cuts, what is asked for them, and what must come of it: plain Python on the frame's bytes.

Sums are modulo 0xFFFF throughout.
"""

import struct
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

from support import ones, row_end

from offcut.tx.layouts import Base, Drop, Field, Kind
from offcut.tx.parser.instruction import Patch

__all__ = ["Case", "Ethernet", "Frame", "Gre", "IPv4", "IPv6", "Tcp", "Udp", "plan_numbers", "rows_of", "window"]

TAG = b"\x81\x00\x20\x05"
SERVICE_TAG = b"\x88\xa8\x00\x07"
HOP_BY_HOP, ROUTING, DESTINATION = 0, 43, 60
JUMBO = bytes.fromhex("c204 00012345")


# --- Headers. Each knows its bytes once it knows what follows; every field can be made to lie.


@dataclass
class Ethernet:
    tags: bytes = b""
    ethertype: int | None = None

    def octets(self, following, rest):
        kinds = {IPv4: 0x0800, IPv6: 0x86DD}
        ethertype = self.ethertype if self.ethertype is not None else kinds.get(type(following), 0x88CC)
        return bytes(range(1, 13)) + self.tags + ethertype.to_bytes(2, "big")


@dataclass
class IPv4:
    options: bytes = b""
    fragment: int = 0x4000
    length: int | None = None
    version: int = 4
    ihl: int | None = None
    protocol: int | None = None
    identification: int = 0xABCD
    csum: int = 0x5A5A
    addresses: bytes = bytes([10, 1, 2, 3, 192, 168, 255, 254])

    def octets(self, following, rest):
        words = 5 + len(self.options) // 4 if self.ihl is None else self.ihl
        length = 20 + len(self.options) + len(rest) if self.length is None else self.length
        protocol = protocol_of(following) if self.protocol is None else self.protocol
        first = struct.pack(
            "!BBHHHBBH", self.version << 4 | words, 0x28, length & 0xFFFF, self.identification, self.fragment, 64, protocol, self.csum
        )
        return first + self.addresses + self.options


@dataclass
class IPv6:
    extensions: tuple = ()  # (number, octets but the first one) of each
    length: int | None = None
    version: int = 6
    protocol: int | None = None
    addresses: bytes = bytes(range(0x20, 0x40))

    def octets(self, following, rest):
        protocol = protocol_of(following) if self.protocol is None else self.protocol
        kinds = [*(kind for kind, _ in self.extensions), protocol]
        extensions = b"".join(bytes([after]) + body for (_, body), (_, after) in zip(self.extensions, pairwise(kinds), strict=True))
        length = len(extensions) + len(rest) if self.length is None else self.length
        first = struct.pack("!IHBB", self.version << 28 | 0x0123456, length & 0xFFFF, kinds[0], 64)
        return first + self.addresses + extensions


@dataclass
class Gre:
    flags: int = 0
    protocol: int | None = None

    def octets(self, following, rest):
        kinds = {IPv4: 0x0800, IPv6: 0x86DD, Ethernet: 0x6558}
        protocol = kinds.get(type(following), 0) if self.protocol is None else self.protocol
        words = (b"\x11\x22\x33\x44" if self.flags & 0x8000 else b"") + (b"\x55\x66\x77\x88" if self.flags & 0x2000 else b"")
        return struct.pack("!HH", self.flags, protocol) + words


@dataclass
class Udp:
    opaque: bytes = b""  # of a tunnel, up to the inner IP header but an Ethernet header
    length: int | None = None
    csum: int = 0xBEEF

    def octets(self, following, rest):
        length = 8 + len(self.opaque) + len(rest) if self.length is None else self.length
        return struct.pack("!HHHH", 1000, 2000, length & 0xFFFF, self.csum) + self.opaque


@dataclass
class Tcp:
    options: bytes = b""
    data_offset: int | None = None
    flags: int = 0x18
    seq: int = 0x12345678
    csum: int = 0xBEEF

    def octets(self, following, rest):
        words = 5 + len(self.options) // 4 if self.data_offset is None else self.data_offset
        return struct.pack("!HHIIHHHH", 1000, 2000, self.seq, 0x0A0B0C0D, words << 12 | self.flags, 500, self.csum, 0x7777) + self.options


def protocol_of(following):
    return {IPv4: 4, Tcp: 6, Udp: 17, IPv6: 41, Gre: 47}.get(type(following), 1)


class Frame:
    """Headers in each other, then payload, then what lies behind the packet.

    Attributes
    ----------
    octets : bytes
    layers : list of (header, place, its octets)
    """

    def __init__(self, *headers, payload=b"x" * 100, padding=b"", cut_off=None):
        self.headers, rest, pieces = headers, payload, []
        for header, following in reversed(list(zip_longest(headers, headers[1:]))):
            piece = header.octets(following, rest)
            pieces.insert(0, piece)
            rest = piece + rest
        self.octets = (rest + padding)[:cut_off]
        self.layers, at = [], 0
        for header, piece in zip(headers, pieces, strict=True):
            self.layers.append((header, at, piece))
            at += len(piece)

    def of(self, *kinds):
        """The headers of these kinds, outermost first."""
        return [layer for layer in self.layers if isinstance(layer[0], kinds)]


# --- How a header and its segments lie in rows.


def window(place, size):
    """The row whose end is the window's, and the shift, for a word whose lane 0 lies at a place in the frame (maybe before it)."""
    return -(-place // size), (place - 1) % size


def step_row(size, header_len, gso_size):
    """How many rows the window moves from a segment's last word to the next one's first, beyond the carry of the shift."""
    first, last = header_len // size, (header_len + gso_size - 1) // size
    moves = set()
    for place in range(size):
        rows = window(place + gso_size, size)[0] + first - window(place, size)[0] - last
        carry = ((place - 1) % size + gso_size % size) // size
        moves.add(rows - carry)
    (move,) = moves
    return {"less": int(move == 1), "more": int(move == -1)}


def plan_numbers(g, header_end, header_len, gso_size=None):
    """What a plan says of a frame whose first ``header_end`` bytes leave as ``header_len``, and that is cut at ``gso_size``, if it is."""
    size = g.bus_bytes
    skip, shift = window(header_end - header_len % size, size)
    moved = int(header_len != header_end)
    plan = {
        "headed": 1,
        "header_len": header_len,
        "moved": moved,
        "skip": skip,
        "skips": int(skip != 0),
        "shift": shift,
        "until": size + shift,
    }
    if gso_size is None:
        return plan | {"cut": 0}
    last_row, last_lane = divmod(header_len + gso_size - 1, size)
    single = last_row == header_len // size
    if single:
        plan["until"] = last_lane + shift + 1 if moved else size + last_lane
    return plan | {
        "cut": 1,
        "last_row": last_row,
        "last_lane": last_lane,
        "tail": last_lane + shift + 1,
        "single": int(single),
        "step_lane": gso_size % size,
        "step_row": step_row(size, header_len, gso_size),
    }


def rows_of(g, frame, fault=Drop.NONE):
    """The rows of a frame as the ingress gives them."""
    size = g.bus_bytes
    rows = []
    for at in range(0, max(1, len(frame)), size):
        piece, last = frame[at : at + size], at + size >= len(frame)
        rows.append({
            "data": int.from_bytes(piece + b"\xcc" * (size - len(piece)), "little"),
            "end": row_end(len(piece), last=last, fault=fault if last else 0),
        })
    return rows


FEATURES_OF_WALK = ("checksum", "tcp4", "tcp6", "uso", "ufo", "gre", "gre_csum", "ipxip4", "ipxip6")


@dataclass
class Case:
    """A frame with its request, and what must become of it.

    Nothing but ``cut`` and the words after it says what is expected; the rest follows from the frame's headers.
    """

    frame: Frame
    kind: Kind
    base: Base = Base.TCP4
    size: int = 24  # gso_size, or the MTU
    needs_csum: int = 1
    csum_start: int | None = None
    csum_offset: int = 16
    frame_len: int | None = None
    tunnel: bool = False  # of UDP
    tunnel_csum: int = 0
    outer_ipv6: int | None = None
    outer_th: int | None = None
    inner_nh: int | None = None
    tci: int | None = None  # a tag to be inserted
    uso_size: int = 0
    id_mode: int = 0
    off: tuple = ()
    sctp: int = 0
    refused: Drop = Drop.NONE  # before its headers are looked at
    fault: Drop = Drop.NONE  # of its last row

    cut: bool = False
    jumbo: bool = False  # its option is left out
    drop: Drop = Drop.NONE
    ip: bool = False  # auto fills the IP header's checksum
    l4: bool = False  # a checksum is filled
    crc: bool = False
    request: dict = field(init=False)

    def __post_init__(self):
        f = self.frame
        self.l3 = self.l4_at = 0
        ip = f.of(IPv4, IPv6)
        self.ipv6 = False
        if ip:
            self.l3, self.ipv6 = ip[0][1], isinstance(ip[0][0], IPv6)
        transport = f.of(Tcp, Udp)[-1:]
        if transport:
            _, self.l4_at, self.transport = transport[0]
        if self.csum_start is None:
            self.csum_start = self.l4_at if self.needs_csum else 0
        if self.frame_len is None:
            self.frame_len = len(f.octets)
        if self.tunnel:
            outer = f.of(Udp)[0][1]
            self.outer_ipv6 = int(self.ipv6) if self.outer_ipv6 is None else self.outer_ipv6
            self.outer_th = outer if self.outer_th is None else self.outer_th
            self.inner_nh = ip[-1][1] if self.inner_nh is None else self.inner_nh
        auto = self.kind == Kind.AUTO
        insert = self.tci is not None
        walk = (self.kind in (Kind.SEGMENT, Kind.AUTO) or insert or self.sctp) and not self.refused
        self.request = {
            "kind": int(self.kind),
            "base": int(self.base),
            "drop": int(self.refused),
            "walk": int(walk),
            "needs_csum": 0 if auto or self.kind == Kind.PASS else self.needs_csum,
            "size": self.size,
            "csum_start": self.uso_size if auto else self.csum_start,
            "csum_low": 0 if auto else self.csum_start + self.csum_offset + 1,
            "csum_swap": 0 if auto else self.csum_offset % 2,
            "frame_len": self.frame_len,
            "on": {name: int(name not in self.off) for name in FEATURES_OF_WALK},
            "id_mode": self.id_mode,
            "tunnel": int(self.tunnel),
            "outer_ipv6": self.outer_ipv6 or 0,
            "tunnel_csum": self.tunnel_csum,
            "outer_th": self.outer_th or 0,
            "inner_nh": self.inner_nh or 0,
            "sctp": self.sctp,
            "clear_first": 0x123,
            "clear_middle": 0x456,
            "clear_last": 0x789,
            "tci": self.tci or 0,
            "insert": int(insert),
        }

    # --- What the frame says of itself.

    @property
    def auto(self):
        return self.kind == Kind.AUTO

    @property
    def declared_end(self):
        """Behind the last byte of the outermost packet, or 0."""
        octets = self.frame.octets
        at = self.l3 + (4 if self.ipv6 else 2)
        length = int.from_bytes(octets[at : at + 2], "big")
        return length and self.l3 + length + (40 if self.ipv6 else 0)

    @property
    def end(self):
        told, declared = self.frame_len, self.declared_end
        return (declared or told) if self.auto else (told or declared)

    @property
    def tcp(self):
        return isinstance(self.frame.of(Tcp, Udp)[-1][0], Tcp)

    @property
    def ufo(self):
        return self.cut and not self.tcp and (not self.uso_size if self.auto else self.base == Base.UFO)

    @property
    def header_end(self):
        return self.l4_at if self.ufo else self.l4_at + len(self.transport)

    @property
    def gso_size(self):
        """Payload bytes of a full segment."""
        if not self.auto:
            return self.size
        if self.ufo:
            return (self.size - (self.l4_at - self.l3)) // 8 * 8
        return self.size - (self.header_end - self.l3) if self.tcp else self.uso_size

    @property
    def fragment_header(self):
        return self.ufo and self.ipv6

    # --- The header as it leaves.

    def out(self, at):
        """Where a byte of the header leaves."""
        return at + (4 if self.tci is not None and at >= 12 else 0) - (8 if self.jumbo and at >= self.l3 + 48 else 0)

    @property
    def header_out(self):
        return self.out(self.header_end) + 8 * self.fragment_header

    def header(self, fragment_id):
        octets = bytearray(self.frame.octets[: self.header_end])
        if self.jumbo:
            del octets[self.l3 + 40 : self.l3 + 48]
            octets[self.l3 + 6] = 6
        if self.fragment_header:
            extensions = self.frame.of(IPv6)[0][0].extensions
            place = self.l3 + 6 if not extensions else self.l4_at - len(extensions[-1][1]) - 1
            octets[place] = 44
            octets += bytes([17, 0]) + self.frame_word() + fragment_id.to_bytes(4, "big")
        if self.tci is not None:
            octets[12:12] = b"\x81\x00" + self.tci.to_bytes(2, "big")
        return bytes(octets)

    @staticmethod
    def frame_word():
        """What stands in the RAM where the patcher's fragment offset goes."""
        return b"\0\0"

    def tags(self, g):
        """The field that stands at each halfword that has one."""
        places = {}
        for number, (header, at, _) in enumerate(self.frame.of(IPv4, IPv6)):
            inner = number > 0
            if isinstance(header, IPv6):
                places[at + 4] = Field.INNER_LENGTH if inner else Field.LENGTH
                continue
            places[at + 2] = Field.INNER_LENGTH if inner else Field.LENGTH
            places[at + 4] = Field.INNER_IDENTIFICATION if inner else Field.IDENTIFICATION
            places[at + 10] = Field.INNER_IP_CSUM if inner else Field.IP_CSUM
            if not inner and self.ufo:
                places[at + 6] = Field.FRAGMENT
        for header, at, _ in self.frame.of(Gre):
            if header.flags & 0x8000:
                places[at + 4] = Field.TUNNEL_CSUM
        if self.tunnel:
            _, at, _ = self.frame.of(Udp)[0]
            places[at + 4] = Field.TUNNEL_LENGTH
            if self.tunnel_csum:
                places[at + 6] = Field.TUNNEL_CSUM
        if self.tcp:
            places |= {self.l4_at + at: tag for at, tag in {4: Field.HIGH, 6: Field.LOW, 12: Field.FLAGS}.items()}
        elif not self.ufo:
            places[self.l4_at + 4] = Field.LOW
        tags = {self.out(at): tag for at, tag in places.items()}
        if self.fragment_header:
            tags[self.header_out - 6] = Field.FRAGMENT
        return [g.tag(tags.get(2 * halfword, Field.NONE)) for halfword in range(self.header_out // 2)]

    # --- Sums: what is the same for all segments, but for what the patcher adds.

    @property
    def field(self):
        """The checksum field of the innermost transport header as it came."""
        at = 16 if self.tcp else 6
        return int.from_bytes(self.transport[at : at + 2], "big")

    @property
    def udp_length(self):
        return int.from_bytes(self.transport[4:6], "big")

    def ip_sum(self, number=0, *, whole=False):
        """An IPv4 header's sum without its checksum, and where the frame is cut also without length, ID and fragment offset."""
        header, _, octets = self.frame.of(IPv4)[number]
        varying = {10, 11} if whole else {2, 3, 4, 5, 10, 11} | ({6, 7} if self.ufo else set())
        return ones(bytes(0 if at in varying else octet for at, octet in enumerate(octets)))

    def pseudo(self):
        """The pseudo-header of the innermost packet without its length."""
        addresses = self.frame.of(IPv4, IPv6)[-1][0].addresses
        scratch = self.auto or not self.needs_csum or self.base == Base.UFO or (not self.end and self.tcp)
        if scratch:
            return ones(addresses) + (6 if self.tcp else 17)
        return self.field - (self.end - self.l4_at if self.tcp else self.udp_length)

    def segment_base(self):
        """What a segment's checksum starts with: the patcher adds its length, sequence number, flags and payload.

        The lengths are put in as the whole frame's, so how much stands before what they count is taken out here.
        """
        l4_out = self.out(self.l4_at)
        if self.ufo:
            return (ones(self.frame.of(IPv4, IPv6)[0][0].addresses) + 17 + self.end - self.l4_at - self.field) % 0xFFFF
        if self.tcp:
            t = self.transport
            return (ones(t[:4] + t[8:12] + t[14:16] + t[18:]) + self.pseudo() - l4_out) % 0xFFFF
        return (ones(self.transport[:4]) + self.pseudo() - 2 * l4_out) % 0xFFFF

    def whole_base(self):
        """What the checksum of a frame that auto completes starts with: a pseudo-header, and the old field taken out."""
        length = self.end - self.l4_at if self.tcp else self.udp_length
        return (ones(self.frame.of(IPv4, IPv6)[0][0].addresses) + (6 if self.tcp else 17) + length - self.field) % 0xFFFF

    def tunnel_sum(self):
        """What a tunnel's checksum starts with. What it covers sums to little: an IPv4 header to zero, a transport header with its payload to
        its pseudo-header's opposite."""
        inside = -(self.pseudo() - self.out(self.l4_at))
        (inner, inner_at, octets) = self.frame.of(IPv4, IPv6)[-1]
        if isinstance(inner, IPv6):
            inside += ones(octets[:4] + octets[6:]) - (self.out(inner_at) + 40)
        begin = self.frame.of(Gre, Udp)[0][1]
        between = self.frame.octets[begin:inner_at]
        if self.tunnel:
            # The outer field's own pseudo-header, with the length as it came taken out and that of the segment put in twice.
            field = int.from_bytes(between[6:8], "big")
            return (inside + ones(between[:4] + between[8:]) + field - (self.end - begin) - 2 * self.out(begin)) % 0xFFFF
        return (inside + ones(between[:4] + between[6:])) % 0xFFFF

    def patches(self):
        """How the patcher is to make the fields of a frame that is cut: (kind, data, whether it is the last) in the order in which they stand."""
        ips = self.frame.of(IPv4, IPv6)
        words = []

        def add(kind, data, last=0):
            words.append((kind, data & 0xFFFF, last))

        def length(kind, header, at):
            """(A jumbo payload option behind an IPv6 header does not move where its payload begins.)"""
            add(kind, -(self.out(at) + (40 if isinstance(header, IPv6) else 0)))

        outer, inner = ips[0], ips[1:]
        length(Patch.LENGTH, *outer[:2])
        if not self.ipv6:
            add(Patch.IDENTIFICATION, outer[0].identification)
        if self.ufo:
            add(Patch.FRAGMENT, 0x0001 if self.ipv6 else 0x2000, int(self.ipv6))
        if not self.ipv6:
            add(Patch.IP_CSUM, self.ip_sum(), int(self.ufo))
        if self.tunnel:
            add(Patch.TUNNEL_LENGTH, -self.out(self.frame.of(Udp)[0][1]))
        if self.tunnel_csum or any(header.flags & 0x8000 for header, *_ in self.frame.of(Gre)):
            add(Patch.TUNNEL_CSUM, self.tunnel_sum())
        for header, at, _ in inner:
            length(Patch.INNER_LENGTH, header, at)
            if isinstance(header, IPv4):
                add(Patch.INNER_IDENTIFICATION, header.identification)
                add(Patch.INNER_IP_CSUM, self.ip_sum(-1))
        if self.tcp:
            high, low, flags = (int.from_bytes(self.transport[at : at + 2], "big") for at in (4, 6, 12))
            add(Patch.LOW, low)
            add(Patch.HIGH, high)
            for kind, place, cleared in (
                (Patch.FLAGS, "first", 0x009),
                (Patch.FLAGS_MIDDLE, "middle", 0x089),
                (Patch.FLAGS_LAST, "last", 0x080),
            ):
                add(kind, flags & ~(cleared ^ self.request[f"clear_{place}"]), 1)
            add(Patch.FLAGS_ONLY, flags, 1)
        elif not self.ufo:
            add(Patch.LOW, -self.out(self.l4_at), 1)
        return words

    def constants(self):
        """What the patcher must know beside that."""
        ips = self.frame.of(IPv4, IPv6)
        return {
            "data": self.gso_size,
            "id_mode": self.id_mode,
            "udp": int(not self.tcp),
            "ufo": int(self.ufo),
            "ipv6": int(self.ipv6),
            "inner_ipv6": int(len(ips) > 1 and isinstance(ips[1][0], IPv6)),
            "tunnel_udp": int(self.tunnel),
        }
