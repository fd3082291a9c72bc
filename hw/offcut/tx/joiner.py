"""Send units: header rows from the header RAM, patched, and payload from the buffer."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crc32c import FieldAt
from .layouts import Field
from .patcher import lookup_clock
from .queue import Queue

__all__ = ["Joiner"]

STAGES = 3
"""Clocks from the one in which fields are looked up to the row in the output register."""

SLACK = 3
"""Rows that can still begin once the output queue's room is gone."""


class Joiner(wiring.Component):
    """One row a clock, without a gap from unit to unit; then 2 clocks of the output queue.

    ::

        clock 0    L - 2        L - 1        L              L + 1        L + 2
        row ──▶ header RAM ─▶ register ─▶ fields by tag ─▶ checksum ─▶ with the payload ─▶ queue ─▶ o
           └───────────────────────────▶ buffer ────────▶ register ────────┘

    L is the patcher's ``lookup_clock``. The output queue always has room for what is under way, so nothing here waits, and a frame once
    begun goes on to its end.

    Members
    -------
    entries : In(stream.Signature(geometry.entry))
    o : Out(stream.Signature(geometry.out))
    begin : Out(1)
        The first row of ``entries.payload``, in clock 0.
    ready : In(1)
        The patcher lets it begin.
    header_take, header_slot, header_row : Out
    header, marks : In
    payload_take, side_take : Out(1)
        From the buffer, or from that of the first fragments.
    payload : In
        Two clocks after, one value for each bank of either buffer, all but one of them 0; all 0 where nothing was taken.
    tags, row : Out
        In clock L, what a parallel patcher is asked for, and a serial one.
    values : In
        In the same clock, its answers.
    csum : In(16)
        In clock L + 1.
    crc : In(32)
        Likewise.
    udp : In(1)
        Of a serial patcher.
    released : Out(1)
        The header slot is free again, but for the reads that are under way.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        marks = data.ArrayLayout(geometry.mark_bits, geometry.width // 16)
        super().__init__({
            "entries": In(stream.Signature(geometry.entry)),
            "o": Out(stream.Signature(geometry.out)),
            "begin": Out(1),
            "ready": In(1),
            "header_take": Out(1),
            "header_slot": Out(range(geometry.slots)),
            "header_row": Out(range(geometry.slot_rows)),
            "header": In(geometry.width),
            "marks": In(marks),
            "payload_take": Out(1),
            "side_take": Out(1),
            "payload": In(data.ArrayLayout(geometry.width, len(geometry.buffer_banks) + len(geometry.side_banks) * geometry.first_last)),
            **({"row": Out(range(geometry.slot_rows)), "udp": In(1)} if geometry.serial else {"tags": Out(marks)}),
            "values": In(data.ArrayLayout(16, geometry.width // 16)),
            "csum": In(16),
            "crc": In(32),
            "released": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits, halfwords = g.bus_bytes, g.lane_bits, g.width // 16
        entry = self.entries.payload
        lookup = lookup_clock(g)

        def later(value, clocks, name):
            """The value so many clocks later."""
            for clock in range(1, clocks + 1):
                signal = Signal(len(value), name=f"{name}_{clock}")
                m.d.sync += signal.eq(value)
                value = signal
            return value

        m.submodules.queue = queue = Queue(g.out, depth=g.queue_depth, margin=lookup + STAGES + SLACK)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        # --- Clock 0: which row.
        row = Signal(g.row_bits)
        first = Signal(init=1)
        last_next = Signal()
        last = Mux(first, entry.single, last_next)
        pause = Signal()
        may_go = queue.room & ((self.ready & ~pause) | ~first)
        go = self.entries.valid & may_go & ~entry.void
        in_payload = ~entry.headed | (row >= (entry.header_len >> bits))
        side = entry.side if g.first_last else C(0)
        m.d.comb += [
            self.begin.eq(go & first),
            self.entries.ready.eq((may_go & last) | entry.void),
            self.released.eq(self.entries.valid & self.entries.ready & entry.headed & entry.release),
        ]
        with m.If(go):
            m.d.sync += [row.eq(Mux(last, 0, row + 1)), first.eq(last), last_next.eq(row + 1 == entry.last_row)]

        if g.serial:
            m.d.sync += pause.eq(go & last & entry.cut & self.udp & (row == entry.header_len >> bits))

        # --- What it is made of is asked for in time.
        m.d.comb += [
            self.header_take.eq(later(go, lookup - 2, "header_take")),
            self.header_slot.eq(later(entry.slot, lookup - 2, "header_slot")),
            self.header_row.eq(later(row[: len(self.header_row)], lookup - 2, "header_row")),
            self.payload_take.eq(later(go & in_payload & ~side, lookup, "payload_take")),
            self.side_take.eq(later(go & in_payload & side, lookup, "side_take")),
        ]

        # --- Clocks 1 and 2: which of its halfwords are the header's, and which that IPv4 header's checksum where a frame is not cut.
        header_row, header_lane = entry.header_len >> bits, entry.header_len[:bits]
        header_bytes = Signal(range(size + 1))
        m.d.sync += header_bytes.eq(Mux(row < header_row, size, Mux(row == header_row, header_lane, 0)))
        ip_lane = Signal(max(1, bits - 1))
        ip_here = Signal()
        m.d.sync += [ip_lane.eq(entry.ip_low[1:bits]), ip_here.eq(entry.ip & (row == entry.ip_low >> bits))]
        header_lanes = Signal(halfwords)
        ip_lanes = Signal(halfwords)
        m.d.sync += [header_lanes[lane].eq(header_bytes > 2 * lane) for lane in range(halfwords)]
        m.d.sync += [ip_lanes[lane].eq(ip_here & (ip_lane == lane)) for lane in range(halfwords)]

        # --- Clock L: the header's row and its fields.
        header = Signal(g.width)
        marks = Signal(self.marks.shape())
        ip_at = later(ip_lanes, lookup - 3, "ip_mark")
        m.d.sync += header.eq(self.header)
        for lane, mark in enumerate(self.marks):
            m.d.sync += marks[lane].eq(Mux(ip_at[lane], 1 if g.serial else g.tag(Field.IP_CSUM), mark))
        if g.serial:
            m.d.comb += self.row.eq(later(row[: len(self.row)], lookup, "field_row"))
        else:
            m.d.comb += self.tags.eq(marks)
        ip_at, header_here = later(ip_at, 1, "ip_field"), later(header_lanes, lookup - 2, "header_here")
        patched = Signal(g.width)
        for lane in range(halfwords):
            value = self.values[lane]
            halfword = Mux(marks[lane] != 0, Cat(value[8:], value[:8]), header.word_select(lane, 16))
            m.d.sync += patched.word_select(lane, 16).eq(Mux(header_here[lane] | ip_at[lane], halfword, 0))

        # --- Clock L + 1: the checksum's two bytes. The first stands a lane before the second: in the row before, if that is lane 0.
        # One at an odd place stands in the lanes the other way round, and so was summed.
        low_row, low_lane = entry.csum_low >> bits, entry.csum_low[:bits]
        csum_on = entry.csum & ~(entry.crc if g.sctp else C(0))
        lane_high = Signal(bits)
        lane_low = Signal(bits)
        high_here = Signal()
        low_here = Signal()
        m.d.sync += [
            lane_high.eq(low_lane - 1),
            lane_low.eq(low_lane),
            high_here.eq(csum_on & Mux(low_lane == 0, row + 1 == low_row, row == low_row)),
            low_here.eq(csum_on & (row == low_row)),
        ]
        csum_lanes = Signal(size)
        m.d.sync += [csum_lanes[lane].eq((high_here & (lane_high == lane)) | (low_here & (lane_low == lane))) for lane in range(size)]
        csum_at = later(csum_lanes, lookup - 1, "csum_at")
        swap = later(entry.csum_swap & ~entry.cut, lookup + 1, "swap")
        high, low = self.csum[8:], self.csum[:8]
        even_byte, odd_byte = Mux(swap, low, high), Mux(swap, high, low)
        if g.sctp:
            field = FieldAt(m, bits, row, entry.csum_low, when=entry.csum & entry.crc)
            crc_lanes = Signal(size)
            m.d.sync += crc_lanes.eq(Cat(field.covers(lane) for lane in range(size)))
            crc_at = later(crc_lanes, lookup - 1, "crc_at")
            # Byte n of it stands in a lane that is n plus the place's, so turned by that, each lane has its byte.
            turn = later((entry.csum_low - 1)[:2], lookup + 1, "crc_turn")
            crc = Signal(32)
            with m.Switch(turn):
                for number in range(4):
                    with m.Case(number):
                        m.d.comb += crc.eq(self.crc.rotate_left(8 * number))
        ip_at = later(ip_at, 1, "ip_byte")
        joined = Signal(g.width)
        replaced = Signal(size)
        for lane in range(size):
            byte = Mux(csum_at[lane], odd_byte if lane % 2 else even_byte, patched.word_select(lane, 8))
            other = csum_at[lane] | ip_at[lane // 2]
            if g.sctp:
                byte = Mux(crc_at[lane], crc.word_select(lane % 4, 8), byte)
                other |= crc_at[lane]
            m.d.sync += [joined.word_select(lane, 8).eq(byte), replaced[lane].eq(other)]

        # --- Clock L + 2: the payload, but for bytes in whose place something else stands.
        ends, end_lane = later(last, lookup + 2, "ends"), later(entry.last_lane, lookup + 2, "end_lane")
        sent = Signal(g.out)
        for lane in range(size):
            payload = reduce(or_, (bank.word_select(lane, 8) for bank in self.payload))
            m.d.sync += [
                sent.data.word_select(lane, 8).eq(Mux(replaced[lane], 0, payload) | joined.word_select(lane, 8)),
                sent.keep[lane].eq(~ends | (lane <= end_lane)),
            ]
        m.d.sync += sent.last.eq(ends)
        if g.config.user_width:
            m.d.sync += sent.user.eq(later(entry.user, lookup + 2, "user"))
        m.d.comb += [queue.i.valid.eq(later(go, lookup + STAGES, "valid")), queue.i.payload.eq(sent)]
        return m
