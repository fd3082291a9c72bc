"""The transmit queue's data: chains are read, put together, and leave as frames."""

from amaranth import Array, Cat, Module, Mux, ResetInserter, Signal, unsigned
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

MARGIN = 2 * 17 + 5
"""Words of two bursts, which may each end a chain, and those in the gatherer: one burst is asked for before the last one is counted."""


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

    Latency 3 clocks, one beat a clock, but for one clock behind a chain's last.

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

        # --- How far a beat must be turned, to come behind what is there: by halves of a word, then by less.
        there = Signal(LANE_BITS)  # bytes waiting for their word to fill
        before, count = Signal(LANE_BITS), Signal(LANE_BITS + 1)
        m.d.comb += [
            before.eq(Mux(i.first, AHEAD, there)),
            count.eq(i.last_lane - i.first_lane + 1),
        ]
        valid, first, last = Signal(), Signal(), Signal()
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
        turned_valid, turned_last, over, full, swap = Signal(), Signal(), Signal(), Signal(), Signal()
        half_turned, behind, last_lane = Signal(8 * LANES), Signal(LANES), Signal(LANE_BITS)
        m.d.sync += [
            turned_valid.eq(valid),
            half_turned.eq(Array(word.rotate_left(8 * lanes) for lanes in range(LANES // 2))[turn[:-1]]),
            swap.eq(turn[-1]),
            behind.eq(Cat(lane < fill for lane in range(LANES))),
            full.eq(end[-1]),
            over.eq(end > LANES),
            turned_last.eq(last),
            last_lane.eq(end - 1),
        ]

        # --- Merged with what is there; what is beyond the word waits, or is a word of its own in the clock behind a chain's last beat.
        turned, merged, kept = Signal(8 * LANES), Signal(8 * LANES), Signal(8 * LANES)
        rest = Signal()
        m.d.comb += [
            turned.eq(Mux(swap, half_turned.rotate_left(8 * LANES // 2), half_turned)),
            merged.eq(Cat(Mux(behind[lane] | rest, kept.word_select(lane, 8), turned.word_select(lane, 8)) for lane in range(LANES))),
        ]
        m.d.sync += [
            rest.eq(turned_valid & turned_last & over),
            self.o.valid.eq(rest | (turned_valid & (full | turned_last))),
            self.o.p.data.eq(merged),
            self.o.p.last.eq(rest | (turned_last & ~over)),
            self.o.p.last_lane.eq(last_lane),
        ]
        with m.If(turned_valid):
            m.d.sync += kept.eq(
                Cat(Mux(behind[lane] & ~full, kept.word_select(lane, 8), turned.word_select(lane, 8)) for lane in range(LANES))
            )
        with m.If(valid & first):
            m.d.sync += kept.eq(frame_len)
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
        Words that can be on their way from the bus to the stream, a power of two above 64.

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
        words, done = Store(g.word, depth=self._depth), Queue(unsigned(g.head_bits), depth=2 * READS_DEPTH, margin=READS_DEPTH)
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
        m.d.comb += [
            self.completions.valid.eq(done.o.valid),
            self.completions.p.head.eq(done.o.payload),
            self.completions.p.end.eq(1),
            done.o.ready.eq(self.completions.ready),
            words.push.eq(gatherer.o.valid),
            words.payload.eq(gatherer.o.payload),
            words.commit.eq(1),
            emitter.abort.eq(self.halt),
            done.i.valid.eq(self.beat.valid & self.beat.p.last),
            done.i.payload.eq(self.beat.p.head),
        ]

        # Every beat asked for may become a word, and a chain's last two. The words in the gatherer are in neither count.
        asked, held = Signal(range(self._depth + 1)), Signal(range(2 * self._depth + 1))
        more, fewer = Signal(6), Signal(2)
        m.d.comb += [
            more.eq(Mux(self.read.valid & self.read.ready, self.read.p.beats + self.read.p.last, 0)),
            fewer.eq(Mux(self.beat.valid, 1 + self.beat.p.last, 0)),
        ]
        counted = Module()
        counted.d.sync += [
            asked.eq(asked + more - fewer),
            held.eq(asked + words.level),
            fetcher.room.eq((held < self._depth - MARGIN) & done.room),
        ]
        m.submodules.counted = cleared(counted)
        return m
