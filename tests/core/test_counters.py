"""Many counters, one adder."""

import gc
from collections import Counter

import pytest
from amaranth.hdl import Signal
from support import pulse, simulate

from offcut.core.counters import Counters
from offcut.core.popcount import PopCount

GREATEST = {
    "two": {"a": 1, "b": 8},
    "three, one of them huge": {"a": 1, "b": (1 << 28) - 1, "c": 3},
    "thirteen": {f"c{number}": 64 if number in (1, 3) else 1 for number in range(13)},
}
MASK = (1 << 32) - 1


async def read(ctx, dut, number):
    """A counter's value, its low half first, and the clocks that it took."""
    ctx.set(dut.number, number)
    ctx.set(dut.read, 1)
    clocks, done = 0, False
    while not done:
        _, _, done, low = await ctx.tick().sample(dut.done, dut.low)
        clocks += 1
        assert clocks <= 200, "the read is not answered"
    ctx.set(dut.read, 0)
    await ctx.tick().repeat(2)
    return low | ctx.get(dut.high) << 32, clocks


@pytest.mark.parametrize("greatest", GREATEST.values(), ids=GREATEST)
@pytest.mark.parametrize("pace", ["all, every clock", "at random"])
def test_nothing_is_lost_whatever_counts_at_once(dice, greatest, pace):
    """Every counter is read at random moments while all go on counting, and must lie between what it was at both ends of the read; in the
    end each is exact."""
    dut, true, reading = Counters(greatest), Counter(), [True]

    async def count(ctx):
        for _ in range(1500):
            adds = {
                name: most if pace != "at random" else dice.choice((0, 0, most, dice.randint(0, most))) for name, most in greatest.items()
            }
            ctx.set(dut.add, adds)
            await ctx.tick()
            true.update(adds)
        ctx.set(dut.add, dict.fromkeys(greatest, 0))
        reading[0] = False

    async def reader(ctx):
        names = list(greatest)
        while reading[0]:
            number = dice.randrange(len(names))
            before = true[names[number]]
            value, clocks = await read(ctx, dut, number)
            assert before - 4 * greatest[names[number]] <= value <= true[names[number]]
            assert clocks <= 2 * len(names) + 2
            for _ in range(dice.randrange(5)):
                await ctx.tick()
        for number, name in enumerate(names):
            assert (await read(ctx, dut, number))[0] == true[name]

    simulate(dut, count, reader)
    if any(most > 100 for most in greatest.values()):
        assert max(true.values()) > MASK, "the carry into the upper half was met"


def test_halves_belong_together_while_the_upper_one_changes():
    """It grows by nearly 2^31 in a turn, so halves of different moments would be far apart."""
    dut, seen = Counters({"a": (1 << 29) - 1, "b": 1}), []

    async def bench(ctx):
        ctx.set(dut.add, {"a": (1 << 29) - 1, "b": 0})
        for _ in range(200):
            seen.append((await read(ctx, dut, 0))[0])

    simulate(dut, bench)
    assert seen == sorted(seen) and seen[-1] >> 32 > 50
    assert all(value % ((1 << 29) - 1) == 0 for value in seen), "each is a sum that once was"


@pytest.mark.parametrize("after", [0, 1, 5, 100])
def test_after_a_reset_every_counter_is_zero_and_counts_from_the_first_clock(after):
    """The RAM still holds what was counted before."""
    greatest = {"a": 3, "b": 3, "c": 3}
    dut, reset = Counters(greatest), Signal()

    async def bench(ctx):
        ctx.set(dut.add, dict.fromkeys(greatest, 3))
        await ctx.tick().repeat(50 + after)
        ctx.set(dut.add, dict.fromkeys(greatest, 0))
        await pulse(ctx, reset)
        ctx.set(dut.add, {"a": 1, "b": 2, "c": 3})
        await ctx.tick()
        ctx.set(dut.add, dict.fromkeys(greatest, 0))
        assert (await read(ctx, dut, 0))[0] in (0, 1), "a read may be a turn late"
        await ctx.tick().repeat(2 * len(greatest))
        for number, expected in enumerate((1, 2, 3)):
            assert (await read(ctx, dut, number))[0] == expected

    simulate(dut, bench, reset=reset)


@pytest.mark.parametrize(
    "greatest, sentence",
    [
        ({"a": 1}, "at least 2 counters, not 1"),
        ({"a": 1 << 30, "b": 1}, "Counter 'a' may grow by 1073741824 in a clock"),
    ],
)
@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_counters_that_cannot_be_are_refused(greatest, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        Counters(greatest)
    del refusal
    gc.collect()


@pytest.mark.parametrize("width", [4, 8, 16, 32, 64])
def test_ones_are_counted(dice, width):
    dut = PopCount(width)
    words = [dice.choice([0, (1 << width) - 1, (1 << dice.randrange(width)) - 1, dice.getrandbits(width)]) for _ in range(100)]
    valid, seen = [dice.getrandbits(1) for _ in words], []

    async def bench(ctx):
        for word, one in zip(words, valid, strict=True):
            ctx.set(dut.bits, word)
            ctx.set(dut.valid, one)
            await ctx.tick()
            seen.append(ctx.get(dut.count))
        ctx.set(dut.valid, 0)
        for _ in range(2):
            await ctx.tick()
            seen.append(ctx.get(dut.count))

    simulate(dut, bench)
    assert seen[2:] == [word.bit_count() * one for word, one in zip(words, valid, strict=True)]
