"""Make each word of a unit out of two neighbouring rows."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crc32c import FieldAt
from .layouts import DROP_BITS, Drop
from .slicer import step_layout

__all__ = ["Aligner", "word_layout"]


def word_layout(geometry):
    """What becomes of one word of a unit, some clocks before the word itself."""
    g = geometry
    return data.StructLayout(
        {
            "write": 1,
            "row": g.row_bits,
            "last_lane": g.lane_bits,
            "first": 1,
            "last": 1,
            "segment_first": 1,
            "segment_second": 1,
            "payload_last": 1,
            "frame_last": 1,
            "behind": 1,
            "closing": 1,
            "spoils": 1,  # its unit, and what follows of its frame
            "drop": DROP_BITS,  # why
            "short": 1,  # the frame has ended before plan.end
            "number": range(g.queue_depth),
        }
        | ({"begin": 1, "begin_lane": g.lane_bits} if g.sctp else {})
    )  # the first byte that counts, and in which lane


class Aligner(wiring.Component):
    """A funnel shifter over the rows ``at - 1`` and ``at``, eight bytes' choice a stage at most, with every byte outside the word cleared.

    Never stalls. ``o`` comes a clock behind ``i``, the word ``behind`` clocks later.

    Attributes
    ----------
    behind : int

    Members
    -------
    i : In(stream.Signature(step_layout(geometry), always_ready=True))
    plan : In(geometry.judging)
        That of the step.
    o : Out(stream.Signature(word_layout(geometry), always_ready=True))
    word, summed : Out
        The word in the lanes in which it leaves; and with everything else cleared that counts for no sum.
    at, row : Out, In
        The row store's read port.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        bits = geometry.lane_bits
        # Bits of the shift that each stage takes, the upper ones first: no more stages than the masks take clocks, as far as possible.
        self._stages = {2: [2], 3: [3], 4: [2, 2], 5: [2, 3], 6: [2, 2, 2]}[bits]
        self.behind = max(2, len(self._stages))
        super().__init__({
            "i": In(stream.Signature(step_layout(geometry), always_ready=True)),
            "plan": In(geometry.judging),
            "o": Out(stream.Signature(word_layout(geometry), always_ready=True)),
            "word": Out(geometry.width),
            "summed": Out(geometry.width),
            "at": Out(range(geometry.store_rows)),
            "row": In(geometry.width),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits = g.bus_bytes, g.lane_bits
        step, plan = self.i.payload, self.plan

        def later(value, clocks, name):
            """The value so many clocks later."""
            for clock in range(clocks):
                signal = Signal(len(value), name=f"{name}_{clock}")
                m.d.sync += signal.eq(value)
                value = signal
            return value

        # --- Read the rows, no sooner than they are needed.
        head, older = Signal(g.width), Signal(g.width)
        spare = self.behind - len(self._stages)
        m.d.comb += self.at.eq(later(step.at, spare, "at"))
        with m.If(later(self.i.valid, spare, "reads")):
            m.d.sync += head.eq(self.row)
            with m.If(~later(step.same, spare, "same")):
                m.d.sync += older.eq(head)
        shift = later(step.shift, spare + 1, "shift")

        # --- Meanwhile: the ranges that count, and the frame's length against its bounds.
        low, high, sum_low, sum_high = (Signal(range(size + 1), name=name) for name in ("low", "high", "sum_low", "sum_high"))

        def passes(position, name):
            """Whether the row of a position in the frame is this one, and whether it was one before. (No row is left out.)"""
            here, before = Signal(name=f"{name}_here"), Signal(name=f"{name}_before")
            m.d.comb += here.eq(step.row == position >> bits)
            with m.If(self.i.valid):
                m.d.sync += before.eq(here | (before & ~step.first))
            return here, before & ~step.first

        first_here, first_before = passes(plan.sum_first, "first")
        first_lane = plan.sum_first[:bits]
        last_here, last_before = passes(plan.sum_last, "last")
        end_here, end_before = passes(plan.end, "end")
        last_lane = Signal(bits)
        m.d.comb += last_lane.eq(step.high - 1)
        reached = end_before | (end_here & (last_lane >= plan.end[:bits]))
        mtu_row, mtu_lane = divmod(g.config.mtu_max, size)
        word = self.o.payload
        m.d.sync += [
            self.o.valid.eq(self.i.valid),
            low.eq(step.low),
            high.eq(step.high),
            sum_low.eq(Mux(plan.cut | first_before, 0, Mux(first_here, plan.sum_first[:bits], size))),
            sum_high.eq(Mux(plan.cut | ~plan.auto, size, Mux(last_before, 0, Mux(last_here, plan.sum_last[:bits] + 1, size)))),
            word.write.eq(step.write),
            word.row.eq(step.row),
            word.last_lane.eq(last_lane),
            word.first.eq(step.first),
            word.last.eq(step.last),
            *(
                word[name].eq(step[name])
                for name in ("segment_first", "segment_second", "payload_last", "frame_last", "behind", "closing", "number")
            ),
            word.short.eq(step.frame_last & ~reached),
        ]
        field_at = FieldAt(m, bits, step.row, plan.csum_low, when=plan.crc) if g.sctp else None
        if g.sctp:
            m.d.sync += [word.begin.eq(first_here), word.begin_lane.eq(first_lane)]

        # --- Whether the word spoils its frame: the order of docs/semantics.md.
        drop, fault, over, missed = Signal(DROP_BITS), Signal(2), Signal(), Signal()
        m.d.sync += [
            drop.eq(plan.drop),
            fault.eq(step.fault),
            over.eq(step.write & ((step.row == mtu_row + 1) | ((step.row == mtu_row) & (step.high > mtu_lane)))),
            missed.eq(step.frame_last & ~reached & plan.insists),
        ]
        with m.If(drop != Drop.NONE):
            m.d.comb += word.drop.eq(drop)
        with m.Elif(over):
            m.d.comb += word.drop.eq(Drop.TOO_LONG)
        with m.Elif(fault != 0):
            m.d.comb += word.drop.eq(fault)
        with m.Elif(missed):
            m.d.comb += word.drop.eq(Drop.BAD_REQUEST)
        m.d.comb += word.spoils.eq((drop != Drop.NONE) | over | (fault != 0) | missed)

        # --- The masks, one stage early, so that clearing is a flip-flop's own reset.
        keep, count = Signal(size), Signal(size)
        for lane in range(size):
            kept = (lane >= low) & (lane < high)
            m.d.sync += [
                keep[lane].eq(kept),
                count[lane].eq(kept & (lane >= sum_low) & (lane < sum_high) & ~(field_at.covers(lane) if g.sctp else C(0))),
            ]
        keep, count = later(keep, self.behind - 2, "keep"), later(count, self.behind - 2, "count")

        # --- The funnel: byte lane of the word is byte lane + 1 + shift of the window.
        window = Cat(older, head)[8:]
        position = bits
        for stage, width in enumerate(self._stages):
            position -= width
            distance = shift[position : position + width]
            length = size + (1 << position) - 1
            choices = [window[8 * (n << position) :][: 8 * length] for n in range(1 << width)]
            moved = Signal(8 * length, name=f"moved_{stage}")
            m.d.comb += moved.eq(data.View(data.ArrayLayout(8 * length, 1 << width), Cat(choices))[distance])
            if position:
                window, shift = later(moved, 1, f"window_{stage}"), later(shift[:position], 1, f"shift_{stage}")
        word, summed = Signal(g.width, reset_less=True), Signal(g.width, reset_less=True)
        m.d.sync += [word.eq(moved), summed.eq(moved)]
        for lane in range(size):
            with m.If(~keep[lane]):
                m.d.sync += word.word_select(lane, 8).eq(0)
            with m.If(~count[lane]):
                m.d.sync += summed.word_select(lane, 8).eq(0)
        m.d.comb += [self.word.eq(word), self.summed.eq(summed)]
        return m
