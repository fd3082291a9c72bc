"""The funnel shifter: every word byte for byte."""

import pytest
from amaranth import Module
from amaranth.hdl import Signal
from amaranth.lib import memory
from support import geometry, plain, pulse, simulate

from offcut.config import FEATURES
from offcut.tx.aligner import Aligner
from offcut.tx.layouts import Drop


def with_rows(g, rows):
    """An aligner on a memory of rows."""
    m = Module()
    m.submodules.dut = dut = Aligner(g)
    m.submodules.rows = ram = memory.Memory(shape=g.width, depth=g.store_rows, init=rows)
    port = ram.read_port(domain="comb")
    m.d.comb += [port.addr.eq(dut.at), dut.row.eq(port.data)]
    return m, dut


def step(**fields):
    plan = {"cut": 1} | fields.pop("plan", {})
    return (
        {"at": 1, "same": 0, "shift": 0, "low": 0, "high": 0, "write": 1, "row": 0, "first": 1, "last": 1, "frame_last": 1}
        | fields
        | {"plan": plan}
    )


def run(g, rows, steps, dice=None, pauses=0.0):
    """What is told of each step's word, with the word as ``data`` and ``summed``."""
    m, dut = with_rows(g, rows)
    seen, clocks, words = [], [], []

    async def source(ctx):
        for each in steps:
            while dice and dice.random() < pauses:
                await ctx.tick()
            ctx.set(dut.i.payload, {name: value for name, value in each.items() if name != "plan"})
            ctx.set(dut.plan, {name: value for name, value in each["plan"].items() if name in dut.plan.shape().members})
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        while len(words) < 4 or len(words) <= clocks[-1] + dut.behind or len(seen) < len(steps):
            _, _, valid, payload, data, summed = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.word, dut.summed)
            if valid:
                seen.append(plain(payload))
                clocks.append(len(words))
            words.append({"data": data, "summed": summed})

    simulate(m, source, sink)
    return [told | words[clock + dut.behind] for told, clock in zip(seen, clocks, strict=True)]


def random_rows(dice, g):
    octets = dice.randbytes(g.store_rows * g.bus_bytes)
    return octets, [int.from_bytes(octets[at : at + g.bus_bytes], "little") for at in range(0, len(octets), g.bus_bytes)]


@pytest.mark.parametrize("width", [32, 64, 128, 256, 512])
@pytest.mark.parametrize("pauses", [0.0, 0.3])
def test_every_shift_gives_its_bytes_and_zeroes_around_them(dice, width, pauses):
    """Words in steps of a row, of every shift, with random ends; the first of a shift loads the row before it."""
    g = geometry(width)
    size = g.bus_bytes
    octets, rows = random_rows(dice, g)
    steps, expected = [], []
    for shift in range(size):
        begin = dice.randrange(1, g.store_rows - 5)
        for number in range(4):
            at = begin + number
            low, high = sorted((dice.randint(0, size - 1), dice.randint(1, size)))
            high = max(high, low + 1)
            steps.append(step(at=at, shift=shift, low=low, high=high, row=number, first=number == 0, last=number == 3))
            origin = (at - 1) * size + shift + 1
            word = bytes(octets[origin + lane] if low <= lane < high else 0 for lane in range(size))
            expected.append((number, word, high - 1))
    seen = run(g, rows, steps, dice, pauses)
    for (number, word, last_lane), got in zip(expected, seen, strict=True):
        if number:  # before a first word only the upper row is loaded
            assert got["data"].to_bytes(size, "little") == word
        assert got["summed"] == got["data"]
        assert got["last_lane"] == last_lane
        assert (got["row"], got["first"], got["last"], got["write"]) == (number, number == 0, number == 3, 1)


