"""What is claimed of :class:`offcut.tx.joiner.Joiner`."""

from amaranth import C, Mux, Signal
from amaranth.lib import data

from .bench import Bench
from .queue import queue_invariants

__all__ = ["joiner_bench"]


def joiner_bench(joiner, *, latency, invariants=True):
    """A frame once shown goes on, in every clock, to its end; its keep is contiguous, and full but in the last beat; no row is lost.

    Assumed: entries come by the stream's rules. What they say, what header RAM, buffer and patcher hold, when the patcher makes a unit wait,
    and when the sink stalls, is arbitrary.

    What keep is, is claimed where rows enter the output queue; that they leave it as they came is the queue's own proof.

    Parameters
    ----------
    joiner : Joiner
    latency : int
        Clocks from the choice of a row to the queue.
    """
    bench = Bench(joiner, invariants=invariants)
    m, o = bench.m, joiner.o
    output = bench.dut.open("queue")
    queue = output.component
    bench.assume_stream_rules(joiner.entries)

    # Whether the last row chosen, the last row queued and the last beat taken leave a frame unfinished.
    chosen, queued, shown = Signal(), Signal(), Signal()
    pause = bench.dut["pause"] if hasattr(joiner, "udp") else C(0)
    row = joiner.entries.valid & ~joiner.entries.p.void & queue.room & ((joiner.ready & ~pause) | ~bench.dut["first"])
    row_last = row & joiner.entries.ready
    with m.If(row):
        m.d.sync += chosen.eq(~row_last)
    with m.If(queue.i.valid):
        m.d.sync += queued.eq(~queue.i.p.last)
    m.d.sync += shown.eq(Mux(o.valid & o.ready, ~o.p.last, shown | o.valid))

    bench.stream_rules(o, "o")
    bench.claim(~shown | o.valid, "a frame once shown goes on, in every clock, to its end")
    bench.claim(~queue.i.valid | queue.i.ready, "no row is lost for want of room")
    beat = queue.i.payload
    bench.claim(~queue.i.valid | (beat.keep[0] & ~(beat.keep[1:] & ~beat.keep[:-1]).any()), "keep is contiguous from lane 0")
    bench.claim(~queue.i.valid | beat.last | beat.keep.all(), "keep is full in every beat but the last")

    # An entry stays until its last row is chosen, and rows reach the queue `latency` clocks after they are chosen.
    bench.invariant(chosen == ~bench.dut["first"], "the joiner knows whether it is within a frame")
    bench.invariant(~chosen | (joiner.entries.valid & ~joiner.entries.p.void), "an entry stays until its last row")
    bench.invariant(queue.i.valid == bench.past(row, latency), "rows are queued as they were chosen")
    bench.invariant(~queue.i.valid | (beat.last == bench.past(row_last, latency)), "and end where they did")
    bench.invariant(queued == bench.past(chosen, latency), "frames are unfinished in the queue as they were")

    # So rows stop in mid-frame only where the queue holds so many that they last until more arrive.
    inside, stored = queue_invariants(bench, output)
    newest = data.View(o.payload.shape(), output.watch("memory", output.write_address("memory") - 1))
    newest_last = Mux(stored != 0, newest.last, o.p.last)
    bench.invariant(Mux(inside != 0, newest_last == ~queued, shown == queued), "the last row queued is the last to be shown")
    bench.invariant(~queued | (stored != 0), "an unfinished frame has a beat behind the one that is shown")
    return bench
