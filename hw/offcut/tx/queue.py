"""A first-in first-out queue in LUT RAM."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Holds ``depth`` payloads in LUT RAM and one more in its output register.

    Latency 2 clocks, one payload a clock, order kept. ``room`` lets a pipeline that cannot stall stop its source in time: it is
    registered, and while it is 1 at least ``margin`` more payloads fit.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        Payloads held, a power of two.
    margin : int
        Payloads that still fit while ``room`` is 1, below ``depth``.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    room : Out(1)

    Raises
    ------
    ValueError
        If ``depth`` is not a power of two, or ``margin`` not below it.
    """

    def __init__(self, shape, *, depth=32, margin=0):
        if depth != 1 << ceil_log2(depth):
            raise ValueError(f"A queue's depth must be a power of two, not {depth}")
        if not 0 <= margin < depth:
            raise ValueError(f"A queue of {depth} cannot keep room for {margin}")
        self._depth = depth
        self._margin = margin
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "room": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # The memory holds plain bits: one word, whatever the payload's layout.
        bits = unsigned(len(self.i.payload.as_value()))
        m.submodules.memory = ram = memory.Memory(shape=bits, depth=self._depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")

        level = Signal(range(self._depth + 1))
        push = self.i.valid & self.i.ready
        pull = (level != 0) & (~self.o.valid | self.o.ready)
        m.d.comb += [
            self.i.ready.eq(level != self._depth),
            write.en.eq(push),
            write.data.eq(self.i.payload),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + push),
            read.addr.eq(read.addr + pull),
            level.eq(level + push - pull),
            # One push can be on its way while this is being computed, and one more before the source sees it.
            self.room.eq(level + 2 + self._margin <= self._depth),
        ]

        with m.If(pull):
            m.d.sync += [self.o.payload.eq(read.data), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        return m
