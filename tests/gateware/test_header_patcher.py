"""The fields of each segment's header."""

import pytest
from amaranth.hdl import Signal
from support import geometry, pulse, simulate

from offcut.tx.header_patcher import HeaderPatcher

FIELDS_AFTER, CHECKSUMS_AFTER = 2, 4  # clocks from `begin`, as the component documents
WIDTHS = [32, 64, 512]


def entry(g, length, **fields):
    row, lane = divmod(length - 1, g.bus_bytes)
    return {"cut": 1, "first": 0, "last": 0, "last_row": row, "last_lane": lane, "header_len": 54} | fields


def segments(g, header_len, payloads):
    """One frame's entries, a segment for each of ``payloads`` bytes."""
    return [
        entry(g, header_len + payload, header_len=header_len, first=number == 0, last=number == len(payloads) - 1)
        for number, payload in enumerate(payloads)
    ]


def run(g, units, sums, *, dice=None, pauses=0.0):
    """The fields of each unit, at the clocks that the component names; a unit is (entry, record)."""
    dut, seen, waiting = HeaderPatcher(g), [{} for _ in units], list(sums)
    begun = {}

    async def bench(ctx):
        clock, queue = 0, list(enumerate(units))
        while queue or clock <= max(begun.values()) + CHECKSUMS_AFTER:
            begin = bool(queue) and not (pauses and dice.random() < pauses)
            ctx.set(dut.begin, begin)
            if begin:
                number, (unit, record) = queue.pop(0)
                ctx.set(dut.entry, unit)
                ctx.set(dut.record, record)
                begun[number] = clock
            ctx.set(dut.sum, waiting[0] if waiting else 0)
            for number, then in begun.items():
                if clock - then == FIELDS_AFTER:
                    seen[number] |= {name: ctx.get(getattr(dut, name)) for name in ("total_length", "identification", "seq", "flags")}
                if clock - then == CHECKSUMS_AFTER:
                    seen[number] |= {name: ctx.get(getattr(dut, name)) for name in ("ip_csum", "csum")}
            _, _, taken = await ctx.tick().sample(dut.take_sum)
            if taken:
                waiting.pop(0)
            clock += 1

    simulate(dut, bench)
    assert not waiting
    return seen


def inverted(total, *, zero):
    """The checksum of a sum that is not folded yet; ``zero`` is what it is where it comes out as zero."""
    return 0xFFFF - total % 0xFFFF if total % 0xFFFF else zero


def expected(g, frame, sums, tagged, record):
    """The fields of one frame's segments, from the bytes that lie in each."""
    out, offset = [], 0
    whole = len(frame) == 1
    for number, (unit, payload_sum) in enumerate(zip(frame, sums, strict=True)):
        length = unit["last_row"] * g.bus_bytes + unit["last_lane"] + 1
        flags = record["flags"]
        if not whole:
            flags &= ~((0 if number == 0 else 0x080) | (0 if number == len(frame) - 1 else 0x009))
        fields = {
            "total_length": length - 14 - 4 * tagged,
            "identification": (record["identification"] + number) % 65536,
            "seq": (record["seq"] + offset) % (1 << 32),
            "flags": flags,
        }
        ip = record["ip_sum"] + fields["total_length"] + fields["identification"]
        l4 = (fields["seq"] >> 16) + (fields["seq"] & 0xFFFF) + flags + length - 1 + payload_sum
        fields |= {"ip_csum": inverted(ip, zero=0), "csum": inverted(l4, zero=0xFFFF if whole else 0)}
        out.append(fields)
        offset += length - unit["header_len"]
    return out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_fields_run_on_from_segment_to_segment(dice, width, pauses):
    """Frames of 1 to 6 segments back to back: flags by place, ID and sequence number over their wraps, both checksums."""
    g = geometry(width)
    units, sums, wanted = [], [], []
    for _ in range(40):
        tagged = dice.getrandbits(1)
        header_len = 54 + 4 * tagged + 4 * dice.randint(0, 20)
        payload = dice.choice([1, 3, 536, 1448, 9000])
        payloads = [payload] * dice.randint(0, 5) + [dice.randint(1, payload)]
        record = {
            "seq": dice.choice([dice.getrandbits(32), (1 << 32) - 1, (1 << 32) - 1000, 0xFFFF]),
            "identification": dice.choice([dice.getrandbits(16), 0xFFFF, 0xFFFE]),
            "flags": dice.getrandbits(16),
            "ip_sum": dice.randrange(1, 0x10000),
            "header_len": header_len,
            "tagged": tagged,
        }
        frame = segments(g, header_len, payloads)
        frame_sums = [dice.randrange(0xFFFF) for _ in frame]
        wanted += expected(g, frame, frame_sums, tagged, record)
        units += [(unit, record) for unit in frame]
        sums += frame_sums
    assert run(g, units, sums, dice=dice, pauses=pauses) == wanted


