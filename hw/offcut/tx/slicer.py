"""Walk through the rows of a frame and say which of their bytes make each word of each unit."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .compare import at_most
from .layouts import POSITION_BITS

__all__ = ["SLICER_CLOCKS", "Slicer", "step_layout"]

SLICER_CLOCKS = 2
"""From the word of a row, taken a clock before at the earliest, to its step."""


def step_layout(geometry):
    """One word of a unit, to be made of two neighbouring rows.

    Byte ``lane`` of the word is byte ``lane + shift + 1`` of the window, whose first ``bus_bytes`` bytes are the row before ``at`` and
    whose others are the row ``at``; the word's own bytes are lanes ``low`` to ``high - 1``; none
    if ``high`` is 0, and then the unit ends with the row before, in its last lane.
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

    The window of a word is two rows: ``older``, already taken, and ``head``, the next one. With c that carry, the rows
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
        plan = Signal(g.opening)  # of it
        at = Signal(range(g.store_rows))  # of head
        taken_next = Signal(POSITION_BITS - bits)  # rows of the frame up to head, as far as any position in it counts
        at_limit = Signal()  # nothing behind limit_lane of head belongs to the frame
        clips = Signal()  # ... and head goes on behind it
        in_header = Signal()
        same = Signal()
        back = Signal()
        left = Signal(g.row_bits)  # rows to a full segment's last
        full = Signal()  # the word ends a full segment
        fills = Signal()  # ... and the one behind it does
        until = Signal(
            bits + 1
        )  # its last byte in the window, if the frame does not end before: in head (over) or in older, and in which lane
        shift, tail = Signal(bits), Signal(bits + 1)  # of the segment: where its bytes stand in the window, and where it ends there
        next_shift, next_tail = Signal(bits), Signal(bits + 1)  # of the one behind it, ...
        next_until = Signal(bits + 1)  # ... where its first word ends, ...
        moves, moves_back = Signal(), Signal()  # ... and whether its first window is a row further on, or back
        fresh = Signal()  # a unit begins
        segment_first = Signal()
        segment_second = Signal()
        drain = Signal()  # the frame's units are done, its rows are not
        owed = Signal()  # ... or they are, but a fault is still to be told
        closing = Signal()  # the datagram's fragments are done, and its rows, if finished
        finished = Signal()
        tells = Signal()  # one of these two
        swallow = Signal()  # no word is made of the frame any more
        over = until[bits]

        # --- The rows: one that is taken, the next one, and the one behind it.
        ahead = self.rows.payload
        head, head_valid = Signal(g.row_end), Signal()
        older = Signal(g.row_end)
        by_older = Signal()  # the frame ends with it, or the window does
        older_done = Signal()  # the frame ends with it, as the wire has it, and all that is wrong is the unit's fault
        older_hides = Signal()  # a fault behind the limit is no fault of the unit: it is told once that is done
        head_in, older_in, limit_in = Signal(), Signal(), Signal()  # whether their lanes are not behind the word's last byte

        # --- Does the frame end in the word? In the row where it says so, or where the plan's limit lies.
        hides = clips & (head.fault != 0)
        needs_head = ~by_older & over
        in_older = older.last & ((over & ~back) | older_in)
        in_head = (at_limit & limit_in) | (head.last & (head.empty | head_in))
        ends = named(in_older | (needs_head & in_head), "ends")
        done = named(ends & Mux(by_older, older_done, head.last & ~hides), "done")

        # --- What this clock does. (What is owed or closes is swallowed, too. A window that does not begin with a row of its own needs the
        # one before.)
        ufo = plan.ufo if g.ufo else C(0)
        needs_row = swallow | Mux(in_header, plan.skips, needs_head)
        moves_head = Mux(in_header, plan.skips, Mux(full & ~ends, moves, needs_head))
        pop, finish, go, emit = Signal(), Signal(), Signal(), Signal()
        popping, load = Signal(), Signal()
        m.d.comb += [
            go.eq(active & self.room & (head_valid | ~needs_row | tells)),
            pop.eq(Mux(swallow, ~tells, moves_head)),
            finish.eq(Mux(swallow, Mux(closing, finished, owed | head.last), ~in_header & done & ~ufo)),
            emit.eq(Mux(swallow, tells | (head.last & (~drain | (head.fault != 0))), ~in_header | plan.moved)),
            popping.eq(go & pop),
            self.rows.ready.eq(~head_valid | popping),
            self.finished.eq(go & finish),
            self.plan.ready.eq(~active | (go & finish)),
            load.eq(self.plan.valid & self.plan.ready),
        ]

        # --- The rows move on.
        limit_comes = named(slicing.limit & (taken_next == slicing.limit_row), "limit_comes")
        with m.If(self.rows.ready):
            m.d.sync += [head.eq(ahead), head_valid.eq(self.rows.valid)]
        with m.If(popping):
            m.d.sync += [
                at.eq(at + 1),
                older.lane.eq(Mux(clips, plan.limit_lane, head.lane)),
                older.fault.eq(head.fault),
                older_done.eq(head.last & ~hides),
                older_hides.eq(hides),
            ]

        # --- Where the window stands next, and where the word ends in it. The lanes of the rows are compared with that before it is known
        # which rows will be in the window.
        def in_word(lane, end):
            return at_most(lane, end[:bits])

        def passes_limit(row, lane):
            return ~row.empty & ~at_most(row.lane, lane)

        then = Signal(bits + 1)
        after_shift, carry, after_tail = Signal(bits), Signal(), Signal(bits + 1)
        m.d.comb += [
            then.eq(Mux(full, next_until, Mux(fills, tail, Cat(shift, C(1, 1))))),
            Cat(after_shift, carry).eq(next_shift + plan.step_lane),
            after_tail.eq(plan.last_lane + after_shift + 1),
        ]
        head_then = named(in_word(head.lane, then), "head_then")
        limit_then = named(in_word(plan.limit_lane, then), "limit_then")
        ahead_in = named(in_word(ahead.lane, until), "ahead_in")
        clipped = at_limit & ~head.empty
        last_row = Mux(pop, head.last | at_limit, older.last)
        takes = named(~head_valid | (active & pop), "takes")  # if this clock does anything
        # No more words of this frame, and what is needed for words alone is made ready for the next one.
        leaves = named(~active | swallow | (~in_header & ends), "leaves")
        still_owed = named(Mux(swallow, owed & closing, Mux(by_older, older_hides, hides)), "still_owed")  # (a fault stands in a last row)
        with m.If(~active | go):
            with m.If(pop):
                m.d.sync += [taken_next.eq(taken_next + 1), at_limit.eq(limit_comes), older.last.eq(head.last | at_limit)]
            with m.If(leaves):
                first_row = Mux(takes, passes_limit(ahead, opening.limit_lane), passes_limit(head, opening.limit_lane))
                m.d.sync += [
                    plan.eq(opening),
                    taken_next.eq(1),
                    at_limit.eq(opening.limit_first),
                    in_header.eq(opening.passes),
                    same.eq(0),
                    back.eq(0),
                    full.eq(opening.single),
                    fills.eq(opening.pair),
                    until.eq(opening.until),
                    shift.eq(opening.shift),
                    next_shift.eq(opening.next_shift),
                    next_tail.eq(opening.next_tail),
                    next_until.eq(opening.next_until),
                    tail.eq(opening.tail),
                    moves.eq(opening.moves),
                    moves_back.eq(opening.moves_back),
                    older.last.eq(0),
                    by_older.eq(0),
                    head_in.eq(Mux(takes, in_word(ahead.lane, opening.until), in_word(head.lane, opening.until))),
                    limit_in.eq(opening.limit_in),
                    clips.eq(opening.limit_first & first_row),
                    fresh.eq(0),
                    swallow.eq(1),
                    drain.eq(drain | ~swallow),
                    owed.eq(still_owed),
                    closing.eq(~swallow & ufo),
                    tells.eq(still_owed | (~swallow & ufo)),
                    finished.eq(done),
                ]
            with m.Elif(in_header):
                m.d.sync += [
                    in_header.eq(plan.skips & (taken_next[: len(slicing.skip)] != slicing.skip)),
                    by_older.eq(last_row),
                ]
                with m.If(takes):
                    m.d.sync += [head_in.eq(ahead_in), clips.eq(Mux(pop, limit_comes, at_limit) & passes_limit(ahead, plan.limit_lane))]
                with m.If(pop):
                    m.d.sync += older_in.eq(head_in | (clipped & limit_in))
            with m.Else():
                m.d.sync += [
                    same.eq(0),
                    back.eq(0),
                    left.eq(Mux(fresh, slicing.span_less, left - 1)),
                    full.eq(fills),
                    fills.eq(plan.cut & Mux(fresh, slicing.triple, left == 2)),
                    until.eq(then),
                    fresh.eq(full),
                    by_older.eq(last_row | (full & moves_back)),
                    head_in.eq(Mux(takes, in_word(ahead.lane, then), head_then)),
                    older_in.eq(Mux(pop, head_then | (clipped & limit_then), in_word(older.lane, then))),
                    limit_in.eq(limit_then),
                ]
                with m.If(takes):
                    m.d.sync += clips.eq(Mux(pop, limit_comes, at_limit) & passes_limit(ahead, plan.limit_lane))
                with m.If(full):
                    m.d.sync += [
                        shift.eq(next_shift),
                        tail.eq(next_tail),
                        next_shift.eq(after_shift),
                        next_tail.eq(after_tail),
                        next_until.eq(Mux(plan.single, after_tail, Cat(after_shift, C(1, 1)))),
                        moves.eq((carry | plan.less) & ~plan.more),
                        moves_back.eq(~carry & plan.more),
                        same.eq(~moves),
                        back.eq(moves_back),
                        segment_first.eq(0),
                        segment_second.eq(segment_first),
                        full.eq(plan.single),
                        fills.eq(plan.pair),
                    ]
        with m.Elif(~head_valid):
            m.d.sync += [head_in.eq(ahead_in), clips.eq(at_limit & passes_limit(ahead, plan.limit_lane))]

        # --- The next frame.
        with m.If(go & finish):
            m.d.sync += active.eq(0)
        with m.If(load):
            m.d.sync += [
                active.eq(1),
                fresh.eq(1),
                segment_first.eq(1),
                segment_second.eq(0),
                swallow.eq(opening.swallow),
                drain.eq(0),
                owed.eq(0),
                closing.eq(0),
                tells.eq(0),
            ]

        # --- The step. If the frame ends in the word, its last byte lies that much before where the word would have ended.
        end_lane = Signal(bits)
        with m.If(by_older):
            m.d.comb += end_lane.eq(older.lane)
        with m.Elif(clips | (at_limit & ~head.last)):
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
        flush = Signal()  # the unit's header fills its last row, and the frame ends with it or not far behind
        end = Signal(bits + 1)  # of the frame, in the window
        empty = Signal()
        m.d.sync += [
            valid.eq(go & emit),
            word.eq(~no_word & ~in_header),
            cut_off.eq(ends),
            filled.eq(full),
            flush.eq(fresh & ends & plan.flush),
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
        frame_end = named(Mux(empty, Cat(C(top, bits), 0), end), "frame_end")
        last_byte = Signal(bits + 1)  # of the word in the window, counted from shift + 1
        m.d.comb += last_byte.eq(frame_end - made.shift)
        high = Mux(cut_off, last_byte, Mux(filled, ranging.last_lane + 1, size))
        low = Mux(made.first, ranging.header_lane, 0)
        # A frame may end with a header that fills its last row: then this is no word, and that row is the last.
        hollow = named(flush & (frame_end == made.shift), "hollow")
        m.d.sync += [
            self.o.valid.eq(valid),
            *(step[name].eq(made[name]) for name, _ in step.shape() if name not in ("low", "high", "write", "row")),
            step.low.eq(low),
            step.high.eq(Mux(word, high, 0)),
            step.write.eq(word & ~hollow),
        ]
        with m.If(valid):
            m.d.sync += step.row.eq(Mux(made.first, Mux(hollow, ranging.hollow_row, ranging.header_row), step.row + 1))
        return m
