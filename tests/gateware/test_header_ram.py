"""The header RAM: written word by word, read in rows."""

import pytest
from support import geometry, plain, sender, simulate

from offcut.tx.header_ram import HeaderRam

WORD_BITS = 32


def written(dice, g, **fields):
    return {"data": dice.getrandbits(WORD_BITS), "fields": [dice.randrange(len(g.fields)) for _ in range(2)]} | fields


@pytest.mark.parametrize("width", [32, 64, 128, 512])
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_each_slot_gives_back_its_header_and_its_fields(dice, width, pauses):
    g = geometry(width)
    dut = HeaderRam(g)
    words, per_row = g.header_bytes * 8 // WORD_BITS, width // WORD_BITS
    kept = {slot: [written(dice, g, index=index) for index in range(words)] for slot in range(g.slots)}

    async def bench(ctx):
        for slot, header in kept.items():
            ctx.set(dut.into, slot)
            await sender(dut.i, header, dice=dice, pauses=pauses)(ctx)
        places = [(slot, row) for slot in range(g.slots) for row in range(g.slot_rows)]
        dice.shuffle(places)
        for slot, row in places:
            parts = kept[slot][row * per_row :][:per_row]
            ctx.set(dut.take, 1)
            ctx.set(dut.slot, slot)
            ctx.set(dut.row, row)
            await ctx.tick()
            assert ctx.get(dut.data) == sum(part["data"] << WORD_BITS * number for number, part in enumerate(parts))
            assert plain(ctx.get(dut.fields)) == [field for part in parts for field in part["fields"]]

    simulate(dut, bench)


def test_a_row_stays_until_the_next_is_taken_and_a_word_can_be_written_anew(dice):
    g = geometry(64)
    dut = HeaderRam(g)

    async def bench(ctx):
        ctx.set(dut.into, 2)
        ctx.set(dut.slot, 2)
        for value in (1, 2, 3):
            await sender(dut.i, [{"index": 10 + part, "data": value, "fields": [value] * 2} for part in range(2)])(ctx)
            ctx.set(dut.row, 5)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            ctx.set(dut.row, 6)
            await ctx.tick().repeat(dice.randint(1, 4))
            assert ctx.get(dut.data) == value | value << WORD_BITS
            assert plain(ctx.get(dut.fields)) == [value] * 4

    simulate(dut, bench)