FLAGS = {
    # place: (first, last) of the segment, flags out of 0xFFFF
    "first": (1, 0, 0xFFF6),
    "middle": (0, 0, 0xFF76),
    "last": (0, 1, 0xFF7F),
    "whole": (1, 1, 0xFFFF),
}


@pytest.mark.parametrize("place", FLAGS)
def test_flags_stay_by_the_place_of_the_segment(place):
    """FIN and PSH on the last alone, CWR on the first alone, the rest of the word on all."""
    first, last, kept = FLAGS[place]
    g = geometry(64)
    (seen,) = run(g, [(entry(g, 100, first=first, last=last), {"flags": 0xFFFF, "header_len": 54})], [0])
    assert seen["flags"] == kept


@pytest.mark.parametrize("payload_sum", [0, 1, 0x7FFF, 0xFFFE])
@pytest.mark.parametrize("asked, ip_sum", [(0, 0x1234), (1, 0xFFFF)])
def test_a_frame_that_is_not_cut_gets_its_sums_alone(payload_sum, asked, ip_sum):
    """The checksum's zero leaves as 0xFFFF, that of the IP header as zero."""
    g = geometry(64)
    unit = entry(g, 60, cut=0, first=1, last=1, header_len=0, csum=1, ip=asked, ip_sum=ip_sum)
    noise = {"seq": 0xDEADBEEF, "identification": 0x5555, "flags": 0x5018, "ip_sum": 0x4321, "header_len": 54}
    (seen,) = run(g, [(unit, noise)], [payload_sum])
    assert seen["csum"] == inverted(payload_sum, zero=0xFFFF)
    assert seen["ip_csum"] == 0xFFFF - ip_sum


@pytest.mark.parametrize("first, last, zero", [(1, 0, 0), (0, 0, 0), (0, 1, 0), (1, 1, 0xFFFF)])
def test_a_checksum_of_zero_is_sent_as_it_is_unless_the_frame_leaves_in_one(first, last, zero):
    """The payload's sum completes the others to 0xFFFF."""
    g = geometry(64)
    record = {"seq": 0x0001_0002, "flags": 0x5010, "header_len": 54, "ip_sum": 1}
    # (Without a segment before it, the sequence number of one that is not the first is the patcher's own 0.)
    known = (3 if first else 0) + 0x5010 + 99
    (seen,) = run(g, [(entry(g, 100, first=first, last=last), record)], [0xFFFF - known])
    assert seen["csum"] == zero


def test_a_reset_between_segments_harms_no_later_frame(dice):
    g = geometry(64)
    dut, reset = HeaderPatcher(g), Signal()
    record = {"seq": 1000, "identification": 7, "flags": 0x5018, "header_len": 54, "ip_sum": 9}

    async def bench(ctx):
        ctx.set(dut.record, record)
        ctx.set(dut.entry, entry(g, 1000, first=1))
        await pulse(ctx, dut.begin)
        await pulse(ctx, reset)
        for _ in range(6):
            _, _, taken = await ctx.tick().sample(dut.take_sum)
            assert not taken
        ctx.set(dut.entry, entry(g, 100, first=1))
        await pulse(ctx, dut.begin)
        await ctx.tick().repeat(FIELDS_AFTER - 1)
        assert (ctx.get(dut.seq), ctx.get(dut.identification), ctx.get(dut.total_length)) == (1000, 7, 86)

    simulate(dut, bench, reset=reset)
