"""The CRC over a unit's words."""

import pytest
from amaranth.hdl import Signal
from support import geometry, pulse, simulate

from offcut.tx.crc32c import Crc32c

WIDTHS = [32, 64, 128, 256, 512]

VECTORS = [
    # RFC 3720, B.4, and the check value of the catalogues
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
]


def crc32c(octets):
    """RFC 9260, appendix A, by the book: the polynomial is divided as it is written, a bit at a time, and each byte turned round."""
    remainder = 0xFFFFFFFF
    for octet in octets:
        for bit in range(8):
            out = remainder >> 31 ^ octet >> bit & 1
            remainder = remainder << 1 & 0xFFFFFFFF ^ (0x1EDC6F41 if out else 0)
    return int(f"{remainder ^ 0xFFFFFFFF:032b}"[::-1], 2)


async def add(ctx, dut, octets, start, *, wanted=True, dice=None, pauses=0.0):
    """Pass a unit's words, the first that counts being byte ``start``; garbage stands where nothing is valid, or not yet wanted."""
    size = len(dut.word) // 8
    unit = bytes(start) + octets
    words = [unit[at : at + size] for at in range(0, len(unit), size)]

    def noise(signal):
        return dice.getrandbits(len(signal)) if dice else 0

    for number, word in enumerate(words):
        while pauses and dice.random() < pauses:
            for signal in (dut.word, dut.push, dut.begin, dut.lane, dut.behind):
                ctx.set(signal, noise(signal))
            await ctx.tick()
        begin, last = number == start // size, number == len(words) - 1
        ctx.set(dut.valid, 1)
        ctx.set(dut.word, int.from_bytes(word, "little"))
        ctx.set(dut.begin, begin)
        ctx.set(dut.lane, start % size if begin else noise(dut.lane))
        ctx.set(dut.push, wanted and last)
        ctx.set(dut.behind, size - len(word) if last else noise(dut.behind))
        await ctx.tick()
        ctx.set(dut.valid, 0)


async def read(ctx, dut):
    """Wait for the last unit's CRC no longer than it may need, and take it."""
    await ctx.tick().repeat(dut.latency - 1)
    crc = ctx.get(dut.crc)
    await pulse(ctx, dut.pop)
    return crc


@pytest.mark.parametrize(("octets", "crc"), VECTORS)
def test_the_reference_gives_the_published_values(octets, crc):
    assert crc32c(octets) == crc


@pytest.mark.parametrize("width", WIDTHS)
def test_the_published_values_come_out(width):
    dut = Crc32c(geometry(width))

    async def bench(ctx):
        for octets, crc in VECTORS:
            await add(ctx, dut, octets, 0)
            assert await read(ctx, dut) == crc

    simulate(dut, bench)


@pytest.mark.parametrize("width", WIDTHS)
def test_it_begins_and_ends_in_any_lane(dice, width):
    g = geometry(width)
    dut = Crc32c(g)
    # Every lane to begin with, and every one to end in; the shortest packet's 12 bytes, and others that end a word or two on.
    lanes = range(g.bus_bytes)
    cases = [(first, last) for first in lanes for last in lanes] if width <= 128 else []
    cases += [(first, dice.choice(lanes)) for first in lanes] + [(dice.choice(lanes), last) for last in lanes]
    units = []
    for first, last in cases:
        length = (last + 1 - first) % g.bus_bytes
        units.append((dice.randbytes(length + g.bus_bytes * (-(-max(0, 12 - length) // g.bus_bytes) + dice.randrange(2))), first))
    units = [(octets, first + g.bus_bytes * dice.randrange(2)) for octets, first in units]
    assert {start % g.bus_bytes for _, start in units} == {(start + len(octets)) % g.bus_bytes for octets, start in units} == set(lanes)

    async def bench(ctx):
        for octets, start in units:
            await add(ctx, dut, octets, start, dice=dice)
            assert await read(ctx, dut) == crc32c(octets)

    simulate(dut, bench, clocks=60_000)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_bit_of_a_word_counts(width):
    """The CRC is linear but for its ends: one bit at a time is all that there is."""
    dut = Crc32c(geometry(width))

    async def bench(ctx):
        for first in range(0, width, 16):
            units = [(1 << bit).to_bytes(width // 8, "little") for bit in range(first, first + 16)]
            for octets in units:
                await add(ctx, dut, octets, 0)
            await ctx.tick().repeat(dut.latency)
            for octets in units:
                assert ctx.get(dut.crc) == crc32c(octets)
                await pulse(ctx, dut.pop)

    simulate(dut, bench, clocks=60_000)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_crcs_of_units_back_to_back_come_in_order(dice, width, pauses):
    g = geometry(width)
    dut = Crc32c(g)
    units = []
    for _ in range(100):
        octets = dice.choice([dice.randbytes(dice.randint(1, 5 * g.bus_bytes)), b"\xff" * dice.randint(1, 200), bytes(dice.randint(1, 40))])
        units.append((octets, dice.choice([0, dice.randrange(g.bus_bytes), dice.randrange(3 * g.bus_bytes)]), dice.random() < 0.8))
    wanted = [octets for octets, _, wanted in units if wanted]
    known, begun, ready = [], [], []

    async def source(ctx):
        for octets, start, pushed in units:
            while len(begun) - len(known) > 20:
                await ctx.tick()
            await add(ctx, dut, octets, start, wanted=pushed, dice=dice, pauses=pauses)
            if pushed:
                begun.append(octets)

    async def clock(ctx):
        """What may be read now: what had been pushed ``latency`` clocks ago."""
        pushed = [0] * dut.latency
        async for _ in ctx.tick():
            ready[:] = [pushed[-dut.latency]]
            pushed.append(len(begun))
            if len(known) == len(wanted):
                return

    async def sink(ctx):
        for octets in wanted:
            while not ready or ready[0] <= len(known) or (pauses and dice.random() < pauses):
                await ctx.tick()
            assert ctx.get(dut.crc) == crc32c(octets)
            known.append(await pulse(ctx, dut.pop))

    simulate(dut, source, sink, clock)
    assert len(known) == len(wanted)


def test_after_a_reset_nothing_of_a_unit_is_left(dice):
    dut, reset = Crc32c(geometry(64)), Signal()

    async def bench(ctx):
        await add(ctx, dut, dice.randbytes(40), 3)
        await add(ctx, dut, dice.randbytes(24), 3, wanted=False)
        await pulse(ctx, reset)
        octets = dice.randbytes(23)
        await add(ctx, dut, octets, 5)
        assert await read(ctx, dut) == crc32c(octets)

    simulate(dut, bench, reset=reset)
