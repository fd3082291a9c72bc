"""Queues lose nothing, and keep room for what is under way."""

import pytest
from amaranth.lib import data

from formal import ProofFailed
from formal.queue import queue_bench
from offcut.tx import queue
from offcut.tx.queue import Queue

SHAPE = data.StructLayout({"data": 4})

SIZES = [(4, 0), (8, 3), (32, 18), (64, 0), *(pytest.param(32, margin, marks=pytest.mark.long) for margin in (0, 4, 8, 14))]
"""Depth and margin: small ones, and those of the engine."""

FAULTS = [
    # (what is replaced, by what, depth of the queue, the promise that breaks)
    ("LATE = 3", "LATE = 0", 4, "payloads leave in order"),
    (
        "m.d.sync += [read.addr.eq(following), following.eq(following + 1)]",
        "m.d.sync += following.eq(following + 1)",
        4,
        "payloads leave in order",
    ),
    (
        "m.d.sync += [self.o.payload.eq(Mux(passing, self.i.payload, read.data)), self.o.valid.eq(1)]",
        "m.d.sync += self.o.payload.eq(read.data)",
        4,
        "what was there two clocks ago shows",
    ),
    ("with m.Elif(self.o.ready):", "with m.Else():", 4, "o.valid is not withdrawn"),
    ("pull = (some | passing) & (~self.o.valid | self.o.ready)", "pull = some", 8, "o.payload is stable while it waits"),
]


@pytest.mark.parametrize(("depth", "margin"), SIZES)
def test_a_queue_keeps_order_and_loses_nothing_and_has_room_for_what_it_promised(prove, depth, margin):
    prove(queue_bench(Queue(SHAPE, depth=depth, margin=margin), promised=margin), depth=4)


@pytest.mark.parametrize("depth", [4, 64])
def test_a_queue_that_may_be_passed_by_when_it_is_empty_does_all_that(prove, depth):
    prove(queue_bench(Queue(SHAPE, depth=depth, quick=True)), depth=4)


@pytest.mark.parametrize("hold", [1, 7])
def test_a_queue_that_keeps_payloads_back_does_all_that_and_shows_them_so_many_clocks_later(prove, hold):
    prove(queue_bench(Queue(SHAPE, depth=32, margin=16, hold=hold)), depth=4 + hold)


@pytest.mark.parametrize(("text", "becomes", "depth", "promise"), FAULTS)
def test_a_fault_in_a_queue_is_found(prove, mutant, text, becomes, depth, promise):
    faulty = mutant(queue, text, becomes).Queue(SHAPE, depth=depth)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(queue_bench(faulty, invariants=False), mode="bmc", depth=12)
    assert any(promise in claim for claim in failure.value.claims) and failure.value.trace.exists(), failure.value


def test_a_margin_that_is_too_small_is_found(prove):
    with pytest.raises(ProofFailed, match="with room, 3 more payloads are accepted"):
        prove(queue_bench(Queue(SHAPE, depth=8, margin=1), promised=3, invariants=False), mode="bmc", depth=12)
