"""Frames in: the input contract, row by row, and each frame's request with its first."""

from itertools import zip_longest

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, row_end, simulate, tuser

from offcut.tx.ingress import Ingress
from offcut.tx.layouts import Drop, Kind

WIDTHS = [32, 64, 512]


def beats(dice, size, frame, *, user=0, keeps=None):
    """A frame on the bus, with garbage in unused lanes and in TUSER behind its first beat; ``keeps`` replaces some beats' keep."""
    out = []
    for number, at in enumerate(range(0, len(frame), size)):
        piece = frame[at : at + size]
        junk = dice.randbytes(size - len(piece))
        out.append({
            "data": int.from_bytes(piece + junk, "little"),
            "keep": (keeps or {}).get(number, (1 << len(piece)) - 1),
            "last": at + size >= len(frame),
            "user": user if number == 0 else dice.getrandbits(160),
        })
    return out


def expected_rows(size, sent, frame_len):
    """(octets, last, count, fault) of each row that one frame's beats make."""
    rows, before = [], 0
    for beat in sent:
        keep, last = beat["keep"], bool(beat["last"])
        count = keep.bit_length()
        octets = beat["data"].to_bytes(size, "little")
        if keep == 0 or keep != (1 << count) - 1 or (count < size and not last):
            return [*rows, (b"", True, 0, Drop.BAD_KEEP)]
        after = before + count
        if frame_len and (after != frame_len if last else after >= frame_len):
            count = min(count, frame_len - before)
            return [*rows, (octets[:count], True, count, Drop.LENGTH_MISMATCH)]
        rows.append((octets[:count], last, count, Drop.NONE))
        before = after
    return rows


def run(g, sent, dice, *, pauses=0.0, stalls=0.0, settings=()):
    """The rows and the requests that the beats make, each with its settings, while the source pauses and the room goes at times."""
    dut = Ingress(g)
    rows, requests, done = [], [], []

    async def source(ctx):
        for beat, beside in zip_longest(sent, settings, fillvalue={}):
            while dice.random() < pauses:
                await ctx.tick()
            ctx.set(dut.i.payload, beat)
            ctx.set(dut.settings, beside)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(8)
        done.append(True)

    async def sink(ctx):
        room = (True, True)
        while not done:
            room = (room[1], dice.random() >= stalls)
            ctx.set(dut.room, room[1])
            _, _, row_valid, row, request_valid, request = await ctx.tick().sample(
                dut.rows.valid, dut.rows.payload, dut.requests.valid, dut.requests.payload
            )
            if row_valid:
                count = 0 if row.end.empty else row.end.lane + 1
                octets = row.data.to_bytes(g.bus_bytes, "little")[:count]
                rows.append((octets, bool(row.end.last), count, row.end.fault))
            if request_valid:
                requests.append(plain(request))

    simulate(dut, source, sink)
    return rows, requests


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.4, 0.4)])
def test_every_beat_becomes_a_row_and_a_broken_contract_cuts_its_frame_off(dice, width, pauses, stalls):
    g = geometry(width)
    size = g.bus_bytes
    sent, expected, begins = [], [], []
    for _ in range(40):
        frame = dice.randbytes(dice.choice([1, size - 1, size, size + 1, dice.randint(1, 6 * size)]))
        frame_len = dice.choice([0, 0, len(frame), len(frame), max(1, len(frame) + dice.randint(-2 * size, 2 * size))])
        count = -(-len(frame) // size)
        keeps = {}
        if dice.random() < 0.3:
            whole = (1 << size) - 1
            keeps[dice.randrange(count)] = dice.choice([
                0,
                whole & ~1,
                whole >> 1,
                whole & ~(1 << dice.randrange(size)),
                dice.getrandbits(size),
            ])
        frame_beats = beats(dice, size, frame, user=tuser(frame_len=frame_len), keeps=keeps)
        begins.append(len(expected) % g.store_rows)
        expected += expected_rows(size, frame_beats, frame_len)
        sent += frame_beats
    rows, requests = run(g, sent, dice, pauses=pauses, stalls=stalls)
    assert rows == expected
    assert [request["row"] for request in requests] == begins


@pytest.mark.parametrize("width", [32, 128])
def test_the_request_and_the_settings_are_those_of_the_first_beat(dice, width):
    """Back to back; what stands beside later beats is noise."""
    g = geometry(width)
    sent, settings, expected = [], [], []
    for _ in range(30):
        size, mtu, auto = dice.randrange(1, 65535), dice.randint(68, 65535), dice.getrandbits(1)
        segment = {"flags": 1, "gso_type": 1, "gso_size": size, "csum_start": 34, "csum_offset": 16}
        frame = beats(dice, g.bus_bytes, dice.randbytes(dice.randint(1, 40)), user=dice.choice([tuser(**segment), 0]))
        asked = {"auto": auto, "mtu": mtu}
        settings += [asked, *({"auto": dice.getrandbits(1), "mtu": dice.getrandbits(16)} for _ in frame[1:])]
        sent += frame
        expected.append((Kind.SEGMENT, size) if frame[0]["user"] else (Kind.AUTO, mtu) if auto else (Kind.PASS, 0))
    _, requests = run(g, sent, dice, settings=settings)
    assert [(request["kind"], request["size"]) for request in requests] == expected


def test_after_a_reset_in_mid_frame_the_next_beat_is_a_first(dice):
    g = geometry(64)
    dut, reset = Ingress(g), Signal()
    requests, rows = [], []

    async def source(ctx):
        ctx.set(dut.room, 1)
        for number, beat in enumerate(
            beats(dice, 8, bytes(64), user=tuser(frame_len=64))[:4] + beats(dice, 8, bytes(16), user=tuser(frame_len=16))
        ):
            if number == 4:
                ctx.set(dut.i.valid, 0)
                await pulse(ctx, reset)
                await ctx.tick()
                rows.clear()
                requests.clear()
            ctx.set(dut.i.payload, beat)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(5)

    async def sink(ctx):
        for _ in range(20):
            _, _, row_valid, end, request_valid, request = await ctx.tick().sample(
                dut.rows.valid, dut.rows.p.end, dut.requests.valid, dut.requests.payload
            )
            if row_valid:
                rows.append(plain(end))
            if request_valid:
                requests.append((request.row, request.frame_len))

    simulate(dut, source, sink, reset=reset)
    assert rows == [row_end(8, last=False), row_end(8, last=True)]
    assert requests == [(0, 16)]
