"""Keep the rows of frames until the parser has decided what becomes of them."""

from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .queue import Queue

__all__ = ["RowStore"]

IN_FLIGHT = 9
"""Rows kept free: those on their way in when ``room`` goes, and those that the slicer has taken and the aligner still reads."""


class RowStore(wiring.Component):
    """A ring of bus words in LUT RAM, written in order, read at two addresses.

    Members
    -------
    i : In(stream.Signature(geometry.row, always_ready=True))
    ends : Out(stream.Signature(geometry.row_end))
        The rows' ends in order, for the slicer: of those that it has taken, the last five can still be read.
    room : Out(1)
        Registered: the ring takes three more rows.
    written : Out(range(geometry.store_rows))
        Address of the row that is written next.
    parse_at, parse : In, Out
        The parser's read port: the row at an address, in the same clock.
    cut_at, cut : In, Out
        The aligner's, likewise.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "i": In(stream.Signature(geometry.row, always_ready=True)),
            "ends": Out(stream.Signature(geometry.row_end)),
            "room": Out(1),
            "written": Out(address),
            "parse_at": In(address),
            "parse": Out(geometry.row),
            "cut_at": In(address),
            "cut": Out(geometry.width),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        # Two memories, since only the parser reads a row's end.
        ports = []
        for name, bits in (("parse_rows", len(self.parse.as_value())), ("cut_rows", g.width)):
            m.submodules[name] = ram = memory.Memory(shape=bits, depth=g.store_rows, init=[])
            write = ram.write_port()
            m.d.comb += [
                write.en.eq(self.i.valid),
                write.addr.eq(self.written),
                write.data.eq(self.i.payload.as_value()[:bits]),
            ]
            ports.append(ram.read_port(domain="comb"))
        parse, cut = ports
        m.d.comb += [
            parse.addr.eq(self.parse_at),
            self.parse.eq(parse.data),
            cut.addr.eq(self.cut_at),
            self.cut.eq(cut.data),
        ]
        with m.If(self.i.valid):
            m.d.sync += self.written.eq(self.written + 1)

        m.submodules.ends = ends = Queue(g.row_end, depth=g.store_rows, quick=True)
        m.d.comb += [
            ends.i.valid.eq(self.i.valid),
            ends.i.payload.eq(self.i.payload.end),
        ]
        wiring.connect(m, ends.o, wiring.flipped(self.ends))

        used = Signal(range(g.store_rows + 1))
        taken = self.ends.valid & self.ends.ready
        m.d.sync += [
            used.eq(used + self.i.valid - taken),
            self.room.eq(used + IN_FLIGHT <= g.store_rows),
        ]

        return m
