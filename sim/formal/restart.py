"""What is claimed of :class:`offcut.core.restart.Restart`."""

from amaranth import Signal

from .bench import Bench

__all__ = ["restart_bench"]

SINK_CLOCKS = 6
"""A frame is taken to its end within so many clocks, for the claim about progress."""


def restart_bench(dut, *, invariants=True):
    """A reset comes between two frames, with both sides shut, and it comes.

    Assumed of the engine: while beats may be shown, one that waits stays, and a frame that has begun goes on without a pause. Of the sink, for
    progress alone: it takes each frame to its end within :data:`SINK_CLOCKS`.

    Parameters
    ----------
    dut : Restart
    """
    bench = Bench(dut, invariants=invariants)
    m = bench.m
    taken = dut.valid & dut.ready

    inside = Signal()  # a frame has begun and not ended
    with m.If(taken):
        m.d.sync += inside.eq(~dut.last)
    bench.assume(dut.show | ~dut.valid)
    bench.assume(~dut.show | ~(inside | bench.past(dut.valid & ~dut.ready)) | dut.valid)
    going = Signal(range(SINK_CLOCKS + 1))
    with m.If(dut.valid & ~(taken & dut.last)):
        m.d.sync += going.eq(going + 1)
    with m.Else():
        m.d.sync += going.eq(0)
    bench.assume(going < SINK_CLOCKS)
    bench.claim(~dut.reset | ~inside, "no reset within a frame that leaves")
    bench.claim(~dut.reset | ~bench.past(dut.valid & ~dut.ready), "no reset while a beat waits")
    bench.claim(dut.show == ~dut.reset, "beats are shown but in the reset")
    bench.claim(dut.take == ~dut.resetting, "beats are taken but from the asking to the reset")
    bench.claim(~dut.reset | dut.resetting, "no reset that was not asked for")
    bench.claim(~bench.past(dut.ask) | dut.resetting, "who asks is heard")
    bench.claim(~bench.past(dut.reset) | ~dut.reset, "a reset takes one clock")
    asked = Signal(range(SINK_CLOCKS + 4))
    with m.If(dut.resetting & ~dut.reset):
        m.d.sync += asked.eq(asked + 1)
    with m.Else():
        m.d.sync += asked.eq(0)
    bench.claim(asked <= SINK_CLOCKS + 1, "the reset comes when the frame that leaves has left")
    bench.invariant(bench.dut["inside"] == inside, "it knows whether a frame is leaving")
    bench.invariant(dut.reset | (asked <= going), "it waits for nothing but a frame")
    return bench
