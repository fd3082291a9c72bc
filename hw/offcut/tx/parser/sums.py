"""Sum the halfwords of a header."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Adds two values a clock, two clocks behind them. A plain sum, wide enough for every header: its carries are folded where it is used.

    Members
    -------
    a, b : In(16)
    enable : In(1)
        They count.
    clear : In(1)
        The sum begins with the values of this clock.
    sum : Out(24)
    """

    def __init__(self):
        super().__init__({"a": In(16), "b": In(16), "enable": In(1), "clear": In(1), "sum": Out(24)})

    def elaborate(self, platform):
        m = Module()
        both, clear = Signal(17), Signal()
        m.d.sync += [
            both.eq(self.a + self.b),
            clear.eq(self.clear),
            self.sum.eq(Mux(clear, 0, self.sum) + both),
        ]
        with m.If(~self.enable):
            m.d.sync += both.eq(0)
        return m
