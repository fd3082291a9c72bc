"""What is claimed of :class:`offcut.tx.runs.Runs`."""

from amaranth import Mux, Signal, Value

from offcut.tx.layouts import RUN_BITS

from .bench import Bench

__all__ = ["runs_bench"]


def runs_bench(runs, *, invariants=True):
    """Each run becomes its entries, all of them, once, in order and at once; and the stream's rules."""
    bench = Bench(runs, invariants=invariants)
    m, opened = bench.m, bench.dut
    run = runs.i.payload
    bench.assume_stream_rules(runs.i)
    bench.stream_rules(runs.o, "o")

    made = Signal(RUN_BITS + 1)
    final = made == run.count
    makes = runs.i.valid & (~runs.o.valid | runs.o.ready)
    with m.If(makes):
        m.d.sync += made.eq(Mux(final, 0, made + 1))
    bench.claim(
        (runs.i.valid & runs.i.ready) == (makes & final),
        "a run is accepted with its last entry",
    )
    bench.claim(~bench.past(makes) | runs.o.valid, "an entry shows in the clock after")
    bench.claim(~runs.o.valid | bench.past(makes | (runs.o.valid & ~runs.o.ready)), "no entry shows that was not made")

    # A run that has begun stays until it is accepted, so what an entry must be can be said of the run that shows with it.
    row = Mux(final, run.last_row, run.full_row)
    wanted = Signal(runs.o.payload.shape())
    with m.If(makes):
        m.d.sync += [
            wanted.first.eq(run.first & (made == 0)),
            wanted.last.eq(run.last & final),
            wanted.single.eq(row == 0),
            wanted.last_row.eq(row),
            wanted.last_lane.eq(Mux(final, run.last_lane, run.full_lane)),
            wanted.rest.eq(run.rest),
        ]
    same = Value.cast(runs.o.payload) == Value.cast(wanted)
    bench.claim(~runs.o.valid | same, "each entry is that of its number in its run")

    bench.invariant((made == 0) | (runs.i.valid & (made <= run.count)), "a run that has begun is still there")
    bench.invariant(opened["begun"] == (made != 0), "`begun` says whether any was made")
    bench.invariant(~opened["begun"] | (opened["left"] == run.count - made), "`left` counts full entries")
    bench.invariant(~opened["begun"] | (opened["none_left"] == final), "`none_left` says that the next one is the last")
    return bench
