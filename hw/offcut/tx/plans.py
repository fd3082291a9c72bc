"""Keep what was decided for each frame where it is read, under a number."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .compare import at_most

__all__ = ["PlanStore"]

LATE = 2
"""Plans that can come before ``room`` tells that there is none."""


class PlanStore(wiring.Component):
    """Holds ``queue_depth`` plans in LUT RAM, cut up by who reads them and when. Down the pipeline goes a plan's number alone.

    A plan can be taken in the clock after it came; they are taken in order, one a clock.

    Members
    -------
    i : In(stream.Signature(geometry.plan, always_ready=True))
    room : Out(1)
        Registered: at least ``margin`` more fit.
    opening : Out(stream.Signature(geometry.opening))
        For the slicer, which takes it with a frame's beginning: what it needs at once, and in every clock.
    number : Out(range(geometry.queue_depth))
        The number of the plan taken last.
    slicing : Out(geometry.slicing)
        The rest of what the slicer needs, of that plan.
    ranging_at, ranging : In, Out
        What it needs a clock later, at a number.
    judging : Out(geometry.judging)
        For the aligner, of the plan at ``ranging_at`` in the clock before.
    leaving_at, leaving : In, Out
        For the gate, at a number.
    base_at, base : In, Out
        For the sums: what they begin with.
    done : In(1)
        The oldest plan is read no more.

    Parameters
    ----------
    geometry : Geometry
    margin : int
    """

    def __init__(self, geometry, *, margin):
        self._geometry = geometry
        self._margin = margin
        number = range(geometry.queue_depth)
        super().__init__({
            "i": In(stream.Signature(geometry.plan, always_ready=True)),
            "room": Out(1),
            "opening": Out(stream.Signature(geometry.opening)),
            "number": Out(number),
            "slicing": Out(geometry.slicing),
            "ranging_at": In(number),
            "ranging": Out(geometry.ranging),
            "judging": Out(geometry.judging),
            "leaving_at": In(number),
            "leaving": Out(geometry.leaving),
            "base_at": In(number),
            "base": Out(17),
            "done": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        plan = self.i.payload
        bits = g.lane_bits

        # What follows from a plan, and would be on a reader's longest path.
        next_shift = Signal(bits + 1)
        next_tail = Signal(bits + 1)
        span = Signal(g.row_bits)  # rows from the one in which a full segment's payload begins to its last one
        m.d.comb += [
            next_shift.eq(plan.shift + plan.step_lane),
            next_tail.eq(plan.last_lane + next_shift[:bits] + 1),
            span.eq(plan.last_row - (plan.header_len >> bits)),
        ]
        derived = {
            "passes": plan.skips | plan.moved,
            "next_shift": next_shift[:bits],
            "tail": Mux(plan.moved, plan.tail, Cat(plan.last_lane, C(1, 1))),
            "next_tail": next_tail,
            "next_until": Mux(plan.single, next_tail, Cat(next_shift[:bits], C(1, 1))),
            "moves": (next_shift[bits] | plan.step_row.less) & ~plan.step_row.more,
            "moves_back": ~next_shift[bits] & plan.step_row.more,
            "less": plan.step_row.less,
            "more": plan.step_row.more,
            "pair": plan.cut & (span == 1),
            "triple": span == 2,
            "limit_lane": plan.end[:bits],
            "limit_in": at_most(plan.end[:bits], plan.until[:bits]),
            "flush": plan.header_len[:bits] == 0,
            "header_row": plan.header_len >> bits,
            "header_lane": plan.header_len[:bits],
            "hollow_row": (plan.header_len >> bits) - 1,
            "limit_row": plan.end >> bits,
            "span_less": span - 1,
            "insists": plan.csum & ~plan.auto & ~plan.cut,
        }

        written = Signal(range(g.queue_depth))
        following = Signal.like(written)  # the plan that is taken next
        after = Signal.like(written, init=1)
        m.d.sync += written.eq(written + self.i.valid)

        def group(name, layout, address):
            """A memory of these fields, and what it holds at ``address``."""
            m.submodules[name] = ram = memory.Memory(shape=layout.size, depth=g.queue_depth, init=[])
            write, read = ram.write_port(), ram.read_port(domain="comb")
            fields = Signal(layout, name=f"{name}_fields")
            m.d.comb += [
                *(fields[field].eq(derived[field] if field in derived else plan[field]) for field, _ in layout),
                write.en.eq(self.i.valid),
                write.addr.eq(written),
                write.data.eq(fields),
                read.addr.eq(address),
            ]
            return read.data

        m.d.comb += [
            self.opening.payload.eq(group("opening", g.opening, following)),
            self.slicing.eq(group("slicing", g.slicing, self.number)),
            self.ranging.eq(group("ranging", g.ranging, self.ranging_at)),
            self.leaving.eq(group("leaving", g.leaving, self.leaving_at)),
            self.base.eq(group("base", data.StructLayout({"base": 17}), self.base_at)),
        ]
        m.d.sync += self.judging.eq(group("judging", g.judging, self.ranging_at))

        # Whether there is one to take, kept exactly, and with little behind the reader's ready: it decides late.
        take = self.opening.valid & self.opening.ready
        m.d.sync += self.opening.valid.eq(self.i.valid | Mux(take, after != written, self.opening.valid))
        with m.If(take):
            m.d.sync += [self.number.eq(following), following.eq(after), after.eq(after + 1)]

        held = Signal(range(g.queue_depth + 1))
        m.d.sync += [
            held.eq(held + self.i.valid - self.done),
            self.room.eq(held + LATE + self._margin <= g.queue_depth),
        ]
        return m
