"""Walk through the rows of a frame and say which of their bytes make each word of each unit."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import FRAME_LEN_BITS

__all__ = ["SLICER_CLOCKS", "Slicer", "step_layout"]

SLICER_CLOCKS = 2
"""From a row's being taken to its step."""


def at_most(a, b):
    """``a <= b`` for a few bits, without a carry chain."""
    if len(a) == 1:
        return ~a[0] | b[0]
    half = len(a) // 2
    return (~a[half:] & b[half:]).any() & at_most(a[half:], b[half:]) | (a[half:] == b[half:]) & at_most(a[:half], b[:half])


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
        "segment_first": 1,  # of the frame's first unit
        "segment_second": 1,
        "payload_last": 1,  # with the frame's last byte of payload
        "frame_last": 1,
        "behind": 1,  # no word: a fault behind the last unit
        "closing": 1,  # no word: all fragments of a datagram are done
        "fault": 2,
        "number": range(g.queue_depth),  # of the plan
    })


class Slicer(wiring.Component):
    """Cuts the payload at ``gso_size``; a frame that is not cut is one unit. One word a clock, also from frame to frame.

    Let S be the place in the frame's rows where lane 0 of a unit's first word would lie, were its header there too. A frame starts with
    S at a row's boundary (or, if its header leaves longer or shorter than it came, where the plan says), and each segment moves S on by
    ``gso_size``; a unit's words follow each other in steps of a row. So the shift is constant in a unit, and all that a new segment needs
    is one short addition: its carry says whether the window moves.

    The window of a word is two rows: ``older``, already taken, and ``head``, the next one of the store. With c that carry, the rows
    from a segment's last window to the next one's first are c + less - more (the plan's ``step_row``): 1, 0, or -1. In the last case
    the new segment's first word lies wholly in ``older``, and the window is a row further back for this one word.

    Header rows are passed over, one a clock: as many clocks as it takes to send them. A datagram's fragments are followed by one step
    without a word, with which the one that waits is complete.

    Members
    -------
    plan : In(stream.Signature(geometry.opening))
        Taken with the frame's beginning.
    slicing, number : In
        The rest of the plan taken last, and its number.
    ranging_at, ranging : Out, In
        The plans' read port: of the plan with a number.
    finished : Out(1)
        A frame's last clock: what follows of it are steps that are under way.
    rows : In(stream.Signature(geometry.row_end))
    o : Out(stream.Signature(step_layout(geometry), always_ready=True))
    room : In(1)
        Registered: what follows takes as many steps as can be under way.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "plan": In(stream.Signature(geometry.opening)),
            "slicing": In(geometry.slicing),
            "number": In(range(geometry.queue_depth)),
            "ranging_at": Out(range(geometry.queue_depth)),
            "ranging": In(geometry.ranging),
            "finished": Out(1),
            "rows": In(stream.Signature(geometry.row_end)),
            "o": Out(stream.Signature(step_layout(geometry), always_ready=True)),
            "room": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits = g.bus_bytes, g.lane_bits
        opening, slicing, ranging, step = self.plan.payload, self.slicing, self.ranging, self.o.payload
        top = size - 1

        def named(value, name):
            """A signal for what is used more than once, so that it is described once."""
            signal = Signal.like(value, name=name)
            m.d.comb += signal.eq(value)
            return signal

        # --- Where in the frame the window stands. What can be known a word ahead is kept in registers: the loop from a row's end to the
        # next window must be short.
        active = Signal()  # a frame is under way
        plan = Signal(g.opening)  # of it, and its number
        at = Signal(range(g.store_rows))  # of head
        taken_next = Signal(FRAME_LEN_BITS - bits)  # rows of the frame up to head
        at_limit = Signal()  # nothing behind limit_lane of head belongs to the frame
        in_header = Signal()
        same = Signal()
        back = Signal()
        left = Signal(g.row_bits)  # rows to a full segment's last
        full = Signal()  # the word ends a full segment
        until = Signal(
            bits + 1
        )  # its last byte in the window, if the frame does not end before: in head (over) or in older, and in which lane
        shift, next_shift, carry = Signal(bits), Signal(bits), Signal()
        tail = Signal(bits + 1)  # where a full segment ends in its window
        fresh = Signal()  # a unit begins
        segment_first = Signal()
        segment_second = Signal()
        level = Signal()  # S is where the frame's rows begin
        drain = Signal()  # the frame's units are done, its rows are not
        owed = Signal()  # ... or they are, but a fault is still to be told
        closing = Signal()  # the datagram's fragments are done, and its rows, if finished
        finished = Signal()
        swallow = Signal()  # no word is made of the frame any more
        over = until[bits]

        def in_word(lane):
            """Whether a lane, of the row in which the word ends, is not behind its last byte."""
            return at_most(lane, until[:bits])

        # --- Does the frame end in it? In the row where it says so, or where the plan's limit lies.
        head = self.rows.payload
        older = Signal(g.row_end)
        older_ends = Signal()  # as the wire has it, limit or not
        older_hides = Signal()  # a fault behind the limit is no fault of the unit: it is told once that is done
        beyond = named(~head.empty & ~at_most(head.lane, plan.limit_lane), "beyond")
        hides = at_limit & beyond & (head.fault != 0)
        by_older = named(older.last | back, "by_older")
        needs_head = named(~by_older & over, "needs_head")
        older_done = older.last & ((over & ~back) | in_word(older.lane))
        head_done = needs_head & ((at_limit & in_word(plan.limit_lane)) | (head.last & (head.empty | in_word(head.lane))))
        ends = named(older_done | head_done, "ends")

        # --- What this clock does.
        ufo = plan.ufo if g.ufo else C(0)
        needs_row = swallow | Mux(in_header, plan.skips, needs_head)
        pop, finish, go, emit = Signal(), Signal(), Signal(), Signal()
        moves = (carry | plan.less) & ~plan.more
        m.d.comb += [
            go.eq(active & self.room & (self.rows.valid | ~needs_row | owed | closing)),
            self.rows.ready.eq(go & pop),
            self.finished.eq(go & finish),
            self.plan.ready.eq(~active | (go & finish)),
        ]
        done = ends & Mux(by_older, older_ends & ~older_hides, head.last & ~hides)
        with m.If(closing):
            m.d.comb += [finish.eq(finished), emit.eq(1)]
        with m.Elif(owed):
            m.d.comb += [finish.eq(1), emit.eq(1)]
        with m.Elif(swallow):
            m.d.comb += [pop.eq(1), finish.eq(head.last), emit.eq(head.last & (~drain | (head.fault != 0)))]
        with m.Elif(in_header):
            # (A window that does not begin with a row of its own needs the one before.)
            m.d.comb += [pop.eq(plan.skips), emit.eq(plan.moved)]
        with m.Else():
            m.d.comb += [
                pop.eq(Mux(full & ~ends, moves, needs_head)),
                finish.eq(done & ~ufo),
                emit.eq(1),
            ]

        # --- Where the window stands next.
        with m.If(go & pop):
            m.d.sync += [
                at.eq(at + 1),
                taken_next.eq(taken_next + 1),
                at_limit.eq(slicing.limit & (taken_next == slicing.limit_row)),
                older.eq(head),
                older_ends.eq(head.last),
                older_hides.eq(hides),
            ]
            with m.If(at_limit):
                m.d.sync += older.last.eq(1)
            with m.If(at_limit & beyond):
                m.d.sync += older.lane.eq(plan.limit_lane)
        with m.If(go & closing):
            m.d.sync += closing.eq(0)
        with m.Elif(go & ~swallow & in_header):
            m.d.sync += in_header.eq(plan.skips & (taken_next != slicing.skip))
        with m.Elif(go & ~swallow):
            fills = plan.cut & Mux(fresh, plan.pair, left == 1)
            end = Mux(level, Cat(plan.last_lane, C(1, 1)), tail)
            next_tail = Signal(bits + 1)
            m.d.comb += next_tail.eq(plan.last_lane + next_shift + 1)
            m.d.sync += [
                same.eq(0),
                back.eq(0),
                left.eq(Mux(fresh, slicing.span_less, left - 1)),
                full.eq(fills),
                until.eq(Mux(fills, end, Cat(shift, C(1, 1)))),
                fresh.eq(0),
                drain.eq(ends),
                swallow.eq(ends),
                owed.eq(ends & Mux(by_older, older_ends & older_hides, head.last & hides)),
                closing.eq(ends & ufo),
                finished.eq(done),
            ]
            with m.If(full):
                m.d.sync += [
                    shift.eq(next_shift),
                    Cat(next_shift, carry).eq(next_shift + plan.step_lane),
                    tail.eq(next_tail),
                    until.eq(Mux(plan.single, next_tail, Cat(next_shift, C(1, 1)))),
                    same.eq(~moves),
                    back.eq(~carry & plan.more),
                    fresh.eq(1),
                    segment_first.eq(0),
                    segment_second.eq(segment_first),
                    level.eq(0),
                    full.eq(plan.single),
                ]

        # --- The next frame.
        with m.If(go & finish):
            m.d.sync += active.eq(0)
        with m.If(self.plan.valid & self.plan.ready):
            m.d.sync += [
                active.eq(1),
                plan.eq(opening),
                taken_next.eq(1),
                at_limit.eq(opening.limit_first),
                in_header.eq(opening.passes),
                same.eq(0),
                back.eq(0),
                full.eq(opening.single),
                until.eq(opening.until),
                shift.eq(opening.shift),
                next_shift.eq(opening.next_shift),
                carry.eq(opening.carry),
                tail.eq(opening.tail),
                fresh.eq(1),
                segment_first.eq(1),
                segment_second.eq(0),
                level.eq(~opening.moved),
                swallow.eq(opening.swallow),
                drain.eq(0),
                owed.eq(0),
                closing.eq(0),
                older.last.eq(0),
            ]

        # --- The step. If the frame ends in the word, its last byte lies that much before where the word would have ended.
        end_lane = Signal(bits)
        with m.If(by_older):
            m.d.comb += end_lane.eq(older.lane)
        with m.Elif(at_limit & (beyond | ~head.last)):
            m.d.comb += end_lane.eq(plan.limit_lane)
        with m.Else():
            m.d.comb += end_lane.eq(head.lane)
        nothing = ~by_older & head.last & head.empty  # of this row, so the word ends with the row before
        no_word = swallow | closing
        fault = Mux(by_older, Mux(older_hides, 0, older.fault), Mux(hides, 0, head.fault))
        made = Signal.like(step)  # but for the word's range and row, which are worked out in the clock that follows
        valid = Signal()
        word = Signal()
        cut_off = Signal()
        filled = Signal()
        end = Signal(bits + 1)  # of the frame, in the window
        empty = Signal()
        m.d.sync += [
            valid.eq(go & emit),
            word.eq(~no_word & ~in_header),
            cut_off.eq(ends),
            filled.eq(full),
            end.eq(Cat(end_lane, ~by_older | back)),
            empty.eq(nothing),
            made.at.eq(at - back),
            made.same.eq(same),
            made.shift.eq(shift),
            made.first.eq(fresh),
            made.last.eq(no_word | (~in_header & (ends | full))),
            made.segment_first.eq(segment_first),
            made.segment_second.eq(segment_second),
            made.payload_last.eq(ends),
            made.frame_last.eq(no_word | (~in_header & ends & ~ufo)),
            made.behind.eq(drain & ~closing),
            made.closing.eq(closing),
            made.fault.eq(Mux(closing, 0, Mux(drain, Mux(owed, older.fault, head.fault), Mux(~in_header & ends, fault, 0)))),
            made.number.eq(self.number),
        ]
        m.d.comb += self.ranging_at.eq(made.number)
        header_row, header_lane = ranging.header_len >> bits, ranging.header_len[:bits]
        last_byte = Signal(bits + 1)  # of the word in the window, counted from shift + 1
        m.d.comb += last_byte.eq(Mux(empty, Cat(C(top, bits), 0), end) - made.shift)
        high = Mux(cut_off, last_byte, Mux(filled, ranging.last_lane + 1, size))
        low = Mux(made.first, header_lane, 0)
        # A frame may end with a header that fills its last row: then this is no word, and that row is the last.
        hollow = made.first & cut_off & (low == 0) & (high == 0)
        m.d.sync += [
            self.o.valid.eq(valid),
            *(step[name].eq(made[name]) for name, _ in step.shape() if name not in ("low", "high", "write", "row")),
            step.low.eq(Mux(word & ~hollow, low, size)),
            step.high.eq(Mux(word & ~hollow, high, size)),
            step.write.eq(word & ~hollow),
        ]
        with m.If(valid):
            m.d.sync += step.row.eq(Mux(made.first, header_row, step.row + 1))
            with m.If(hollow):
                m.d.sync += step.row.eq(header_row - 1)
        return m
