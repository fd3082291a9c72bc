"""The status stream that AXI DMA's receive side wants with every frame, where it has control streams."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from offcut.core.popcount import PopCount
from offcut.tx.queue import Queue

from .beats import plain_beat
from .control_stream import CONTROL_BEAT, WORD_BITS
from .layouts import PACKET_WORDS, STATUS_TAG

__all__ = ["StatusStream"]

LENGTH_BITS = 23
"""Of APP4: AXI DMA looks at no more."""

COUNT_CLOCKS = 3
"""Until a beat's bytes are counted."""

DEPTH = 32
MARGIN = 16
"""Frames that may end between the queue's last word of room and the hold."""


class StatusStream(wiring.Component):
    """Passes frames, and sends a status packet for each: the tag, zeroes in APP0 to APP3, and the frame's length in bytes in APP4.

    Latency 0 for frames. With many packets waiting, frames are held back, each before its first beat alone and before that is shown, so that
    one that has begun does not pause.

    Parameters
    ----------
    width : int
        Bits of data a beat.

    Members
    -------
    i : In(stream.Signature(plain_beat(width)))
    o : Out(stream.Signature(plain_beat(width)))
    status : Out(stream.Signature(CONTROL_BEAT))
    """

    def __init__(self, width):
        self._lanes = width // 8
        super().__init__({
            "i": In(stream.Signature(plain_beat(width))),
            "o": Out(stream.Signature(plain_beat(width))),
            "status": Out(stream.Signature(CONTROL_BEAT)),
        })

    def elaborate(self, platform):
        m = Module()
        i, o, status = self.i, self.o, self.status

        m.submodules.lengths = lengths = Queue(unsigned(LENGTH_BITS), depth=DEPTH, margin=MARGIN)

        # --- Frames. Whether the next is held is decided where none is in the middle and none is shown.
        held = Signal(init=1)
        inside = Signal()
        taken = o.valid & o.ready
        m.d.comb += [
            o.payload.eq(i.payload),
            o.valid.eq(i.valid & ~held),
            i.ready.eq(o.ready & ~held),
        ]
        with m.If(taken):
            m.d.sync += inside.eq(~i.payload.last)
        with m.If((taken & i.payload.last) | (~o.valid & ~inside)):
            m.d.sync += held.eq(~lengths.room)

        # --- Their lengths, some clocks later.
        m.submodules.counted = counted = PopCount(self._lanes)
        m.d.comb += [counted.valid.eq(taken), counted.bits.eq(i.payload.keep)]
        ends = taken & i.payload.last
        for clock in range(COUNT_CLOCKS):
            later = Signal(name=f"ends_{clock}")
            m.d.sync += later.eq(ends)
            ends = later
        sum_before = Signal(LENGTH_BITS)
        length = Signal(LENGTH_BITS)
        m.d.comb += [
            length.eq(sum_before + counted.count),
            lengths.i.payload.eq(length),
            lengths.i.valid.eq(ends),
        ]
        m.d.sync += sum_before.eq(Mux(ends, 0, length))

        # --- Packets.
        count = Signal(range(PACKET_WORDS))
        at_end = count == PACKET_WORDS - 1
        m.d.comb += [
            status.valid.eq(lengths.o.valid),
            status.payload.last.eq(at_end),
            lengths.o.ready.eq(status.ready & at_end),
        ]
        with m.If(count == 0):
            m.d.comb += status.payload.data.eq(STATUS_TAG << WORD_BITS - 4)
        with m.Elif(at_end):
            m.d.comb += status.payload.data.eq(lengths.o.payload)
        with m.If(status.valid & status.ready):
            m.d.sync += count.eq(Mux(at_end, 0, count + 1))

        return m
