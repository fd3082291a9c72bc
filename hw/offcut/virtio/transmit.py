"""The transmit queue's data: chains are read, put together, and leave as frames."""

from amaranth import Array, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import AxiStream
from offcut.tx.queue import Queue

from .bursts import Bursts
from .dma import READS_DEPTH
from .layouts import CHAIN_BITS, HEADER_BYTES, LANE_BITS, LANES
from .store import Store

__all__ = ["TUSER_BITS", "Emitter", "Fetcher", "Gatherer", "Transmitter"]

TUSER_BITS = 160
"""What stands beside a frame's first beat, as `OffcutTx` takes it."""

REQUEST_BYTES = 10
"""Bytes of the header that are the request; the last two are num_buffers."""

FRAME_LEN_AT = 112
"""Where frame_len begins in tuser."""

AHEAD = LANES - HEADER_BYTES % LANES
"""Lanes that stay empty in front of the header, so that the frame begins in lane 0. The frame's length takes their place."""

MARGIN = 17 + 4
"""Words of one burst, which may end a chain, and those in the gatherer."""


class Fetcher(wiring.Component):
    """Asks for the memory of one chain after the other.

    Members
    -------
    segments : In(stream.Signature(geometry.segment)), records : In(stream.Signature(geometry.record))
    o : Out(stream.Signature(geometry.data_read))
    room : In(1)
        What is asked for finds its place.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "segments": In(stream.Signature(geometry.segment)),
            "records": In(stream.Signature(geometry.record)),
            "o": Out(stream.Signature(geometry.data_read)),
            "room": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = Bursts(self._geometry)
        segment, record, burst, read = self.segments.payload, self.records.payload, bursts.o.payload, self.o.payload

        first, last = Signal(init=1), Signal()
        m.d.comb += [
            bursts.i.valid.eq(self.segments.valid & self.records.valid),
            self.segments.ready.eq(bursts.i.ready & self.records.valid),
            bursts.i.p.addr.eq(segment.addr),
            bursts.i.p.len.eq(segment.len),
        ]
        with m.If(self.segments.ready):
            m.d.sync += last.eq(segment.last)

        asking = Signal()  # stays, once it is 1, until it is taken
        offered = Signal()
        m.d.comb += asking.eq(bursts.o.valid & (self.room | offered))
        m.d.sync += offered.eq(asking & ~self.o.ready)
        m.d.comb += [
            self.o.valid.eq(asking),
            bursts.o.ready.eq(asking & self.o.ready),
            *(read[name].eq(burst[name]) for name in ("addr", "beats", "first_lane", "last_lane")),
            read.first.eq(first),
            read.last.eq(last & burst.last),
            read.frame_len.eq(record.frame_len),
            read.head.eq(record.head),
            self.records.ready.eq(bursts.o.ready & read.last),
        ]
        with m.If(bursts.o.ready):
            m.d.sync += first.eq(read.last)
        return m


class Gatherer(wiring.Component):
    """Puts the pieces of a chain together: its first word holds the frame's length and 4 bytes of the header, the second the other 8.

    Latency 2 clocks, one beat a clock, but for one clock behind a chain's last.

    Members
    -------
    i : In(stream.Signature(geometry.beat, always_ready=True))
    o : Out(stream.Signature(geometry.word, always_ready=True))
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(geometry.beat, always_ready=True)),
            "o": Out(stream.Signature(geometry.word, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        i = self.i.payload

        # --- How far a beat must be turned, to come behind what is there.
        there = Signal(LANE_BITS)  # bytes waiting for their word to fill
        before = Signal(LANE_BITS)
        count = Signal(LANE_BITS + 1)
        m.d.comb += [
            before.eq(Mux(i.first, AHEAD, there)),
            count.eq(i.last_lane - i.first_lane + 1),
        ]
        valid, last, first = Signal(), Signal(), Signal()
        word, turn, fill, end = Signal(8 * LANES), Signal(LANE_BITS), Signal(LANE_BITS), Signal(LANE_BITS + 1)
        frame_len = Signal(CHAIN_BITS)
        m.d.sync += valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [
                there.eq(before + count),
                word.eq(i.data),
                turn.eq(before - i.first_lane),
                fill.eq(before),
                end.eq(before + count),
                first.eq(i.first),
                last.eq(i.last),
                frame_len.eq(i.frame_len),
            ]

        # --- Turned, and merged with what is there; what is beyond the word waits.
        turned, merged, kept, beginning = Signal(8 * LANES), Signal(8 * LANES), Signal(8 * LANES), Signal(8 * LANES)
        m.d.comb += [
            turned.eq(Array(word.rotate_left(8 * lanes) for lanes in range(LANES))[turn]),
            beginning.eq(Mux(first, frame_len, kept)),
            merged.eq(Cat(Mux(lane < fill, beginning.word_select(lane, 8), turned.word_select(lane, 8)) for lane in range(LANES))),
        ]
        rest = Signal()  # a chain's last bytes did not fit in the word
        full = end >= LANES
        m.d.sync += [
            rest.eq(valid & last & (end > LANES)),
            self.o.valid.eq(rest | (valid & (full | last))),
            self.o.p.data.eq(Mux(rest, kept, merged)),
            self.o.p.last.eq(rest | (last & (end <= LANES))),
            self.o.p.last_lane.eq(end - 1),
        ]
        with m.If(valid):
            m.d.sync += kept.eq(Mux(full, turned, merged))
        return m


class Emitter(wiring.Component):
    """Takes the header off, and sends the frame with its request beside it.

    A frame that is cut off ends in a beat of its own, and is never as long as its ``frame_len`` says, so that the engine drops it.

    Members
    -------
    i : In(stream.Signature(geometry.word))
    abort : In(1)
        What has been begun ends now.
    o : Out(AxiStream(64, 160))
    """

    def __init__(self, geometry):
        super().__init__({
            "i": In(stream.Signature(geometry.word)),
            "abort": In(1),
            "o": Out(AxiStream(8 * LANES, TUSER_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        word, o = self.i.payload, self.o
        frame_len = o.tuser[FRAME_LEN_AT:][:CHAIN_BITS]
        free = ~o.tvalid | o.tready
        keep, mask = Signal(LANES), Signal(8 * LANES)
        m.d.comb += [
            keep.eq(Cat(~word.last | (lane <= word.last_lane) for lane in range(LANES))),
            mask.eq(Cat(bit.replicate(8) for bit in keep)),
        ]

        with m.If(o.tready):
            m.d.sync += o.tvalid.eq(0)
        with m.FSM():
            # The first beat's tuser must hold until that beat is taken.
            with m.State("Length"):
                m.d.comb += self.i.ready.eq(free & ~self.abort)
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [frame_len.eq(word.data), o.tuser[: 8 * AHEAD].eq(word.data[8 * AHEAD :])]
                    m.next = "Request"
            with m.State("Request"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += o.tuser[8 * AHEAD : 8 * REQUEST_BYTES].eq(word.data)
                with m.If(self.abort | (self.i.valid & word.last)):
                    m.next = "Length"
                with m.Elif(self.i.valid):
                    m.next = "First"
            with m.State("First"):
                m.d.comb += self.i.ready.eq(~self.abort)
                with m.If(self.abort):
                    m.next = "Length"
                with m.Elif(self.i.valid):
                    m.d.sync += [o.tvalid.eq(1), o.tdata.eq(word.data & mask), o.tkeep.eq(keep), o.tlast.eq(word.last)]
                    m.next = "Frame"
                    with m.If(word.last):
                        m.next = "Length"
            with m.State("Frame"):
                m.d.comb += self.i.ready.eq(free & ~self.abort)
                with m.If(self.abort):
                    m.next = "Cut off"
                with m.Elif(self.i.valid & self.i.ready):
                    m.d.sync += [o.tvalid.eq(1), o.tdata.eq(word.data & mask), o.tkeep.eq(keep), o.tlast.eq(word.last)]
                    with m.If(word.last):
                        m.next = "Length"
            with m.State("Cut off"):
                # All beats so far were full: with one byte more, or with two, the length is wrong.
                with m.If(free):
                    m.d.sync += [
                        o.tvalid.eq(1),
                        o.tdata.eq(0),
                        o.tkeep.eq(Mux(frame_len[:LANE_BITS] == 1, 0b11, 0b01)),
                        o.tlast.eq(1),
                    ]
                    m.next = "Length"
        return m


class Transmitter(wiring.Component):
    """From chains to frames. A chain is completed when its last byte has been read.

    Parameters
    ----------
    geometry : Geometry
    depth : int
        Words that can be on their way from the bus to the stream, a power of two above 32.

    Members
    -------
    segments : In(stream.Signature(geometry.segment)), records : In(stream.Signature(geometry.record))
    read : Out(stream.Signature(geometry.data_read)), beat : In(stream.Signature(geometry.beat, always_ready=True))
        Of the read channel.
    completions : Out(stream.Signature(geometry.completion))
    tx : Out(AxiStream(64, 160))
    halt : In(1)
        Send nothing more.
    clear : In(1)
        Forget everything but how a frame that has begun must end.
    """

    def __init__(self, geometry, *, depth=512):
        self._geometry = geometry
        self._depth = depth
        super().__init__({
            "segments": In(stream.Signature(geometry.segment)),
            "records": In(stream.Signature(geometry.record)),
            "read": Out(stream.Signature(geometry.data_read)),
            "beat": In(stream.Signature(geometry.beat, always_ready=True)),
            "completions": Out(stream.Signature(geometry.completion)),
            "tx": Out(AxiStream(8 * LANES, TUSER_BITS)),
            "halt": In(1),
            "clear": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        cleared = ResetInserter(self.clear)
        fetcher, gatherer, emitter = Fetcher(g), Gatherer(g), Emitter(g)
        words, done = Store(g.word, depth=self._depth), Queue(g.completion, depth=2 * READS_DEPTH, margin=READS_DEPTH)
        m.submodules.fetcher = cleared(fetcher)
        m.submodules.gatherer = cleared(gatherer)
        m.submodules.words = cleared(words)
        m.submodules.done = cleared(done)
        m.submodules.emitter = emitter
        wiring.connect(m, wiring.flipped(self.segments), fetcher.segments)
        wiring.connect(m, wiring.flipped(self.records), fetcher.records)
        wiring.connect(m, fetcher.o, wiring.flipped(self.read))
        wiring.connect(m, wiring.flipped(self.beat), gatherer.i)
        wiring.connect(m, words.o, emitter.i)
        wiring.connect(m, emitter.o, wiring.flipped(self.tx))
        wiring.connect(m, done.o, wiring.flipped(self.completions))
        m.d.comb += [
            words.push.eq(gatherer.o.valid),
            words.payload.eq(gatherer.o.payload),
            words.commit.eq(1),
            emitter.abort.eq(self.halt),
            done.i.valid.eq(self.beat.valid & self.beat.p.last),
            done.i.p.head.eq(self.beat.p.head),
            done.i.p.end.eq(1),
        ]

        # Every beat asked for may become a word, and a chain's last two. The words in the gatherer are in neither count.
        asked = Signal(range(self._depth + 1))
        more, fewer = Signal(6), Signal(2)
        m.d.comb += [
            more.eq(Mux(self.read.valid & self.read.ready, self.read.p.beats + self.read.p.last, 0)),
            fewer.eq(Mux(self.beat.valid, 1 + self.beat.p.last, 0)),
        ]
        counted = Module()
        counted.d.sync += [
            asked.eq(asked + more - fewer),
            fetcher.room.eq((asked + words.level + MARGIN < self._depth) & done.room),
        ]
        m.submodules.counted = cleared(counted)
        return m
