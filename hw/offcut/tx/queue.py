"""A first-in first-out queue in LUT RAM."""

from amaranth import C, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["Queue"]

LATE = 3
"""Payloads that can have come since the level was taken, and one place that stays empty."""


class Queue(wiring.Component):
    """Holds ``depth`` payloads in LUT RAM and one more in its output register.

    Latency 2 clocks and ``hold`` more, or 1 if ``quick`` and empty; one payload a clock, order kept. ``i.ready`` is
    registered, and gone a few payloads before the queue is full. ``room`` lets a pipeline that cannot stall stop its source in
    time: while it is 1, at least ``margin`` more payloads fit.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        A power of two above 3; up to 3 less are held.
    hold : int
        Clocks for which a payload is kept back.
    quick : bool
        What comes into an empty queue goes to the output register at once, for a multiplexer in front of that. Not with ``hold``.
    margin : int
        Payloads that still fit while ``room`` is 1, at least 5 below ``depth`` (with 0, ``room`` says nothing).

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    room : Out(1)

    Raises
    ------
    ValueError
        If ``depth`` is not a power of two above 3, or ``margin`` above what fits.
    """

    LATENCY = 2

    def __init__(self, shape, *, depth=32, margin=0, hold=0, quick=False):
        if depth <= LATE or depth != 1 << ceil_log2(depth):
            raise ValueError(f"A queue's depth must be a power of two above {LATE}, not {depth}")
        if not 0 <= margin < max(1, depth - LATE - 1):
            raise ValueError(f"A queue of {depth} cannot keep room for {margin}")
        self._depth = depth
        self._margin = margin
        self._hold = hold
        self._quick = quick
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "room": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # The memory holds plain bits: one word, whatever the payload's layout.
        bits = unsigned(len(Value.cast(self.i.payload)))
        m.submodules.memory = ram = memory.Memory(shape=bits, depth=self._depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")

        # Whether the memory holds anything, kept exactly, and with little behind the output's ready: a queue's consumer decides late.
        some = Signal()
        following = Signal.like(read.addr, init=1)  # the read address after this one
        push = self.i.valid & self.i.ready
        # (What passes the memory by is written there, too, and both pointers move on.)
        passing = push & ~some if self._quick else C(0)
        pull = (some | passing) & (~self.o.valid | self.o.ready)
        m.d.comb += [
            write.en.eq(push),
            write.data.eq(self.i.payload),
        ]
        with m.If(push):
            m.d.sync += write.addr.eq(write.addr + 1)
        shown, shown_to = push, write.addr
        for clock in range(self._hold):
            shown, before = Signal(name=f"shown_{clock}"), shown
            m.d.sync += shown.eq(before)
        if self._hold:
            shown_to = Signal.like(write.addr)
            with m.If(shown):
                m.d.sync += shown_to.eq(shown_to + 1)
        m.d.sync += some.eq(Mux(pull, some & (shown | (following != shown_to)), some | shown))
        with m.If(pull):
            m.d.sync += [read.addr.eq(following), following.eq(following + 1)]

        # How much it holds, two clocks late: in that time two more can have come, and one more before the source sees the answer.
        level = Signal(range(self._depth))
        m.d.sync += [
            level.eq(write.addr - read.addr),
            self.room.eq(level + LATE + 1 + self._margin < self._depth),
            self.i.ready.eq(level + LATE < self._depth),
        ]

        with m.If(pull):
            m.d.sync += [self.o.payload.eq(Mux(passing, self.i.payload, read.data)), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        return m
