"""Let whole units pass, and nothing of any other."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .aligner import word_layout

__all__ = ["Gate"]


class Gate(wiring.Component):
    """Commits a unit with its last word, or discards it with the word that spoils it, and then everything to the end of its frame.

    No latency, but for the entry, which follows a clock later.

    Members
    -------
    i : In(stream.Signature(word_layout(geometry), always_ready=True))
    write, commit, discard : Out(1)
        For the buffer, in the clock of the word.
    entry : Out(stream.Signature(geometry.entry, always_ready=True))
        One for every unit that leaves, and a void one for a header slot of which nothing more leaves.
    summed : Out(1)
        The word is the last of a unit that leaves, so its sum is wanted.
    drop : Out(stream.Signature(4, always_ready=True))
        A frame was dropped, and why.
    """

    def __init__(self, geometry):
        super().__init__({
            "i": In(stream.Signature(word_layout(geometry), always_ready=True)),
            "write": Out(1),
            "commit": Out(1),
            "discard": Out(1),
            "summed": Out(1),
            "entry": Out(stream.Signature(geometry.entry, always_ready=True)),
            "drop": Out(stream.Signature(4, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        word = self.i.payload
        plan = word.plan

        # Whether the frame is spoilt, and why, from the word on that did it.
        spoilt = Signal()
        reason = Signal(4)
        good = ~spoilt & ~word.spoils
        m.d.comb += self.drop.payload.eq(Mux(spoilt, reason, word.drop))
        with m.If(self.i.valid):
            m.d.sync += [spoilt.eq(~good & ~word.frame_last), reason.eq(self.drop.payload)]
        m.d.comb += [
            self.write.eq(self.i.valid & good & word.write),
            self.commit.eq(self.i.valid & good & word.last),
            self.discard.eq(self.i.valid & ~good),
            self.summed.eq(self.i.valid & good & word.last),
            self.drop.valid.eq(self.i.valid & ~good & word.frame_last),
        ]

        complete = plan.cut | ~word.short
        m.d.sync += [
            self.entry.valid.eq(self.i.valid & Mux(good, word.last, word.frame_last & plan.cut & ~word.behind)),
            self.entry.p.single.eq(word.row == 0),
            self.entry.p.void.eq(~good),
            self.entry.p.cut.eq(plan.cut),
            self.entry.p.slot.eq(plan.slot),
            self.entry.p.first.eq(word.segment_first),
            self.entry.p.last.eq(word.frame_last),
            self.entry.p.header_len.eq(plan.header_len),
            self.entry.p.last_row.eq(word.row),
            self.entry.p.last_lane.eq(word.last_lane),
            self.entry.p.csum.eq(plan.csum & complete),
            self.entry.p.csum_low.eq(plan.csum_low),
            self.entry.p.csum_swap.eq(plan.csum_swap),
            self.entry.p.ip.eq(plan.ip & complete),
            self.entry.p.ip_tagged.eq(plan.ip_tagged),
            self.entry.p.ip_sum.eq(plan.ip_sum),
        ]
        return m
