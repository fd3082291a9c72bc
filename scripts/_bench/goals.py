"""The goals, and the table that puts the measured figure beside each.

Figures are kept as ``{group: {name: {width: number}}}``, and in files with the widths as text.
"""

import math
from dataclasses import dataclass, replace

from . import clocks

__all__ = ["GOALS", "Goal", "listed", "markdown", "others", "rows", "text", "verdict"]


@dataclass(frozen=True)
class Goal:
    """A line of the table.

    Attributes
    ----------
    what : str
        What is measured, with its unit.
    group, name : str
        Which figure.
    limits : dict of int to number
        The goal at each width that has one.
    more : bool
        The figure must be at least the limit, not at most.
    digits : int or None
        Behind the point; None for as many as there are. Rounded away from the goal, so nothing looks better than it is.
    words : str
        What follows "at least" or "at most", where the limits are many.
    """

    what: str
    group: str
    name: str
    limits: dict
    more: bool = False
    digits: int | None = 0
    words: str = ""

    def asked(self, widths):
        """The goal in words, in a table of these widths."""
        bound = "at least" if self.more else "at most"
        if self.words:
            return f"{bound} {self.words}"
        limits = set(self.limits.values())
        if len(limits) == 1 and set(widths) <= self.limits.keys():
            return f"{bound} {_number(limits.pop(), self.digits)}"
        return f"{bound} " + ", ".join(f"{_number(limit, self.digits)} at {width}" for width, limit in self.limits.items())


WIDTHS = (32, 64, 128, 256, 512)
ALL = dict.fromkeys(WIDTHS, 1.0)
LATENCY = {64: 16, 512: 20}

GOALS = (
    *(Goal(f"beats a clock: {name}", "beats", name, ALL, more=True, digits=3) for name in clocks.RUNS),
    *(Goal(f"of the ideal schedule: {name}", "mixed", name, ALL, more=True, digits=3) for name in clocks.MIXED),
    *(
        Goal(
            f"clocks a frame: {name}",
            "small",
            name,
            {width: -(-60 * 8 // width) for width in WIDTHS},
            digits=None,
            words="ceil(60 / bytes)",
        )
        for name in ("60 bytes, no request", "60 bytes, one checksum")
    ),
    *(Goal(f"latency, clocks: {name}", "latency", name, LATENCY) for name in ("cut", "one checksum", "no request")),
    Goal(f"latency, clocks: {clocks.CUT_THROUGH}", "latency", clocks.CUT_THROUGH, dict.fromkeys(WIDTHS, 12)),
    Goal("routed MHz: every feature", "MHz", "every feature", {64: 210, 512: 165}, more=True),
    Goal("LUT: TCP over IPv4 and checksums", "LUT", "TCP over IPv4 and checksums", {64: 1500, 512: 4000}),
    Goal("LUT: default", "LUT", "default", {64: 3000, 512: 10000}),
    Goal("RAMB36: default, --mtu-max 1522", "RAMB36", "default, --mtu-max 1522", {64: 4}, digits=None),
    Goal("RAMB36: default", "RAMB36", "default", {64: 8}, digits=None),
    Goal("harness, million clocks a second", "harness", "million clocks a second", {64: 2.0}, more=True, digits=2),
    Goal(
        "harness, cost of a clock (64 bits: 1)", "harness", "cost of a clock", {128: 2.0, 256: 4.0, 512: 8.0}, digits=2, words="width / 64"
    ),
)
"""In the order in which issue and table have them."""

OTHERS = (
    ("mixed", "of the ideal schedule", 3),
    ("mixed_beats", "beats a clock", 3),
    ("small", "clocks a frame", None),
    ("latency", "latency, clocks", 0),
)
"""Groups with figures that have no goal: what is measured, and digits."""

NOT_MEASURED, STALE = "not measured", "stale"


def verdict(goal, values):
    """Whether a goal is met by figures by width: ``met``, by how much it is missed and where, and where there is no figure.

    A figure of None is stale: recorded, but of other gateware.
    """
    limits = {width: limit for width, limit in goal.limits.items() if width in values}
    missed = [
        f"{_number(abs(limit - values[width]), goal.digits, math.ceil)} at {width}"
        for width, limit in limits.items()
        if values[width] is not None and (values[width] < limit if goal.more else values[width] > limit)
    ]
    stale = [str(width) for width in limits if values[width] is None]
    absent = [str(width) for width in goal.limits if width not in values]
    said = [f"missed by {', '.join(missed)}"] if missed else []
    for word, widths in ((STALE, stale), (NOT_MEASURED, absent)):
        if widths:
            said.append(word if len(widths) == len(goal.limits) else f"{word} at {', '.join(widths)}")
    return "; ".join(said) or "met"


def listed(figures, widths):
    """The goals of these widths for other programs, each a dict."""
    for goal, values in _of(figures, widths):
        shown = {width: value for width, value in values.items() if width in widths}
        yield {"what": goal.what, "goal": goal.asked(widths), "limits": goal.limits, "figures": shown, "verdict": verdict(goal, values)}


def _of(figures, widths):
    """The goals that say something of these widths, without their limits at others, each with its figures by width."""
    for goal in GOALS:
        limits = {width: limit for width, limit in goal.limits.items() if width in widths}
        if limits:
            yield replace(goal, limits=limits), figures.get(goal.group, {}).get(goal.name, {})


def rows(figures, widths, measured_only=False):
    """The table: a list of texts for each goal that says something of these widths, behind one of headings."""
    yield ["what", "goal", *(f"{width} bits" for width in widths), ""]
    for goal, values in _of(figures, widths):
        if values or not measured_only:
            cells = [_cell(values, width, goal) for width in widths]
            yield [goal.what, goal.asked(widths), *cells, verdict(goal, values)]


def text(figures, widths, measured_only=False):
    """The table for a terminal; with ``measured_only`` without the goals of which there is no figure."""
    table = list(rows(figures, widths, measured_only))
    wide = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(size) if 2 <= column < len(row) - 1 else cell.ljust(size)
            for column, (cell, size) in enumerate(zip(row, wide, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def markdown(figures, widths):
    """The table for a page."""
    head, *body = rows(figures, widths)
    return _table([head, ["---", "---", *["---:"] * len(widths), "---"], *body])


def others(figures, widths):
    """What is measured in clocks and has no goal, for a page."""
    goals = {(goal.group, goal.name) for goal in GOALS}
    lines = [["what", *(f"{width} bits" for width in widths)], ["---", *["---:"] * len(widths)]]
    for group, what, digits in OTHERS:
        for name, values in figures[group].items():
            if (group, name) not in goals:
                shown = Goal(f"{what}: {name}", group, name, {}, clocks.GROUPS[group][1] == "more", digits)
                lines.append([shown.what, *(_cell(values, width, shown) for width in widths)])
    return _table(lines)


def _table(lines):
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cell(values, width, goal):
    if width not in values:
        return ""
    return STALE if values[width] is None else _number(values[width], goal.digits, math.floor if goal.more else math.ceil)


def _number(value, digits, rounding=round):
    """With thousands, and so many digits behind the point, or with None as many as there are."""
    if digits is None:
        return f"{value:,g}"
    return f"{rounding(round(value * 10**digits, 6)) / 10**digits:,.{digits}f}"
