"""What is to become of a frame, once it has been judged: it leaves whole, or in segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .checksum import invert, never_zero, ones_sum
from .layers import Layer, Piece
from .refused import Refused

__all__ = ["Cut", "Fill", "Plan", "Whole"]

_FIELD_BYTES = 2


class Plan(Protocol):
    """How to make wire frames of one frame."""

    def longest(self, frame_bytes: int) -> int:
        """The length of the longest wire frame, if the frame has ``frame_bytes``."""

    def frames(self, frame: bytes) -> list[bytes]:
        """The wire frames, in the order in which they leave."""

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        """The wire frames that were whole, with something behind them, in the first ``limit`` bytes of the frame."""


class Fill(NamedTuple):
    """One checksum to write into a frame that leaves whole. Offsets in bytes from the frame's first.

    The sum covers the bytes from ``start`` to ``end`` (None: the frame's end). With ``initial`` None the field's own value is part of it,
    as ``skb_checksum_help`` has it; else it counts as 0 and ``initial`` is added.
    """

    start: int
    end: int | None
    field: int
    initial: int | None = None
    may_be_zero: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """The frame leaves as it came but for its checksums."""

    fills: tuple[Fill, ...] = ()

    def longest(self, frame_bytes: int) -> int:
        return frame_bytes

    def frames(self, frame: bytes) -> list[bytes]:
        if not self.fills:
            return [frame]
        wire = bytearray(frame)
        for fill in self.fills:
            _complete(wire, fill)
        return [bytes(wire)]

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The payload, from byte ``payload`` to byte ``end`` (None: the frame's end), is cut every ``gso_size`` bytes.

    The headers before it, as ``layers`` change them, stand in front of each piece. The payload is longer than ``gso_size``: else there is
    nothing to cut.
    """

    payload: int
    end: int | None
    gso_size: int
    layers: tuple[Layer, ...]

    def longest(self, frame_bytes: int) -> int:
        return self.payload + self.gso_size

    def frames(self, frame: bytes) -> list[bytes]:
        return list(self._segments(frame))

    def left(self, frame: bytes, limit: int) -> tuple[bytes, ...]:
        left = []
        reach = self.payload
        for segment in self._segments(frame[:limit]):
            reach += len(segment) - self.payload
            if reach < limit:
                left.append(segment)
        return tuple(left)

    def _segments(self, frame: bytes) -> Iterator[bytes]:
        header = bytearray(frame[: self.payload])
        payload = frame[self.payload : self.end]
        for number, offset in enumerate(range(0, len(payload), self.gso_size)):
            piece = payload[offset : offset + self.gso_size]
            cut = Piece(number, offset, len(piece), ones_sum(piece), offset + self.gso_size >= len(payload))
            for layer in self.layers:
                layer.patch(header, cut)
            yield bytes(header) + piece


def _complete(wire: bytearray, fill: Fill) -> None:
    field = slice(fill.field, fill.field + _FIELD_BYTES)
    if field.stop > len(wire):
        raise Refused("bad_request", f"the checksum field at byte {fill.field} does not lie inside the frame of {len(wire)} bytes")
    if fill.initial is not None:
        wire[field] = bytes(_FIELD_BYTES)
    check = invert((fill.initial or 0) + ones_sum(wire[fill.start : fill.end]))
    wire[field] = (check if fill.may_be_zero else never_zero(check)).to_bytes(_FIELD_BYTES, "big")
