"""A frame that has begun goes on to its end, whatever the sink does."""

import pytest

from formal import ProofFailed
from formal.joiner import joiner_bench
from offcut.config import Config
from offcut.tx import joiner
from offcut.tx.layouts import Geometry

LATENCY = {True: 8, False: 6}
"""Clocks from the choice of a row to the output queue, by whether the patcher is serial."""

SMALL = {"features": frozenset({"tx-checksum-ip-generic"})}
"""An engine in which a fault shows sooner."""

FAULTS = [
    # (what is replaced, by what, clocks, the promise that breaks)
    ("sent.keep[lane].eq(~ends | (lane <= end_lane))", "sent.keep[lane].eq(lane <= end_lane)", 10, "keep is full"),
    ("(lane <= end_lane)", "(lane == end_lane)", 10, "keep is contiguous"),
    ("(may_go & last) | entry.void", "may_go | entry.void", 13, "goes on, in every clock"),
]


def geometry(depth, **settings):
    made = Geometry(Config(width=32, **settings))
    made.queue_depth = depth
    return made


def bench(made, module=joiner, **options):
    return joiner_bench(module.Joiner(made), latency=LATENCY[made.serial], **options)


def test_a_frame_once_shown_goes_on_in_every_clock_to_its_end_under_any_stalls(prove):
    prove(bench(geometry(32)), depth=LATENCY[True] + 4)


@pytest.mark.parametrize(("text", "becomes", "clocks", "promise"), FAULTS)
def test_a_fault_in_the_joiner_is_found(prove, mutant, text, becomes, clocks, promise):
    faulty = mutant(joiner, text, becomes)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(bench(geometry(32, **SMALL), faulty, invariants=False), mode="bmc", depth=clocks)
    assert any(promise in claim for claim in failure.value.claims), failure.value


def test_an_output_queue_that_is_too_short_is_found(prove):
    with pytest.raises(ProofFailed, match="an unfinished frame has a beat behind the one that is shown"):
        prove(bench(geometry(16, **SMALL)), depth=LATENCY[False] + 4)
