"""Work out what a segment's header says that its frame's does not."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .headers import Ethernet
from .ones import add

__all__ = ["HeaderPatcher"]

IP_AT = (2 * Ethernet.HEADER, 2 * (Ethernet.HEADER + Ethernet.TAG))
"""Byte at which the IP header begins, without and with a VLAN tag."""

FLAGS_KEPT = {"first": 0xFF6, "middle": 0xF76, "last": 0xF7F}
"""TCP flags that stay, by a segment's place; a frame that leaves in one keeps all."""


class HeaderPatcher(wiring.Component):
    """One unit a clock, in step with the joiner: the fields are ready when the first row of the header arrives from the header RAM.

    ::

        clock      0        1            2               3             4
                 begin   running    one's complement   ...       checksum
                  │      seq, id    partial sums                 + payload sum
        fields ───┴─────────┴───────────▶ total_length, identification, seq, flags
                                                         ip_csum ─────▶
                                                                   csum ─────▶

    Members
    -------
    begin : In(1)
        The joiner begins with ``entry``.
    entry : In(geometry.entry)
    record : In(geometry.record)
        Of the entry's slot, in the same clock.
    sum : In(16)
    take_sum : Out(1)
    total_length, identification, seq, flags : Out
        Two clocks after ``begin``.
    ip_csum, csum : Out(16)
        Four clocks after. In a frame that is not cut they are whatever its entry asks for.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "begin": In(1),
            "entry": In(geometry.entry),
            "record": In(geometry.record),
            "sum": In(16),
            "take_sum": Out(1),
            "total_length": Out(16),
            "identification": Out(16),
            "seq": Out(32),
            "flags": Out(16),
            "ip_csum": Out(16),
            "csum": Out(16),
        })

    def elaborate(self, platform):
        m = Module()
        entry, record = self.entry, self.record
        whole = entry.first & entry.last

        # --- Clock 0 to 1: the fields that run on from segment to segment.
        frame_last = Signal(16)  # index of the frame's last byte as it leaves
        m.d.comb += frame_last.eq((entry.last_row << self._geometry.lane_bits) | entry.last_lane)
        step = Signal(16)  # payload bytes of the segment before
        kept = Signal(16)
        with m.If(whole):
            m.d.comb += kept.eq(0xFFFF)
        with m.Elif(entry.first):
            m.d.comb += kept.eq(0xF000 | FLAGS_KEPT["first"])
        with m.Elif(entry.last):
            m.d.comb += kept.eq(0xF000 | FLAGS_KEPT["last"])
        with m.Else():
            m.d.comb += kept.eq(0xF000 | FLAGS_KEPT["middle"])

        shape = data.StructLayout({
            "cut": 1,
            "seq": 32,
            "identification": 16,
            "total_length": 16,
            "flags": 16,
            "frame_last": 16,
            "ip_sum": 16,
            "mangle": 1,  # a checksum of 0 leaves as 0xFFFF
        })
        one = Signal(shape)
        begun = [Signal(name=f"begun_{clock}") for clock in range(1, 5)]
        m.d.sync += [later.eq(now) for now, later in zip([self.begin, *begun], begun, strict=False)]
        with m.If(self.begin):
            m.d.sync += [
                one.cut.eq(entry.cut),
                one.seq.eq(Mux(entry.first, record.seq, one.seq + step)),
                one.identification.eq(Mux(entry.first, record.identification, one.identification + 1)),
                one.total_length.eq(frame_last + 1 - Mux(record.tagged, IP_AT[1], IP_AT[0])),
                one.flags.eq(record.flags & kept),
                one.frame_last.eq(frame_last),
                one.ip_sum.eq(record.ip_sum),
                one.mangle.eq(~entry.cut | whole),
                step.eq(frame_last + 1 - record.header_len),
            ]
            with m.If(~entry.cut):
                m.d.sync += [one.ip_sum.eq(entry.ip_sum), one.total_length.eq(0), one.identification.eq(0)]

        # --- Clock 2: partial sums.
        ip_2, seq_2, rest_2 = Signal(16), Signal(16), Signal(16)
        two = Signal(shape)
        with m.If(begun[0]):
            m.d.sync += [
                two.eq(one),
                ip_2.eq(add(one.ip_sum, one.total_length)),
                seq_2.eq(add(one.seq[16:], one.seq[:16])),
                rest_2.eq(add(one.flags, one.frame_last)),
            ]
        m.d.comb += [
            self.total_length.eq(two.total_length),
            self.identification.eq(two.identification),
            self.seq.eq(two.seq),
            self.flags.eq(two.flags),
        ]

        # --- Clock 3
        ip_3, sum_3, mangle_3 = Signal(16), Signal(16), Signal()
        with m.If(begun[1]):
            m.d.sync += [
                ip_3.eq(~add(ip_2, two.identification)),
                sum_3.eq(Mux(two.cut, add(seq_2, rest_2), 0)),
                mangle_3.eq(two.mangle),
            ]

        # --- Clock 4: the payload's sum, which is below 0xFFFF. Zero shows as 0xFFFF and inverts to 0, or the other way round.
        m.d.comb += self.take_sum.eq(begun[2])
        with m.If(begun[2]):
            m.d.sync += [
                self.csum.eq(~add(sum_3, self.sum, mangle_3)),
                self.ip_csum.eq(ip_3),
            ]
        return m
