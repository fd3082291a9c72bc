"""Frames in: the input contract, row by row, and what a request says."""

import struct

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, row_end, simulate

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


def tuser(flags=0, gso_type=0, hdr_len=0, gso_size=0, csum_start=0, csum_offset=0, frame_len=0):
    header = struct.pack("<BBHHHH", flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)
    return int.from_bytes(header, "little") | frame_len << 112


def run(g, sent, dice, *, pauses=0.0, stalls=0.0, auto=0, mtu=0):
    """The rows and the requests that the beats make, while the source pauses and the room goes at times."""
    dut = Ingress(g)
    rows, requests, done = [], [], []

    async def source(ctx):
        for beat in sent:
            while dice.random() < pauses:
                await ctx.tick()
            ctx.set(dut.i.payload, beat)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(8)
        done.append(True)

    async def sink(ctx):
        ctx.set(dut.cfg_auto, auto)
        ctx.set(dut.cfg_mtu, mtu)
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
                requests.append({name: request[name] for name, _ in request.shape()})

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


TCP = {"flags": 1, "gso_type": 1, "gso_size": 1448, "csum_start": 34, "csum_offset": 16}
REQUESTS = {
    # name: header fields, (kind, drop, walk) of the request
    "all zero, auto off": ({}, (Kind.PASS, Drop.NONE, 0)),
    "DATA_VALID alone": ({"flags": 2}, (Kind.PASS, Drop.NONE, 0)),
    "a checksum": ({"flags": 1, "csum_start": 34, "csum_offset": 6}, (Kind.CHECKSUM, Drop.NONE, 0)),
    "TCP": (TCP, (Kind.SEGMENT, Drop.NONE, 1)),
    "TCP with ECN": (TCP | {"gso_type": 0x81}, (Kind.SEGMENT, Drop.NONE, 1)),
    "TCP without a checksum": (TCP | {"flags": 0, "csum_offset": 0}, (Kind.SEGMENT, Drop.NONE, 1)),
    "gso_size 65534": (TCP | {"gso_size": 65534}, (Kind.SEGMENT, Drop.NONE, 1)),
    "gso_size 0": (TCP | {"gso_size": 0}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "gso_size 65535": (TCP | {"gso_size": 65535}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "TCP with another csum_offset": (TCP | {"csum_offset": 6}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "type 2": (TCP | {"gso_type": 2}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "type 17": (TCP | {"gso_type": 17}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "ECN of nothing": (TCP | {"gso_type": 0x80}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "both tunnels": (TCP | {"gso_type": 0x61}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "fragmentation in a tunnel": (TCP | {"gso_type": 0x23}, (Kind.SEGMENT, Drop.BAD_REQUEST, 0)),
    "a tunnel": (TCP | {"gso_type": 0x21}, (Kind.SEGMENT, Drop.DISABLED, 0)),
    "TCP over IPv6": (TCP | {"gso_type": 4}, (Kind.SEGMENT, Drop.DISABLED, 0)),
    "UDP": (TCP | {"gso_type": 5}, (Kind.SEGMENT, Drop.DISABLED, 0)),
    "fragmentation with a bad size": (TCP | {"gso_type": 3, "gso_size": 0}, (Kind.SEGMENT, Drop.DISABLED, 0)),
}


@pytest.mark.parametrize("width", [32, 128])
def test_requests_are_decoded(dice, width):
    g = geometry(width)
    sent = []
    for fields, _ in REQUESTS.values():
        sent += beats(dice, g.bus_bytes, dice.randbytes(dice.randint(1, 40)), user=tuser(**fields) | dice.getrandbits(16) << 80)
    _, requests = run(g, sent, dice)
    for (name, (fields, verdict)), request in zip(REQUESTS.items(), requests, strict=True):
        assert (request["kind"], request["drop"], request["walk"]) == verdict, name
        assert request["needs_csum"] == (fields.get("flags", 0) & 1), name
        assert request["size"] == fields.get("gso_size", 0), name
        assert request["csum_start"] == fields.get("csum_start", 0), name
        assert request["csum_low"] == fields.get("csum_start", 0) + fields.get("csum_offset", 0) + 1, name
        assert request["csum_swap"] == fields.get("csum_offset", 0) % 2, name


@pytest.mark.parametrize("mtu, size", [(0, 1500), (1500, 1500), (9000, 9000), (65535, 65535)])
def test_auto_takes_requests_of_all_zeroes_and_the_mtu(dice, mtu, size):
    g = geometry(64)
    sent = beats(dice, 8, bytes(60), user=tuser(frame_len=60)) + beats(dice, 8, bytes(60), user=tuser(hdr_len=1))
    _, (zero, other) = run(g, sent, dice, auto=1, mtu=mtu)
    assert (zero["kind"], zero["walk"], zero["size"], zero["frame_len"]) == (Kind.AUTO, 1, size, 60)
    assert (other["kind"], other["walk"]) == (Kind.PASS, 0)


@pytest.mark.parametrize(
    "features, user, drop",
    [
        ([], tuser(**TCP), Drop.DISABLED),
        ([], tuser(**TCP | {"gso_size": 0}), Drop.DISABLED),
        ([], tuser(flags=1), Drop.DISABLED),
        (["tx-checksum-ip-generic"], tuser(**TCP), Drop.DISABLED),
        (["tx-checksum-ip-generic"], tuser(flags=1), Drop.NONE),
        (["tx-tcp-segmentation"], tuser(**TCP), Drop.NONE),
        (["tx-tcp-segmentation"], tuser(flags=1), Drop.DISABLED),
    ],
)
def test_what_is_not_built_in_is_disabled(dice, features, user, drop):
    g = geometry(64, features=frozenset(features))
    _, (request,) = run(g, beats(dice, 8, bytes(60), user=user), dice)
    assert request["drop"] == drop


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
