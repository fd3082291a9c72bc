"""Cut memory into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import BLOCK_BYTES, CHAIN_BITS, LANE_BITS

__all__ = ["Bursts"]

BLOCK_BITS = BLOCK_BYTES.bit_length() - 1


class Bursts(wiring.Component):
    """Cuts a piece of memory at the boundaries of aligned blocks, so that no burst crosses 4 KiB or has more than 16 beats.

    A burst in 2 clocks and one more for each piece; order kept. A piece has at least 1 byte.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream.Signature(geometry.piece))
    o : Out(stream.Signature(geometry.burst))
    """

    def __init__(self, geometry):
        super().__init__({
            "i": In(stream.Signature(geometry.piece)),
            "o": Out(stream.Signature(geometry.burst)),
        })

    def elaborate(self, platform):
        m = Module()
        burst = self.o.payload

        addr = Signal.like(self.i.payload.addr)
        left = Signal(CHAIN_BITS)
        offset = addr[:BLOCK_BITS]
        end = Signal(CHAIN_BITS + 1)  # of what is left, counted from the beginning of the block
        beyond = Signal(CHAIN_BITS + 1)
        across = Signal()
        final = Signal(BLOCK_BITS)  # the last byte in this block
        m.d.comb += [
            end.eq(offset + left),
            beyond.eq(end - BLOCK_BYTES),
            across.eq(end > BLOCK_BYTES),
            final.eq(Mux(across, BLOCK_BYTES - 1, end - 1)),
        ]

        # A piece is taken; then a burst is measured, and offered, until the piece is done.
        busy = Signal()
        m.d.comb += self.i.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [addr.eq(self.i.p.addr), left.eq(self.i.p.len), busy.eq(self.i.valid)]
        with m.Elif(~self.o.valid):
            m.d.sync += [
                burst.addr.eq(addr),
                burst.beats.eq(final[LANE_BITS:] - offset[LANE_BITS:] + 1),
                burst.first_lane.eq(offset[:LANE_BITS]),
                burst.last_lane.eq(final[:LANE_BITS]),
                burst.last.eq(~across),
                self.o.valid.eq(1),
                addr.eq((addr[BLOCK_BITS:] + 1) << BLOCK_BITS),
                left.eq(beyond),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(~burst.last)]
        return m
