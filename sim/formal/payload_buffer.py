"""What is claimed of :class:`offcut.tx.payload_buffer.PayloadBuffer`, and of the gate that writes it."""

from functools import reduce
from operator import or_

from amaranth import Cat, Mux, Signal

from .bench import Bench

__all__ = ["gate_bench", "payload_buffer_bench"]


def payload_buffer_bench(buffer, *, late, invariants=True):
    """Committed words come out once each, in order; a discard leaves no trace; nothing is overwritten that may still be read.

    Assumed: a word is taken only where there is a committed one, and at most ``late`` words come from a clock with ``room`` on, that
    clock's included. Units may be of any length that room allows, and be committed and discarded at any time.
    """
    bench = Bench(buffer, invariants=invariants)
    m, opened = bench.m, bench.dut
    banks = [f"bank_{number}" for number in range(len(buffer.data))]
    depths = [opened.body.submodules[bank].depth for bank in banks]
    rows = sum(depths)
    write, read = opened.source(opened.write_address(banks[0])), opened.source(opened.read_address(banks[0]))
    put = buffer.write & ~buffer.discard
    kept, pending = Signal(range(2 * rows)), Signal(range(2 * rows))
    index = kept + pending  # of the word that comes, counted from the next that is taken

    spent = bench.since(buffer.room, buffer.write, limit=late, name="spent")
    bench.assume(~buffer.write | (spent < late))
    bench.assume(~buffer.take | (kept != 0))
    with m.If(buffer.discard):
        m.d.sync += [pending.eq(0), kept.eq(kept - buffer.take)]
    with m.Elif(buffer.commit):
        m.d.sync += [pending.eq(0), kept.eq(index + put - buffer.take)]
    with m.Else():
        m.d.sync += [pending.eq(pending + put), kept.eq(kept - buffer.take)]

    def apart(later, earlier):
        return Mux(later >= earlier, later - earlier, later + rows - earlier)

    bench.claim(index <= rows, "what is held fits the ring")
    for name, pointer in (("write", write), ("read", read), ("begin", opened["begin"])):
        bench.invariant(pointer < rows, f"{name} stays in the ring")
    bench.invariant(apart(opened["begin"], read) == Mux(kept == rows, 0, kept), "begin stands behind the last committed word")
    bench.invariant(apart(write, opened["begin"]) == Mux(pending == rows, 0, pending), "write stands behind the last word")
    bench.invariant(opened["unit"] == pending, "`unit` counts the words that are not committed")
    bench.invariant(opened["used"] == index, "`used` counts the words that are held")
    bench.invariant(index <= rows - late + spent, "what comes after room fits")

    # One word, any: it is followed until it is taken or discarded, and then another one may be.
    pick = bench.free(1, "pick")
    followed, whole = Signal(), Signal()
    ahead = Signal(range(2 * rows))
    word = Signal(len(buffer.word))
    place = read + ahead
    place = Mux(place >= rows, place - rows, place)
    stored = 0
    for number, bank in enumerate(banks):
        first = sum(depths[:number])
        stored = Mux(place >= first, opened.watch(bank, place - first), stored)
    taken = followed & buffer.take & (ahead == 0)
    with m.If(~followed & put & pick):
        m.d.sync += [followed.eq(1), whole.eq(buffer.commit), ahead.eq(index - buffer.take), word.eq(buffer.word)]
    with m.Elif(followed):
        m.d.sync += [
            ahead.eq(ahead - buffer.take),
            whole.eq(whole | (buffer.commit & ~buffer.discard)),
            followed.eq(~taken & (whole | ~buffer.discard)),
        ]
    bench.invariant(~followed | (ahead < Mux(whole, kept, index)), "a word is not lost")
    bench.invariant(~followed | whole | (ahead >= kept), "what is not committed is not among what is")
    bench.invariant(~followed | (stored == word), "what is held is not overwritten")
    out = reduce(or_, buffer.data)
    bench.claim(~bench.past(taken, 2) | (out == bench.past(word, 2)), "words come out in order, unchanged")
    bench.claim(bench.past(buffer.take, 2) | (out == 0), "nothing comes out that was not taken")
    return bench


