"""What is claimed of :class:`offcut.tx.rows.RowStore`."""

from amaranth import Signal, Value

from .bench import Bench
from .queue import queue_invariants

__all__ = ["row_store_bench"]


def row_store_bench(store, *, late, behind, invariants=True):
    """No row and no row's end is lost, and each can be read at its address until the slicer is well past it.

    Assumed: at most ``late`` rows come from a clock with ``room`` on, that clock's included. The slicer takes ends whenever it likes.

    Parameters
    ----------
    store : RowStore
    late : int
    behind : int
        Rows that stay readable behind the one that is taken next.
    """
    bench = Bench(store, invariants=invariants)
    m, opened = bench.m, bench.dut
    rows = 1 << len(store.written)
    ends = opened.open("ends")
    inside, _stored = queue_invariants(bench, ends)
    taken = store.ends.valid & store.ends.ready

    spent = bench.since(store.room, store.i.valid, limit=late, name="spent")
    bench.assume(~store.i.valid | (spent < late))

    bench.stream_rules(store.ends, "ends")
    bench.claim(~store.i.valid | ends.component.i.ready, "no row's end is lost")
    bench.invariant(opened["used"] == inside, "`used` counts the rows that are not taken")
    bench.claim(inside + behind <= rows, f"the last {behind} rows taken are not overwritten")
    bench.invariant(~store.room | (bench.past(inside) + late + behind < rows), "room looks back one clock")
    bench.invariant(inside + late + behind <= rows + spent, "since room, no more is held than has come")

    # One row, any: it is followed until enough others have been taken behind it, and then another one may be.
    pick = bench.free(1, "pick")
    followed = Signal()
    place = Signal.like(store.written)
    ahead = Signal(range(2 * rows))  # rows to be taken before it
    passed = Signal(range(behind + 2))  # ends taken from its own on
    row = Signal(len(Value.cast(store.i.payload)))
    with m.If(~followed & store.i.valid & pick):
        m.d.sync += [followed.eq(1), place.eq(store.written), ahead.eq(inside - taken), passed.eq(0), row.eq(store.i.payload)]
    with m.Elif(followed & taken):
        with m.If(ahead != 0):
            m.d.sync += ahead.eq(ahead - 1)
        with m.Else():
            m.d.sync += [passed.eq(passed + 1), followed.eq(passed + 1 <= behind)]
    bench.invariant(~followed | (passed != 0) | (ahead < inside), "a row is taken in its turn")
    bench.invariant(~followed | ((passed <= behind) & ((passed == 0) | (ahead == 0))), "rows are passed once taken")
    distance = Signal.like(store.written)
    m.d.comb += distance.eq(store.written - place)
    bench.invariant(~followed | (distance == (inside - ahead + passed)[: len(distance)]), "rows are written in order")
    bench.invariant(~followed | (inside - ahead + passed != 0), "a row that is followed has been written")
    for memory in ("parse_rows", "cut_rows"):
        kept = opened.watch(memory, place)
        bench.invariant(~followed | (kept == row[: len(kept)]), f"{memory} keeps a row as it came")
    bench.claim(~(followed & (store.parse_at == place)) | (Value.cast(store.parse) == row), "the parser reads a row as it came")
    bench.claim(~(followed & (store.cut_at == place)) | (store.cut == row[: len(store.cut)]), "the aligner reads a row as it came")
    return bench
