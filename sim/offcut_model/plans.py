"""What is to become of a frame, once it has been judged: it leaves whole, or in segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .checksum import invert, never_zero, ones_sum
from .crc32c import crc32c
from .headers import ETHERTYPE_VLAN, Ethernet
from .layers import Patch, Piece
from .refused import Refused

__all__ = ["CrcFill", "Cut", "Fill", "Plan", "Tagged", "Whole"]


class Plan(Protocol):
    """How to make wire frames of one frame."""

    @property
    def growth(self) -> int:
        """By how many bytes the headers leave longer than they came."""

    def longest(self, frame_bytes: int) -> int:
        """The length of the longest wire frame, if the frame has ``frame_bytes``."""

    def words(self, frame_bytes: int, bus_bytes: int, before: int = 0) -> int:
        """Bus words that wait for the frame's end, if it has ``frame_bytes``, the bus ``bus_bytes``, and ``before`` are put in its header."""

    def frames(self, frame: bytes) -> list[bytes]:
        """The wire frames, in the order in which they leave."""

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        """The wire frames that were whole, with something behind them, in the first ``limit`` bytes of the frame."""


class Fill(NamedTuple):
    """One checksum to write into a frame. Offsets in bytes from the frame's first.

    The sum covers the bytes from ``start`` to ``end`` (None: the frame's end). With ``initial`` None the field's own value is part of it,
    as ``skb_checksum_help`` has it; else it counts as 0 and ``initial`` is added.
    """

    start: int
    end: int | None
    field: int
    initial: int | None = None
    may_be_zero: bool = False

    def complete(self, wire: bytearray) -> None:
        """Write it."""
        field = _field(wire, self.field, 2)
        if self.initial is not None:
            wire[field] = bytes(2)
        check = invert((self.initial or 0) + ones_sum(wire[self.start : self.end]))
        wire[field] = (check if self.may_be_zero else never_zero(check)).to_bytes(2, "big")


class CrcFill(NamedTuple):
    """The CRC32c of all from byte ``start`` on, with its ``field`` taken as 0."""

    start: int
    field: int

    def complete(self, wire: bytearray) -> None:
        """Write it."""
        field = _field(wire, self.field, 4)
        wire[field] = bytes(4)
        wire[field] = crc32c(wire[self.start :]).to_bytes(4, "little")


def _field(wire: bytearray, start: int, size: int) -> slice:
    if start + size > len(wire):
        raise Refused("bad_request", f"the checksum field at byte {start} does not lie inside the frame of {len(wire)} bytes")
    return slice(start, start + size)


@dataclass(frozen=True, slots=True)
class Whole:
    """The frame leaves as it came but for its checksums."""

    fills: tuple[Fill | CrcFill, ...] = ()

    @property
    def growth(self) -> int:
        return 0

    def longest(self, frame_bytes: int) -> int:
        return frame_bytes

    def words(self, frame_bytes: int, bus_bytes: int, before: int = 0) -> int:
        return 0

    def frames(self, frame: bytes) -> list[bytes]:
        if not self.fills:
            return [frame]
        wire = bytearray(frame)
        for fill in self.fills:
            fill.complete(wire)
        return [bytes(wire)]

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The payload, from byte ``payload`` to byte ``end`` (None: the frame's end), is cut every ``size`` bytes.

    ``header``, as the ``patches`` change it one after the other, stands in front of each piece. Where nobody told how long the payload is
    it may turn out to be a single piece, or an empty one.

    Fragments have an ``ufo_order``, and a checksum in the first piece that covers them all: ``fill``, unless there is none. "last" lets
    that piece leave behind the others; with "first" all of them wait for the last one.
    """

    payload: int
    end: int | None
    size: int
    header: bytes
    patches: tuple[Patch, ...]
    ufo_order: str | None = None
    fill: Fill | None = None

    @property
    def growth(self) -> int:
        return len(self.header) - self.payload

    def longest(self, frame_bytes: int) -> int:
        end = frame_bytes if self.end is None else min(self.end, frame_bytes)
        return len(self.header) + min(self.size, end - self.payload)

    def words(self, frame_bytes: int, bus_bytes: int, before: int = 0) -> int:
        if self.ufo_order != "first":
            return 0
        # Each fragment begins in the lane behind its header.
        end = frame_bytes if self.end is None else min(self.end, frame_bytes)
        full, rest = divmod(max(end - self.payload, 0), self.size)
        lane = (len(self.header) + before) % bus_bytes
        return full * -(-(lane + self.size) // bus_bytes) + (-(-(lane + rest) // bus_bytes) if rest else 0)

    def frames(self, frame: bytes) -> list[bytes]:
        if self.fill is not None:
            filled = bytearray(frame)
            self.fill.complete(filled)
            frame = bytes(filled)
        segments = list(self._segments(frame))
        return segments[1:] + segments[:1] if self.ufo_order == "last" else segments

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        if self.end is not None and self.end < limit:
            return tuple(self.frames(frame[:limit]))
        if self.ufo_order == "first":
            return ()
        # The last of these pieces has nothing behind it, and the first of fragments waits for it.
        segments = tuple(self._segments(frame[:limit]))[:-1]
        return segments[1:] if self.ufo_order == "last" else segments

    def _segments(self, frame: bytes) -> Iterator[bytes]:
        header = bytearray(self.header)
        payload = frame[self.payload : self.end]
        size = self.size
        for number, offset in enumerate(range(0, len(payload) or 1, size)):
            piece = payload[offset : offset + size]
            cut = Piece(number, offset, len(piece), ones_sum(piece), offset + size >= len(payload))
            for patch in self.patches:
                patch(header, cut)
            yield bytes(header) + piece


@dataclass(frozen=True, slots=True)
class Tagged:
    """Another plan's wire frames, each with a tag behind its addresses."""

    plan: Plan
    tag: bytes

    @classmethod
    def with_tci(cls, plan: Plan, tci: int) -> "Tagged":
        """Insert an 802.1Q tag with tag control information ``tci``."""
        return cls(plan, ETHERTYPE_VLAN.to_bytes(2, "big") + tci.to_bytes(2, "big"))

    @property
    def growth(self) -> int:
        return self.plan.growth + len(self.tag)

    def longest(self, frame_bytes: int) -> int:
        return self.plan.longest(frame_bytes) + len(self.tag)

    def words(self, frame_bytes: int, bus_bytes: int, before: int = 0) -> int:
        return self.plan.words(frame_bytes, bus_bytes, before + len(self.tag))

    def frames(self, frame: bytes) -> list[bytes]:
        return [self._insert(wire) for wire in self.plan.frames(frame)]

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        return tuple(self._insert(wire) for wire in self.plan.left(frame, limit))

    def _insert(self, wire: bytes) -> bytes:
        at = Ethernet.TYPE.offset
        return wire[:at] + self.tag + wire[at:]