def gate_bench(gate, *, beside):
    """A unit leaves whole or not at all, and nothing of a frame behind the word that spoils it.

    Assumed: what the slicer and the aligner promise. A frame keeps its plan; its last word is the last one of a unit; a word that spoils it says why;
    the fragments of a datagram, which has a header, are followed by one closing step, with which the datagram ends.

    Parameters
    ----------
    gate : Gate
    beside : bool
        A datagram's first fragment is held in the buffer beside. Otherwise all of them are one unit.
    """
    bench = Bench(gate)
    m, word, entry = bench.m, gate.i.payload, gate.entry
    plan, closing = gate.plan, word.closing
    ufo = plan.ufo
    committed = gate.commit | (gate.side_commit if beside else 0)
    leaves = entry.valid & ~entry.p.void
    ends = gate.i.valid & word.frame_last

    # What the words before this one were.
    going_on, closed = Signal(), Signal()
    kinds = Signal(3)
    here = Cat(ufo, plan.cut, plan.headed)
    with m.If(gate.i.valid):
        m.d.sync += [going_on.eq(~word.frame_last), closed.eq(closing | (closed & word.behind)), kinds.eq(here)]
    bench.assume(~word.frame_last | word.last)
    bench.assume(~word.spoils | (word.drop != 0))
    bench.assume(~going_on | (here == kinds))
    bench.assume(~ufo | (plan.headed & plan.cut))
    bench.assume(~closing | (ufo & word.last & word.frame_last & ~word.write & ~word.spoils & ~word.behind))
    bench.assume(~(ufo & word.frame_last) | closing | word.behind)
    bench.assume(~word.behind | (~going_on & word.frame_last & ~word.write & word.spoils & (~ufo | closed)))

    # Whether this frame has been spoilt before this word, and whether that has been told.
    spoilt, told = Signal(), Signal()
    with m.If(gate.i.valid):
        m.d.sync += [spoilt.eq(~word.frame_last & (spoilt | gate.discard)), told.eq(gate.drop.valid)]

    bench.claim(~(committed & gate.discard), "a unit is committed or discarded, never both")
    happens = gate.write | gate.side_write | committed | gate.discard | gate.push | gate.drop.valid
    bench.claim(~happens | gate.i.valid, "nothing happens between words")
    bench.claim(leaves == committed, "a unit has an entry if and only if it is committed")
    bench.claim(gate.push == (leaves & entry.p.summed), "it has a sum if and only if its entry says so")
    bench.claim((gate.push & ~ufo) == (committed & ~ufo), "every unit has a sum, but for fragments")
    bench.claim(~(gate.push & ufo) | closing, "and that of a datagram comes when it is whole")
    bench.claim(~committed | word.last, "a unit is committed with its last word")
    bench.claim(~gate.i.valid | gate.discard | ((gate.write | gate.side_write) == word.write), "every word of a good unit is written")
    bench.claim(~(gate.write & gate.side_write), "and into one buffer")
    if beside:
        bench.claim(
            gate.side_write == (gate.i.valid & ~gate.discard & word.write & ufo & word.segment_first), "a first fragment is held beside"
        )
        bench.claim(~(gate.commit & ufo) | ~(word.segment_first | closing), "and there alone")
        bench.claim(~gate.side_commit | closing, "and committed with the closing step")
        bench.claim(gate.side_commit == (leaves & entry.p.side), "and its entry says so")
    else:
        bench.claim(~gate.side_write, "nothing is held beside")
        bench.claim(~(ufo & gate.commit) | closing, "a datagram is committed with the closing step")
        bench.claim(~entry.valid | leaves | (gate.count == 0), "nothing is repeated of what does not leave")
    bench.claim(~spoilt | ~(gate.write | gate.side_write | committed), "nothing of a frame leaves behind the word that spoilt it")
    bench.claim(~(spoilt & gate.i.valid) | gate.discard, "a frame stays spoilt to its end")
    bench.claim(
        gate.drop.valid == (ends & (spoilt | gate.discard) & ~(word.behind & told)),
        "a spoilt frame is told once, at its end",
    )
    bench.claim(~gate.drop.valid | (gate.drop.payload != 0), "a drop has a reason")
    slot_done = gate.i.valid & word.frame_last & plan.headed & ~word.behind
    bench.claim(
        slot_done == (entry.valid & entry.p.headed & entry.p.release),
        "a header slot is given back with its frame's last word, good or not, and never twice",
    )
    return bench
