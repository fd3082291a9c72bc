"""The row store loses and overwrites nothing that can still be read."""

import pytest

from formal import ProofFailed
from formal.rows import row_store_bench
from offcut.config import Config
from offcut.tx import rows
from offcut.tx.layouts import Geometry
from offcut.tx.rows import RowStore

LATE = 3
"""Rows that come from a clock with `room` on: the ingress takes a beat in that clock, and shows a row a clock later."""

BEHIND = 5
"""Rows that the aligner may still read when the slicer has taken them: those of a step's window, and as many as are taken until it reads."""

FAULTS = [
    # (what is replaced, by what)
    ("self.written.eq(self.written + 1)", "self.written.eq(self.written | 1)"),
    ("write.en.eq(self.i.valid)", "write.en.eq(self.i.valid & ~self.ends.valid)"),
]


@pytest.mark.parametrize("width", [32, 64])
def test_rows_are_kept_until_the_slicer_is_past_them(prove, width):
    prove(row_store_bench(RowStore(Geometry(Config(width=width))), late=LATE, behind=BEHIND), depth=4)


@pytest.mark.parametrize(("text", "becomes"), FAULTS)
def test_a_fault_in_the_row_store_is_found(prove, mutant, text, becomes):
    faulty = mutant(rows, text, becomes).RowStore(Geometry(Config(width=32)))
    with pytest.raises(ProofFailed, match="fails after reset\n.*reads a row as it came"):
        prove(row_store_bench(faulty, late=LATE, behind=BEHIND, invariants=False), mode="bmc", depth=8)


def test_room_given_too_long_is_found(prove, mutant):
    faulty = mutant(rows, "IN_FLIGHT = 9", "IN_FLIGHT = 8").RowStore(Geometry(Config(width=32)))
    with pytest.raises(ProofFailed, match="room looks back one clock"):
        prove(row_store_bench(faulty, late=LATE, behind=BEHIND), depth=4)
