"""Requests in front of their frames, for a DMA without a side channel."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .beats import plain_beat, requested_beat

__all__ = ["InlineHeader"]

BYTE = 8
REQUEST_BYTES = 10
"""The part of a ``virtio_net_hdr`` that every form has; num_buffers and what is behind it is for the other direction."""

TUNNEL_BYTES = slice(20, 24)
"""outer_th_offset and inner_nh_offset, in the form of 24 bytes."""


class InlineHeader(wiring.Component):
    """Takes the ``virtio_net_hdr`` off each frame and shows it as the frame's request, its bytes moved to lane 0.

    Latency 1 clock, 2 where the header does not end with a beat. A beat a clock on the side on which more of them pass: with the sink ready,
    ``i.ready`` is always 1. The frame's length is not told. A frame that ends with its header or in it leaves as one empty beat, and one
    whose ``keep`` is broken anywhere has an empty beat in that place: the engine drops both, as ``bad_keep``.

    Parameters
    ----------
    config : offcut.config.Config
    header_bytes : int
        10, 12, 20 or 24.

    Members
    -------
    i : In(stream.Signature(plain_beat(config.width)))
    o : Out(stream.Signature(requested_beat(config)))
    """

    def __init__(self, config, header_bytes):
        self._config = config
        self._header_bytes = header_bytes
        self._lanes = config.width // BYTE
        super().__init__({
            "i": In(stream.Signature(plain_beat(config.width))),
            "o": Out(stream.Signature(requested_beat(config))),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = self._lanes
        before, split = divmod(self._header_bytes, lanes)  # whole beats of header, and its bytes in the beat behind them
        i, o = self.i, self.o
        beat = i.payload
        room = Signal()  # in the output register
        m.d.comb += room.eq(~o.valid | o.ready)

        sound = ~(beat.keep[1:] & ~beat.keep[:-1]).any() & beat.keep[0] & (beat.last | beat.keep[-1])

        # --- Where in the frame this beat stands. The beats of header are kept.
        place = Signal(range(before + 1))
        broken = Signal()  # the contract, in a beat before
        header = Signal(before * lanes * BYTE)
        in_header = place != before
        taken = i.valid & i.ready
        with m.If(taken):
            m.d.sync += broken.eq((broken | ~sound) & ~beat.last)
            with m.If(beat.last):
                m.d.sync += place.eq(0)
            with m.Elif(in_header):
                m.d.sync += place.eq(place + 1)
            if before:
                with m.Switch(place):
                    for number in range(before):
                        with m.Case(number):
                            m.d.sync += header.word_select(number, lanes * BYTE).eq(beat.data)

        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)

        def show(data, keep, last, request):
            """Fill the output register; the requests of later beats do not matter."""
            octets = [request[BYTE * at : BYTE * (at + 1)] for at in range(self._header_bytes)]
            m.d.sync += [
                o.valid.eq(1),
                o.payload.data.eq(data),
                o.payload.keep.eq(keep),
                o.payload.last.eq(last),
                o.payload.user.eq(Cat(*octets[:REQUEST_BYTES], *octets[TUNNEL_BYTES])),
            ]

        if split:
            # --- A beat waits for the one behind it, and leaves with its first bytes; a last one leaves alone.
            at = split * BYTE
            waits = Signal()
            held = Signal(plain_beat(self._config.width))
            held_sound = Signal()
            alone = held.last
            ends_here = beat.last & ~beat.keep[split:].any()
            m.d.comb += i.ready.eq(~waits | room)
            request = Cat(header, held.data[:at])
            with m.If(waits & room):
                with m.If(alone):
                    m.d.sync += waits.eq(0)
                    show(held.data[at:], Mux(held_sound, held.keep[split:], 0), 1, request)
                with m.Elif(i.valid):
                    whole = held_sound & sound
                    keep = Cat(held.keep[split:], beat.keep[:split])
                    m.d.sync += waits.eq(0)
                    show(Cat(held.data[at:], beat.data[:at]), Mux(whole, keep, 0), ends_here, request)
            with m.If(taken & (~in_header | beat.last)):
                with m.If(~(waits & ~alone & ends_here)):  # else nothing of it is left
                    m.d.sync += [
                        waits.eq(1),
                        held.eq(beat),
                        held_sound.eq(sound & ~broken & ~in_header),
                    ]
        else:
            # --- Whole beats: what is behind the header passes.
            m.d.comb += i.ready.eq(room)
            with m.If(taken & (~in_header | beat.last)):
                show(beat.data, Mux(sound & ~broken & ~in_header, beat.keep, 0), beat.last, header)

        return m
