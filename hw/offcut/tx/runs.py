"""Make an entry for each fragment out of one for all fragments of a datagram."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import RUN_BITS

__all__ = ["Runs", "plain_layout", "run_layout"]


def plain_layout(geometry, rest):
    """One fragment: the row and lane of its last byte as it leaves, whether that is its first row, and whatever else is to be known of it."""
    return data.StructLayout({
        "first": 1,
        "last": 1,
        "single": 1,
        "last_row": geometry.row_bits,
        "last_lane": geometry.lane_bits,
        "rest": rest,
    })


def run_layout(geometry, rest):
    """``count`` full fragments, and a last one."""
    return data.StructLayout({
        "count": RUN_BITS,
        "first": 1,
        "last": 1,
        "last_row": geometry.row_bits,
        "last_lane": geometry.lane_bits,
        "full_row": geometry.row_bits,
        "full_lane": geometry.lane_bits,
        "rest": rest,
    })


class Runs(wiring.Component):
    """Gives ``count + 1`` entries for each that comes: all but the last end where full ones do.

    ``first`` of the run is that of its first entry, ``last`` that of its last one; elsewhere they are 0. ``rest`` stands in each.

    Latency 1 clock, one entry a clock, also from run to run; order kept. A run is accepted with its last entry.

    Parameters
    ----------
    geometry : Geometry
    rest : ShapeLike

    Members
    -------
    i : In(stream.Signature(run_layout(geometry, rest)))
    o : Out(stream.Signature(plain_layout(geometry, rest)))
    """

    def __init__(self, geometry, rest):
        super().__init__({
            "i": In(stream.Signature(run_layout(geometry, rest))),
            "o": Out(stream.Signature(plain_layout(geometry, rest))),
        })

    def elaborate(self, platform):
        m = Module()
        run, entry = self.i.payload, self.o.payload

        begun = Signal()
        left = Signal(RUN_BITS)  # full entries, once begun
        none_left = Signal()
        final = Mux(begun, none_left, run.count == 0)
        go = Signal()
        m.d.comb += [go.eq(self.i.valid & (~self.o.valid | self.o.ready)), self.i.ready.eq((~self.o.valid | self.o.ready) & final)]

        row = Mux(final, run.last_row, run.full_row)
        with m.If(go):
            full = Mux(begun, left, run.count)
            m.d.sync += [
                begun.eq(~final),
                left.eq(full - 1),
                none_left.eq(full == 1),
                self.o.valid.eq(1),
                entry.first.eq(run.first & ~begun),
                entry.last.eq(run.last & final),
                entry.single.eq(row == 0),
                entry.last_row.eq(row),
                entry.last_lane.eq(Mux(final, run.last_lane, run.full_lane)),
                entry.rest.eq(run.rest),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
