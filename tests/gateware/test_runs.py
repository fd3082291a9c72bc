"""Entries of fragments out of one for all of them."""

import pytest
from amaranth.hdl import Signal
from amaranth.lib import data
from support import geometry, plain, pulse, receiver, sender, simulate

from offcut.tx.layouts import RUN_BITS
from offcut.tx.runs import Runs

REST = data.StructLayout({"slot": 2, "position": 17})
PAUSES = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.0, 0.9), (0.9, 0.0)]  # of the source, of the sink
MOST = (1 << RUN_BITS) - 1


def random_run(dice, count, g):
    return {
        "count": count,
        "first": dice.getrandbits(1),
        "last": dice.getrandbits(1),
        "last_row": dice.choice([0, dice.getrandbits(g.row_bits)]),
        "last_lane": dice.getrandbits(g.lane_bits),
        "full_row": dice.choice([0, dice.getrandbits(g.row_bits)]),
        "full_lane": dice.getrandbits(g.lane_bits),
        "rest": {"slot": dice.getrandbits(2), "position": dice.getrandbits(17)},
    }


def entries(run):
    """What a run stands for."""
    for number in range(run["count"] + 1):
        final = number == run["count"]
        end = "last" if final else "full"
        yield {
            "first": int(number == 0 and run["first"]),
            "last": int(final and run["last"]),
            "single": int(run[f"{end}_row"] == 0),
            "last_row": run[f"{end}_row"],
            "last_lane": run[f"{end}_lane"],
            "rest": run["rest"],
        }


@pytest.mark.parametrize("width", [32, 512])
@pytest.mark.parametrize("source_pauses, sink_pauses", PAUSES)
def test_a_run_becomes_its_entries_in_order(dice, width, source_pauses, sink_pauses):
    g = geometry(width)
    runs = [random_run(dice, dice.choice([0, 0, 1, 2, 3, dice.randrange(20)]), g) for _ in range(60)]
    wanted, seen = [entry for run in runs for entry in entries(run)], []
    dut = Runs(g, REST)
    simulate(
        dut,
        sender(dut.i, runs, dice=dice, pauses=source_pauses),
        receiver(dut.o, seen, len(wanted), dice=dice, pauses=sink_pauses),
    )
    assert seen == wanted


def test_an_entry_leaves_in_every_clock_from_run_to_run(dice):
    g = geometry(64)
    dut = Runs(g, REST)
    runs = [random_run(dice, count, g) for count in (0, 0, 0, 1, 0, 2, 1, 1, 7, 0)]
    left_at, wanted = [], sum(run["count"] + 1 for run in runs)

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        for clock in range(wanted + 10):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                left_at.append(clock)

    simulate(dut, sender(dut.i, runs), sink)
    assert left_at == list(range(1, wanted + 1))


@pytest.mark.parametrize("count", [MOST, 7500])
def test_the_longest_runs_have_all_their_entries(dice, count):
    g = geometry(64)
    dut, seen = Runs(g, REST), []
    runs = [random_run(dice, count, g), random_run(dice, 0, g)]
    simulate(dut, sender(dut.i, runs), receiver(dut.o, seen, count + 2))
    assert seen == [entry for run in runs for entry in entries(run)]


def test_after_a_reset_nothing_of_a_run_is_left(dice):
    g = geometry(64)
    dut, reset, seen = Runs(g, REST), Signal(), []
    old, new = random_run(dice, 5, g), random_run(dice, 2, g)

    async def bench(ctx):
        ctx.set(dut.i.payload, old)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(3)
        await pulse(ctx, reset)
        assert not ctx.get(dut.o.valid)
        ctx.set(dut.i.payload, new)
        while ctx.get(dut.i.valid):
            _, _, accepted, valid, entry = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            ctx.set(dut.i.valid, not accepted)
            if valid:
                seen.append(plain(entry))
        await receiver(dut.o, seen, 3)(ctx)

    simulate(dut, bench, reset=reset)
    assert seen == list(entries(new))
