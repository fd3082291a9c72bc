"""Routed speed on an ECP5, which stands in for a 7-series: no 7-series place and route comes from the package registry."""

import json

from .names import Names
from .tools import run

__all__ = ["DEVICE", "RECIPE", "place_and_route", "synthesise"]

RECIPE = "synth_ecp5 -nodsp -top top"
FLATTEN = "hierarchy -top top; proc; flatten"
DEVICE = ["--um5g-85k", "--package", "CABGA756", "--speed", "8", "--lpf-allow-unconstrained", "--timing-allow-fail"]


def synthesise(rtlil, folder):
    """Map the RTLIL text of a wrapped design to ECP5 cells, in ``folder``."""
    (folder / "design.il").write_text(rtlil)
    run("yosys", ["-q", "-p", f"read_rtlil design.il; {FLATTEN}; write_json flat.json; {RECIPE} -json mapped.json"], folder)


def place_and_route(folder, seed, freq_mhz):
    """Route what :func:`synthesise` left in ``folder``.

    Returns
    -------
    dict
        ``seed``; ``mhz``; ``path``: the slowest path, a dict for each cell on it: ``cell`` (its type), ``name`` (of the signal that it
        drives or, for the last register, holds), ``ns`` in the cell and ``wire_ns`` from there to the next one; ``used``: cells by type,
        the wrapper's with them.
    """
    report = f"route-{seed}.json"
    files = ["--json", "mapped.json", "--report", report, "-q", "-l", f"route-{seed}.log"]
    run("nextpnr-ecp5", [*DEVICE, *files, "--seed", str(seed), "--freq", str(freq_mhz)], folder)
    routed = json.loads((folder / report).read_text())
    flat, mapped = (json.loads((folder / file).read_text())["modules"]["top"] for file in ("flat.json", "mapped.json"))
    names = Names((folder / "design.il").read_text(), flat, mapped)
    ((clock, fmax),) = routed["fmax"].items()
    (slowest,) = [path["path"] for path in routed["critical_paths"] if clock in path["from"] and clock in path["to"]]
    return {
        "seed": seed,
        "mhz": round(fmax["achieved"], 1),
        "path": list(_path(slowest, names, mapped["cells"])),
        "used": {kind: used["used"] for kind, used in routed["utilization"].items() if used["used"]},
    }


def _path(steps, names, cells):
    """The cells of nextpnr's path. Its steps alternate between a cell and the wire to the next one."""
    for step, wire in zip(steps[::2], [*steps[1::2], None], strict=True):
        cell = step["to"]["cell"]
        yield {
            "cell": _type(cell, cells),
            "name": names.of_net(wire["net"]) if wire else names.of_register(cell),
            "ns": round(step["delay"], 2),
            "wire_ns": round(wire["delay"], 2) if wire else 0,
        }


def _type(cell, cells):
    """The type of a cell, also of one that nextpnr made out of a carry or memory cell and named after it, behind a ``$``."""
    own = cell if cell in cells else cell.rpartition("$")[0]
    return cells[own]["type"] if own in cells else next((kind for kind in ("CCU2C", "TRELLIS_DPR16X4") if kind in cell), "cell")
