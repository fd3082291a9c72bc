"""The rings whose write side commits or discards."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.tx.payload_buffer import PayloadBuffer

SMALL = {"mtu_max": 1522}
BANKED = {"mtu_max": 2300}  # at 32 bits: a ring of two memories
READABLE = 2  # clocks from a word's write
DATA_AFTER = 2  # clocks from `take`
SLACK = 10  # words that still fit when room has gone


def buffer(g):
    return PayloadBuffer(g, g.buffer_banks)


class Writer:
    """Writes units of random words while there is room, and tells what was committed."""

    def __init__(self, dut, dice):
        self.dut, self.dice = dut, dice
        self.unit, self.committed = [], []

    async def put(self, ctx, *, commit=0, discard=0, write=1):
        dut = self.dut
        word = self.dice.getrandbits(len(dut.word))
        ctx.set(dut.word, word)
        ctx.set(dut.write, write)
        ctx.set(dut.commit, commit)
        ctx.set(dut.discard, discard)
        _, _, room = await ctx.tick().sample(dut.room)
        ctx.set(dut.write, 0)
        ctx.set(dut.commit, 0)
        ctx.set(dut.discard, 0)
        if write:
            self.unit.append(word)
        if commit:
            self.committed += self.unit
        if commit or discard:
            self.unit = []
        return room


def joined(data):
    """The word out of the banks' values, of which all but one are 0."""
    values = plain(data)
    assert sum(value != 0 for value in values) <= 1
    return sum(values)


async def take(ctx, dut, seen):
    await pulse(ctx, dut.take)
    await ctx.tick().repeat(DATA_AFTER - 1)
    seen.append(joined(ctx.get(dut.data)))


@pytest.mark.parametrize("width, settings, words", [(512, SMALL, 1100), (64, SMALL, 1100), (32, BANKED, 3500)])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.0, 0.6), (0.3, 0.3)])
def test_committed_words_come_out_in_order_and_discarded_ones_never(dice, width, settings, words, pauses, stalls):
    """Enough words to go round the ring twice; a unit is given up at any of its words. Where nothing was taken, nothing is shown."""
    dut = buffer(geometry(width, **settings))
    writer, seen, finished = Writer(dut, dice), [], []

    async def source(ctx):
        while len(writer.committed) < words:
            while not ctx.get(dut.room) or dice.random() < pauses:
                await ctx.tick()
            fate = dice.random()
            await writer.put(ctx, commit=fate < 0.3, discard=fate > 0.9, write=fate < 0.25 or fate > 0.35 or not writer.unit)
        finished.append(True)

    async def sink(ctx):
        """Takes in every clock in which a word is old enough."""
        old, taken, looks = [0] * READABLE, 0, [False] * DATA_AFTER
        while not finished or len(seen) < len(writer.committed):
            takes = taken < old[0] and dice.random() >= stalls
            ctx.set(dut.take, takes)
            data = joined(ctx.get(dut.data))
            if looks[0]:
                seen.append(data)
            else:
                assert data == 0
            taken, looks = taken + takes, [*looks[1:], takes]
            await ctx.tick()
            old = [*old[1:], len(writer.committed)]
        ctx.set(dut.take, 0)

    simulate(dut, source, sink)
    assert seen == writer.committed


@pytest.mark.parametrize("width", [128, 512])
def test_once_room_has_gone_ten_more_words_fit(dice, width):
    dut = buffer(geometry(width, **SMALL))
    writer, seen = Writer(dut, dice), []

    async def bench(ctx):
        for _ in range(3):
            await ctx.tick().repeat(3)
            while await writer.put(ctx, commit=1):
                pass
            for _ in range(SLACK - 1):  # the word that saw no room was one of them
                await writer.put(ctx, commit=1)
            await ctx.tick().repeat(READABLE)
            assert not ctx.get(dut.room)
            while len(seen) < len(writer.committed) - dice.randint(0, 20):
                await take(ctx, dut, seen)

    simulate(dut, bench)
    assert seen == writer.committed[: len(seen)]


HELD = {
    # name: settings of the engine, which of its buffers, units held, bytes each
    "the longest unit": ({}, "buffer_banks", 1, 1522),
    "a first fragment": ({}, "side_banks", 1, 1522),
    "a whole datagram": ({"ufo_order": "first"}, "buffer_banks", 1, 65535),
}


@pytest.mark.parametrize("name, width", [*((name, 128) for name in HELD), *((name, 512) for name in HELD)])
def test_the_longest_that_must_be_whole_is_held(dice, name, width):
    settings, banks, count, length_bytes = HELD[name]
    g = geometry(width, **SMALL, **settings)
    dut = PayloadBuffer(g, getattr(g, banks))
    writer, seen = Writer(dut, dice), []
    rows = -(-length_bytes // g.bus_bytes)

    async def bench(ctx):
        await ctx.tick().repeat(3)
        for _ in range(count):
            for row in range(rows):
                assert ctx.get(dut.room)
                await writer.put(ctx, commit=row == rows - 1)
        await ctx.tick().repeat(READABLE)
        while len(seen) < count * rows:
            await take(ctx, dut, seen)

    simulate(dut, bench)
    assert seen == writer.committed


def test_discarding_gives_the_room_back(dice):
    """Units that are never committed do not fill the ring."""
    dut = buffer(geometry(512, **SMALL))
    writer, seen = Writer(dut, dice), []

    async def bench(ctx):
        await ctx.tick().repeat(3)
        for unit in range(60):
            for _ in range(25):
                assert ctx.get(dut.room)
                await writer.put(ctx)
            await writer.put(ctx, discard=1, write=unit % 2)
        await writer.put(ctx, commit=1)
        await ctx.tick().repeat(READABLE)
        await take(ctx, dut, seen)

    simulate(dut, bench)
    assert seen == writer.committed


def test_after_a_reset_the_ring_is_empty(dice):
    dut, reset = buffer(geometry(512, **SMALL)), Signal()
    writer, seen = Writer(dut, dice), []

    async def bench(ctx):
        for _ in range(40):
            await writer.put(ctx, commit=1)
        await writer.put(ctx)
        await pulse(ctx, reset)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.room)
        writer.committed, writer.unit = [], []
        await writer.put(ctx, commit=1)
        await ctx.tick().repeat(READABLE)
        await take(ctx, dut, seen)

    simulate(dut, bench, reset=reset)
    assert seen == writer.committed
