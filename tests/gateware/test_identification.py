"""The identifications of IPv6 fragments."""

import gc

import pytest
from amaranth.hdl import Signal
from support import pulse, simulate

from offcut.tx.identification import Identification


def cipher(number, seed):
    """The block cipher, as docs/semantics.md has it."""

    def rol(half, by):
        return (half << by | half >> (16 - by)) & 0xFFFF

    x, y = number >> 16, number & 0xFFFF
    key = seed & 0xFFFF, seed >> 16
    for i in range(32):
        x, y = y ^ (rol(x, 1) & rol(x, 8)) ^ rol(x, 2) ^ key[i % 2] ^ i, x
    return x << 16 | y


async def take(ctx, dut):
    """Take an identification, and wait for the next one no longer than it may need."""
    await pulse(ctx, dut.take)
    await ctx.tick().repeat(dut.latency - 1)


@pytest.mark.parametrize("rounds, latency", [(2, 17), (4, 9), (8, 5), (16, 3)])
@pytest.mark.parametrize("seed", [0, 0xFFFFFFFF, 0x12345678])
def test_each_is_the_cipher_of_its_number_as_soon_as_it_may_be_read(rounds, latency, seed):
    dut = Identification(rounds)
    assert dut.latency == latency

    async def bench(ctx):
        ctx.set(dut.seed, seed)
        await ctx.tick().repeat(dut.latency)
        for number in range(300):
            assert ctx.get(dut.id) == cipher(number, seed)
            await take(ctx, dut)

    simulate(dut, bench)


def test_one_that_waits_stays_what_it_is_and_the_next_is_of_the_seed_when_it_was_taken(dice):
    dut = Identification()

    async def bench(ctx):
        seed = dice.getrandbits(32)
        ctx.set(dut.seed, seed)
        await ctx.tick()
        for number in range(60):
            # While it is made, another seed changes nothing; nor while it waits.
            for clock in range(dut.latency - 1 + dice.choice([0, 0, 1, 2, 20])):
                ctx.set(dut.seed, dice.getrandbits(32))
                await ctx.tick()
                if clock >= dut.latency - 2:
                    assert ctx.get(dut.id) == cipher(number, seed)
            seed = dice.getrandbits(32)
            ctx.set(dut.seed, seed)
            await pulse(ctx, dut.take)

    simulate(dut, bench)


def test_after_a_reset_it_counts_from_0(dice):
    dut, reset = Identification(), Signal()

    async def bench(ctx):
        ctx.set(dut.seed, 0xCAFE)
        for late in range(2 * dut.latency):
            await ctx.tick().repeat(dut.latency)
            for number in range(3):
                assert ctx.get(dut.id) == cipher(number, 0xCAFE)
                await take(ctx, dut)
            await pulse(ctx, dut.take)
            for _ in range(late):
                await ctx.tick()
            await pulse(ctx, reset)

    simulate(dut, bench, reset=reset)


@pytest.mark.parametrize("rounds", [0, 1, 3, 32])
@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_a_number_of_rounds_that_cannot_be_is_refused(rounds):
    with pytest.raises(ValueError, match=f"2, 4, 8 or 16 rounds of the cipher, not {rounds}") as refusal:
        Identification(rounds)
    del refusal
    gc.collect()
