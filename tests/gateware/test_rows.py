"""The row store: a ring that two readers look into."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, row_end, simulate

from offcut.tx.rows import RowStore

KEPT = 2  # clocks for which a row that was taken can still be read


def random_row(dice, g):
    end = row_end(dice.randint(0, g.bus_bytes), last=dice.getrandbits(1), fault=dice.randrange(3))
    return {"data": dice.getrandbits(g.width), "end": end}


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.0, 0.7), (0.5, 0.3), (0.0, 0.95)])
def test_rows_are_read_where_they_were_written_and_their_ends_come_in_order(dice, width, pauses, stalls):
    g = geometry(width)
    dut = RowStore(g)
    total, written, taken = 150, [], []

    async def bench(ctx):
        """Writes a clock after it saw room, as the ingress does, and looks at a random row that must be there."""
        room, pending = False, None
        recently = [0] * (KEPT + 1)
        while len(taken) < total:
            accept = room and len(written) + (pending is not None) < total and dice.random() >= pauses
            if pending is not None:
                ctx.set(dut.i.payload, pending)
            ctx.set(dut.i.valid, pending is not None)
            ready = dice.random() >= stalls
            ctx.set(dut.ends.ready, ready)
            live = range(recently[0], len(written))
            reads = [dice.choice(live) for _ in range(2)] if live else []
            if reads:
                ctx.set(dut.parse_at, reads[0] % g.store_rows)
                ctx.set(dut.cut_at, reads[1] % g.store_rows)
            assert ctx.get(dut.written) == len(written) % g.store_rows
            _, _, room, end_valid, end, parse, cut = await ctx.tick().sample(dut.room, dut.ends.valid, dut.ends.payload, dut.parse, dut.cut)
            if reads:
                row = written[reads[0]]
                assert parse == g.row.const(row)
                assert cut == written[reads[1]]["data"]
            if pending is not None:
                written.append(pending)
            pending = random_row(dice, g) if accept else None
            if end_valid and ready:
                taken.append(plain(end))
            recently = [*recently[1:], len(taken)]

    simulate(dut, bench)
    assert taken == [row["end"] for row in written]


def test_room_goes_before_the_ring_is_full_and_comes_back(dice):
    g = geometry(64)
    dut = RowStore(g)

    async def bench(ctx):
        for _ in range(3):
            held, room = 0, False
            for _ in range(3 * g.store_rows):
                ctx.set(dut.i.valid, room)
                held += room
                _, _, room = await ctx.tick().sample(dut.room)
            ctx.set(dut.i.valid, 0)
            assert not room
            assert g.store_rows // 2 <= held <= g.store_rows
            ctx.set(dut.ends.ready, 1)
            for _ in range(held + 8):
                await ctx.tick()
            ctx.set(dut.ends.ready, 0)
            assert not ctx.get(dut.ends.valid)

    simulate(dut, bench)


def test_after_a_reset_the_ring_is_empty(dice):
    g = geometry(32)
    dut, reset = RowStore(g), Signal()

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(10)
        ctx.set(dut.i.valid, 0)
        await pulse(ctx, reset)
        assert ctx.get(dut.written) == 0
        for _ in range(5):
            _, _, valid = await ctx.tick().sample(dut.ends.valid)
            assert not valid

    simulate(dut, bench, reset=reset)
