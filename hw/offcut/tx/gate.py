"""Let whole units pass, and nothing of any other."""

from amaranth import C, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .aligner import word_layout
from .layouts import DROP_BITS, RUN_BITS, Drop

__all__ = ["Gate"]


class Gate(wiring.Component):
    """Commits a unit with its last word, or discards it with the word that spoils it, and then everything to the end of its frame.

    The fragments of a datagram share a checksum that stands in the first. Where that leaves last, it waits in a buffer of its own, and its
    entry comes with the closing step; where it leaves first, all fragments are one unit, which that step completes.

    No latency.

    Members
    -------
    i : In(stream.Signature(word_layout(geometry), always_ready=True))
    plan : In(geometry.leaving)
        That of the word.
    write, commit, discard : Out(1)
        For the buffer.
    side_write, side_commit : Out(1)
        For that of the first fragments.
    entry : Out(stream.Signature(geometry.entry, always_ready=True))
        One for every unit that leaves, and a void one for a header slot of which nothing more leaves.
    count, full_row, full_lane : Out
        Where the first fragment leaves first: how many fragments of this size there are before the entry's own, which is the last.
    first, push : Out(1)
        The word is the first of what a sum covers; the last of it, and of a unit that leaves.
    drop : Out(stream.Signature(DROP_BITS, always_ready=True))
        A frame was dropped, and why.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(word_layout(geometry), always_ready=True)),
            "plan": In(geometry.leaving),
            "write": Out(1),
            "commit": Out(1),
            "discard": Out(1),
            "side_write": Out(1),
            "side_commit": Out(1),
            "first": Out(1),
            "push": Out(1),
            "entry": Out(stream.Signature(geometry.entry, always_ready=True)),
            "count": Out(RUN_BITS),
            "full_row": Out(geometry.row_bits),
            "full_lane": Out(geometry.lane_bits),
            "drop": Out(stream.Signature(DROP_BITS, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        word = self.i.payload
        plan, entry = self.plan, self.entry.payload
        ufo = plan.ufo if g.ufo else C(0)
        side = ufo & word.segment_first if g.first_last else C(0)
        held = ufo if g.runs else side  # the unit waits for the closing step

        # --- Whether the frame is spoilt, and why, from the word on that did it.
        spoilt = Signal()
        reason = Signal(DROP_BITS)
        dropped = Signal()  # for a reason that was told before the fault behind its last unit
        too_far = Signal()
        good = ~spoilt & ~word.spoils & ~too_far
        m.d.comb += self.drop.payload.eq(Mux(spoilt, reason, Mux(word.spoils, word.drop, Drop.TOO_BIG)))
        with m.If(self.i.valid):
            m.d.sync += [spoilt.eq(~good & ~word.frame_last), reason.eq(self.drop.payload), dropped.eq(self.drop.valid)]
        ending = self.i.valid & good & word.last
        unit_done = ending & Mux(held, word.closing, 1)
        m.d.comb += [
            self.write.eq(self.i.valid & good & word.write & ~side),
            self.side_write.eq(self.i.valid & good & word.write & side),
            self.commit.eq(unit_done & ~(word.closing & C(int(g.first_last)))),
            self.side_commit.eq(unit_done & word.closing),
            self.discard.eq(self.i.valid & ~good),
            self.first.eq(word.first & (~ufo | word.segment_first)),
            self.push.eq(ending & Mux(ufo, word.closing, 1)),
            self.drop.valid.eq(self.i.valid & ~good & word.frame_last & ~(word.behind & dropped)),
        ]

        # --- What the closing step tells of: the first fragment, and with it those up to the last.
        alone = Signal()
        first_row, first_lane = Signal.like(word.row), Signal.like(word.last_lane)
        last_row, last_lane = Signal.like(word.row), Signal.like(word.last_lane)
        if g.ufo:
            with m.If(ending & ~word.closing):
                m.d.sync += [last_row.eq(word.row), last_lane.eq(word.last_lane)]
                with m.If(word.segment_first):
                    m.d.sync += [alone.eq(word.payload_last), first_row.eq(word.row), first_lane.eq(word.last_lane)]
        if g.runs:
            # A datagram that would fill the buffer before it is complete could never leave it.
            most = g.datagram_words
            rows, fragments = Signal(range(most + 2)), Signal(RUN_BITS)
            m.d.comb += too_far.eq(ufo & (rows >= most))
            with m.If(self.i.valid):
                m.d.sync += rows.eq(Mux(word.frame_last | ~ufo, 0, rows + self.write))
            with m.If(self.i.valid & word.frame_last):
                m.d.sync += fragments.eq(0)
            with m.Elif(ending & ufo & ~word.payload_last):
                m.d.sync += fragments.eq(fragments + 1)
            m.d.comb += [self.count.eq(fragments), self.full_row.eq(first_row), self.full_lane.eq(first_lane)]
            with m.If(~word.closing | ~good):
                m.d.comb += self.count.eq(0)

        complete = plan.cut | ~word.short
        m.d.comb += [
            self.entry.valid.eq(unit_done | (self.i.valid & ~good & word.frame_last & plan.headed & ~word.behind)),
            entry.void.eq(~good),
            entry.cut.eq(plan.cut),
            entry.headed.eq(plan.headed),
            entry.slot.eq(plan.slot),
            entry.single.eq(word.row == 0),
            entry.first.eq(Mux(ufo, word.segment_second, word.segment_first)),
            entry.last.eq(word.payload_last),
            entry.release.eq(word.frame_last),
            entry.header_len.eq(plan.header_len),
            entry.last_row.eq(word.row),
            entry.last_lane.eq(word.last_lane),
            entry.summed.eq(~ufo),
            entry.csum.eq(plan.csum & complete & ~ufo),
            entry.csum_low.eq(plan.csum_low),
            entry.csum_swap.eq(plan.csum_swap),
            entry.ip.eq(plan.ip & complete),
            entry.ip_low.eq(plan.ip_low),
            entry.ip_sum.eq(plan.ip_sum),
        ]
        if g.ufo:
            m.d.comb += entry.ufo.eq(ufo)
            row, lane = (last_row, last_lane) if g.runs else (first_row, first_lane)
            with m.If(word.closing):
                m.d.comb += [
                    entry.single.eq(row == 0),
                    entry.first.eq(1 if g.runs else alone),
                    entry.last.eq(1 if g.runs else alone),
                    entry.last_row.eq(row),
                    entry.last_lane.eq(lane),
                    entry.summed.eq(1),
                    entry.csum.eq(plan.csum),
                ]
        if g.first_last:
            m.d.comb += entry.side.eq(word.closing)
        if g.sctp:
            m.d.comb += entry.crc.eq(plan.crc & complete)
        if g.config.user_width:
            m.d.comb += entry.user.eq(plan.user)
        return m
