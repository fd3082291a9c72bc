"""Name fragmented IPv6 datagrams, so that nobody can guess the next name (RFC 7739)."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Identification"]

ROUNDS = 32


def mix(half):
    """What a round adds to the other half."""
    return (half.rotate_left(1) & half.rotate_left(8)) ^ half.rotate_left(2)


def from_zero(rounds):
    """The high half of block and key 0 after the first rounds."""
    x, y = 0, 0
    for number in range(rounds):
        left = {by: (x << by | x >> (16 - by)) & 0xFFFF for by in (1, 2, 8)}
        x, y = y ^ (left[1] & left[8]) ^ left[2] ^ number, x
    return x


class Identification(wiring.Component):
    """The block cipher of docs/semantics.md over the number of datagrams since reset, a few rounds a clock.

    An identification can be read ``latency`` clocks after the one before was taken, and the first so long after reset; until then ``id``
    keeps the one before. It is made with the seed as it was when the one before was taken (or at the end of reset). So if the seed changes
    meanwhile, the identification that already waits is still of the old one.

    Parameters
    ----------
    rounds_a_clock : int
        2, 4, 8 or 16.

    Members
    -------
    seed : In(32)
    take : In(1)
        ``id`` is used. Not before it can be read: earlier, it counts for nothing.
    id : Out(32)

    Raises
    ------
    ValueError
        If ``rounds_a_clock`` is none of these.
    """

    def __init__(self, rounds_a_clock=2):
        if rounds_a_clock not in {2, 4, 8, 16}:
            raise ValueError(f"A clock can take 2, 4, 8 or 16 rounds of the cipher, not {rounds_a_clock}")
        self._rounds = rounds_a_clock
        self.latency = ROUNDS // rounds_a_clock + 1
        super().__init__({"seed": In(32), "take": In(1), "id": Out(32)})

    def elaborate(self, platform):
        m = Module()
        rounds, steps = self._rounds, ROUNDS // self._rounds

        # --- Control: a step in each clock of a run, and one more clock to load what the next run begins with.
        fresh = Signal(init=1)
        running = Signal()
        step = Signal(range(steps))
        load = Signal()
        last = Signal()
        m.d.comb += last.eq(step == steps - 1)
        m.d.sync += [fresh.eq(0), running.eq(Mux(running, ~last, self.take | fresh)), load.eq(last)]

        # --- The number of the next datagram. It is counted up in passing, a few bits a step, which spares an adder.
        number = Signal(32)
        carry = Signal(init=1)
        total = Signal(rounds + 1)
        turned = Cat(number[rounds:], total[:rounds])
        m.d.comb += total.eq(number[:rounds] + carry)
        m.d.sync += carry.eq(1)
        with m.If(running):
            m.d.sync += [number.eq(turned), carry.eq(total[rounds])]

        # --- A block enters by exclusive or, each half in place of what a round adds for its number: so it costs no multiplexer. The low
        # half comes in with the first round. The high one comes in a clock earlier, with the last round of a step from halves and key of 0,
        # and what the rounds make of those is known.
        known = from_zero(rounds)
        step_next = Signal.like(step)
        m.d.comb += step_next.eq(step + running)
        m.d.sync += step.eq(step_next)
        place = Cat(Const(0, range(rounds)), step_next)
        low = Signal(16)
        high = Signal(16, init=known)
        m.d.sync += [low.eq(Mux(running, place, number[:16])), high.eq(Mux(last, turned[16:], place ^ known))]

        key = Signal(32)
        with m.If(~running):
            m.d.sync += key.eq(self.seed)
        with m.If(last):
            m.d.sync += key.eq(0)

        x = Signal(16)
        y = Signal(16)
        a, b = x, y
        for n in range(rounds):
            added = {0: low, rounds - 1: high ^ known ^ n}.get(n, Cat(Const(n, range(rounds)), step))
            mixed = Signal(16, name=f"mixed_{n}")
            m.d.comb += mixed.eq(b ^ mix(a) ^ key.word_select(n % 2, 16) ^ added)
            a, b = mixed, a
        with m.If(running):
            m.d.sync += y.eq(b)
        with m.If(running | load):
            m.d.sync += x.eq(a)
        with m.If(last):
            m.d.sync += [x.eq(0), y.eq(0), self.id.eq(Cat(b, a))]
        return m
