"""Send units: header rows from the header RAM, patched, and payload from the buffer."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crc32c import FieldAt
from .header_patcher import EARLY, LATE, values_layout
from .layouts import Field
from .queue import Queue

__all__ = ["Joiner"]

IN_FLIGHT = 8


class Joiner(wiring.Component):
    """One row a clock, without a gap from unit to unit; 5 clocks from an entry to its first row, then 2 of the output queue.

    ::

        clock 0      1          2           3                4            5
        row ──▶ header RAM ─▶ register ─▶ fields by tag ─▶ register ─▶ checksums ──────────▶ queue ─▶ o
           └──▶ buffer ───────────────▶ register ────────▶ register ─▶    or'ed in

    The output queue always has room for what is under way, so nothing here waits, and a frame once begun goes on to its end.

    Members
    -------
    entries : In(stream.Signature(geometry.entry))
    o : Out(stream.Signature(geometry.out))
    begin : Out(1)
        The first row of ``entries.payload``, in clock 0.
    header_take, header_slot, header_row : Out
    header, fields : In
    payload_take, side_take : Out(1)
        From the buffer, or from that of the first fragments.
    payload : In
        Two clocks after, one value for each bank of either buffer, all but one of them 0; all 0 where nothing was taken.
    early, late : In
        From the patcher.
    crc : In(32)
        Four clocks after ``begin``.
    released : Out(1)
        The header slot is free again.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "entries": In(stream.Signature(geometry.entry)),
            "o": Out(stream.Signature(geometry.out)),
            "begin": Out(1),
            "header_take": Out(1),
            "header_slot": Out(range(geometry.slots)),
            "header_row": Out(range(geometry.slot_rows)),
            "header": In(geometry.width),
            "fields": In(data.ArrayLayout(geometry.field_bits, geometry.width // 16)),
            "payload_take": Out(1),
            "side_take": Out(1),
            "payload": In(data.ArrayLayout(geometry.width, len(geometry.buffer_banks) + len(geometry.side_banks) * geometry.first_last)),
            "early": In(values_layout(geometry, EARLY)),
            "late": In(values_layout(geometry, LATE)),
            "crc": In(32),
            "released": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        size, bits, halfwords = g.bus_bytes, g.lane_bits, g.width // 16
        entry = self.entries.payload

        def chain(value, clocks, name):
            """The value after each of a number of clocks."""
            values = [value]
            for clock in range(1, clocks + 1):
                later = Signal(len(value), name=f"{name}_{clock}")
                m.d.sync += later.eq(values[-1])
                values.append(later)
            return values

        m.submodules.queue = queue = Queue(g.out, depth=g.queue_depth, margin=IN_FLIGHT)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        # --- Clock 0: which row.
        row = Signal(g.row_bits)
        first, last_next = Signal(init=1), Signal()
        last = Mux(first, entry.single, last_next)
        go = self.entries.valid & queue.room & ~entry.void
        in_payload = ~entry.headed | (row >= (entry.header_len >> bits))
        side = entry.side if g.first_last else C(0)
        m.d.comb += [
            self.begin.eq(go & first),
            self.header_take.eq(go),
            self.header_slot.eq(entry.slot),
            self.header_row.eq(row),
            self.payload_take.eq(go & in_payload & ~side),
            self.side_take.eq(go & in_payload & side),
            self.entries.ready.eq((queue.room & last) | entry.void),
            self.released.eq(self.entries.valid & self.entries.ready & entry.headed & entry.release),
        ]
        with m.If(go):
            m.d.sync += [row.eq(Mux(last, 0, row + 1)), first.eq(last), last_next.eq(row + 1 == entry.last_row)]

        valid = chain(go, 5, "valid")
        header_row, header_lane = entry.header_len >> bits, entry.header_len[:bits]
        header_bytes = Signal(range(size + 1))
        m.d.sync += header_bytes.eq(Mux(row < header_row, size, Mux(row == header_row, header_lane, 0)))
        header_here = Signal(halfwords)
        m.d.sync += [header_here[lane].eq(header_bytes > 2 * lane) for lane in range(halfwords)]
        cut = chain(entry.cut, 1, "cut")
        ends = chain(last, 4, "ends")
        end_lane = chain(entry.last_lane, 4, "end_lane")

        # --- Clock 2: both rows in registers; the tags count only where the header is patched.
        header, tags = Signal(g.width), Signal(self.fields.shape())
        m.d.sync += [header.eq(self.header), tags.eq(Mux(cut[1], self.fields.as_value(), 0))]

        # --- Clock 3: fields by tag, and the tags of those that come later.
        late_fields = [field for field in LATE if field.name.lower() in self.late.shape().members]
        late_3, late_4 = (Signal(data.ArrayLayout(len(late_fields), halfwords), name=name) for name in ("late_3", "late_4"))
        header_3 = Signal(g.width, reset_less=True)
        m.d.sync += header_3.eq(header)
        for lane in range(halfwords):
            with m.Switch(tags[lane]):
                for field in EARLY:
                    if field in g.fields:
                        value = self.early[field.name.lower()]
                        with m.Case(g.tag(field)):
                            m.d.sync += header_3.word_select(lane, 16).eq(Cat(value[8:], value[:8]))
            with m.If(~header_here[lane]):
                m.d.sync += header_3.word_select(lane, 16).eq(0)
            m.d.sync += late_3[lane].eq(
                Cat((tags[lane] == g.tag(field)) & (g.tag(field) != 0) for field in late_fields)
                & header_here[lane].replicate(len(late_fields))
            )
        header_4 = Signal(g.width)
        m.d.sync += [header_4.eq(header_3), late_4.eq(late_3)]
        payloads_4 = [chain(bank, 2, f"payload_{number}")[-1] for number, bank in enumerate(self.payload)]

        # --- Meanwhile: the lanes of the checksum's two bytes, and those of the IPv4 header checksum.
        high_lane = Signal(bits)
        low_lane = Signal(bits)
        # The first byte stands a lane before the second: in the row before, if that is lane 0.
        low_row = entry.csum_low >> bits
        over_rows = entry.csum_low[:bits] == 0
        csum_on = entry.csum & ~(entry.crc if g.sctp else C(0))
        high_here, low_here = Signal(), Signal()
        m.d.sync += [
            high_lane.eq(entry.csum_low[:bits] - 1),
            low_lane.eq(entry.csum_low[:bits]),
            high_here.eq(csum_on & Mux(over_rows, row + 1 == low_row, row == low_row)),
            low_here.eq(csum_on & (row == low_row)),
        ]
        csum_at = Signal(size)
        m.d.sync += [csum_at[lane].eq((high_here & (high_lane == lane)) | (low_here & (low_lane == lane))) for lane in range(size)]
        csum_at_4 = chain(csum_at, 2, "csum_at")[-1]
        swap_4 = chain(entry.csum_swap & ~entry.cut, 4, "swap")[-1]
        # That of an IPv4 header in a frame that is not cut stands in whole halfwords.
        ip_lane, ip_here = Signal(max(1, bits - 1)), Signal()
        m.d.sync += [ip_lane.eq(entry.ip_low[1:bits]), ip_here.eq(entry.ip & (row == entry.ip_low >> bits))]
        ip_at = Signal(halfwords)
        m.d.sync += [ip_at[lane].eq(ip_here & (ip_lane == lane)) for lane in range(halfwords)]
        ip_at_4 = chain(ip_at, 2, "ip_at")[-1]
        if g.sctp:
            crc_field = FieldAt(m, bits, row, entry.csum_low, when=entry.csum & entry.crc)
            crc_at = Signal(size)
            m.d.sync += crc_at.eq(Cat(crc_field.covers(lane) for lane in range(size)))
            crc_at_4 = chain(crc_at, 2, "crc_at")[-1]
            # Byte n of it stands in a lane that is n plus the place's, so turned by that, each lane has its byte.
            turn_4 = chain((entry.csum_low - 1)[:2], 4, "crc_turn")[-1]
            crc = Signal(32)
            with m.Switch(turn_4):
                for turn in range(4):
                    with m.Case(turn):
                        m.d.comb += crc.eq(self.crc.rotate_left(8 * turn))
        user_4 = chain(entry.user, 4, "user")[-1] if g.config.user_width else None

        # --- Clock 5: checksums. One at an odd place stands in the lanes the other way round, and so was summed.
        out = queue.i.payload
        high, low = self.late.csum[8:], self.late.csum[:8]
        even_byte, odd_byte = Mux(swap_4, low, high), Mux(swap_4, high, low)
        sent = Signal(g.out)
        for lane in range(size):
            byte = header_4.word_select(lane, 8)
            for payload in payloads_4:
                byte |= payload.word_select(lane, 8)
            for number, field in enumerate(late_fields):
                value = self.late[field.name.lower()]
                here = late_4[lane // 2][number]
                if field == Field.IP_CSUM:
                    here |= ip_at_4[lane // 2]
                byte = Mux(here, value[:8] if lane % 2 else value[8:], byte)
            byte = Mux(csum_at_4[lane], odd_byte if lane % 2 else even_byte, byte)
            if g.sctp:
                byte = Mux(crc_at_4[lane], crc.word_select(lane % 4, 8), byte)
            m.d.sync += sent.data.word_select(lane, 8).eq(byte)
            m.d.sync += sent.keep[lane].eq(~ends[4] | (lane <= end_lane[4]))
        m.d.sync += sent.last.eq(ends[4])
        if g.config.user_width:
            m.d.sync += sent.user.eq(user_4)
        m.d.comb += [queue.i.valid.eq(valid[5]), out.eq(sent)]
        return m
