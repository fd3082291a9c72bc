"""Read the beginnings of frames out of the row store, a word of four bytes at a time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["WORD_BITS", "WORD_BYTES", "HeaderFeed", "word_layout"]

WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8


def word_layout(geometry):
    """Four bytes of a frame's beginning, with its request. A frame ends in a word of its own, which has no bytes."""
    return data.StructLayout({
        "turn": 1,  # the other way round in the next frame
        "first": 1,
        "end": 1,
        "index": ceil_log2(geometry.header_bytes // WORD_BYTES) + 1,
        "count": range(WORD_BYTES + 1),
        "fault": 2,
        "data": WORD_BITS,
        "request": geometry.request,
    })


class HeaderFeed(wiring.Component):
    """One word a clock, for each request in order.

    A frame that needs no walk is a single word, which leaves without waiting for data. The others go on until their end or until
    ``decided``.

    Members
    -------
    i : In(stream.Signature(geometry.request))
        The frame's first row must already be written.
    o : Out(stream.Signature(word_layout(geometry)))
    room : In(1)
        A frame may begin.
    slot_room : In(1)
        A frame that may need a header slot may begin.
    begun : Out(1)
        Such a frame begins now.
    decided : In(1)
        No more is wanted of the frame whose word is in ``o``; that word is taken, and one more may come.
    written, at, row : In, Out, In
        The row store's write address, and its read port.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "i": In(stream.Signature(geometry.request)),
            "o": Out(stream.Signature(word_layout(geometry))),
            "room": In(1),
            "slot_room": In(1),
            "begun": Out(1),
            "decided": In(1),
            "written": In(address),
            "at": Out(address),
            "row": In(geometry.row),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        request = self.i.payload
        part_bits = ceil_log2(g.width // WORD_BITS)
        byte_bits = ceil_log2(WORD_BYTES)
        word = self.o.payload

        # --- The frame whose words are being read, and the row from which they come.
        active = Signal()
        frame = Signal.like(request)
        row, row_valid = Signal(g.row), Signal()
        following = Signal.like(self.at)  # address of the next row
        index = Signal.like(word.index)
        turn = Signal()
        ended = Signal()  # but for the word that says so

        part = index[:part_bits]
        last_word = row.end.last & (row.end.lane[byte_bits:] == part)
        end = ended | (row.end.last & row.end.empty)
        # (A clock late, so that a word's meaning need not reach so far at once; the walker passes over one more word.)
        stop = Signal()
        m.d.sync += stop.eq(self.decided & active & (word.turn == turn))
        go = active & (row_valid | ~frame.walk) & (~self.o.valid | self.o.ready) & ~stop
        done = go & (end | ~frame.walk)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(go):
            m.d.sync += [
                self.o.valid.eq(1),
                word.turn.eq(turn),
                word.first.eq(index == 0),
                word.end.eq(end & frame.walk),
                word.index.eq(index),
                word.count.eq(Mux(end, 0, Mux(last_word, row.end.lane[:byte_bits] + 1, WORD_BYTES))),
                word.fault.eq(row.end.fault),
                word.data.eq(row.data.word_select(part, WORD_BITS)),
                word.request.eq(frame),
            ]
            m.d.sync += [index.eq(index + 1), ended.eq(last_word)]

        # --- Row after row.
        with m.If(active & frame.walk & (~row_valid | (go & part.all() & ~last_word & ~end))):
            m.d.sync += [row.eq(self.row), row_valid.eq(following != self.written)]
            with m.If(following != self.written):
                m.d.sync += following.eq(following + 1)

        # --- The next frame: at once behind one that needs no walk, else a clock later.
        free = ~active | (done & ~frame.walk)
        may_begin = self.room & (~request.walk | self.slot_room)
        m.d.comb += [
            self.i.ready.eq(free & may_begin),
            self.begun.eq(self.i.valid & self.i.ready & request.walk),
            self.at.eq(Mux(active & frame.walk, following, request.row)),
        ]
        with m.If(done | stop):
            m.d.sync += active.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                active.eq(1),
                frame.eq(request),
                row.eq(self.row),
                row_valid.eq(1),
                following.eq(request.row + 1),
                index.eq(0),
                ended.eq(0),
                turn.eq(~turn),
            ]
        return m
