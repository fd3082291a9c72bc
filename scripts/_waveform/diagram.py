"""Draw timing diagrams as SVG: panels of traces over consecutive clocks."""

from dataclasses import dataclass, field
from html import escape
from itertools import groupby

__all__ = ["Bits", "Bus", "Byte", "Panel", "Words", "draw"]

WIDTH, MARGIN, LABEL = 1180, 22, 176
TRACE, GAP, WORD = 27, 9, 21
SLANT = 4
TITLE_HEIGHT, PANEL_HEAD = 96, 62

STYLE = """
  text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
  .title { font-size: 21px; font-weight: 600; }
  .note { font-size: 12.5px; fill: #57606a; }
  .name { font-size: 14px; font-weight: 600; }
  .signal { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11.5px; text-anchor: end; }
  .clock { font-size: 10px; fill: #8c959f; text-anchor: middle; }
  .mark { font-size: 10.5px; fill: #7d4e00; text-anchor: middle; font-weight: 600; }
  .value { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11.5px; text-anchor: middle; }
  .byte { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 9px; text-anchor: middle; }
  .card { fill: #ffffff; stroke: #d0d7de; }
  .edge { stroke: #eaeef2; }
  .wire { fill: none; stroke: #24292f; stroke-width: 1.3; }
  .bus { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.1; }
  .box { stroke: #ffffff; stroke-width: 0.8; }
"""


@dataclass(frozen=True)
class Byte:
    """A byte in a lane: its value, and a kind that has a colour; None for a lane that is not used."""

    value: int
    kind: str | None


@dataclass(frozen=True)
class Bits:
    """A wire: 0 or 1 in each clock."""

    name: str
    values: list
    height = TRACE


@dataclass(frozen=True)
class Bus:
    """A value in each clock, as text; None where it means nothing. Equal neighbours are drawn as one."""

    name: str
    values: list
    height = TRACE


@dataclass(frozen=True)
class Words:
    """Bytes in lane order in each clock, or None; and a remark over some of them."""

    name: str
    values: list
    marks: list = field(default_factory=list)
    height = TRACE + 13


@dataclass(frozen=True)
class Panel:
    """Consecutive clocks from ``first`` on; every trace has a value for each."""

    title: str
    note: str
    first: int
    traces: list

    @property
    def clocks(self):
        return len(self.traces[0].values)

    @property
    def height(self):
        return PANEL_HEAD + sum(trace.height + GAP for trace in self.traces) + 6


def draw(title, notes, colours, panels):
    """The diagram, as the text of an SVG file.

    Parameters
    ----------
    title : str
    notes : list of str
        Two lines below it.
    colours : dict of str to (str, str)
        For each kind of byte its colour and its name in the legend.
    panels : list of Panel
    """
    parts, y = [], TITLE_HEIGHT
    for panel in panels:
        parts += _panel(panel, y, colours)
        y += panel.height + 14
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{y}" fill="#fafbfc"/>',
        _text(MARGIN, 36, title, "title"),
        *(_text(MARGIN, 58 + 17 * line, note, "note") for line, note in enumerate(notes)),
        *_legend(colours),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _legend(colours):
    x = WIDTH - MARGIN
    for colour, name in reversed(colours.values()):
        x -= 6.6 * len(name) + 34
        yield f'<rect x="{x:g}" y="24" width="13" height="13" rx="2" fill="{colour}"/>'
        yield _text(x + 18, 35, name, "note")


def _panel(panel, y, colours):
    left = MARGIN + LABEL
    step = (WIDTH - MARGIN - left - 6) / panel.clocks
    yield f'<rect class="card" x="{MARGIN - 12}" y="{y}" width="{WIDTH - 2 * MARGIN + 24}" height="{panel.height}" rx="7"/>'
    yield _text(MARGIN, y + 22, panel.title, "name")
    yield _text(MARGIN, y + 39, panel.note, "note")
    bottom = y + panel.height - 6
    for clock in range(panel.clocks + 1):
        x = left + clock * step
        yield f'<line class="edge" x1="{x:g}" y1="{y + PANEL_HEAD - 4}" x2="{x:g}" y2="{bottom}"/>'
        if clock < panel.clocks:
            yield _text(x + step / 2, y + PANEL_HEAD - 6, f"clock {panel.first + clock}" if not clock else panel.first + clock, "clock")
    top = y + PANEL_HEAD + 2
    for trace in panel.traces:
        yield _text(left - 10, top + trace.height - 8, trace.name, "signal")
        yield from _DRAWN[type(trace)](trace, left, step, top, colours)
        top += trace.height + GAP


def _bits(trace, left, step, top, _colours):
    high, low = top + 5, top + TRACE - 4
    points = []
    for clock, value in enumerate(trace.values):
        level = high if value else low
        points += [(left + clock * step + (SLANT / 2 if clock else 0), level), (left + (clock + 1) * step - SLANT / 2, level)]
    yield f'<polyline class="wire" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'


def _bus(trace, left, step, top, _colours):
    high, middle, low = top + 3, top + TRACE / 2, top + TRACE - 3
    for value, run in groupby(enumerate(trace.values), key=lambda item: item[1]):
        clocks = [clock for clock, _ in run]
        start, end = left + clocks[0] * step, left + (clocks[-1] + 1) * step
        if value is None:
            yield f'<line class="wire" stroke-opacity="0.35" x1="{start:g}" y1="{middle:g}" x2="{end:g}" y2="{middle:g}"/>'
            continue
        corners = [(start, middle), (start + SLANT, high), (end - SLANT, high), (end, middle), (end - SLANT, low), (start + SLANT, low)]
        yield f'<polygon class="bus" points="{" ".join(f"{x:g},{y:g}" for x, y in corners)}"/>'
        yield _text((start + end) / 2, middle + 4, value, "value")


def _words(trace, left, step, top, colours):
    top += trace.height - TRACE
    for clock, word in enumerate(trace.values):
        x = left + clock * step
        if word is None:
            yield f'<line class="wire" stroke-opacity="0.35" x1="{x:g}" y1="{top + TRACE / 2:g}" x2="{x + step:g}" y2="{top + TRACE / 2:g}"/>'
            continue
        lane = (step - 4) / len(word)
        for number, byte in enumerate(word):
            at = x + 2 + number * lane
            colour = colours[byte.kind][0] if byte.kind else "#f6f8fa"
            yield f'<rect class="box" x="{at:.2f}" y="{top + 3:g}" width="{lane:.2f}" height="{WORD}" fill="{colour}"/>'
            if byte.kind:
                yield _text(round(at + lane / 2, 2), top + 17, f"{byte.value:02x}", "byte")
    for clock, remark in enumerate(trace.marks):
        if remark:
            yield _text(left + (clock + 0.5) * step, top - 2, remark, "mark")


_DRAWN = {Bits: _bits, Bus: _bus, Words: _words}


def _text(x, y, text, kind):
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(str(text))}</text>'
