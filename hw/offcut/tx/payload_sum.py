"""Add up what a unit's checksum covers, while it passes."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .ones import add
from .parser.words import halfword

__all__ = ["PayloadSum"]


class PayloadSum(wiring.Component):
    """A registered tree of adders over the halfwords of a word, an accumulator, and a queue of finished sums.

    The accumulator is wide enough for all that one sum covers: carries are folded once, at its end, into a number from 0 to 0xFFFE. A sum can be
    read ``latency`` clocks after its unit's last word.

    Members
    -------
    valid, first : In(1)
        A word passes; it is the first of what a sum covers: a unit, or all fragments of a datagram.
    push : In(1)
        It is the last one, and the sum is wanted.
    word : In
    base : In(17)
        What the sum begins with.
    sum : Out(16)
        The oldest sum in the queue.
    pop : In(1)
    """

    def __init__(self, geometry):
        self._geometry = geometry
        self._levels = []
        lanes = geometry.width // 16
        while lanes > 1:
            lanes = -(-lanes // 4)
            self._levels.append(lanes)
        self.latency = len(self._levels) + 3
        super().__init__({
            "valid": In(1),
            "first": In(1),
            "push": In(1),
            "word": In(geometry.width),
            "base": In(17),
            "sum": Out(16),
            "pop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        values = [halfword(self.word, lane) for lane in range(g.width // 16)]
        controls = Signal(20)
        m.d.comb += controls.eq(self.valid | (self.first << 1) | (self.push << 2) | (self.base << 3))
        for level, count in enumerate(self._levels):
            sums = [Signal(16 + 2 * (level + 1), name=f"sum_{level}_{n}") for n in range(count)]
            for n, signal in enumerate(sums):
                a, b, c, d = (values[4 * n :] + [Const(0)] * 3)[:4]
                m.d.sync += signal.eq((a + b) + (c + d))
            later = Signal.like(controls, name=f"controls_{level}")
            m.d.sync += later.eq(controls)
            values, controls = sums, later
        (tree,) = values
        valid, first, push, base = controls[0], controls[1], controls[2], controls[3:]

        total = Signal(32 if g.ufo else 29)  # a datagram of 64 KiB, or a unit of 9 KiB, and what the sum begins with
        done = Signal()
        m.d.sync += done.eq(valid & push)
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, base, total) + tree)

        folded = Signal(16)
        ready = Signal()
        m.d.sync += [folded.eq(add(total[:16], Cat(total[16:], Const(0, 32 - len(total))), 1)), ready.eq(done)]

        # No flow control of its own: a sum for each entry of the segment queue and the few under way, which are fewer than its depth.
        m.submodules.queue = ram = memory.Memory(shape=16, depth=g.queue_depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(ready), write.data.eq(folded), self.sum.eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + ready), read.addr.eq(read.addr + self.pop)]
        return m
