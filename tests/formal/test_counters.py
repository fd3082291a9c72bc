"""No count is lost, though a single adder serves all counters."""

import pytest

from formal import ProofFailed
from formal.counters import counters_bench
from offcut.core import counters
from offcut.core.counters import Counters

SIZES = [({"a": 1, "b": 2}, 4), ({"a": 1, "b": 1, "c": 2}, 5)]
"""What each counter grows by at most, and the bits of a half: the carry is met early."""

FAULTS = [
    # (what is replaced, by what, the promise that breaks)
    ("m.d.sync += gathered.eq(self.add[name])", "m.d.sync += gathered.eq(0)", "until its turn"),
    ("carry.eq(total[half_bits] & ~at[0])", "carry.eq(0)", "of the same moment"),
    ("range(greatest * turn_clocks + 1)", "range(greatest * turn_clocks)", "until its turn"),
    ("half.eq(Mux(first_turn, 0, read.data))", "half.eq(read.data)", "until its turn"),
    ("with m.If(upper):", "with m.If(shown & written_at[0]):", "of the same moment"),
]


@pytest.mark.parametrize(("greatest", "half_bits"), SIZES)
def test_everything_is_counted_once_and_a_read_gives_halves_of_one_moment(prove, greatest, half_bits):
    prove(counters_bench(Counters(greatest, half_bits=half_bits)), depth=6)


def test_a_read_is_answered_within_a_turn(prove):
    prove(counters_bench(Counters({"a": 1, "b": 1}, half_bits=3), invariants=False), mode="bmc", depth=16)


@pytest.mark.parametrize(("text", "becomes", "promise"), FAULTS)
def test_a_fault_in_the_counters_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(counters, text, becomes).Counters({"a": 1, "b": 1}, half_bits=3)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(counters_bench(faulty, invariants=False), mode="bmc", depth=24)
    assert any(promise in claim for claim in failure.value.claims), failure.value


def test_a_carry_out_of_a_full_counter_would_be_found(prove, mutant):
    """It takes a full counter to show, so the induction must fail on it."""
    faulty = mutant(counters, "carry.eq(total[half_bits] & ~at[0])", "carry.eq(total[half_bits])")
    with pytest.raises(ProofFailed, match="stored, gathered and under way together|no carry comes into a lower half"):
        prove(counters_bench(faulty.Counters({"a": 1, "b": 2}, half_bits=4)), depth=6)
