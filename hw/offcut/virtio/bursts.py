"""Cut memory into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import BLOCK_BYTES, CHAIN_BITS, LANE_BITS, LANES

__all__ = ["Bursts"]

BLOCK_BITS = BLOCK_BYTES.bit_length() - 1
BLOCK_BEATS = BLOCK_BYTES // LANES


class Bursts(wiring.Component):
    """Cuts a piece of memory at the boundaries of aligned blocks, so that no burst crosses 4 KiB or has more than 16 beats.

    A burst in 2 clocks and two more for each piece; order kept. A piece has at least 1 byte.

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
        length = Signal(CHAIN_BITS)
        offset = addr[:BLOCK_BITS]
        end = Signal(CHAIN_BITS + 1)  # the last byte, counted from the beginning of the first block
        blocks, final = end[BLOCK_BITS:], end[:BLOCK_BITS]  # behind this one; the last byte in the last of them
        across = Signal()
        m.d.comb += across.eq(blocks.any())

        # A piece is taken, and its end found; then a burst is measured, and offered, until the piece is done.
        busy = Signal()
        known = Signal()
        m.d.comb += self.i.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [addr.eq(self.i.p.addr), length.eq(self.i.p.len), busy.eq(self.i.valid), known.eq(0)]
        with m.Elif(~known):
            m.d.sync += [end.eq(length + offset - 1), known.eq(1)]
        with m.Elif(~self.o.valid):
            m.d.sync += [
                burst.addr.eq(addr),
                burst.beats.eq(Mux(across, BLOCK_BEATS, final[LANE_BITS:] + 1) - offset[LANE_BITS:]),
                burst.first_lane.eq(offset[:LANE_BITS]),
                burst.last_lane.eq(Mux(across, LANES - 1, final[:LANE_BITS])),
                burst.last.eq(~across),
                self.o.valid.eq(1),
                addr.eq((addr[BLOCK_BITS:] + 1) << BLOCK_BITS),
                blocks.eq(blocks - 1),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(~burst.last)]
        return m
