"""The sum over a unit's words."""

import pytest
from amaranth import Module, Mux
from amaranth.hdl import Signal
from support import geometry, ones, pulse, simulate

from offcut.tx.payload_sum import PayloadSum

WIDTHS = [32, 64, 128, 256, 512]


def words(octets, size):
    return [int.from_bytes(octets[at : at + size], "little") for at in range(0, len(octets), size)]


def expected(octets, base):
    return (ones(octets) + base) % 0xFFFF


class Sums:
    """The sums of an engine so wide, and plans whose ``base`` is given with their words."""

    def __init__(self, g):
        self.m = Module()
        self.m.submodules.dut = dut = PayloadSum(g)
        self.dut, self.base = dut, Signal(17)
        base, number = self.base, dut.number
        for clock in range(dut.levels):
            base_later, number_later = Signal.like(base, name=f"base_{clock}"), Signal.like(number, name=f"number_{clock}")
            self.m.d.sync += [base_later.eq(base), number_later.eq(number)]
            base, number = base_later, number_later
        self.m.d.comb += dut.base.eq(Mux(dut.base_at == number, base, ~base))


async def add(ctx, sums, octets, base, *, wanted=True, dice=None, pauses=0.0):
    """Pass a unit's words; ``base`` counts with the first alone, and garbage stands where nothing is valid."""
    dut = sums.dut
    size = len(dut.word) // 8
    unit = words(octets, size)
    for number, word in enumerate(unit):
        while pauses and dice.random() < pauses:
            ctx.set(dut.word, dice.getrandbits(len(dut.word)))
            ctx.set(dut.push, dice.getrandbits(1))
            await ctx.tick()
        ctx.set(dut.valid, 1)
        ctx.set(dut.first, number == 0)
        ctx.set(dut.push, wanted and number == len(unit) - 1)
        ctx.set(dut.number, dice.getrandbits(5) if dice else number)
        ctx.set(sums.base, base if number == 0 else dice.getrandbits(17) if dice else 0)
        ctx.set(dut.word, word)
        await ctx.tick()
        ctx.set(dut.valid, 0)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_sums_of_units_back_to_back_come_in_order(dice, width, pauses):
    g = geometry(width)
    sums = Sums(g)
    dut = sums.dut
    units = []
    for _ in range(60):
        octets = dice.choice([dice.randbytes(dice.randint(1, 5 * g.bus_bytes)), b"\xff" * dice.randint(1, 200), bytes(dice.randint(1, 40))])
        units.append((octets, dice.choice([0, 0xFFFF, 0x1FFFF, dice.getrandbits(17)]), dice.random() < 0.8))
    # A unit can be read `latency` clocks after its last word; this many of the shortest may be waiting, far fewer than the queue's places.
    known, begun = [], []

    async def source(ctx):
        for octets, base, wanted in units:
            while len(begun) - len(known) > 8:
                await ctx.tick()
            await add(ctx, sums, octets, base, wanted=wanted, dice=dice, pauses=pauses)
            if wanted:
                begun.append((octets, base))

    async def sink(ctx):
        wanted = [(octets, base) for octets, base, wanted in units if wanted]
        for octets, base in wanted:
            while len(begun) <= len(known):
                await ctx.tick()
            await ctx.tick().repeat(dut.latency)
            assert ctx.get(dut.sum) == expected(octets, base)
            known.append(await pulse(ctx, dut.pop))

    simulate(sums.m, source, sink)
    assert len(known) == len(begun)


@pytest.mark.parametrize("width", [32, 512])
@pytest.mark.parametrize(
    "octets, base, total",
    [
        (b"\0\0", 0, 0),
        (b"\xff\xff", 0, 0),  # the smaller of the two zeroes
        (b"\0\0", 0xFFFF, 0),
        (b"\0\1", 0xFFFE, 0),
        (b"\xff\xff", 0xFFFF, 0),
        (b"\0\1", 0xFFFF, 1),
        (b"\0\1", 0x10000, 2),
        (b"\xff", 0, 0xFF00),
        (b"\xff\xff" * 4608, 0x1FFFF, 1),  # the longest unit
        pytest.param(b"\xff\xff" * 32767 + b"\xff", 0x1FFFF, 0xFF01, id="the longest datagram"),
    ],
)
def test_zero_is_zero_and_carries_go_round(width, octets, base, total):
    sums = Sums(geometry(width))
    dut = sums.dut

    async def bench(ctx):
        await add(ctx, sums, octets, base)
        await ctx.tick().repeat(dut.latency)
        assert ctx.get(dut.sum) == total == expected(octets, base)

    simulate(sums.m, bench, clocks=80_000)


def test_a_sum_can_be_read_after_the_stated_latency():
    """Each of the shortest units follows the one before as soon as it may be read."""
    sums = Sums(geometry(64))
    dut = sums.dut

    async def bench(ctx):
        for number in range(40):
            await add(ctx, sums, bytes([0, number, 1, 0]), number)
            await ctx.tick().repeat(dut.latency - 1)
            assert ctx.get(dut.sum) == 256 + 2 * number
            await pulse(ctx, dut.pop)

    simulate(sums.m, bench)


def test_after_a_reset_nothing_of_a_unit_is_left():
    sums, reset = Sums(geometry(64)), Signal()
    dut = sums.dut

    async def bench(ctx):
        await add(ctx, sums, bytes(range(40)), 99)
        await add(ctx, sums, bytes(range(24)), 99, wanted=False)
        await pulse(ctx, reset)
        await add(ctx, sums, b"\1\2", 3)
        await ctx.tick().repeat(dut.latency)
        assert ctx.get(dut.sum) == 0x0105

    simulate(sums.m, bench, reset=reset)
