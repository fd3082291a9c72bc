"""The receive queue's data: frames are kept whole, and written into the driver's buffers."""

from amaranth import Array, Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from offcut.axi import AxiStream
from offcut.tx.queue import Queue

from .bursts import Bursts
from .layouts import HEADER_BYTES, LANE_BITS, LANES

__all__ = ["FrameStore", "Scatterer", "frame_bits"]

NUM_BUFFERS_AT = 10
"""In the header."""

FRAMES = 32
"""Of the queue of lengths."""

LANES_BY_BIT = [[lane for lane in range(LANES) if lane >> bit & 1] for bit in range(LANE_BITS)]
"""Lanes whose number has a bit."""


def frame_bits(frame_max):
    """Bits of a frame's length."""
    return ceil_log2(frame_max + 1)


class FrameStore(wiring.Component):
    """Keeps frames in block RAM, and shows each when it is whole.

    A frame is swallowed to its end if it is too long, if its ``tkeep`` breaks the contract of :class:`offcut.axi.AxiStream`, or if nobody listens
    at any time before its end. One beat a clock, while there is room.

    Parameters
    ----------
    frame_max : int
        The longest frame that is kept, in bytes.

    Members
    -------
    i : In(AxiStream(64))
    listen : In(1)
        Without it every beat is taken, and its frame is swallowed.
    clear : In(1)
        Forget everything. Only while nobody listens.
    lengths : Out(stream.Signature(bits))
        Of the oldest frame, in bytes.
    at : In(unsigned(…)), take : In(1), data : Out(64)
        In the clock behind ``take``, and until the next one: the word ``at`` words behind that frame's beginning.
    drop : Out(1)
        Strobe: a frame was swallowed.
    """

    def __init__(self, frame_max):
        self._frame_max = frame_max
        self._depth = 1 << ceil_log2(-(-frame_max // LANES) + LANES)
        self._bits = frame_bits(frame_max)
        super().__init__({
            "i": In(AxiStream(8 * LANES)),
            "listen": In(1),
            "clear": In(1),
            "lengths": Out(stream.Signature(unsigned(self._bits))),
            "at": In(self._bits - LANE_BITS),
            "take": In(1),
            "data": Out(8 * LANES),
            "drop": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = ram = memory.Memory(shape=8 * LANES, depth=self._depth, init=[])
        write, read = ram.write_port(), ram.read_port(domain="sync")
        bits = ceil_log2(self._depth)
        lengths = Queue(unsigned(self._bits), depth=FRAMES, margin=4)
        m.submodules.lengths = ResetInserter(self.clear)(lengths)

        # --- A beat, and what its lanes say.
        keep = self.i.tkeep
        room = Signal()
        listen = Signal()
        beat, ends, unheard, broken = Signal(), Signal(), Signal(), Signal()
        word, last_lane = Signal(8 * LANES), Signal(LANE_BITS)
        m.d.comb += self.i.tready.eq(room | ~listen)
        m.d.sync += [
            listen.eq(self.listen),
            beat.eq(self.i.tvalid & self.i.tready),
            ends.eq(self.i.tlast),
            unheard.eq(~listen),
            broken.eq(~keep[0] | (keep[1:] & ~keep[:-1]).any() | ~(self.i.tlast | keep[-1])),
            word.eq(self.i.tdata),
            *(
                bit.eq(Cat(keep[lane] & ~keep[lane + 1 : lane + 2].any() for lane in lanes).any())
                for bit, lanes in zip(last_lane, LANES_BY_BIT, strict=True)
            ),
        ]

        # --- A frame's words are written behind each other.
        oldest, begun, at = Signal(bits), Signal(bits), Signal(bits)  # the frame to be read, the one that is coming, the next word
        held = Signal(bits)
        place = Signal(self._bits - LANE_BITS)  # of the word in its frame
        inside, swallow, spoilt = Signal(), Signal(), Signal()
        final_place, final_lane = divmod(self._frame_max - 1, LANES)
        too_long = (place == final_place) & (~ends | (last_lane > final_lane))
        m.d.comb += [
            held.eq(at - oldest),
            spoilt.eq(swallow | unheard | broken | too_long),
            write.addr.eq(at),
            write.data.eq(word),
            write.en.eq(beat),
        ]
        m.d.sync += [
            room.eq((held < self._depth - 4) & lengths.room),
            lengths.i.valid.eq(beat & ends & ~spoilt),
            lengths.i.payload.eq(Cat(last_lane, place) + 1),
            self.drop.eq(beat & ends & spoilt),
        ]
        with m.If(beat):
            m.d.sync += [inside.eq(~ends), swallow.eq(spoilt & ~ends), place.eq(Mux(ends, 0, place + 1)), at.eq(at + 1)]
            with m.If(spoilt):
                m.d.sync += at.eq(begun)
            with m.Elif(ends):
                m.d.sync += begun.eq(at + 1)
        with m.Elif(unheard):
            m.d.sync += [swallow.eq(inside), at.eq(begun)]

        # --- Words out, by their place in the oldest frame.
        m.d.comb += [
            self.lengths.valid.eq(lengths.o.valid),
            self.lengths.payload.eq(lengths.o.payload),
            lengths.o.ready.eq(self.lengths.ready),
            read.addr.eq(oldest + self.at),
            read.en.eq(self.take),
            self.data.eq(read.data),
        ]
        with m.If(self.lengths.valid & self.lengths.ready):
            m.d.sync += oldest.eq(oldest + lengths.o.payload[LANE_BITS:] + lengths.o.payload[:LANE_BITS].any())

        with m.If(self.clear):
            m.d.sync += [oldest.eq(0), begun.eq(0), at.eq(0), lengths.i.valid.eq(0)]
        return m


class Scatterer(wiring.Component):
    """Writes frames into chains: first the frame, then the header in front of it, since that holds the number of chains.

    The header's place in the first chain may be of up to 12 pieces, so they are kept until the frame is there.

    Parameters
    ----------
    geometry : Geometry
    frame_max : int

    Members
    -------
    lengths, at, take, data
        Of the frame store.
    segments : In(stream.Signature(geometry.segment)), records : In(stream.Signature(geometry.record))
    skip : Out(1), skip_to
        For the store of segments.
    mergeable : In(1)
        Whether VIRTIO_NET_F_MRG_RXBUF was negotiated.
    write : Out(stream.Signature(geometry.data_write)), begin, first_lane, last_lane, pull, final, owed, source
        Of the write channel.
    completions : Out(stream.Signature(geometry.completion))
    drop : Out(1)
        Strobe: a frame does not fit into a chain that is not mergeable. The chain waits for the next one.
    """

    def __init__(self, geometry, *, frame_max):
        self._geometry = g = geometry
        self._bits = frame_bits(frame_max)
        self._chain_bits = frame_bits(HEADER_BYTES + frame_max)
        super().__init__({
            "lengths": In(stream.Signature(unsigned(self._bits))),
            "at": Out(self._bits - LANE_BITS),
            "take": Out(1),
            "data": In(8 * LANES),
            "segments": In(stream.Signature(g.segment)),
            "records": In(stream.Signature(g.record)),
            "skip": Out(1),
            "skip_to": Out(g.head_bits + 1),
            "mergeable": In(1),
            "write": Out(stream.Signature(g.data_write)),
            "begin": In(1),
            "first_lane": In(LANE_BITS),
            "last_lane": In(LANE_BITS),
            "pull": In(1),
            "final": In(1),
            "owed": In(1),
            "source": Out(8 * LANES),
            "completions": Out(stream.Signature(g.completion)),
            "drop": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        m.submodules.bursts = bursts = Bursts(g)
        m.submodules.done = done = Queue(data.StructLayout({"head": g.head_bits, "len": self._chain_bits, "end": 1}), depth=16)
        m.submodules.pieces = pieces = memory.Memory(shape=unsigned(g.addr_width + 5), depth=16, init=[])
        piece_write, piece_read = pieces.write_port(), pieces.read_port(domain="comb")
        m.d.comb += [
            self.completions.valid.eq(done.o.valid),
            *(self.completions.p[name].eq(done.o.p[name]) for name, _ in g.completion),
            done.o.ready.eq(self.completions.ready),
        ]
        record = self.records.payload

        # --- The bytes: a window of two words, from which any eight in a row are taken. How far they must be turned is the same for a whole
        # burst, whose first word begins in `first_lane`: byte `lane + shift` of the window, counted from `place - first_lane`.
        num_buffers = Signal(16)
        word, behind = Signal(8 * LANES), Signal(8 * LANES)
        place = Signal(LANE_BITS)  # of the next byte in `word`
        shift, difference = Signal(LANE_BITS), Signal(LANE_BITS + 1)
        over = Signal()  # a word that is filled leaves none of `word`
        after, crosses = Signal(LANE_BITS), Signal()  # behind the burst's last byte: its place, and whether in the next word
        from_behind, once_over = Signal(LANES), Signal(LANES)  # lanes of the half that is turned by half a word, or is not
        m.d.comb += difference.eq(place - self.first_lane)
        with m.If(self.begin):
            ahead = difference[:LANE_BITS]
            lanes = Cat(lane < ahead for lane in range(LANES))
            chosen = Mux(ahead[-1], lanes.rotate_left(LANES // 2), lanes)
            m.d.sync += [
                shift.eq(ahead),
                over.eq(~difference[-1]),
                Cat(after, crosses).eq(ahead + self.last_lane + 1),
                once_over.eq(chosen),
                from_behind.eq(Mux(difference[-1], 0, chosen)),
            ]
        with m.If(self.pull):
            m.d.sync += [over.eq(1), from_behind.eq(once_over)]
            with m.If(self.final):
                m.d.sync += place.eq(after)
        half_turned = Signal(8 * LANES)
        for lane in range(LANES):
            here, across = (
                Mux(from_behind[lane], behind.word_select(at, 8), word.word_select(at, 8)) for at in (lane, (lane + LANES // 2) % LANES)
            )
            m.d.comb += half_turned.word_select(lane, 8).eq(Mux(shift[-1], across, here))
        m.d.comb += self.source.eq(Array(half_turned.rotate_right(8 * lanes) for lanes in range(LANES // 2))[shift[:-1]])
        priming = Signal(3)  # words still to be fetched before the first byte can leave: until then its chain is looked at
        m.d.sync += priming.eq(priming >> 1)
        m.d.comb += self.take.eq(priming[0] | (self.pull & over & (~self.final | crosses)))
        with m.If(self.take):
            m.d.sync += [word.eq(behind), behind.eq(self.data), self.at.eq(self.at + 1)]

        # --- The chains.
        addr, left, last = Signal(g.addr_width + 1), Signal(self._chain_bits), Signal()
        frame_left = Signal(self._bits)
        header_left = Signal(4)
        written = Signal(self._chain_bits)  # into this chain
        length = self.lengths.payload
        piece_len = Signal(self._chain_bits)
        segment_len = self.segments.p.len
        enough = Mux(segment_len[self._chain_bits :].any(), ~0, segment_len)  # a frame and its header end before a longer one does
        pulled_all = bursts.i.ready & ~self.owed
        m.d.comb += [
            bursts.i.p.addr.eq(addr),
            bursts.i.p.len.eq(piece_len),
            self.write.valid.eq(bursts.o.valid),
            bursts.o.ready.eq(self.write.ready),
            *(self.write.p[name].eq(bursts.o.p[name]) for name, _ in g.data_write),
            self.skip_to.eq(record.stop),
            piece_write.data.eq(Cat(addr, piece_len[:4])),
            done.i.p.head.eq(record.head),
            done.i.p.len.eq(written),
        ]

        header_piece = Mux(left < header_left, left, header_left)
        frame_piece = Mux(left < frame_left, left, frame_left)
        with m.FSM():
            with m.State("Frame"):
                m.d.sync += [
                    place.eq(0),
                    self.at.eq(0),
                    num_buffers.eq(1),
                    header_left.eq(HEADER_BYTES),
                    frame_left.eq(length),
                    piece_write.addr.eq(0),
                    piece_read.addr.eq(0),
                    written.eq(0),
                ]
                with m.If(self.lengths.valid & self.records.valid):
                    with m.If(self.mergeable | (length <= record.frame_len)):
                        m.d.sync += priming.eq(0b111)
                        m.next = "Segment"
                    with m.Else():
                        m.d.comb += [self.drop.eq(1), self.lengths.ready.eq(1)]
                        m.next = "Dropped"
            with m.State("Dropped"):
                m.next = "Frame"

            with m.State("Segment"):
                m.d.comb += self.segments.ready.eq(1)
                m.d.sync += [addr.eq(self.segments.p.addr), left.eq(enough), last.eq(self.segments.p.last)]
                with m.If(self.segments.valid):
                    m.next = "Piece"
            with m.State("Piece"):
                with m.If(header_left != 0):
                    m.d.sync += piece_len.eq(header_piece)
                    m.next = "Header piece"
                with m.Elif(frame_left == 0):
                    m.next = "Frame written"
                with m.Elif(left != 0):
                    m.d.sync += piece_len.eq(frame_piece)
                    m.next = "Frame piece"
                with m.Elif(last):
                    m.next = "Chain full"
                with m.Else():
                    m.next = "Segment"
            with m.State("Header piece"):
                m.d.comb += piece_write.en.eq(1)
                m.d.sync += [
                    piece_write.addr.eq(piece_write.addr + 1),
                    addr.eq(addr + piece_len[:4]),
                    left.eq(left - piece_len),
                    header_left.eq(header_left - piece_len[:4]),
                    written.eq(written + piece_len[:4]),
                ]
                m.next = "Piece"
                with m.If(left == piece_len):
                    m.next = "Header segment"
            with m.State("Header segment"):
                # The header ends with its segment, or goes on in the next. A frame has at least one byte, so there is one.
                m.next = "Piece"
                with m.If(header_left != 0):
                    m.next = "Segment"
            with m.State("Frame piece"):
                m.d.comb += bursts.i.valid.eq(1)
                with m.If(bursts.i.ready):
                    m.d.sync += [left.eq(left - piece_len), frame_left.eq(frame_left - piece_len), written.eq(written + piece_len)]
                    m.next = "Piece"
                    with m.If(left != piece_len):
                        m.next = "Frame written"

            # One chain of several is full: the next one, as soon as there is one.
            with m.State("Chain full"):
                m.d.comb += done.i.valid.eq(1)
                with m.If(done.i.ready):
                    m.d.comb += self.records.ready.eq(1)
                    m.d.sync += [num_buffers.eq(num_buffers + 1), written.eq(0)]
                    m.next = "Next chain"
            with m.State("Next chain"):
                with m.If(self.records.valid):
                    m.next = "Segment"

            # The frame is on its way; its header goes the same way.
            with m.State("Frame written"):
                with m.If(pulled_all):
                    m.next = "Header"
            with m.State("Header"):
                m.d.sync += [
                    word.eq(0),
                    behind.eq(num_buffers << 8 * (NUM_BUFFERS_AT - HEADER_BYTES % LANES)),
                    place.eq(LANES - HEADER_BYTES % LANES),
                ]
                m.next = "Header place"
            with m.State("Header place"):
                m.d.sync += [Cat(addr, piece_len).eq(piece_read.data)]
                m.d.sync += piece_read.addr.eq(piece_read.addr + 1)
                m.next = "Header written"
                with m.If(piece_read.addr != piece_write.addr):
                    m.next = "Header bytes"
            with m.State("Header bytes"):
                m.d.comb += bursts.i.valid.eq(1)
                with m.If(bursts.i.ready):
                    m.next = "Header place"
            with m.State("Header written"):
                with m.If(pulled_all & done.i.ready):
                    m.d.comb += [
                        done.i.valid.eq(1),
                        done.i.p.end.eq(1),
                        self.skip.eq(1),
                        self.records.ready.eq(1),
                        self.lengths.ready.eq(1),
                    ]
                    m.next = "Skipped"
            with m.State("Skipped"):
                m.next = "Frame"
        return m
