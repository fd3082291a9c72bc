"""The committed figures, and how those of today compare."""

import json
from pathlib import Path

from . import clocks

__all__ = ["FILE", "compare", "dump", "load", "replaced", "widths"]

FILE = Path(__file__).resolve().parents[1] / "results" / "bench.json"

DIRECTIONS = {**{group: better for group, (_, better) in clocks.GROUPS.items()}, "guard": "less"}
"""Groups that are compared: those that are the same on every machine."""

UNITS = {**{group: unit for group, (unit, _) in clocks.GROUPS.items()}, "guard": "LUT"}


def load(file=FILE):
    """Figures of a file, ``{group: {name: {width: number}}}``; none if there is no file."""
    file = Path(file)
    if not file.exists():
        return {}
    return {
        group: {name: {int(key) if key.isdigit() else key: value for key, value in of.items()} for name, of in names.items()}
        for group, names in json.loads(file.read_text()).items()
    }


def dump(figures):
    """Figures as the text of a file, a line for each name."""
    groups = []
    for group, names in figures.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in names.items()]
        groups.append(f" {json.dumps(group)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(groups) + "\n}\n"


def widths(figures):
    """The widths at which clocks were counted."""
    return sorted({width for of in figures["beats"].values() for width in of})


def replaced(older, newer):
    """The groups that were measured now in place of the older ones; a group that was not measured stays."""
    return {**older, **newer}


def compare(measured, committed):
    """Where figures of today differ from the committed ones.

    Returns
    -------
    worse, better : list of str
        A sentence for each figure, with both numbers and what lies between them. A committed figure that was not measured, at a width at
        which others of its group were, is worse: what is no longer measured is no longer guarded.
    """
    worse, better = [], []
    for group, direction in DIRECTIONS.items():
        now = measured.get(group, {})
        widths = {width for of in now.values() for width in of}
        for name, of in committed.get(group, {}).items():
            for width in sorted(widths & of.keys()):
                where = f"{width} bits, {name}" if group != "mixed_beats" else f"{width} bits, {name} (in themselves)"
                was, unit = of[width], UNITS[group]
                if width not in now.get(name, {}):
                    worse.append(f"{where}: {was:g} {unit} committed, not measured any more")
                    continue
                is_now = now[name][width]
                said = f"{where}: {was:g} {unit} committed, {is_now:g} now, {abs(is_now - was):.4g} {'more' if is_now > was else 'less'}"
                if is_now != was:
                    (better if (is_now > was) == (direction == "more") else worse).append(said)
    return worse, better
