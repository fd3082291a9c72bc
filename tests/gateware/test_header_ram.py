"""The header RAM: written a halfword at a time, read in rows."""

import pytest
from support import geometry, plain, sender, simulate

from offcut.tx.header_ram import HeaderRam

HALFWORD_BITS = 16


def written(dice, g, **fields):
    return {"data": dice.getrandbits(HALFWORD_BITS), "field": dice.randrange(len(g.fields))} | fields


def row_of(halfwords):
    """A row as it leaves: each halfword's first byte in the lower lane."""
    return int.from_bytes(b"".join(each["data"].to_bytes(2, "big") for each in halfwords), "little")


def marks_of(g, halfwords):
    """A narrow engine keeps that there is a field, a wide one which."""
    return [int(each["field"] != 0) if g.serial else each["field"] for each in halfwords]


@pytest.mark.parametrize("width", [32, 64, 128, 512])
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_each_slot_gives_back_its_header_and_its_marks(dice, width, pauses):
    """In whatever order its halfwords came."""
    g = geometry(width)
    dut = HeaderRam(g)
    count, per_row = g.header_bytes * 8 // HALFWORD_BITS, width // HALFWORD_BITS
    kept = {slot: [written(dice, g, index=index) for index in range(count)] for slot in range(g.slots)}

    async def bench(ctx):
        for slot, header in kept.items():
            ctx.set(dut.into, slot)
            await sender(dut.i, dice.sample(header, count), dice=dice, pauses=pauses)(ctx)
        places = [(slot, row) for slot in range(g.slots) for row in range(g.slot_rows)]
        dice.shuffle(places)
        for slot, row in places:
            halfwords = kept[slot][row * per_row :][:per_row]
            ctx.set(dut.take, 1)
            ctx.set(dut.slot, slot)
            ctx.set(dut.row, row)
            await ctx.tick()
            assert ctx.get(dut.data) == row_of(halfwords)
            assert plain(ctx.get(dut.marks)) == marks_of(g, halfwords)

    simulate(dut, bench)


@pytest.mark.parametrize("width", [64, 128])
def test_a_row_stays_until_the_next_is_taken_and_a_halfword_can_be_written_anew(dice, width):
    """With its mark; its neighbours stay."""
    g = geometry(width)
    dut = HeaderRam(g)
    lanes = width // HALFWORD_BITS

    async def bench(ctx):
        ctx.set(dut.into, 2)
        ctx.set(dut.slot, 2)
        row = [written(dice, g, index=5 * lanes + lane) for lane in range(lanes)]
        await sender(dut.i, row)(ctx)
        for lane in (3, 0, 1, 3, 2):
            row[lane] = written(dice, g, index=5 * lanes + lane, field=int(not row[lane]["field"]))
            await sender(dut.i, [row[lane]])(ctx)
            ctx.set(dut.row, 5)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            ctx.set(dut.row, 6)
            await ctx.tick().repeat(dice.randint(1, 4))
            assert ctx.get(dut.data) == row_of(row)
            assert plain(ctx.get(dut.marks)) == marks_of(g, row)

    simulate(dut, bench)
