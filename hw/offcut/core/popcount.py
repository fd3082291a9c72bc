"""How many bits are set."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PopCount"]

GROUP_BITS = 6
"""Counted at once: what a LUT looks at."""


class PopCount(wiring.Component):
    """Counts the bits of a word that are 1. Latency 3 clocks, a word a clock; 0 for a clock without one.

    Parameters
    ----------
    width : int
        Bits of the word, at least 1.

    Members
    -------
    valid : In(1)
    bits : In(width)
    count : Out(range(width + 1))
    """

    def __init__(self, width):
        self._width = width
        super().__init__({"valid": In(1), "bits": In(width), "count": Out(range(width + 1))})

    def elaborate(self, platform):
        m = Module()

        word = Signal(self._width)
        m.d.sync += word.eq(Mux(self.valid, self.bits, 0))

        groups = []
        for number, low in enumerate(range(0, self._width, GROUP_BITS)):
            bits = word[low : low + GROUP_BITS]
            group = Signal(range(len(bits) + 1), name=f"group_{number}")
            m.d.sync += group.eq(sum(bits[1:], bits[0]))
            groups.append(group)
        while len(groups) > 1:  # a tree
            groups = [sum(groups[at + 1 : at + 2], groups[at]) for at in range(0, len(groups), 2)]
        m.d.sync += self.count.eq(groups[0])

        return m
