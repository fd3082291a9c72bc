"""A run becomes its entries, whatever its surroundings do."""

import pytest
from amaranth.lib import data

from formal import ProofFailed
from formal.runs import runs_bench
from offcut.config import Config
from offcut.tx import runs
from offcut.tx.layouts import Geometry
from offcut.tx.runs import Runs

REST = data.StructLayout({"slot": 2})

FAULTS = [
    # (what is replaced, by what, the promise that breaks)
    ("none_left.eq(full == 1)", "none_left.eq(full == 2)", "a run is accepted with its last entry"),
    ("begun.eq(~final)", "begun.eq(1)", "a run is accepted with its last entry"),
    ("entry.first.eq(run.first & ~begun)", "entry.first.eq(run.first)", "each entry is that of its number"),
    ("with m.Elif(self.o.ready)", "with m.Else()", "o.valid is not withdrawn"),
    ("go.eq(self.i.valid & (~self.o.valid | self.o.ready))", "go.eq(self.i.valid)", "o.payload is stable"),
]


def geometry():
    return Geometry(Config(width=64))


def test_a_run_becomes_all_of_its_entries_in_order_under_any_stalls(prove):
    prove(runs_bench(Runs(geometry(), REST)), depth=2)


@pytest.mark.parametrize(("text", "becomes", "promise"), FAULTS)
def test_a_fault_in_the_runs_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(runs, text, becomes).Runs(geometry(), REST)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(runs_bench(faulty, invariants=False), mode="bmc", depth=8)
    assert any(promise in claim for claim in failure.value.claims), failure.value