@pytest.mark.parametrize("width", [32, 64, 128])
def test_the_same_two_rows_are_kept_for_the_next_segment(dice, width):
    """A window that does not move: both rows stay, and only the shift is another."""
    g = geometry(width)
    size = g.bus_bytes
    octets, rows = random_rows(dice, g)
    steps = [step(at=7, shift=size - 1, high=size)]
    for shift in range(size):
        steps.append(step(at=8, shift=shift, high=size, same=int(shift != 0)))
    seen = run(g, rows, steps)
    for shift, got in enumerate(seen[1:]):
        assert got["data"].to_bytes(size, "little") == octets[7 * size + shift + 1 :][:size]


@pytest.mark.parametrize("width", [32, 64, 128])
@pytest.mark.parametrize("auto", [0, 1])
def test_of_a_frame_that_is_not_cut_the_range_of_the_plan_is_summed(dice, width, auto):
    """Without auto to the frame's end, whatever sum_last says."""
    g = geometry(width)
    size = g.bus_bytes
    octets, rows = random_rows(dice, g)
    steps, expected = [], []
    for _ in range(40):
        length = dice.randint(1, (g.store_rows - 1) * size) if dice.random() < 0.2 else dice.randint(1, 3 * size)
        first, last = dice.randint(0, 4 * size), dice.randint(0, 4 * size)
        plan = {"cut": 0, "auto": auto, "sum_first": first, "sum_last": last}
        count = -(-length // size)
        for row in range(count):
            high = size if row < count - 1 else length - row * size
            steps.append(step(at=row, shift=size - 1, high=high, row=row, first=row == 0, last=row == count - 1, plan=plan))
            inside = range(first, min(length, last + 1) if auto else length)
            expected.append(bytes(octets[at] if at in inside else 0 for at in range(row * size, row * size + size)))
    seen = run(g, rows, steps)
    assert [word["summed"].to_bytes(size, "little") for word in seen] == expected


@pytest.mark.parametrize("width", [32, 64, 512])
@pytest.mark.parametrize("mtu_max", [1522, 1536, 9216])
def test_a_frame_is_over_from_the_byte_behind_mtu_max_on(width, mtu_max):
    g = geometry(width, mtu_max=mtu_max)
    size = g.bus_bytes
    for length, over in ((mtu_max - 1, 0), (mtu_max, 0), (mtu_max + 1, 1), (mtu_max + size, 1)):
        row = (length - 1) // size
        (word,) = run(g, [], [step(row=row, high=length - row * size)])
        assert (word["spoils"], word["drop"]) == (over, Drop.TOO_LONG if over else Drop.NONE), length
        assert word["last_lane"] == (length - 1) % size


@pytest.mark.parametrize("width", [32, 64])
def test_a_frame_is_short_that_ends_before_the_plan_says(width):
    g = geometry(width)
    size = g.bus_bytes
    steps, expected = [], []
    for length in range(1, 4 * size + 1):
        for end in {0, length - 2, length - 1, length, length + size, 2 * size - 1, 2 * size} - {-1}:
            count = -(-length // size)
            for row in range(count):
                last = row == count - 1
                high = length - row * size if last else size
                steps.append(step(row=row, high=high, first=row == 0, last=last, frame_last=last, plan={"cut": 0, "end": end}))
                expected.append(int(last and end >= length))
    assert [word["short"] for word in run(g, [], steps)] == expected


TOO_LONG, SHORT = {"row": 9216 // 8, "high": 1}, {"plan": {"cut": 0, "insists": 1, "end": 5000}, "high": 8}
REASONS = {
    # name: fields of the step, reason
    "nothing wrong": ({"high": 8}, Drop.NONE),
    "a plan that drops": ({"plan": {"drop": int(Drop.BAD_HEADER)}}, Drop.BAD_HEADER),
    "a plan comes before a fault": ({"plan": {"drop": int(Drop.TOO_BIG)}, "fault": 1}, Drop.TOO_BIG),
    "a broken contract": ({"fault": int(Drop.BAD_KEEP)}, Drop.BAD_KEEP),
    "a wrong length": ({"fault": int(Drop.LENGTH_MISMATCH)}, Drop.LENGTH_MISMATCH),
    "a frame too long": (TOO_LONG, Drop.TOO_LONG),
    "the byte too many comes before the place where the length is wrong": (TOO_LONG | {"fault": int(Drop.LENGTH_MISMATCH)}, Drop.TOO_LONG),
    "too long comes before the field": (TOO_LONG | {"plan": {"cut": 0, "insists": 1, "end": 20000}}, Drop.TOO_LONG),
    "a wrong length comes before the field": (SHORT | {"fault": int(Drop.LENGTH_MISMATCH)}, Drop.LENGTH_MISMATCH),
    "a checksum field beyond the frame": (SHORT, Drop.BAD_REQUEST),
    "the frame goes on": (SHORT | {"frame_last": 0, "last": 0}, Drop.NONE),
    "the plan does not insist": (SHORT | {"plan": {"cut": 0, "end": 5000}}, Drop.NONE),
    "a step without a word is not too long": (TOO_LONG | {"write": 0, "closing": 1}, Drop.NONE),
}


@pytest.mark.parametrize("width", [64])
def test_a_word_spoils_its_frame_for_the_first_reason_that_applies(width):
    seen = run(geometry(width), [], [step(**fields) for fields, _ in REASONS.values()])
    for (name, (_, reason)), word in zip(REASONS.items(), seen, strict=True):
        assert word["spoils"] == int(reason != Drop.NONE), name
        if word["spoils"]:
            assert word["drop"] == reason, name


BITS = ("write", "first", "last", "segment_first", "segment_second", "payload_last", "frame_last", "behind", "closing")


def test_what_it_does_not_use_goes_on_as_it_came(dice):
    g = geometry(64)
    steps = []
    for _ in range(30):
        steps.append(step(**{name: dice.getrandbits(1) for name in BITS}, row=dice.getrandbits(8), number=dice.getrandbits(5)))
    for sent, got in zip(steps, run(g, [], steps, dice, 0.3), strict=True):
        assert {name: got[name] for name in (*BITS, "row", "number")}.items() <= sent.items()


@pytest.mark.parametrize("width", [32, 128])
def test_a_crc_begins_at_its_first_byte_and_leaves_its_own_field_out(dice, width):
    """At any place, also where the four bytes stand in two rows."""
    g = geometry(width, features=frozenset(FEATURES))
    size = g.bus_bytes
    octets, rows = random_rows(dice, g)
    steps, expected = [], []
    for first in range(14, 14 + 2 * size):
        length, field = first + dice.randint(12, 4 * size + 12), first + 8
        plan = {"cut": 0, "insists": 1, "crc": 1, "sum_first": first, "csum_low": field + 1, "end": field + 3}
        for row in range(-(-length // size)):
            last = (row + 1) * size >= length
            steps.append(
                step(
                    at=row,
                    shift=size - 1,
                    high=length - row * size if last else size,
                    row=row,
                    first=row == 0,
                    last=last,
                    frame_last=last,
                    plan=plan,
                )
            )
            inside = [at for at in range(first, length) if at not in range(field, field + 4)]
            summed = bytes(octets[at] if at in inside else 0 for at in range(row * size, row * size + size))
            expected.append((summed, int(row == first // size), first % size))
    seen = run(g, rows, steps)
    for got, (summed, begin, lane) in zip(seen, expected, strict=True):
        assert got["summed"].to_bytes(size, "little") == summed
        assert (got["begin"], got["begin_lane"]) == (begin, lane)
        assert not got["spoils"]


def test_after_a_reset_nothing_of_the_old_steps_comes_out(dice):
    g = geometry(64)
    reset = Signal()
    m, dut = with_rows(g, [5] * 8)

    async def bench(ctx):
        ctx.set(dut.i.payload, {"high": 8})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.i.valid, 0)
        await pulse(ctx, reset)
        for _ in range(6):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid

    simulate(m, bench, reset=reset)
