"""Read the beginnings of frames out of the row store, as wide as the parser."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .stage import TAG_BITS, chunk_layout

__all__ = ["HeaderFeed"]


class HeaderFeed(wiring.Component):
    """One chunk a clock, for each request in order.

    A frame that needs no walk (nothing asked, one checksum, refused) is a single chunk, which leaves without waiting for data. The
    others go on until their last byte, until ``decided``, or until 256 bytes.

    Members
    -------
    i : In(stream.Signature(geometry.request))
        The frame's first row must already be written.
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
            "decided_tag": In(TAG_BITS),
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

        # --- The frame whose chunks are being read, and the row from which they come.
        active = Signal()
        frame = Signal.like(request)
        row, row_valid = Signal(g.row), Signal()
        following = Signal.like(self.at)  # address of the next row
        index = Signal.like(chunk.index)
        tag = Signal.like(chunk.tag)

        part = index[: ceil_log2(per_row)]
        part_bits = ceil_log2(chunk_bytes)
        ends_here = row.end.last & (row.end.lane[part_bits:] == part)
        end = ends_here | (row.end.last & row.end.empty)
        go = active & (row_valid | ~frame.walk)
        stop = active & ((self.decided & (self.decided_tag == tag)) | (index.all() & go))
        done = go & (end | ~frame.walk)

        # --- The next frame. Its first row is read while the last row of this one is in the register, so nothing is lost between them
        # (after a stop, a clock is).
        turn = ~active | ~frame.walk | (row_valid & row.end.last)
        may_begin = self.i.valid & self.room & (~request.walk | self.slot_room)
        begin = may_begin & (~active | (turn & done))
        m.d.comb += [
            self.i.ready.eq(self.room & (~request.walk | self.slot_room) & (~active | (turn & done))),
            self.begun.eq(begin & request.walk),
            self.at.eq(Mux(turn, request.row, following)),
        ]
        with m.If(begin):
            m.d.sync += [active.eq(1), frame.eq(request), tag.eq(tag + 1), index.eq(0)]
        with m.Elif(done | stop):
            m.d.sync += active.eq(0)
        with m.Elif(go):
            m.d.sync += index.eq(index + 1)

        with m.If(begin):
            m.d.sync += [row.eq(self.row), row_valid.eq(1), following.eq(request.row + 1)]
        with m.Elif(~row_valid | (go & part.all())):
            m.d.sync += [row.eq(self.row), row_valid.eq(following != self.written)]
            with m.If(following != self.written):
                m.d.sync += following.eq(following + 1)

        m.d.sync += self.o.valid.eq(go)
        with m.If(go):
            m.d.sync += [
                chunk.tag.eq(tag),
                chunk.first.eq(index == 0),
                chunk.end.eq(end | ~frame.walk),
                chunk.index.eq(index),
                chunk.count.eq(Mux(row.end.empty, 0, Mux(ends_here, row.end.lane[:part_bits] + 1, chunk_bytes))),
                chunk.fault.eq(Mux(end, row.end.fault, 0)),
                chunk.data.eq(row.data.word_select(part, g.parse_bits)),
                chunk.request.eq(frame),
            ]

        return m
