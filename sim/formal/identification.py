"""What is claimed of :class:`offcut.tx.identification.Identification`."""

from amaranth import Array, Cat, Mux, Signal

from offcut.tx.identification import ROUNDS, from_zero

from .bench import Bench

__all__ = ["identification_bench"]


def plain_round(x, y, key, number):
    """One round, with nothing clever about it."""
    return y ^ (x.rotate_left(1) & x.rotate_left(8)) ^ x.rotate_left(2) ^ key ^ number, x


def identification_bench(component, *, latency, invariants=True):
    """Each identification is the cipher of its number, of any number, and there in time.

    Beside the component runs the cipher with nothing clever about it: it begins with the number and the seed in the clock behind ``take``,
    and takes as many rounds a clock.

    Parameters
    ----------
    component : Identification
    latency : int
        Clocks from ``take``, and from reset, to the next identification. Nothing is taken before.
    """
    bench = Bench(component, invariants=invariants)
    m, opened = bench.m, bench.dut
    rounds, steps = component._rounds, ROUNDS // component._rounds

    age = Signal(range(latency + 1))  # clocks since take, or since reset
    begins = Signal()
    m.d.comb += begins.eq(component.take | (age == 0))
    m.d.sync += age.eq(Mux(begins, 1, Mux(age == latency, latency, age + 1)))
    bench.assume(~component.take | (age == latency))

    # The plain cipher: clocks 1 to `steps` after its beginning.
    number = Signal(32)  # the next one
    key = Signal(32)
    x = Signal(16)
    y = Signal(16)
    wanted = Signal(32)
    step = Signal(range(steps))
    running = (age != 0) & (age <= steps)
    m.d.comb += step.eq(age - 1)
    a, b = x, y
    for n in range(rounds):
        a, b = plain_round(a, b, key.word_select(n % 2, 16), step * rounds + n)
        bench.invariant(~running | (opened[f"mixed_{n}"] == a), "each round is that of the plain cipher")
    with m.If(begins):
        m.d.sync += [x.eq(number[16:]), y.eq(number[:16]), key.eq(component.seed), number.eq(number + 1)]
    with m.Elif(running):
        m.d.sync += [x.eq(a), y.eq(b)]
    with m.If(age == steps):
        m.d.sync += wanted.eq(Cat(b, a))
    bench.claim((age != latency) | (component.id == wanted), "the identification is the cipher of its number, in time")

    # What the proof rests on: the same run, step by step, and a number that is counted up in passing.
    bench.invariant(age <= latency, "a next one is there in time")
    bench.invariant(opened["running"] == running, "a run lasts as many clocks as there are steps")
    bench.invariant(opened["step"] == Mux(running, step, 0), "steps are counted in a run alone")
    bench.invariant(opened["load"] == (age == latency) & bench.past(running), "a clock behind a run, the next number is loaded")
    bench.invariant(opened["fresh"] == (age == 0), "a run begins by itself after reset, once")
    bench.invariant((age != latency) | (component.id == wanted), "what was made stays")

    before = Signal(32)
    m.d.comb += before.eq(number - 1)
    passed = [
        (Cat(number[: done * rounds], before[done * rounds :]).rotate_right(done * rounds), before[: done * rounds].all())
        for done in range(steps)
    ]
    mixture, carry = (Array(values)[step] for values in zip(*passed, strict=True))
    bench.invariant(opened["number"] == Mux(running, mixture, number), "the number is counted up from the low end")
    bench.invariant(opened["load"] | (opened["carry"] == Mux(running, carry, 1)), "a carry passes where all bits are set")
    place = Mux(running, step * rounds, 0)
    low = Mux(running & (step == 0), before[:16], Mux(running | opened["load"], place, number[:16]))
    bench.invariant(~running | (opened["key"] == key), "the key is the seed of the beginning")
    bench.invariant(opened["low"] == low, "the low half enters with the first round")
    bench.invariant(opened["high"] == Mux(opened["load"], number[16:], place ^ from_zero(rounds)), "the high half is loaded once")
    bench.invariant(~running | (step != 0) | (y == before[:16]), "the plain cipher begins with the number")
    bench.invariant(~running | (opened["x"] == x), "the high half is that of the plain cipher")
    bench.invariant(opened["y"] == Mux(running & (step != 0), y, 0), "the low half is that of the plain cipher, once it has entered")
    bench.invariant(running | opened["load"] | (opened["x"] == number[16:]), "the high half waits in its place")
    bench.invariant(~opened["load"] | ((opened["x"] == 0) & (opened["key"] == 0)), "a number is loaded into nothing")
    return bench
