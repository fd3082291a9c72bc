"""Add up what a unit's checksum covers, while it passes."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .ones import add
from .parser.words import halfword

__all__ = ["PayloadSum"]


TERMS = 4
"""Values that one stage adds up."""

ACCUMULATED = 2
"""Values that the accumulator adds to what it holds, which are two more."""


class PayloadSum(wiring.Component):
    """A registered tree of adders over the halfwords of a word, an accumulator, and a queue of finished sums.

    The accumulator keeps the carries of its upper end beside it, and adds them with the next word; once more at the end, into a number from
    0 to 0xFFFE. A sum can be read ``latency`` clocks after its unit's last word.

    Members
    -------
    valid, first : In(1)
        A word passes; it is the first of what a sum covers: a unit, or all fragments of a datagram.
    push : In(1)
        It is the last one, and the sum is wanted.
    word : In
    number : In
        Of the word's plan.
    base_at, base : Out, In
        The plans' read port: what the sum begins with.
    sum : Out(16)
        The oldest sum in the queue.
    pop : In(1)

    Attributes
    ----------
    latency : int
    levels : int
        Clocks from a word to the reading of its plan.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        lanes, self.levels = geometry.width // 16, 0
        while lanes > ACCUMULATED:
            lanes, self.levels = -(-lanes // TERMS), self.levels + 1
        self.latency = self.levels + 2
        number = range(geometry.queue_depth)
        super().__init__({
            "valid": In(1),
            "first": In(1),
            "push": In(1),
            "word": In(geometry.width),
            "number": In(number),
            "base_at": Out(number),
            "base": In(17),
            "sum": Out(16),
            "pop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        values = [halfword(self.word, lane) for lane in range(g.width // 16)]
        controls = Cat(self.valid, self.first, self.push, self.number)
        for level in range(self.levels):
            sums = []
            for n in range(0, len(values), TERMS):
                signal = Signal(16 + 2 * (level + 1), name=f"sum_{level}_{n}")
                m.d.sync += signal.eq(sum(values[n : n + TERMS]))
                sums.append(signal)
            later = Signal(len(controls), name=f"controls_{level}")
            m.d.sync += later.eq(controls)
            values, controls = sums, later
        valid, first, push = controls[0], controls[1], controls[2]
        m.d.comb += self.base_at.eq(controls[3:])

        total = Signal(16 + 2 * self.levels + 2)
        before = Mux(first, self.base, total)
        done = Signal()
        m.d.sync += done.eq(valid & push)
        with m.If(valid):
            m.d.sync += total.eq(sum(values) + before[:16] + before[16:])

        # No flow control of its own: a sum for each entry of the segment queue and the few under way, which are fewer than its depth.
        m.submodules.queue = ram = memory.Memory(shape=16, depth=g.queue_depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")
        folded = add(total[:16], Cat(total[16:], Const(0, 32 - len(total))), 1)
        m.d.comb += [write.en.eq(done), write.data.eq(folded), self.sum.eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + done), read.addr.eq(read.addr + self.pop)]
        return m
