"""Show what was measured as text."""

from . import area

__all__ = ["area_table", "path_table", "speed_line"]


def area_table(measured):
    """A line for each block, their sum, and the flattened whole; what is not used is left blank."""
    blocks = {block or "(top itself)": counts for block, counts in measured["blocks"].items() if any(counts.values())}
    rows = list(blocks.items()) if len(blocks) > 1 else []
    if rows:
        rows.append(("sum of blocks", {unit: sum(counts[unit] for counts in blocks.values()) for unit in area.COUNTED}))
    rows.append(("whole, flattened", measured["total"]))
    wide = max(len(name) for name, _ in rows)
    lines = [" ".join([" " * wide, *(f"{unit:>7}" for unit in area.COUNTED)])]
    lines += [" ".join([f"{name:{wide}}", *(f"{counts[unit] or '':>7}" for unit in area.COUNTED)]) for name, counts in rows]
    return "\n".join(lines)


def speed_line(speed):
    """The median and every seed's own figure."""
    each = ", ".join(f"{run['mhz']} (seed {run['seed']})" for run in speed["runs"])
    return f"{speed['mhz']} MHz, median of: {each}"


def path_table(run):
    """The slowest path of one route: when the input of each level arrives, its delay, and that of the wire to the next one."""
    path = _levels(run["path"])
    cells, wires = (sum(step[part] for step in path) for part in ("ns", "wire_ns"))
    lines = [
        f"slowest path of seed {run['seed']}: {cells + wires:.2f} ns, {cells:.2f} in cells and {wires:.2f} in wires, "
        f"{len(path) - 2} levels between registers",
        "     at   cell   wire",
    ]
    arrived = 0.0
    for step in path:
        lines.append(f"  {arrived:5.2f}  {step['ns']:5.2f}  {step['wire_ns']:5.2f}  {step['cell']:10} {step['name']}")
        arrived += step["ns"] + step["wire_ns"]
    return "\n".join(lines)


def _levels(path):
    """The path with each run of cells that no wire parts, a carry chain or a wide LUT, as one step."""
    start, *middle, end = path
    levels, joined = [start], False
    for step in middle:
        if joined:
            levels[-1] = {**step, "ns": levels[-1]["ns"] + step["ns"], "cell": levels[-1]["cell"]}
        else:
            levels.append(step)
        joined = not step["wire_ns"]
    return [*levels, end]
