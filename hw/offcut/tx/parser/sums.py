"""Sum the halfwords of headers in one's complement."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..ones import add

__all__ = ["HeaderSums"]


class HeaderSums(wiring.Component):
    """Adds two values a clock to any of some sums: each stands 3 clocks after its last values, and the last carry comes in a clock later.

    The two are added to each other once for all sums, so what a sum costs is one adder of 16 bits. A sum to which anything but 0 was
    added is never 0 again.

    Parameters
    ----------
    names : iterable of str
        Of the sums.
    turned : str
        The sum that can be asked for the opposite of what the others get.

    Members
    -------
    a, b : In(16)
    count, begin : In(data.StructLayout({name: 1 for name in names}))
        Which sums the values count for, and which of them begin with these values.
    alone : In(1)
        ``b`` is not counted.
    turn : In(1)
        From the ``turned`` sum they are taken away.
    sums : Out(data.StructLayout({name: 16 for name in names}))
    """

    def __init__(self, names, turned):
        self._names = tuple(names)
        self._turned = turned
        each = data.StructLayout(dict.fromkeys(self._names, 1))
        super().__init__({
            "a": In(16),
            "b": In(16),
            "count": In(each),
            "begin": In(each),
            "alone": In(1),
            "turn": In(1),
            "sums": Out(data.StructLayout(dict.fromkeys(self._names, 16))),
        })

    def elaborate(self, platform):
        m = Module()
        a, b, both = Signal(16), Signal(16), Signal(16)
        alone = Signal()
        m.d.sync += [a.eq(self.a), b.eq(self.b), alone.eq(self.alone), both.eq(add(a, Mux(alone, 0, b)))]
        turn = Signal(2)
        m.d.sync += turn.eq(Cat(self.turn, turn))
        for name in self._names:
            count, begin = Signal(2, name=f"{name}_count"), Signal(name=f"{name}_begin")
            m.d.sync += [count.eq(Cat(self.count[name], count)), begin.eq(self.begin[name])]
            total, carry = Signal(16, name=name), Signal(name=f"{name}_carry")
            value = Mux(count[1], both ^ turn[1].replicate(16) if name == self._turned else both, 0)
            # (The lowest bit of the two is there to bring the carry in.)
            m.d.sync += Cat(total, carry).eq((Cat(1, total) + Cat(carry, value))[1:])
            with m.If(begin):
                m.d.sync += [total.eq(0), carry.eq(0)]
            m.d.comb += self.sums[name].eq(total)
        return m
