"""Read the beginning of a frame out of the row store, a halfword at a time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .words import halfword

__all__ = ["HeaderFeed"]

HALFWORD_BITS = 16


class HeaderFeed(wiring.Component):
    """Shows a halfword of a frame, and knows whether another one follows.

    A halfword a clock, from four clocks after ``begin`` on as fast as rows come.

    Members
    -------
    begin : In(1)
        Another frame: ``first`` is the address of its first row, which must already be written.
    first : In
    take : In(1)
        The halfword is used.
    here : Out(1)
        ``data`` is a whole halfword of the frame, most significant byte first.
    data : Out(16)
    two : Out(1)
        So is the next one.
    ended : Out(1)
        None will come behind these.
    fault : Out(2)
        With ``ended``, what is wrong with the frame's end.
    at, row : Out, In
        The row store's read port.
    there : In(1)
        The row at that address has been written.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "begin": In(1),
            "first": In(address),
            "take": In(1),
            "here": Out(1),
            "data": Out(HALFWORD_BITS),
            "two": Out(1),
            "ended": Out(1),
            "fault": Out(2),
            "there": In(1),
            "at": Out(address),
            "row": In(geometry.row),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        part_bits = ceil_log2(g.width // HALFWORD_BITS)

        # --- A row, and which of its halfwords is next. One is whole if its second byte is not behind the frame's last.
        row, valid = Signal(g.row), Signal()
        following = Signal.like(self.at)
        part = Signal(part_bits)
        last = row.end.lane[1:]
        whole = Signal()
        m.d.comb += whole.eq(~row.end.last | (~row.end.empty & ((part < last) | ((part == last) & row.end.lane[0]))))

        # --- Three places: this halfword, the one behind it, and one for what comes while nothing is taken.
        behind, spare = Signal(HALFWORD_BITS), Signal(HALFWORD_BITS)
        three = Signal()
        moves, pushes = Signal(), Signal()
        coming = halfword(row.data.word_select(part, HALFWORD_BITS), 0)
        m.d.comb += [
            moves.eq(self.take | ~self.here),
            pushes.eq(valid & whole & ~self.ended & ~three),
            self.fault.eq(row.end.fault),
        ]
        with m.If(moves):
            m.d.sync += [
                self.data.eq(behind),
                self.here.eq(self.two),
                behind.eq(Mux(three, spare, coming)),
                self.two.eq(three | pushes),
                three.eq(0),
            ]
        with m.Elif(~self.two):
            m.d.sync += [behind.eq(coming), self.two.eq(pushes)]
        with m.Elif(~three):
            m.d.sync += [spare.eq(coming), three.eq(pushes)]

        # --- Row after row.
        used_up = pushes & part.all()
        m.d.comb += self.at.eq(following)
        with m.If(pushes):
            m.d.sync += part.eq(part + 1)
        with m.If((valid & ~whole) | (used_up & row.end.last)):
            m.d.sync += self.ended.eq(1)
        with m.If((~valid | (used_up & ~row.end.last)) & ~self.ended):
            m.d.sync += [row.eq(self.row), valid.eq(self.there)]
            with m.If(self.there):
                m.d.sync += following.eq(following + 1)
        with m.If(self.begin):
            m.d.sync += [
                valid.eq(0),
                following.eq(self.first),
                part.eq(0),
                self.here.eq(0),
                self.two.eq(0),
                three.eq(0),
                self.ended.eq(0),
            ]
        return m
