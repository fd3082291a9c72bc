"""What is claimed of :class:`offcut.tx.queue.Queue`."""

from amaranth import Signal, Value

from offcut.tx.queue import LATE

from .bench import Bench

__all__ = ["queue_bench", "queue_invariants"]


def queue_invariants(bench, opened):
    """Claim what binds the queue's registers to each other, and return how many payloads it holds, in its output register or not."""
    m, queue = bench.m, opened.component
    depth = queue._depth
    write, read = opened.write_address("memory"), opened.read_address("memory")
    came, left = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
    inside = bench.count(came, left, limit=2 * depth, name="inside")
    stored = Signal(range(depth))
    m.d.comb += stored.eq(write - read)
    bench.invariant(inside == stored + queue.o.valid, "the pointers are apart by what has come and not left")
    kept_back = sum(opened[f"shown_{clock}"] for clock in range(queue._hold)) if queue._hold else 0
    if queue._hold:
        bench.invariant(((write - opened["shown_to"])[: len(write)]) == kept_back, "what came in the last clocks is kept back")
        bench.invariant(kept_back <= stored, "and nothing that has left")
    bench.invariant(opened["some"] == (stored != kept_back), "`some` tells whether the memory holds anything that may be shown")
    bench.invariant(opened["following"] == (read + 1)[: len(read)], "`following` is the next read address")
    bench.invariant(opened["level"] == bench.past(stored), "`level` is what the memory held a clock ago")
    return inside, stored


def queue_bench(queue, *, promised=None, invariants=True):
    """Nothing lost, nothing twice, order kept; the stream's rules; and room for what ``room`` promises.

    Parameters
    ----------
    queue : Queue
    promised : int
        Payloads accepted from a clock with ``room`` on, that clock's included; the queue's margin if left out.
    """
    bench = Bench(queue, invariants=invariants)
    m, opened = bench.m, bench.dut
    depth, margin = queue._depth, queue._margin
    promised = margin if promised is None else promised
    came, left = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
    inside, stored = queue_invariants(bench, opened)

    bench.stream_rules(queue.o, "o")
    bench.claim(~queue.o.valid | (inside != 0), "nothing leaves that has not come")
    waited = 1 + queue._hold
    gone = sum(bench.past(left, clock) for clock in range(1, waited + 1))
    bench.claim((bench.past(inside, waited) <= gone) | queue.o.valid, "what was there two clocks ago shows")

    # One payload, any: it is followed until it leaves, and then another one may be.
    pick = bench.free(1, "pick")
    followed = Signal()
    ahead = Signal(range(2 * depth))
    payload = Signal(len(Value.cast(queue.i.payload)))
    with m.If(~followed & came & pick):
        m.d.sync += [followed.eq(1), ahead.eq(inside - left), payload.eq(queue.i.payload)]
    with m.Elif(followed & left):
        m.d.sync += [followed.eq(ahead != 0), ahead.eq(ahead - 1)]
    bench.claim(~(followed & queue.o.valid & (ahead == 0)) | (Value.cast(queue.o.payload) == payload), "payloads leave in order, unchanged")
    bench.invariant(~followed | (ahead < inside), "what came is not lost")
    kept = opened.watch("memory", opened.read_address("memory") + ahead - queue.o.valid)
    bench.invariant(~followed | (ahead < queue.o.valid) | (kept == payload), "what is stored stays as it was")

    # room's promise. It was decided by what the memory held two clocks ago, and since then two more can have come.
    spent = bench.since(queue.room, came, limit=depth, name="spent")
    bench.claim((spent >= promised) | queue.i.ready, f"with room, {promised} more payloads are accepted")
    bench.invariant(~queue.room | (bench.past(stored, 2) + LATE + 1 + margin < depth), "room looks back two clocks")
    bench.invariant(stored + LATE + 1 + margin < depth + 2 + spent, "since room, no more is stored than has come")
    bench.invariant(~queue.i.ready | (bench.past(stored, 2) + LATE < depth), "ready looks back two clocks")
    return bench
