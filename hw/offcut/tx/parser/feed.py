"""Read the beginnings of frames out of the row store, as wide as the parser."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..layouts import Kind
from .stage import chunk_layout

__all__ = ["HeaderFeed"]


class HeaderFeed(wiring.Component):
    """One chunk a clock, for each request in order.

    A frame that needs no walk (nothing asked, one checksum, refused) is a single chunk, which leaves without waiting for data. The
    others go on until their last byte, until ``decided``, or until 256 bytes.

    Members
    -------
    i : In(stream.Signature(geometry.request))
    o : Out(stream.Signature(chunk_layout(geometry), always_ready=True))
    room : In(1)
        A frame may begin.
    slot_room : In(1)
        A frame that may be cut may begin.
    begun : Out(1)
        Such a frame begins now.
    decided, decided_tag : In
        The parser has decided about the frame with this tag.
    written, at, row : In, Out, In
        The row store's write address, and its read port.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "i": In(stream.Signature(geometry.request)),
            "o": Out(stream.Signature(chunk_layout(geometry), always_ready=True)),
            "room": In(1),
            "slot_room": In(1),
            "begun": Out(1),
            "decided": In(1),
            "decided_tag": In(3),
            "written": In(address),
            "at": Out(address),
            "row": In(geometry.row),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        request = self.i.payload
        chunk_bytes = g.parse_bits // 8
        per_row = g.width // g.parse_bits
        chunk = self.o.payload

        index = Signal.like(chunk.index)
        tag = Signal.like(chunk.tag)
        first = index == 0
        walk = ((request.kind == Kind.SEGMENT) | (request.kind == Kind.AUTO)) & (request.drop == 0)

        part = index[: ceil_log2(per_row)]
        row = self.row
        m.d.comb += self.at.eq(request.row + (index >> ceil_log2(per_row)))
        here = Signal(range(-g.bus_bytes, g.bus_bytes + 1))  # bytes of the row from this chunk on
        m.d.comb += here.eq(row.end.count - part * chunk_bytes)
        end = row.end.last & (here <= chunk_bytes)

        may_begin = self.room & (~walk | self.slot_room)
        stop = self.decided & (self.decided_tag == tag)
        go = self.i.valid & Mux(first, may_begin, 1) & (~walk | (self.at != self.written))
        done = Signal()
        m.d.comb += [
            done.eq(self.i.valid & ((go & (~walk | end | index.all())) | (~first & stop))),
            self.i.ready.eq(done),
            self.begun.eq(go & first & walk),
        ]

        m.d.sync += self.o.valid.eq(go)
        with m.If(go):
            m.d.sync += [
                chunk.tag.eq(tag),
                chunk.first.eq(first),
                chunk.end.eq(end | ~walk),
                chunk.index.eq(index),
                chunk.count.eq(Mux(here < 0, 0, Mux(here > chunk_bytes, chunk_bytes, here))),
                chunk.fault.eq(Mux(end, row.end.fault, 0)),
                chunk.data.eq(row.data.word_select(part, g.parse_bits)),
                chunk.request.eq(request),
                index.eq(index + 1),
            ]
        with m.If(done):
            m.d.sync += [index.eq(0), tag.eq(tag + 1)]

        return m
