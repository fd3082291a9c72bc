"""Find the gateware's own name for a net of the flattened and mapped netlist."""

import re

__all__ = ["Names"]

MADE = re.compile(r"_(?:TRELLIS_FF|TRELLIS_DPR16X4|LUT4|PFUMX|L6MUX21|CCU2C|DP16KD)_.*$")
"""What Yosys adds to a signal's name, to name a cell or a net that has no name of its own."""

INPUT = re.compile(r"^\s*wire (?:width \d+ )?(?:signed )?input \d+\s+\\(\S+)$")


class Names:
    """Names of nets by the block that drives them.

    After flattening one net has many names, one in each block that it passes, of which mapping keeps any one. The name wanted
    is that in the innermost block that drives it, so the name of an input inside a block never counts.

    Parameters
    ----------
    rtlil : str
        The design before flattening, with the component as ``dut`` of ``top``.
    flat : dict
        The design as flattened and not yet optimised, with every name, as Yosys writes a module in JSON.
    mapped : dict
        The design as mapped.
    """

    def __init__(self, rtlil, flat, mapped):
        self._bits = {name: net["bits"] for name, net in flat["netnames"].items()}
        self._cells = mapped["cells"]
        self._kept = {
            bit: (name, index) for name, net in mapped["netnames"].items() if not MADE.search(name) for index, bit in enumerate(net["bits"])
        }
        self._best = {}
        passed_on = set(_inputs(rtlil))
        for name, bits in self._bits.items():
            if name not in passed_on:
                rank = (name.startswith("dut."), name.count("."), "$" not in name, name)
                for index, bit in enumerate(bits):
                    if bit not in self._best or rank > self._best[bit][0]:
                        self._best[bit] = (rank, index if len(bits) > 1 else None)

    def of_net(self, net):
        """The name of ``net`` (``name`` or ``name[bit]``); in brackets, where it has none, that of the signal which it helps to make."""
        name, index = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", net).groups()
        if name in self._bits:
            return self._own(name, int(index or 0), bit=True)
        base = MADE.sub("", name)
        return f"({self._own(base, 0, bit=False)})"

    def of_register(self, cell):
        """The name of what the register or memory ``cell`` holds."""
        bits = self._cells.get(cell, {}).get("connections", {}).get("Q", [None])
        return self._own(*self._kept[bits[0]], bit=True) if bits[0] in self._kept else self.of_net(cell)

    def _own(self, name, index, *, bit):
        bits = self._bits.get(name, [])
        if index < len(bits) and bits[index] in self._best:
            (*_, name), index = self._best[bits[index]]
            name = f"{name}[{index}]" if bit and index is not None else name
        return name.removeprefix("dut.")


def _inputs(rtlil):
    """Inputs of the blocks inside the component, by hierarchical name."""
    block = ""
    for line in rtlil.splitlines():
        if line.startswith("module \\"):
            block = line.removeprefix("module \\top").removeprefix(".")
        elif block.count(".") and (found := INPUT.match(line)):
            yield f"{block}.{found[1]}"
