"""The queue in LUT RAM."""

import gc

import pytest
from amaranth.hdl import Signal
from amaranth.lib import data
from support import pulse, receiver, sender, simulate

from offcut.tx.queue import Queue

NUMBER = data.StructLayout({"number": 16})
DEPTHS = [4, 8, 32]
PAUSES = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.0, 0.9)]  # of the source, of the sink


def numbers(values):
    return [{"number": value} for value in values]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("source_pauses, sink_pauses", PAUSES)
def test_payloads_come_out_once_and_in_order(dice, depth, source_pauses, sink_pauses):
    dut = Queue(NUMBER, depth=depth)
    sent, seen = [{"number": dice.getrandbits(16)} for _ in range(150)], []
    simulate(
        dut,
        sender(dut.i, sent, dice=dice, pauses=source_pauses),
        receiver(dut.o, seen, len(sent), dice=dice, pauses=sink_pauses),
    )
    assert seen == sent


def test_one_payload_passes_in_every_clock():
    dut = Queue(NUMBER, depth=8)
    taken_at, sent = [], 60

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        for clock in range(sent + 20):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                taken_at.append(clock)

    simulate(dut, sender(dut.i, numbers(range(sent))), sink)
    assert len(taken_at) == sent
    assert taken_at[-1] - taken_at[0] == sent - 1


def test_a_quick_queue_that_is_empty_shows_a_payload_in_the_next_clock():
    """As long as each is taken at once; behind one that is not, in order."""
    dut = Queue(NUMBER, depth=8, quick=True)
    seen = []

    async def bench(ctx):
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 1)
        for clock in range(12):
            ctx.set(dut.i.p.number, clock)
            ctx.set(dut.o.ready, clock != 7)
            seen.append((ctx.get(dut.o.valid), ctx.get(dut.o.p.number)))
            await ctx.tick()

    simulate(dut, bench)
    assert seen[1:] == [(1, clock) for clock in (*range(7), 6, *range(7, 10))]


@pytest.mark.parametrize("hold", [0, 1, 4])
def test_a_payload_shows_after_the_latency_and_as_many_clocks_more_as_it_is_held(hold):
    """However many come behind it, and in a queue that empties in between."""
    dut = Queue(NUMBER, depth=16, hold=hold)
    came, shown = [], []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await ctx.tick().until(dut.i.ready)
        for clock in range(60):
            comes = clock % 20 < 5
            ctx.set(dut.i.valid, comes)
            ctx.set(dut.i.p.number, clock)
            came.extend([clock] if comes else [])
            if ctx.get(dut.o.valid):
                assert ctx.get(dut.o.p.number) == came[len(shown)]
                shown.append(clock)
            await ctx.tick()

    simulate(dut, bench)
    assert shown == [clock + Queue.LATENCY + hold for clock in came]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_full_queue_refuses_and_loses_nothing(depth):
    dut = Queue(NUMBER, depth=depth)
    held, seen = [], []

    async def fill_then_drain(ctx):
        ctx.set(dut.i.valid, 1)
        for number in range(depth + 20):
            ctx.set(dut.i.p.number, len(held))
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                held.append(number)
        ctx.set(dut.i.valid, 0)
        assert depth - 3 <= len(held) <= depth + 1
        _, _, ready, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
        assert (ready, valid) == (0, 1)
        await receiver(dut.o, seen, len(held))(ctx)
        _, _, valid = await ctx.tick().sample(dut.o.valid)
        assert not valid

    simulate(dut, fill_then_drain)
    assert seen == numbers(range(len(held)))


@pytest.mark.parametrize("depth, margin", [(8, 0), (8, 3), (32, 18), (32, 27)])
def test_while_there_is_room_its_margin_fits(dice, depth, margin):
    dut = Queue(NUMBER, depth=depth, margin=margin)
    seen, accepted = [], []
    rounds = 30

    async def source(ctx):
        """Goes on for ``margin`` more whenever room was seen last, as a pipeline that cannot stall does."""
        for _ in range(rounds):
            await ctx.tick().until(dut.room)
            for _ in range(margin):
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.p.number, len(accepted))
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                assert ready, "the margin does not fit"
                accepted.append(len(accepted))
            ctx.set(dut.i.valid, 0)

    simulate(dut, source, receiver(dut.o, seen, rounds * margin, dice=dice, pauses=0.8))
    assert seen == numbers(range(rounds * margin))


def test_after_a_reset_it_is_empty():
    dut, reset, seen = Queue(NUMBER, depth=8), Signal(), []

    async def bench(ctx):
        await sender(dut.i, numbers([1, 2, 3]))(ctx)
        await pulse(ctx, reset)
        for _ in range(10):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid
        await sender(dut.i, numbers([4, 5]))(ctx)
        await receiver(dut.o, seen, 2)(ctx)

    simulate(dut, bench, reset=reset)
    assert seen == numbers([4, 5])


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"depth": 2}, "power of two above 3, not 2"),
        ({"depth": 12}, "power of two above 3, not 12"),
        ({"depth": 8, "margin": 5}, "queue of 8 cannot keep room for 5"),
        ({"depth": 8, "margin": -1}, "queue of 8 cannot keep room for -1"),
    ],
)
@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_a_queue_that_cannot_be_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        Queue(NUMBER, **settings)
    del refusal
    gc.collect()
