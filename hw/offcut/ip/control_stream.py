"""Requests on the control stream of AXI DMA or AXI MCDMA."""

from amaranth import C, Cat, Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from offcut.tx.request import TUSER

from .beats import plain_beat, requested_beat
from .layouts import APP_WORDS, CONTROL_TAG, ETHERNET_BYTES, LENGTHS, PACKET_WORDS, REQUEST

__all__ = ["CONTROL_BEAT", "ControlStream"]

WORD_BITS = 32
CONTROL_BEAT = data.StructLayout({"data": WORD_BITS, "last": 1})

TUSER_WIDTHS = {name: Shape.cast(field.shape).width for name, field in TUSER}

NO_GSO_TYPE = 0x1F
"""A request for what does not exist: so a frame with a broken control packet is dropped, and counted as ``bad_request``."""

NO_MTU = 0xFFFF
"""Nothing is longer, so nothing is cut."""


class ControlStream(wiring.Component):
    """Gives each frame the request of its control packet. Packets and frames belong together in their order; whichever comes first waits.

    Latency 0 for data, once the packet is there: 2 clocks after its last word. A packet takes 6 clocks, and is collected while the frame before
    passes: so frames of 6 beats and more follow each other without a bubble. A packet that does not begin with the tag of a control
    packet, or does not have 6 words, still stands for one frame; that is dropped by the engine as ``bad_request``.

    Parameters
    ----------
    config : offcut.config.Config

    Members
    -------
    control : In(stream.Signature(CONTROL_BEAT))
    i : In(stream.Signature(plain_beat(config.width)))
    o : Out(stream.Signature(requested_beat(config)))
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "control": In(stream.Signature(CONTROL_BEAT)),
            "i": In(stream.Signature(plain_beat(config.width))),
            "o": Out(stream.Signature(requested_beat(config))),
        })

    def elaborate(self, platform):
        m = Module()
        control, i, o = self.control, self.i, self.o
        app_bits = APP_WORDS * WORD_BITS

        # --- A packet: its words are shifted through, and the last goes with them into `app` if that is free.
        collected = Signal(app_bits - WORD_BITS)
        app = Signal(app_bits)
        broken = Signal()
        full = Signal()
        count = Signal(range(PACKET_WORDS))
        tagged = Signal()
        word = control.payload.data
        came = control.valid & control.ready
        with m.FSM() as fsm:
            with m.State("Collect"):
                at_end = count == PACKET_WORDS - 1
                m.d.comb += control.ready.eq(~(at_end & full))
                with m.If(came):
                    m.d.sync += [count.eq(count + 1), collected.eq(Cat(collected[WORD_BITS:], word))]
                    with m.If(count == 0):
                        m.d.sync += tagged.eq(word[-4:] == CONTROL_TAG)
                    with m.If(at_end & control.payload.last):
                        m.d.sync += [count.eq(0), app.eq(Cat(collected, word)), broken.eq(~tagged), full.eq(1)]
                    with m.Elif(at_end):
                        m.next = "Too long"
                    with m.Elif(control.payload.last):
                        m.next = "Broken"
            with m.State("Too long"):
                m.d.comb += control.ready.eq(1)
                with m.If(came & control.payload.last):
                    m.next = "Broken"
            with m.State("Broken"):
                with m.If(~full):
                    m.d.sync += [count.eq(0), broken.eq(1), full.eq(1)]
                    m.next = "Collect"

        late = Signal()  # a broken packet waits for its place
        m.d.comb += late.eq(fsm.ongoing("Broken"))

        # --- The frame passes from the clock on in which its packet is there.
        inside = Signal()
        passing = full | inside
        moves = o.valid & o.ready
        m.d.comb += [
            o.valid.eq(i.valid & passing),
            i.ready.eq(o.ready & passing),
            o.payload.data.eq(i.payload.data),
            o.payload.keep.eq(i.payload.keep),
            o.payload.last.eq(i.payload.last),
        ]
        with m.If(moves):
            m.d.sync += inside.eq(~i.payload.last)
            with m.If(~inside):
                m.d.sync += full.eq(0)

        # --- What it asks for.
        def of(layout, name):
            field = layout[name]
            low = field.word * WORD_BITS + field.low
            return app[low : low + field.width]

        def tuser(**fields):
            return Cat(fields.get(name, C(0, width))[:width] for name, width in TUSER_WIDTHS.items())

        whole = {
            **{name: of(REQUEST, name) for name in ("flags", "gso_type", "gso_size", "csum_start", "csum_offset", "frame_len", "keep_id")},
            "outer_th": of(REQUEST, "outer_th_offset"),
            "inner_nh": of(REQUEST, "inner_nh_offset"),
            "tci": of(REQUEST, "vlan_tci"),
            "insert": of(REQUEST, "insert_vlan"),
        }
        lengths = app[:WORD_BITS]
        told = lengths != 0
        mss = of(LENGTHS, "mss")
        frame_len = Mux(told, of(LENGTHS, "total_len") + ETHERNET_BYTES, 0)
        cut = told & ~of(LENGTHS, "whole") & ~(of(LENGTHS, "no_tcp") & of(LENGTHS, "no_udp"))
        marked = of(REQUEST, "mark")
        # 0 beside later beats: the next packet may come into `app`, and what waits must not change.
        first = ~inside
        parses = first & ~broken & ~marked
        request = Mux(broken, tuser(gso_type=C(NO_GSO_TYPE, 8)), Mux(marked, tuser(**whole), tuser(frame_len=frame_len)))
        m.d.comb += [
            o.payload.user.eq(Mux(first, Cat(request, Mux(broken | ~marked, 0, of(REQUEST, "user"))), 0)),
            o.payload.own.eq(first & (broken | ~marked)),
            o.payload.auto.eq(parses & (cut | ~of(LENGTHS, "no_checksum"))),
            o.payload.mtu.eq(Mux(parses, Mux(cut, mss, NO_MTU), 0)),
            o.payload.own_uso_size.eq(parses & cut & ~of(LENGTHS, "no_udp")),
            o.payload.uso_size.eq(Mux(parses, mss + ETHERNET_BYTES - of(LENGTHS, "header_len"), 0)),
        ]

        return m
