"""The two halves of the AXI4 port: who asks is served burst by burst, and nothing outside the window is ever asked for."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import BURST_INCR, PAGE_BYTES, Axi4
from offcut.tx.queue import Queue

from .layouts import LANE_BITS, LANES, MARK_BITS

__all__ = ["MOST_WRITES", "READS_DEPTH", "ReadChannel", "WriteChannel"]

PAGE_BITS = PAGE_BYTES.bit_length() - 1
MOST_WRITES = 16
READS_DEPTH = 16
"""Of the queue of reads under way, of which it holds 13."""


def half(addr_width, *letters):
    """The members of either half: the channels of an AXI4 port whose names begin with these letters, and what both halves have."""
    bus = Axi4(addr_width, 8 * LANES).members
    return {
        "halt": In(1),
        "quiet": Out(1),
        "outside": Out(1),
        "error": Out(1),
        "window_base": In(64),
        "window_size": In(64),
        **{name: member for name, member in bus.items() if name.startswith(letters)},
    }


class Window:
    """Whether an address may be issued: known two clocks behind the last one in which it was shown with ``take``.

    The window is one of 4 KiB pages: a burst never leaves its page, so its first address speaks for all of it.
    """

    def __init__(self, m, take, addr, base, size):
        offset = Signal(64 - PAGE_BITS)
        wraps = Signal()
        pages = Signal(64 - PAGE_BITS)
        all_allowed = Signal()
        self.inside = Signal(name="inside")
        with m.If(take):
            m.d.sync += [offset.eq(addr[PAGE_BITS:-1] - base[PAGE_BITS:]), wraps.eq(addr[-1])]
        m.d.sync += [
            pages.eq(size[PAGE_BITS:]),
            all_allowed.eq(size == 0),
            self.inside.eq(~wraps & (all_allowed | (offset < pages))),
        ]


class ReadChannel(wiring.Component):
    """Reads for the rings and for frames, in the order in which they are asked; the rings come first.

    Parameters
    ----------
    geometry : Geometry
    cache : int
        ARCACHE.

    Members
    -------
    ring : In(stream.Signature(geometry.ring_read)), data : In(stream.Signature(geometry.data_read))
        What to read, within one block. Nothing is asked for while there is no room for it: what comes is taken at once.
    word : Out(stream.Signature(64, always_ready=True))
        What was read for the rings.
    beat : Out(stream.Signature(geometry.beat, always_ready=True))
        What was read of frames. Behind a chain's last there is a clock without.
    halt : In(1)
        Ask for nothing more.
    quiet : Out(1)
        Nothing is under way.
    outside, error : Out(1)
        Strobes: an address was refused, a read was answered with an error.
    window_base, window_size : In(64)
    ar…, r…
        AXI4.
    """

    def __init__(self, geometry, *, cache):
        self._geometry = geometry
        self._cache = cache
        super().__init__({
            "ring": In(stream.Signature(geometry.ring_read)),
            "data": In(stream.Signature(geometry.data_read)),
            "word": Out(stream.Signature(8 * LANES, always_ready=True)),
            "beat": Out(stream.Signature(geometry.beat, always_ready=True)),
            **half(geometry.addr_width, "ar", "r"),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        # --- One request at a time is looked at, and asked for.
        request = Signal(g.data_read)
        for_ring = Signal()
        m.submodules.reads = reads = Queue(g.under_way, depth=READS_DEPTH)
        idle = Signal()
        window = Window(m, idle, Mux(self.ring.valid, self.ring.p.addr, self.data.p.addr), self.window_base, self.window_size)
        m.d.comb += [
            self.arid.eq(0),
            self.arsize.eq(LANE_BITS),
            self.arburst.eq(BURST_INCR),
            self.arcache.eq(self._cache),
            self.arprot.eq(0),
            reads.i.p.ring.eq(for_ring),
            *(reads.i.p[name].eq(request[name]) for name, _ in g.under_way if name != "ring"),
        ]
        with m.If(self.arready):
            m.d.sync += self.arvalid.eq(0)
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += [
                    idle.eq(1),
                    self.ring.ready.eq(~self.halt),
                    self.data.ready.eq(~self.halt & ~self.ring.valid),
                ]
                m.d.sync += [for_ring.eq(self.ring.valid), request.eq(self.data.payload)]
                with m.If(self.ring.valid):
                    m.d.sync += [request.addr.eq(self.ring.p.addr), request.beats.eq(self.ring.p.beats)]
                with m.If((self.ring.valid | self.data.valid) & ~self.halt):
                    m.next = "Look"
            with m.State("Look"):
                m.next = "Judge"
            with m.State("Judge"):
                with m.If(~window.inside):
                    m.d.comb += self.outside.eq(1)
                    m.next = "Refused"
                with m.Elif((~self.arvalid | self.arready) & reads.i.ready):
                    m.d.comb += reads.i.valid.eq(1)
                    m.d.sync += [
                        self.arvalid.eq(1),
                        self.araddr.eq(request.addr[LANE_BITS:-1] << LANE_BITS),
                        self.arlen.eq(request.beats - 1),
                    ]
                    m.next = "Idle"
            with m.State("Refused"):
                m.d.comb += idle.eq(1)

        # --- What comes belongs to the oldest read.
        under_way = Signal(range(READS_DEPTH + 1))
        came = self.rvalid & self.rready
        read = reads.o.payload
        beginning = Signal(init=1)
        pause = Signal()
        final = read.last & self.rlast & ~read.ring
        m.d.comb += [
            self.rready.eq(reads.o.valid & ~pause),
            reads.o.ready.eq(came & self.rlast),
            self.quiet.eq(idle & ~self.arvalid & (under_way == 0)),
            self.error.eq(came & self.rresp[1]),
        ]
        m.d.sync += [
            under_way.eq(under_way + reads.i.valid - (came & self.rlast)),
            pause.eq(came & final),
        ]
        with m.If(came):
            m.d.sync += beginning.eq(self.rlast)
        m.d.sync += [
            self.word.valid.eq(came & read.ring),
            self.word.payload.eq(self.rdata),
            self.beat.valid.eq(came & ~read.ring),
            self.beat.p.data.eq(self.rdata),
            self.beat.p.first_lane.eq(Mux(beginning, read.first_lane, 0)),
            self.beat.p.last_lane.eq(Mux(self.rlast, read.last_lane, LANES - 1)),
            self.beat.p.first.eq(beginning & read.first),
            self.beat.p.last.eq(final),
            self.beat.p.frame_len.eq(read.frame_len),
            self.beat.p.head.eq(read.head),
        ]
        return m


class WriteChannel(wiring.Component):
    """Writes for the rings, a word each, and for frames, burst by burst; the rings come first. Answers are counted, not looked at.

    Parameters
    ----------
    geometry : Geometry
    cache : int
        AWCACHE.

    Members
    -------
    ring : In(stream.Signature(geometry.ring_write))
    data : In(stream.Signature(geometry.data_write))
        A burst whose words are pulled later.
    begin : Out(1), first_lane, last_lane : Out(3)
        For a clock: the words of the next burst will be pulled, from this lane of the first to that one of the last.
    pull : Out(1), final : Out(1), source : In(64)
        A word is taken in a clock with ``pull``; the burst's last one.
    owed : Out(1)
        A burst was taken from ``data`` whose words have not all been pulled.
    asked, done : Out(6)
        Writes taken from ``ring`` and ``data``, and writes answered, since reset, in that order.
    halt, quiet, outside, error, window_base, window_size
        As of :class:`ReadChannel`. A burst once taken is always finished.
    aw…, w…, b…
        AXI4.
    """

    def __init__(self, geometry, *, cache):
        self._geometry = geometry
        self._cache = cache
        super().__init__({
            "ring": In(stream.Signature(geometry.ring_write)),
            "data": In(stream.Signature(geometry.data_write)),
            "begin": Out(1),
            "first_lane": Out(LANE_BITS),
            "last_lane": Out(LANE_BITS),
            "pull": Out(1),
            "final": Out(1),
            "owed": Out(1),
            "source": In(8 * LANES),
            "asked": Out(MARK_BITS),
            "done": Out(MARK_BITS),
            **half(geometry.addr_width, "aw", "w", "b"),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        request = Signal(g.data_write)
        word, strobes = Signal(8 * LANES), Signal(LANES)
        for_ring = Signal()
        idle = Signal()
        window = Window(m, idle, Mux(self.ring.valid, self.ring.p.addr, self.data.p.addr), self.window_base, self.window_size)
        left = Signal(5)  # beats of the burst that is being pulled
        w_free = ~self.wvalid | self.wready
        m.d.comb += [
            self.awid.eq(0),
            self.awsize.eq(LANE_BITS),
            self.awburst.eq(BURST_INCR),
            self.awcache.eq(self._cache),
            self.awprot.eq(0),
            self.bready.eq(1),
            self.error.eq(self.bvalid & self.bresp[1]),
        ]
        with m.If(self.awready):
            m.d.sync += self.awvalid.eq(0)
        with m.If(self.wready):
            m.d.sync += self.wvalid.eq(0)
        with m.If(self.bvalid):
            m.d.sync += self.done.eq(self.done + 1)

        # --- Words of a burst.
        beginning = Signal()
        first_lanes, last_lanes = Signal(LANES), Signal(LANES)
        m.d.comb += [
            self.first_lane.eq(request.first_lane),
            self.last_lane.eq(request.last_lane),
            self.pull.eq((left != 0) & w_free),
            self.final.eq(left == 1),
            self.owed.eq((left != 0) | (~idle & ~for_ring)),
        ]
        with m.If(self.pull):
            m.d.sync += [
                self.wvalid.eq(1),
                self.wdata.eq(self.source),
                self.wstrb.eq((first_lanes | ~beginning.replicate(LANES)) & (last_lanes | ~self.final.replicate(LANES))),
                self.wlast.eq(self.final),
                left.eq(left - 1),
                beginning.eq(0),
            ]

        # --- One request at a time is looked at while the one before it is being pulled.
        room = Signal()
        m.d.comb += room.eq((self.asked - self.done)[:MARK_BITS] < MOST_WRITES)
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += [
                    idle.eq(1),
                    self.ring.ready.eq(room & ~self.halt),
                    self.data.ready.eq(room & ~self.halt & ~self.ring.valid),
                ]
                m.d.sync += [
                    for_ring.eq(self.ring.valid),
                    request.eq(self.data.payload),
                    word.eq(self.ring.p.data),
                    strobes.eq(self.ring.p.strb),
                ]
                with m.If(self.ring.valid):
                    m.d.sync += [request.addr.eq(self.ring.p.addr), request.beats.eq(1)]
                with m.If((self.ring.valid | self.data.valid) & room & ~self.halt):
                    m.d.sync += self.asked.eq(self.asked + 1)
                    m.next = "Look"
            with m.State("Look"):
                m.next = "Judge"
            with m.State("Judge"):
                with m.If(~window.inside):
                    m.d.comb += self.outside.eq(1)
                    m.d.sync += self.asked.eq(self.asked - 1)
                    m.next = "Refused"
                with m.Elif((~self.awvalid | self.awready) & (left == 0) & w_free):
                    m.d.sync += [
                        self.awvalid.eq(1),
                        self.awaddr.eq(request.addr[LANE_BITS:-1] << LANE_BITS),
                        self.awlen.eq(request.beats - 1),
                    ]
                    with m.If(for_ring):
                        m.d.sync += [self.wvalid.eq(1), self.wdata.eq(word), self.wstrb.eq(strobes), self.wlast.eq(1)]
                    with m.Else():
                        m.d.comb += self.begin.eq(1)
                        m.d.sync += [
                            left.eq(request.beats),
                            beginning.eq(1),
                            first_lanes.eq(Cat(lane >= request.first_lane for lane in range(LANES))),
                            last_lanes.eq(Cat(lane <= request.last_lane for lane in range(LANES))),
                        ]
                    m.next = "Idle"
            with m.State("Refused"):
                m.d.comb += [idle.eq(1), self.owed.eq(1)]

        m.d.comb += self.quiet.eq(idle & (self.asked == self.done) & ~self.awvalid & ~self.wvalid & (left == 0))
        return m
