"""Many wide counters in a little LUT RAM, with one adder that goes round."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

__all__ = ["Counters"]


class Counters(wiring.Component):
    """Counters of 64 bits, in two halves. What each is to grow by is gathered beside it, and added to the RAM when its turn comes: every ``2 * n`` clocks.

    Nothing is lost, however often and however many count at once: what gathers in a turn fits. A read waits for the counter's turn, takes its
    lower half, and keeps the upper half of the same moment. After reset every counter is 0, though the RAM is not cleared: what it held is
    ignored in the first turn.

    Parameters
    ----------
    greatest : mapping of str to int
        The counters by name, and the most that each grows by in one clock; 2 of them at least.
    half_bits : int
        32, but in proofs.

    Members
    -------
    add : In(data.StructLayout)
        By name, what to grow by in this clock.
    read : In(1)
        Stays 1, with ``number``, until ``done``.
    number : In(range(n))
        Which counter, in the order of ``greatest``.
    done : Out(1)
        At most ``2 * n`` clocks after ``read``, 2 more right after reset.
    low : Out(32)
        With ``done``.
    high : Out(32)
        The upper half of the counter read last, from the clock after ``done`` on.

    Raises
    ------
    ValueError
        If there are fewer than 2 counters, or one can grow by more than half of it in a turn.
    """

    def __init__(self, greatest, *, half_bits=32):
        if len(greatest) < 2:
            raise ValueError(f"There must be at least 2 counters, not {len(greatest)}")
        for name, most in greatest.items():
            if most * 2 * len(greatest) >= 1 << half_bits:
                raise ValueError(f"Counter {name!r} may grow by {most} in a clock, which can exceed {half_bits} bits in a turn")
        self._greatest = dict(greatest)
        self._half_bits = half_bits
        super().__init__({
            "add": In(data.StructLayout({name: bits_for(most) for name, most in self._greatest.items()})),
            "read": In(1),
            "number": In(range(len(self._greatest))),
            "done": Out(1),
            "low": Out(half_bits),
            "high": Out(half_bits),
        })

    def elaborate(self, platform):
        m = Module()
        count = len(self._greatest)
        turn_clocks = 2 * count
        half_bits = self._half_bits

        m.submodules.memory = ram = memory.Memory(shape=half_bits, depth=1 << ceil_log2(turn_clocks), init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")

        # --- Whose turn: each counter has two clocks, the lower half first. In the first turn the RAM holds nothing yet.
        place = Signal(range(turn_clocks))
        first_turn = Signal(init=1)
        with m.If(place == turn_clocks - 1):
            m.d.sync += [place.eq(0), first_turn.eq(0)]
        with m.Else():
            m.d.sync += place.eq(place + 1)

        # --- What has gathered: a counter's own turn takes it, and leaves what comes in that clock.
        most = max(self._greatest.values()) * turn_clocks
        taken = Signal(range(most + 1))
        for number, (name, greatest) in enumerate(self._greatest.items()):
            gathered = Signal(range(greatest * turn_clocks + 1), name=f"gathered_{name}")
            with m.If(place == 2 * number):
                m.d.comb += taken.eq(gathered)
                m.d.sync += gathered.eq(self.add[name])
            with m.Else():
                m.d.sync += gathered.eq(gathered + self.add[name])

        # --- Clock 1: the half and what it grows by.
        half = Signal(half_bits)
        grow = Signal.like(taken)
        at = Signal.like(place)
        started = Signal()
        m.d.comb += read.addr.eq(place)
        m.d.sync += [
            half.eq(Mux(first_turn, 0, read.data)),
            grow.eq(taken),  # 0 for an upper half
            at.eq(place),
            started.eq(1),
        ]

        # --- Clock 2: the sum, back into the RAM. The carry of a lower half goes into the upper, which is next.
        carry = Signal()
        total = Signal(half_bits + 1)
        m.d.comb += [
            total.eq(half + grow + carry),
            write.addr.eq(at),
            write.data.eq(total),
            write.en.eq(started),
        ]
        written = Signal(half_bits)
        written_at = Signal.like(place)
        shown = Signal()
        m.d.sync += [
            carry.eq(total[half_bits] & ~at[0]),
            written.eq(total),
            written_at.eq(at),
            shown.eq(started),
        ]

        # --- Clock 3: whoever reads it.
        upper = Signal()
        m.d.comb += [
            self.low.eq(written),
            self.done.eq(self.read & shown & ~written_at[0] & (written_at[1:] == self.number)),
        ]
        m.d.sync += upper.eq(self.done)
        with m.If(upper):
            m.d.sync += self.high.eq(written)

        return m
