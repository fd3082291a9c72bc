"""7-series area: the whole flattened, and each block within its own borders."""

import json
import re
from collections import Counter

from .tools import run

__all__ = ["COUNTED", "RECIPE", "count", "measure_blocks", "measure_whole"]

RECIPE = "synth_xilinx -family xc7 -abc9 -nodsp -noiopad -noclkbuf -top top"

BLOCK_RECIPE = (
    "synth_xilinx -family xc7 -nodsp -noiopad -noclkbuf -top {top} -run begin:map_luts; abc -luts 2:2,3,6:5,10,20; clean; "
    "xilinx_srl -fixed -minlen 3; techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6; clean"
)
"""The same for one block, with the older mapper: the newer one does not survive a block RAM that stands at a block's border."""

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
    (folder / "design.il").write_text(rtlil)
    run("yosys", ["-q", "-p", f"read_rtlil design.il; {RECIPE} -flatten; tee -q -o stat.json stat -json"], folder)
    (module,) = json.loads((folder / "stat.json").read_text())["modules"].values()
    types = Counter(module["num_cells_by_type"])
    return {"counts": count(types), "cells": dict(sorted(types.items()))}


def measure_blocks(rtlil, folder):
    """Counts over :data:`COUNTED` of each block by its hierarchical name, ``""`` for what stands in the top itself.

    Each block is synthesised by itself, the blocks inside it being black boxes, so nothing is shared or shifted between two of them and
    every cell stands where it was described. The sum is therefore a little more than the flattened whole.
    """
    (folder / "design.il").write_text(rtlil)
    modules = re.findall(r"^module \\(\S+)", rtlil, re.MULTILINE)
    script = ["read_rtlil design.il", "design -save all"]
    for number, module in enumerate(modules):
        stat = f"tee -q -o stat_{number}.json stat -json"
        script += ["design -load all", f"hierarchy -top {module}", f"blackbox * {module} %d", BLOCK_RECIPE.format(top=module), stat]
    run("yosys", ["-q", "-p", "; ".join(script)], folder)
    counts = {}
    for number, module in enumerate(modules):
        stats = json.loads((folder / f"stat_{number}.json").read_text())["modules"]
        counts[re.sub(r"^top\.?", "", module)] = count(Counter(stats[f"\\{module}"]["num_cells_by_type"]))
    return dict(sorted(counts.items()))


def count(types):
    return {unit: sum(types[cell] * cost for cell, cost in costs.items()) for unit, costs in UNITS.items()}
