"""A queue in block RAM that takes back what was not committed."""

from amaranth import Module, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["Store"]


class Store(wiring.Component):
    """Keeps payloads in order, and shows them once they are committed.

    Latency 2 clocks from the commit, one payload a clock.

    Parameters
    ----------
    shape : ShapeLike
    depth : int
        A power of two. One more is held in the output.

    Members
    -------
    push : In(1), payload : In(shape)
        In a clock with ``full`` nothing is pushed.
    commit, rollback : In(1)
        Show all that has been pushed, this clock's payload too; forget what was not committed.
    skip : In(1), skip_to : In(unsigned(bits))
        Forget what is older than the place that ``stop`` showed when it was committed.
    o : Out(stream.Signature(shape))
    stop : Out(unsigned(bits))
        The place behind the last payload pushed.
    level : Out(unsigned(bits))
        Payloads held, without the output's.
    full : Out(1)
        Known two clocks behind a push.
    empty : Out(1)
    """

    def __init__(self, shape, *, depth):
        if depth < 2 or depth != 1 << ceil_log2(depth):
            raise ValueError(f"A store's depth must be a power of two, not {depth}")
        self._depth = depth
        bits = ceil_log2(depth) + 1
        super().__init__({
            "push": In(1),
            "payload": In(shape),
            "commit": In(1),
            "rollback": In(1),
            "skip": In(1),
            "skip_to": In(bits),
            "o": Out(stream.Signature(shape)),
            "stop": Out(bits),
            "level": Out(bits),
            "full": Out(1),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plain = unsigned(len(Value.cast(self.payload)))
        m.submodules.memory = ram = memory.Memory(shape=plain, depth=self._depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="sync")

        first, committed = Signal.like(self.stop), Signal.like(self.stop)  # the next one to be read; behind the last that may be
        taken = self.push & ~self.full
        m.d.sync += self.full.eq(self.level == self._depth)
        m.d.comb += [
            self.level.eq(self.stop - first),
            self.empty.eq((self.level == 0) & ~self.o.valid),
            write.en.eq(taken),
            write.addr.eq(self.stop[:-1]),
            write.data.eq(self.payload),
        ]
        after = Signal.like(self.stop)
        m.d.comb += after.eq(self.stop + taken)
        m.d.sync += self.stop.eq(after)
        with m.If(self.commit):
            m.d.sync += committed.eq(after)
        with m.If(self.rollback):
            m.d.sync += self.stop.eq(committed)

        m.d.comb += [
            read.addr.eq(first[:-1]),
            read.en.eq((first != committed) & (~self.o.valid | self.o.ready)),
            Value.cast(self.o.payload).eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += [first.eq(first + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.skip):
            m.d.sync += [first.eq(self.skip_to), self.o.valid.eq(0)]
        return m
