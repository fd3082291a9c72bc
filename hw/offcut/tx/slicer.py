"""Walk through the rows of a frame and say which of their bytes make each word of each unit."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import FRAME_LEN_BITS, Drop

__all__ = ["Slicer", "step_layout"]


def step_layout(geometry):
    """One word of a unit, to be made of two neighbouring rows.

    Byte ``lane`` of the word is byte ``lane + shift + 1`` of the window, whose first ``bus_bytes`` bytes are the row before ``at`` and
    whose others are the row ``at``; the word's own bytes are lanes ``low`` to ``high - 1``.
    """
    g = geometry
    lanes = range(g.bus_bytes + 1)
    return data.StructLayout({
        "at": range(g.store_rows),
        "same": 1,  # the same two rows as the step before
        "shift": g.lane_bits,
        "low": lanes,
        "high": lanes,
        "write": 1,
        "row": g.row_bits,
        "first": 1,  # of the unit
        "last": 1,  # of the unit
        "segment_first": 1,
        "frame_last": 1,
        "behind": 1,  # no word: a fault behind the last unit
        "fault": 2,
        "plan": g.plan,
    })


class Slicer(wiring.Component):
    """Cuts the payload at ``gso_size``; a frame that is not cut is one unit. One word a clock, also from frame to frame.

    Let S be the place in the frame's rows where lane 0 of a unit's first word would lie, were its header there too. A frame starts with
    S at a row's boundary, and each segment moves S on by ``gso_size``; a unit's words follow each other in steps of a row. So the
    shift is constant in a unit, and all that a new segment needs is one short addition: its carry says whether the window moves.

    The window of a word is two rows: ``older``, already taken, and ``head``, the next one of the store. With c that carry, the rows
    from a segment's last window to the next one's first are c + less - more (the plan's ``step_row``): 1, 0, or -1. In the last case
    the new segment's first word lies wholly in ``older``, and the window is a row further back for this one word.

    Header rows are stepped over, one a clock: as many clocks as it takes to send them.

    Members
    -------
    plan : In(stream.Signature(geometry.plan))
    rows : In(stream.Signature(geometry.row_end))
    o : Out(stream.Signature(step_layout(geometry), always_ready=True))
    room : In(1)
        Registered: what follows takes at least 8 more steps.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "plan": In(stream.Signature(geometry.plan)),
            "rows": In(stream.Signature(geometry.row_end)),
            "o": Out(stream.Signature(step_layout(geometry), always_ready=True)),
            "room": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits = g.bus_bytes, g.lane_bits
        plan, step = self.plan.payload, self.o.payload
        top = size - 1

        # --- Where in the frame the window stands.
        at = Signal(range(g.store_rows))  # of head
        taken = Signal(FRAME_LEN_BITS - bits)  # rows of the frame before head
        begin = Signal(init=1)  # nothing of the frame is taken
        shift = Signal(bits, init=top)
        same = Signal()
        back = Signal()
        row = Signal(g.row_bits)  # of the frame that leaves
        row_next = Signal(g.row_bits, init=1)
        fresh = Signal(init=1)  # a unit begins
        segment_first = Signal(init=1)
        drain = Signal()  # the frame's units are done, its rows are not

        # What can be known a word ahead is kept in registers: the loop from a row's end to the next window must be short.
        header_rows = plan.header_len >> bits
        more_header, full_next, at_limit_next = Signal(), Signal(), Signal()
        in_header = plan.cut & Mux(begin, header_rows != 0, more_header)
        full = plan.cut & Mux(fresh, plan.single, full_next)  # the word ends a full segment
        at_limit = plan.limit & Mux(begin, plan.end >> bits == 0, at_limit_next)

        # --- A row ends the frame where it says so, or where the plan's limit lies.
        head = self.rows.payload
        limit_count = plan.end[:bits] + 1
        limited = at_limit & ((limit_count < head.count) | ~head.last)
        older = Signal(g.row_end)
        older_limited = Signal()
        older_ends = Signal()  # ... as the wire has it, limit or not

        # --- The word: low to high - 1. It covers the window up to row end, counted from the beginning of head.
        low = Mux(fresh & plan.cut, plan.header_len[:bits], 0)
        wanted = Mux(full, plan.last_lane + 1, size)
        end = Signal(signed(bits + 2))
        tail = Signal(signed(bits + 2))  # ... of a segment's last word
        m.d.comb += [
            tail.eq(plan.last_lane + shift + 2 - size),
            end.eq(Mux(full, tail, shift + 1)),
        ]
        by_older = ~back & older.last
        needs_head = ~back & ~older.last & (end > 0)
        older_done = older.last & Mux(back, older.count <= end, older.count <= end + size)
        head_done = needs_head & Mux(limited, limit_count <= end, head.last & (head.count <= end))
        ends = older_done | head_done
        have = Signal(signed(bits + 2))  # how far the frame reaches, if it ends
        with m.If(by_older):
            m.d.comb += have.eq(older.count - size)
        with m.Elif(back):
            m.d.comb += have.eq(older.count)
        with m.Else():
            m.d.comb += have.eq(Mux(limited, limit_count, head.count))
        high = Mux(ends, (have + size - shift - 1)[: bits + 1], wanted)
        # A fault behind the limit is no fault of this unit: it is told once the unit is done.
        fault = Mux(by_older | back, Mux(older_limited, 0, older.fault), Mux(limited, 0, head.fault))
        owed = Signal()

        # --- What this clock does.
        swallow = (plan.drop != Drop.NONE) | drain
        pop = Signal()
        finish = Signal()
        go = Signal()
        header_done = in_header & head.last
        m.d.comb += [
            go.eq(self.plan.valid & self.room & (self.rows.valid | owed | ~(swallow | in_header | needs_head))),
            self.rows.ready.eq(go & pop),
            self.plan.ready.eq(go & finish),
        ]

        carry = Signal()
        next_shift = Signal(bits)
        total = Signal(bits + 1)
        m.d.comb += [total.eq(shift + plan.step_lane), next_shift.eq(total[:bits]), carry.eq(total[bits])]

        emit = Signal()
        with m.If(owed):
            m.d.comb += [finish.eq(1), emit.eq(1)]
        with m.Elif(swallow):
            m.d.comb += [
                pop.eq(1),
                finish.eq(head.last),
                emit.eq(finish & (~drain | (head.fault != 0))),
            ]
        with m.Elif(in_header):
            m.d.comb += [
                pop.eq(1),
                finish.eq(header_done),
                emit.eq(header_done),
            ]
        with m.Else():
            m.d.comb += emit.eq(1)
            with m.If(ends):
                m.d.comb += [
                    pop.eq(needs_head & ~limited),
                    finish.eq(Mux(by_older | back, older_ends & ~(older_limited & (older.fault != 0)), head.last & ~limited)),
                ]
            with m.Elif(full):
                m.d.comb += pop.eq((carry | plan.step_row.less) & ~plan.step_row.more)
            with m.Else():
                m.d.comb += pop.eq(~back)

        with m.If(go):
            with m.If(pop):
                m.d.sync += [
                    at.eq(at + 1),
                    taken.eq(taken + 1),
                    at_limit_next.eq(taken + 1 == plan.end >> bits),
                    older.eq(head),
                    older_limited.eq(limited),
                    older_ends.eq(head.last),
                ]
                with m.If(limited):
                    m.d.sync += [older.last.eq(1), older.count.eq(limit_count)]
            with m.If(~swallow):
                m.d.sync += [begin.eq(0), same.eq(0), back.eq(0), full_next.eq(row_next == plan.last_row)]
                m.d.sync += more_header.eq(in_header & (row_next != header_rows))
                with m.If(in_header):
                    m.d.sync += [row.eq(row_next), row_next.eq(row_next + 1)]
                with m.Elif(ends):
                    m.d.sync += [drain.eq(1), owed.eq((by_older | back) & older_ends)]
                with m.Elif(full):
                    m.d.sync += [
                        shift.eq(next_shift),
                        same.eq(~pop),
                        back.eq(~carry & plan.step_row.more),
                        row.eq(header_rows),
                        row_next.eq(header_rows + 1),
                        fresh.eq(1),
                        segment_first.eq(0),
                    ]
                with m.Else():
                    m.d.sync += [row.eq(row_next), row_next.eq(row_next + 1), fresh.eq(0)]
            with m.If(finish):
                m.d.sync += [
                    begin.eq(1),
                    taken.eq(0),
                    shift.eq(top),
                    same.eq(0),
                    back.eq(0),
                    row.eq(0),
                    row_next.eq(1),
                    fresh.eq(1),
                    segment_first.eq(1),
                    drain.eq(0),
                    owed.eq(0),
                    older.last.eq(0),
                ]

        m.d.sync += self.o.valid.eq(go & emit)
        with m.If(go & emit):
            m.d.sync += [
                step.at.eq(at - back),
                step.same.eq(same),
                step.shift.eq(shift),
                step.low.eq(Mux(in_header, size, low)),
                step.high.eq(Mux(in_header, size, high)),
                step.write.eq(~swallow & ~in_header),
                step.row.eq(row),
                step.first.eq(fresh),
                step.last.eq(swallow | in_header | ends | full),
                step.segment_first.eq(segment_first),
                step.frame_last.eq(swallow | in_header | ends),
                step.behind.eq(drain),
                step.fault.eq(Mux(drain, Mux(owed, older.fault, head.fault), Mux(ends & ~in_header, fault, 0))),
                step.plan.eq(plan),
            ]
        return m
