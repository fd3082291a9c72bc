"""The header RAM: written in chunks, read in rows."""

import pytest
from support import geometry, plain, sender, simulate

from offcut.tx.header_ram import HeaderRam


@pytest.mark.parametrize("width", [32, 64, 128, 512])
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_each_slot_gives_back_its_header_and_its_fields(dice, width, pauses):
    g = geometry(width)
    dut = HeaderRam(g)
    chunks, lanes, per_row = g.header_bytes * 8 // g.parse_bits, g.parse_bits // 16, width // g.parse_bits
    writes = [
        {"slot": slot, "index": index, "data": dice.getrandbits(g.parse_bits), "fields": [dice.randrange(4) for _ in range(lanes)]}
        for slot in range(g.slots)
        for index in range(chunks)
    ]
    kept = {(write["slot"], write["index"]): write for write in writes}

    async def bench(ctx):
        await sender(dut.i, writes, dice=dice, pauses=pauses)(ctx)
        places = [(slot, row) for slot in range(g.slots) for row in range(g.slot_rows)]
        dice.shuffle(places)
        for slot, row in places:
            parts = [kept[slot, row * per_row + part] for part in range(per_row)]
            ctx.set(dut.take, 1)
            ctx.set(dut.slot, slot)
            ctx.set(dut.row, row)
            await ctx.tick()
            assert ctx.get(dut.data) == sum(part["data"] << g.parse_bits * number for number, part in enumerate(parts))
            assert plain(ctx.get(dut.fields)) == [field for part in parts for field in part["fields"]]

    simulate(dut, bench)


def test_a_row_stays_until_the_next_is_taken_and_a_chunk_can_be_written_anew(dice):
    g = geometry(64)
    dut = HeaderRam(g)

    async def bench(ctx):
        for value in (1, 2, 3):
            await sender(dut.i, [{"slot": 2, "index": 5, "data": value, "fields": [value] * 4}])(ctx)
            ctx.set(dut.slot, 2)
            ctx.set(dut.row, 5)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            ctx.set(dut.row, 6)
            await ctx.tick().repeat(dice.randint(1, 4))
            assert ctx.get(dut.data) == value
            assert plain(ctx.get(dut.fields)) == [value] * 4

    simulate(dut, bench)
