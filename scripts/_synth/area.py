"""7-series area: the whole flattened, and each block within its own borders."""

import json
import re
from collections import Counter

from .tools import run

__all__ = ["COUNTED", "RECIPE", "measure_blocks", "measure_whole"]

RECIPE = "synth_xilinx -family xc7 -abc9 -nodsp -noiopad -noclkbuf -top top"

LUT_COST = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    **{"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
    **{"RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4},
    **{"SRL16E": 1, "SRLC32E": 1},
}
"""LUTs that a cell takes. An INV takes none: it goes into its neighbour."""

UNITS = {
    "LUT": LUT_COST,
    "as RAM": {cell: cost for cell, cost in LUT_COST.items() if cell.startswith("RAM")},
    "as SRL": {cell: cost for cell, cost in LUT_COST.items() if cell.startswith("SRL")},
    "FF": dict.fromkeys(["FDRE", "FDSE", "FDCE", "FDPE"], 1),
    "CARRY4": {"CARRY4": 1},
    "MUXF": {"MUXF7": 1, "MUXF8": 1},
    "RAMB36": {"RAMB36E1": 1},
    "RAMB18": {"RAMB18E1": 1},
}
COUNTED = tuple(UNITS)
"""What is counted, in the order in which it is shown. The LUTs used as RAM and as SRL are part of LUT."""


def measure_whole(rtlil, folder):
    """The design, flattened: ``counts`` over :data:`COUNTED`, and ``cells`` by type."""
    (types,) = _cells(rtlil, f"{RECIPE} -flatten", folder).values()
    return {"counts": _count(types), "cells": dict(sorted(types.items()))}


def measure_blocks(rtlil, folder):
    """Counts over :data:`COUNTED` of each block by its hierarchical name, ``""`` for what stands in the top itself.

    Each block is synthesised within its own borders and without the blocks inside it, so nothing is shared or shifted between two of them
    and every cell stands where it was described. The sum is therefore a little more than the flattened whole.
    """
    return {name: _count(types) for name, types in _cells(rtlil, RECIPE, folder).items()}


def _cells(rtlil, recipe, folder):
    (folder / "design.il").write_text(rtlil)
    run("yosys", ["-q", "-p", f"read_rtlil design.il; {recipe}; tee -q -o stat.json stat -json"], folder)
    modules = json.loads((folder / "stat.json").read_text())["modules"]
    names = {re.sub(r"^\\top\.?", "", module): Counter(stat["num_cells_by_type"]) for module, stat in modules.items()}
    return dict(sorted(names.items()))


def _count(types):
    return {unit: sum(types[cell] * cost for cell, cost in costs.items()) for unit, costs in UNITS.items()}
