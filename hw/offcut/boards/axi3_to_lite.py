"""From a general-purpose port of the processing system to registers."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import RESP_OKAY, AxiLite

from .axi3 import BURST_FIXED, BURST_WRAP, RESP_DECERR, Axi3

__all__ = ["WINDOW_BYTES", "Axi3ToLite"]

WINDOW_BITS = 12
WINDOW_BYTES = 1 << WINDOW_BITS
"""What each subordinate occupies."""

ID_BITS = 12
REQUEST = ("addr", "len", "size", "burst", "prot", "id")


class Axi3ToLite(wiring.Component):
    """Serves a processor's AXI3 port from several AXI4-Lite subordinates, each in a window of 4 KiB.

    One transaction at a time, one AXI4-Lite access a beat, in some 6 clocks; reads and writes take turns if both wait. Bursts of every kind and length
    are served, and narrow ones, since a byte keeps its lane. Outside the windows the answer is DECERR (IHI 0022, A3.4.4). Inside, a burst stays in
    its window, as none crosses 4 KiB. A write's answer is that of its first failing beat. A reset ends what is under way, on both sides.

    Parameters
    ----------
    base : int
        Address of the first window, a multiple of what the windows span, rounded up to a power of two.
    windows : int
        How many, at least 1.

    Members
    -------
    i : In(Axi3(data_width=32, id_width=12))
    o : Out(AxiLite(12)).array(windows)

    Raises
    ------
    ValueError
        If ``windows`` is below 1, or ``base`` not aligned to what they span.
    """

    def __init__(self, *, base, windows):
        if windows < 1:
            raise ValueError(f"There must be at least 1 window, not {windows}")
        span = WINDOW_BYTES << (windows - 1).bit_length()
        if base % span or not 0 <= base < 1 << 32:
            raise ValueError(f"{windows} windows must begin at a multiple of {span:#x} within 32 bits, not at {base:#x}")
        self._base, self._windows = base, windows
        super().__init__({
            "i": In(Axi3(data_width=32, id_width=ID_BITS)),
            "o": Out(AxiLite(WINDOW_BITS)).array(windows),
        })

    def elaborate(self, platform):
        m = Module()
        i = self.i

        # --- The transaction being served.
        address = Signal(WINDOW_BITS)
        select = Signal(range(max(2, self._windows)))
        known = Signal()
        beats_left, size, burst, prot = Signal(4), Signal(2), Signal(2), Signal(3)
        identity = Signal(ID_BITS)
        answer = Signal(2)
        data, strobes = Signal(32), Signal(4)
        reads_turn = Signal()

        # The next beat's address (A3.4.1): the lanes below a beat's size are 0 from the second beat on; a burst that wraps keeps the bits above its own size.
        length = Signal(4)
        lanes, span = Signal(WINDOW_BITS), Signal(WINDOW_BITS)
        following = Signal(WINDOW_BITS)
        m.d.comb += [
            lanes.eq(Cat(size != 0, size >= 2)),
            span.eq((length << size) | lanes),
            following.eq((address | lanes) + 1),
        ]
        with m.If(burst == BURST_FIXED):
            m.d.comb += following.eq(address)
        with m.Elif(burst == BURST_WRAP):
            m.d.comb += following.eq((address & ~span) | (((address | lanes) + 1) & span))

        # --- To all subordinates, and from the chosen one.
        awvalid, wvalid, bready, arvalid, rready = (Signal(name=name) for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"))
        rdata, rresp, bresp = Signal(32), Signal(2), Signal(2)
        awready, wready, bvalid, arready, rvalid = (
            Signal(name=f"chosen_{name}") for name in ("awready", "wready", "bvalid", "arready", "rvalid")
        )
        for number, window in enumerate(self.o):
            m.d.comb += [
                window.awaddr.eq(address),
                window.awprot.eq(prot),
                window.wdata.eq(data),
                window.wstrb.eq(strobes),
                window.araddr.eq(address),
                window.arprot.eq(prot),
            ]
            with m.If(select == number):
                m.d.comb += [
                    window.awvalid.eq(awvalid),
                    window.wvalid.eq(wvalid),
                    window.bready.eq(bready),
                    window.arvalid.eq(arvalid),
                    window.rready.eq(rready),
                    awready.eq(window.awready),
                    wready.eq(window.wready),
                    bvalid.eq(window.bvalid),
                    bresp.eq(window.bresp),
                    arready.eq(window.arready),
                    rvalid.eq(window.rvalid),
                    rdata.eq(window.rdata),
                    rresp.eq(window.rresp),
                ]

        # --- The processor's side.
        m.d.comb += [
            i.bid.eq(identity),
            i.bresp.eq(answer),
            i.rid.eq(identity),
            i.rresp.eq(answer),
            i.rdata.eq(data),
            i.rlast.eq(beats_left == 0),
        ]
        m.d.sync += [i.arready.eq(0), i.awready.eq(0), i.wready.eq(0)]

        top = WINDOW_BITS + (self._windows - 1).bit_length()

        def take(prefix):
            """Take over the request on an address channel; it is acknowledged one clock later."""
            request = {name: getattr(i, prefix + name) for name in REQUEST}
            index = request["addr"][WINDOW_BITS:top]
            m.d.sync += [
                address.eq(request["addr"]),
                select.eq(index),
                known.eq((request["addr"][top:] == self._base >> top) & (index < self._windows)),
                beats_left.eq(request["len"]),
                length.eq(request["len"]),
                size.eq(request["size"]),
                burst.eq(request["burst"]),
                prot.eq(request["prot"]),
                identity.eq(request["id"]),
                answer.eq(RESP_OKAY),
                getattr(i, prefix + "ready").eq(1),
            ]

        def next_beat():
            m.d.sync += [address.eq(following), beats_left.eq(beats_left - 1)]

        with m.FSM():
            with m.State("Idle"):
                with m.If(i.arvalid & (reads_turn | ~i.awvalid)):
                    take("ar")
                    m.d.sync += reads_turn.eq(0)
                    m.next = "Read"
                with m.Elif(i.awvalid):
                    take("aw")
                    m.d.sync += reads_turn.eq(1)
                    m.next = "Write"

            with m.State("Read"):
                with m.If(known):
                    m.d.sync += arvalid.eq(1)
                    m.next = "Ask"
                with m.Else():
                    m.d.sync += [data.eq(0), answer.eq(RESP_DECERR), i.rvalid.eq(1)]
                    m.next = "Answer"
            with m.State("Ask"):
                with m.If(arready):
                    m.d.sync += [arvalid.eq(0), rready.eq(1)]
                    m.next = "Hear"
            with m.State("Hear"):
                with m.If(rvalid):
                    m.d.sync += [rready.eq(0), data.eq(rdata), answer.eq(rresp), i.rvalid.eq(1)]
                    m.next = "Answer"
            with m.State("Answer"):
                with m.If(i.rready):
                    m.d.sync += i.rvalid.eq(0)
                    next_beat()
                    with m.If(beats_left == 0):
                        m.next = "Idle"
                    with m.Else():
                        m.next = "Read"

            with m.State("Write"):
                with m.If(i.wvalid):
                    m.d.sync += [i.wready.eq(1), data.eq(i.wdata), strobes.eq(i.wstrb)]
                    with m.If(known):
                        m.d.sync += [awvalid.eq(1), wvalid.eq(1)]
                        m.next = "Tell"
                    with m.Else():
                        m.d.sync += answer.eq(RESP_DECERR)
                        m.next = "Written"
            with m.State("Tell"):
                with m.If(awready):
                    m.d.sync += awvalid.eq(0)
                with m.If(wready):
                    m.d.sync += wvalid.eq(0)
                with m.If((awready | ~awvalid) & (wready | ~wvalid)):
                    m.d.sync += bready.eq(1)
                    m.next = "Heed"
            with m.State("Heed"):
                with m.If(bvalid):
                    m.d.sync += bready.eq(0)
                    with m.If(answer == RESP_OKAY):
                        m.d.sync += answer.eq(bresp)
                    m.next = "Written"
            with m.State("Written"):
                next_beat()
                with m.If(beats_left == 0):
                    m.d.sync += i.bvalid.eq(1)
                    m.next = "Confirm"
                with m.Else():
                    m.next = "Write"
            with m.State("Confirm"):
                with m.If(i.bready):
                    m.d.sync += i.bvalid.eq(0)
                    m.next = "Idle"

        return m
