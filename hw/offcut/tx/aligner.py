"""Make each word of a unit out of two neighbouring rows."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crc32c import FieldAt
from .layouts import DROP_BITS, Drop
from .slicer import step_layout

__all__ = ["Aligner", "word_layout"]


def word_layout(geometry):
    """One word of a unit, in the lanes in which it leaves. ``summed`` is ``data`` with everything else cleared that counts for no sum."""
    g = geometry
    return data.StructLayout(
        {
            "data": g.width,
            "summed": g.width,
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
            "plan": g.plan,
        }
        | ({"begin": 1, "begin_lane": g.lane_bits} if g.sctp else {})
    )  # the first byte that counts, and in which lane


class Aligner(wiring.Component):
    """A funnel shifter over the rows ``at - 1`` and ``at``, four bytes' choice a stage, with every byte outside the word cleared.

    Latency 1 clock to read, and one for each stage (two stages up to 128 bits, then three). Never stalls.

    Members
    -------
    i : In(stream.Signature(step_layout(geometry), always_ready=True))
    o : Out(stream.Signature(word_layout(geometry), always_ready=True))
    at, row : Out, In
        The row store's read port.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        self._stages = max(2, -(-geometry.lane_bits // 2))
        super().__init__({
            "i": In(stream.Signature(step_layout(geometry), always_ready=True)),
            "o": Out(stream.Signature(word_layout(geometry), always_ready=True)),
            "at": Out(range(geometry.store_rows)),
            "row": In(geometry.width),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits = g.bus_bytes, g.lane_bits
        step = self.i.payload
        plan = step.plan

        # --- Read the rows.
        head, older = Signal(g.width), Signal(g.width)
        m.d.comb += self.at.eq(step.at)
        with m.If(self.i.valid):
            m.d.sync += head.eq(self.row)
            with m.If(~step.same):
                m.d.sync += older.eq(head)

        # --- Meanwhile: the ranges that count, and the frame's length against its bounds.
        words = [Signal(word_layout(g), name=f"word_{clock}") for clock in range(self._stages + 1)]
        valids = [Signal(name=f"valid_{clock}") for clock in range(self._stages + 1)]
        shift = Signal(bits)
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
        word = words[0]
        m.d.sync += [
            valids[0].eq(self.i.valid),
            shift.eq(step.shift),
            low.eq(step.low),
            high.eq(step.high),
            sum_low.eq(Mux(plan.cut | first_before, 0, Mux(first_here, plan.sum_first[:bits], size))),
            sum_high.eq(Mux(plan.cut | ~plan.auto, size, Mux(last_before, 0, Mux(last_here, plan.sum_last[:bits] + 1, size)))),
            word.write.eq(step.write),
            word.row.eq(step.row),
            word.last_lane.eq(last_lane),
            word.first.eq(step.first),
            word.last.eq(step.last),
            *(word[name].eq(step[name]) for name in ("segment_first", "segment_second", "payload_last", "frame_last", "behind", "closing")),
            word.short.eq(step.frame_last & ~reached),
            word.plan.eq(plan),
        ]
        field_at = FieldAt(m, bits, step.row, plan.csum_low, when=plan.crc) if g.sctp else None
        if g.sctp:
            m.d.sync += [word.begin.eq(first_here), word.begin_lane.eq(first_lane)]

        # --- Whether the word spoils its frame: the order of docs/semantics.md.
        fault, over = Signal(2), Signal()
        m.d.sync += [
            fault.eq(step.fault),
            over.eq(step.write & ((step.row == mtu_row + 1) | ((step.row == mtu_row) & (step.high > mtu_lane)))),
        ]
        missed = word.short & word.plan.csum & ~word.plan.auto & ~word.plan.cut
        drop = Signal(DROP_BITS)
        with m.If(word.plan.swallow):
            m.d.comb += drop.eq(word.plan.drop)
        with m.Elif(over):
            m.d.comb += drop.eq(Drop.TOO_LONG)
        with m.Elif(fault != 0):
            m.d.comb += drop.eq(fault)
        with m.Elif(missed):
            m.d.comb += drop.eq(Drop.BAD_REQUEST)
        spoils = word.plan.swallow | (fault != 0) | over | missed

        # --- The masks, one stage early, so that clearing is a flip-flop's own reset.
        keep, count = Signal(size), Signal(size)
        for lane in range(size):
            kept = (lane >= low) & (lane < high)
            m.d.sync += [
                keep[lane].eq(kept),
                count[lane].eq(kept & (lane >= sum_low) & (lane < sum_high) & ~(field_at.covers(lane) if g.sctp else C(0))),
            ]
        for _ in range(self._stages - 2):
            keep_later, count_later = Signal(size), Signal(size)
            m.d.sync += [keep_later.eq(keep), count_later.eq(count)]
            keep, count = keep_later, count_later

        # --- The funnel: byte lane of the word is byte lane + 1 + shift of the window.
        window = Cat(older, head)[8:]
        steps = [2] * (bits // 2) if bits % 2 == 0 else [1] + [2] * (bits // 2)
        if len(steps) < self._stages:
            steps = [1, 1]
        position = bits
        for clock, width in enumerate(steps):
            position -= width
            distance = shift[position : position + width]
            length = size + (1 << position) - 1
            choices = [window[8 * (n << position) :][: 8 * length] for n in range(1 << width)]
            moved = Signal(8 * length, name=f"moved_{clock}")
            m.d.comb += moved.eq(data.View(data.ArrayLayout(8 * length, 1 << width), Cat(choices))[distance])
            m.d.sync += [words[clock + 1].eq(words[clock]), valids[clock + 1].eq(valids[clock])]
            if clock == 0:
                m.d.sync += [words[1].drop.eq(drop), words[1].spoils.eq(spoils)]
            if clock + 1 < len(steps):
                window, later = Signal(8 * length, name=f"window_{clock}"), Signal(bits, name=f"shift_{clock}")
                m.d.sync += [window.eq(moved), later.eq(shift)]
                shift = later

        kept, summed = Signal(g.width, reset_less=True), Signal(g.width, reset_less=True)
        m.d.sync += [kept.eq(moved), summed.eq(moved)]
        for lane in range(size):
            with m.If(~keep[lane]):
                m.d.sync += kept.word_select(lane, 8).eq(0)
            with m.If(~count[lane]):
                m.d.sync += summed.word_select(lane, 8).eq(0)
        word = self.o.payload
        m.d.comb += [self.o.valid.eq(valids[-1]), word.eq(words[-1]), word.data.eq(kept), word.summed.eq(summed)]
        return m
