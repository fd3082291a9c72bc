"""The packet buffer loses nothing, gives nothing twice, keeps order, and a discard leaves no trace in it."""

from types import SimpleNamespace

import pytest

from formal import ProofFailed
from formal.payload_buffer import gate_bench, payload_buffer_bench
from offcut.config import UFO_ORDERS, Config
from offcut.tx import gate, payload_buffer
from offcut.tx.gate import Gate
from offcut.tx.layouts import Geometry
from offcut.tx.payload_buffer import ON_THEIR_WAY, PayloadBuffer

SMALL, BANKS = SimpleNamespace(width=1), [16, 8]
"""Two banks of unlike size, as the engine has, and no more rows than it takes to fill, discard and wrap. What a word holds is all one."""
FEWER_ROWS = [16, 2]

BUFFER_FAULTS = [
    ("m.d.sync += [into.eq(begin), unit.eq(0)]", "m.d.sync += unit.eq(0)", "words come out in order"),
    ("begin.eq(Mux(put, following(into), into))", "begin.eq(into)", "words come out in order"),
    ("taken.eq(self.take & here(out))", "taken.eq(here(out))", "nothing comes out that was not taken"),
]
"""What is replaced, by what, and the promise that breaks."""

GATE_FAULTS = [
    ("spoilt.eq(~good & ~word.frame_last)", "spoilt.eq(0)", "a frame stays spoilt to its end"),
    ("ending = self.i.valid & good & word.last", "ending = self.i.valid & word.last", "committed or discarded, never both"),
    ("entry.void.eq(~good)", "entry.void.eq(0)", "an entry if and only if it is committed"),
    ("& ~good & word.frame_last & ~(word.behind", "& ~good & ~(word.behind", "a spoilt frame is told once"),
    ("& ~(word.behind & dropped)", "", "a spoilt frame is told once"),
    ("plan.headed & ~word.behind", "plan.headed", "never twice"),
    ("& word.write & ~side", "& word.write", "into one buffer"),
    ("entry.summed.eq(~ufo)", "entry.summed.eq(1)", "if and only if its entry says so"),
    ("Mux(held, word.closing, 1)", "1", "and there alone"),
]


@pytest.mark.parametrize("banks", [FEWER_ROWS, pytest.param(BANKS, marks=pytest.mark.long)])
def test_the_payload_buffer_gives_every_committed_word_once_in_order_and_nothing_of_a_discarded_unit(prove, banks):
    prove(payload_buffer_bench(PayloadBuffer(SMALL, banks), late=ON_THEIR_WAY), depth=2)


@pytest.mark.parametrize(("text", "becomes", "promise"), BUFFER_FAULTS)
def test_a_fault_in_the_payload_buffer_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(payload_buffer, text, becomes).PayloadBuffer(SMALL, BANKS)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(payload_buffer_bench(faulty, late=ON_THEIR_WAY, invariants=False), mode="bmc", depth=8)
    assert any(promise in claim for claim in failure.value.claims), failure.value


def test_room_given_too_long_is_found(prove, mutant):
    faulty = mutant(payload_buffer, "ON_THEIR_WAY = 11", "ON_THEIR_WAY = 9").PayloadBuffer(SMALL, BANKS)
    with pytest.raises(ProofFailed, match="what comes after room fits"):
        prove(payload_buffer_bench(faulty, late=ON_THEIR_WAY), depth=2)


@pytest.mark.parametrize("order", UFO_ORDERS)
def test_a_unit_leaves_whole_or_not_at_all_and_nothing_of_a_frame_behind_what_spoilt_it(prove, order):
    prove(gate_bench(Gate(Geometry(Config(width=32, ufo_order=order))), beside=order == "last"), mode="bmc", depth=12)


@pytest.mark.parametrize(("text", "becomes", "promise"), GATE_FAULTS)
def test_a_fault_in_the_gate_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(gate, text, becomes).Gate(Geometry(Config(width=32)))
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(gate_bench(faulty, beside=True), mode="bmc", depth=6)
    assert any(promise in claim for claim in failure.value.claims), failure.value


def test_fragments_repeated_of_a_datagram_that_does_not_leave_are_found(prove, mutant):
    faulty = mutant(gate, "m.If(~word.closing | ~good)", "m.If(~word.closing)").Gate(Geometry(Config(width=32, ufo_order="first")))
    with pytest.raises(ProofFailed, match="nothing is repeated of what does not leave"):
        prove(gate_bench(faulty, beside=False), mode="bmc", depth=6)
