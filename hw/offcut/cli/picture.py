"""Draw one super-frame and the segments that it became, as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from socket import IPPROTO_TCP
from typing import NamedTuple

from offcut_model import checksum

__all__ = ["draw"]

SHOWN_FIRST = 3
"""Segments shown from the first; then the last, with a gap between them if there are more."""

WIDTH, MARGIN, LABEL, GAP = 1160, 28, 64, 14
CELL_WIDTH, CELL_HEIGHT, ROW_HEIGHT = 21, 19, 37
BYTES_PER_ROW = 32
BAR_HEIGHT = 16
TITLE_HEIGHT = 92
NOTES = MARGIN + LABEL + BYTES_PER_ROW * CELL_WIDTH + 26

FIRST_HUE, LAST_HUE = 205, 345
"""The slices of the payload run through these hues, in degrees."""

NUMBERED_WIDTH = 22
"""The narrowest slice that has room for its number."""

STYLE = """
  text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
  .title { font-size: 21px; font-weight: 600; }
  .note, .gap { font-size: 12.5px; fill: #57606a; }
  .gap { font-style: italic; }
  .name { font-size: 14px; font-weight: 600; }
  .layer { font-size: 11px; fill: #57606a; text-anchor: end; }
  .field { font-size: 9.5px; fill: #9a6700; text-anchor: middle; }
  .byte { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11.5px; text-anchor: middle; }
  .new { font-weight: 700; fill: #7d4e00; }
  .value { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11.5px; }
  .card { fill: #ffffff; stroke: #d0d7de; }
  .cell { fill: #f6f8fa; stroke: #eaeef2; }
  .changed { fill: #ffdf80; stroke: #d4a72c; }
  .track { fill: #f0f2f5; }
  .slice { font-size: 10.5px; font-weight: 600; fill: #ffffff; text-anchor: middle; }
  .span { font-size: 10.5px; fill: #57606a; }
"""


class Field(NamedTuple):
    """A header field: its byte in its layer, its length in bytes, and its names in a cell's heading and in the notes."""

    layer: str
    start: int
    length: int
    heading: str
    note: str


FIELDS = (
    Field("IPv4", 2, 2, "length", "total length"),
    Field("IPv4", 4, 2, "id", "identification"),
    Field("IPv4", 10, 2, "checksum", "IPv4 checksum"),
    Field("TCP", 4, 4, "sequence", "sequence"),
    Field("TCP", 13, 1, "flags", "flags"),
    Field("TCP", 16, 2, "checksum", "TCP checksum"),
)
"""What a cut changes (RFC 791, RFC 9293)."""

FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
TPID_VLAN = 0x8100


@dataclass(frozen=True, slots=True)
class Layer:
    """A header of a frame: its name, where it begins and where it ends."""

    name: str
    start: int
    end: int


def draw(frame: bytes, segments: Sequence[bytes]) -> str:
    """The picture, as the text of an SVG file.

    Parameters
    ----------
    frame : bytes
        A TCP/IPv4 super-frame as its sender handed it over.
    segments : sequence of bytes
        All the wire frames that it became.
    """
    layers = _layers(frame)
    header_bytes = layers[-1].end
    lengths = [len(segment) - header_bytes for segment in segments]
    cuts = [sum(lengths[:index]) for index in range(len(lengths) + 1)]
    first = min(SHOWN_FIRST, len(segments) - 1)
    hidden = len(segments) - first - 1

    parts, y = [], TITLE_HEIGHT
    cards = [("Super-frame, as its sender handed it over", frame, range(len(segments)))]
    cards += [
        (f"Segment {index + 1} of {len(segments)}", segments[index], range(index, index + 1))
        for index in (*range(first), len(segments) - 1)
    ]
    for position, (name, data, slices) in enumerate(cards):
        if hidden and position == len(cards) - 1:
            parts.append(_text(WIDTH / 2, y + 12, f"{hidden} more like these", "gap", 'text-anchor="middle"'))
            y += 18 + GAP
        card, height = _card(y, name, data, frame, layers)
        parts += card
        parts += _bar(y + height - BAR_HEIGHT - 12, cuts, slices)
        y += height + GAP

    title = f"One super-frame, {len(segments)} segments"
    story = f"{len(frame):,} bytes go in, {sum(map(len, segments)):,} come out. The bar below each header: which part of the payload follows it."
    legend = "a header byte that differs from the super-frame's"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}" viewBox="0 0 {WIDTH} {y + 8}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{y + 8}" fill="#fafbfc"/>',
        _text(MARGIN, 38, title, "title"),
        _text(MARGIN, 59, story, "note"),
        f'<rect class="changed" x="{MARGIN}" y="66" width="13" height="13"/>',
        _text(MARGIN + 20, 77, legend, "note"),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _layers(frame: bytes) -> list[Layer]:
    ethernet_bytes = 18 if _number(frame, 12, 2) == TPID_VLAN else 14
    transport = ethernet_bytes + (frame[ethernet_bytes] & 15) * 4
    payload = transport + (frame[transport + 12] >> 4) * 4
    bounds = (0, ethernet_bytes, transport, payload)
    return [Layer(name, *span) for name, span in zip(("Ethernet", "IPv4", "TCP"), pairwise(bounds), strict=True)]


def _card(y: int, name: str, data: bytes, frame: bytes, layers: list[Layer]) -> tuple[list[str], int]:
    """One frame's card at height ``y``, and how high it is."""
    rows = [row for layer in layers for row in _rows(layer)]
    height = 34 + len(rows) * ROW_HEIGHT + BAR_HEIGHT + 20
    parts = [
        f'<rect class="card" x="{MARGIN - 14}" y="{y}" width="{WIDTH - 2 * MARGIN + 28}" height="{height}" rx="7"/>',
        _text(MARGIN, y + 23, name, "name"),
        _text(NOTES, y + 23, f"{len(data):,} bytes", "name"),
    ]
    for row, (layer, start, end) in enumerate(rows):
        top = y + 45 + row * ROW_HEIGHT
        if start == layer.start:
            parts.append(_text(MARGIN + LABEL - 9, top + 13, layer.name, "layer"))
        # Those that changed come last, so that their borders lie above those of their neighbours.
        for at in sorted(range(start, end), key=lambda at: data[at] != frame[at]):
            changed = data[at] != frame[at]
            x = MARGIN + LABEL + (at - start) * CELL_WIDTH
            parts.append(
                f'<rect class="{"changed" if changed else "cell"}" x="{x}" y="{top}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}"/>'
            )
            parts.append(_text(x + CELL_WIDTH / 2, top + 13.5, f"{data[at]:02x}", "byte new" if changed else "byte"))
        for field in FIELDS:
            at = layer.start + field.start
            if field.layer == layer.name and start <= at < end:
                middle = MARGIN + LABEL + (at - start + field.length / 2) * CELL_WIDTH
                parts.append(_text(middle, top - 4, field.heading, "field"))
    for line, (note, value, why, changed) in enumerate(_notes(data, frame, layers)):
        top = y + 52 + line * 17
        parts.append(_text(NOTES, top, note, "note"))
        parts.append(_text(NOTES + 112, top, value, "value new" if changed else "value"))
        parts.append(_text(NOTES + 222, top, why, "note"))
    return parts, height


def _rows(layer: Layer) -> Iterator[tuple[Layer, int, int]]:
    for start in range(layer.start, layer.end, BYTES_PER_ROW):
        yield layer, start, min(start + BYTES_PER_ROW, layer.end)


def _notes(data: bytes, frame: bytes, layers: list[Layer]) -> Iterator[tuple[str, str, str, bool]]:
    """(name, value, what that is, whether it changed) of each field."""
    starts = {layer.name: layer.start for layer in layers}
    for field in FIELDS:
        at = starts[field.layer] + field.start
        value, before = (_number(packet, at, field.length) for packet in (data, frame))
        match field.heading:
            case "length":
                text, why = f"{value:,}", f"headers + {len(data) - layers[-1].end:,}"
            case "id":
                text, why = f"0x{value:04x}", f"+ {(value - before) & 0xFFFF:,}"
            case "sequence":
                text, why = f"{value:,}", f"+ {(value - before) & 0xFFFF_FFFF:,}"
            case "flags":
                text, why = _flags(value), f"without {_flags(before & ~value)}"
            case _:
                text, why = f"0x{value:04x}", "of this header" if field.layer == "IPv4" else "of this segment"
        changed = value != before
        if not changed:
            why = "a partial sum" if field.note == "TCP checksum" and value == _pseudo_header_sum(frame, layers) else ""
        yield field.note, text, why, changed


def _pseudo_header_sum(frame: bytes, layers: list[Layer]) -> int:
    """What a sender leaves in the TCP checksum for a NIC to complete."""
    _, ip, tcp = layers
    length = len(frame) - tcp.start
    return ~checksum(frame[ip.start + 12 : ip.start + 20] + bytes((0, IPPROTO_TCP)) + length.to_bytes(4, "big")) & 0xFFFF


def _flags(value: int) -> str:
    return " ".join(name for bit, name in enumerate(FLAGS) if value >> bit & 1)


def _bar(y: int, cuts: list[int], slices: range) -> Iterator[str]:
    """The payload as a bar over the whole width, with those slices coloured that a frame carries."""
    width = WIDTH - 2 * MARGIN
    scale = width / cuts[-1]
    yield f'<rect class="track" x="{MARGIN}" y="{y}" width="{width}" height="{BAR_HEIGHT}" rx="2"/>'
    for index in slices:
        x, end = (MARGIN + cut * scale for cut in cuts[index : index + 2])
        hue = FIRST_HUE + (LAST_HUE - FIRST_HUE) * index // (len(cuts) - 2)
        yield f'<rect fill="hsl({hue}, 48%, 52%)" x="{x:.1f}" y="{y}" width="{max(end - x - 1, 1):.1f}" height="{BAR_HEIGHT}" rx="1"/>'
        if end - x >= NUMBERED_WIDTH:
            yield _text((x + end) / 2, y + 12, f"{index + 1}", "slice")
    if len(slices) == 1:
        text = f"payload bytes {cuts[slices.start]:,} to {cuts[slices.stop] - 1:,}"
        in_left_half = x + end < WIDTH
        yield _text(end + 8, y + 12, text, "span") if in_left_half else _text(x - 8, y + 12, text, "span", 'text-anchor="end"')


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _text(x: float, y: float, text: str, kind: str, more: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{" " + more if more else ""}>{text}</text>'
