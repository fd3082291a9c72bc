"""What is claimed of :class:`offcut.core.counters.Counters`."""

from amaranth import Array, Cat, Mux, Signal

from .bench import Bench

__all__ = ["counters_bench"]

LATE = 2
"""Clocks from a counter's turn to the one in which its lower half is shown."""


def counters_bench(dut, *, invariants=True):
    """Whatever comes in whatever clock is counted once: what a read gives is the sum of all that came until the counter's turn.

    Every counter may grow by anything up to its greatest in every clock, and be read at any time. One counter, any, is followed.

    Parameters
    ----------
    dut : Counters
    """
    bench = Bench(dut, invariants=invariants)
    m, inside = bench.m, bench.dut
    names, half_bits = list(dut._greatest), dut._half_bits
    turn_clocks = 2 * len(names)
    ram = inside.body.submodules["memory"]
    ram.init = [(1 << half_bits) - 1 - word for word in range(ram.depth)]  # a reset does not clear it: it may hold anything
    for name, greatest in dut._greatest.items():
        bench.assume(dut.add[name] <= greatest)

    which = bench.constant(range(len(names)), "which")
    bench.assume(which < len(names))
    add = Array([dut.add[name] for name in names])[which]
    true = Signal(2 * half_bits)
    m.d.sync += true.eq(true + add)

    # --- What a read gives.
    followed = dut.done & (dut.number == which)
    then = bench.past(true, LATE)
    bench.claim(~followed | (dut.low == then[:half_bits]), "the lower half is what was counted until its turn")
    kept = Signal(half_bits)  # of the moment of the last read, if it was one of the counter that is followed
    fresh = Signal()
    with m.If(dut.done):
        m.d.sync += [fresh.eq(followed), kept.eq(then[half_bits:])]
    bench.claim(~fresh | bench.past(dut.done) | (dut.high == kept), "the upper half is of the same moment, and stays until the next read")
    waiting = bench.since(~dut.read | dut.done, 1, limit=turn_clocks + LATE + 3, name="waiting")
    steady = bench.past(dut.read, 1) & (dut.number == bench.past(dut.number))
    held = Signal()
    m.d.comb += held.eq(~dut.read | dut.done | steady)
    bench.assume(held)  # a read that waits keeps asking for the same
    bench.assume(dut.number < len(names))
    if not invariants:  # (bounded: from reset on)
        bench.claim(waiting < turn_clocks + LATE + 2, "a read is answered within a turn")

    # --- Why: the RAM, what has gathered and what is under way make up the sum, in every clock.
    place, at, first, carry = inside["place"], inside["at"], inside["first_turn"], inside["carry"]
    half, grow, started = inside["half"], inside["grow"], inside["started"]
    gathered = Array([inside[f"gathered_{name}"] for name in names])[which]
    low_at = Cat(0, which)
    low, high = inside.watch("memory", low_at), inside.watch("memory", low_at | 1)
    empty = first & (place <= low_at)  # its first turn has not come
    stored = Mux(empty, 0, Cat(low, high))
    total = (half + grow + carry)[: half_bits + 1]
    adding_low, adding_high = started & (at == low_at), started & (at == low_at + 1)
    upper_before = Mux(first, 0, high)  # (the turn is the first until its end)
    whole = Mux(
        adding_low,
        Cat(total[:half_bits], upper_before) + (total[half_bits] << half_bits),
        Mux(adding_high, Cat(low, total[:half_bits]), stored),
    )
    bench.invariant((whole + gathered)[: 2 * half_bits] == true, "stored, gathered and under way together are what was counted")
    bench.invariant(place < turn_clocks, "the turns go round")
    bench.invariant(~started | (at == Mux(place == 0, turn_clocks - 1, place - 1)), "the adder is a clock behind")
    bench.invariant(started | ((place == 0) & first), "the adder starts with the first turn")
    bench.invariant(~(adding_low) | (~carry), "no carry comes into a lower half")
    bench.invariant(~(adding_high) | (grow == 0), "an upper half grows by the carry alone")
    return bench
