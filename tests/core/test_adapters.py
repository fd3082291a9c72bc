"""Requests that do not come on tuser: on a control stream, and in front of their frames."""

import struct

import pytest
from amaranth.hdl import Signal
from support import plain, receiver, sender, simulate, tuser

from offcut.config import Config
from offcut.ip.control_stream import ControlStream
from offcut.ip.inline_header import InlineHeader
from offcut.ip.layouts import LENGTHS, REQUEST, STATUS_TAG, check, header_bytes, pack
from offcut.ip.status_stream import StatusStream

WIDTHS = [32, 64, 256]
PAUSES = [(0.0, 0.0), (0.0, 0.4), (0.4, 0.4)]  # of the source, of the sink


def beats(frame, lanes, dice=None):
    """A frame's beats, with noise in unused lanes."""
    out = []
    for at in range(0, len(frame), lanes):
        piece = frame[at : at + lanes]
        noise = dice.randbytes(lanes - len(piece)) if dice else bytes(lanes - len(piece))
        out.append({"data": int.from_bytes(piece + noise, "little"), "keep": (1 << len(piece)) - 1, "last": int(at + lanes >= len(frame))})
    return out


def frames(seen, lanes):
    """What came out: for each frame its beats' keeps, its bytes, and its first beat."""
    out, keeps, octets, first = [], [], b"", None
    for beat in seen:
        first = first or beat
        keeps.append(beat["keep"])
        octets += bytes(byte for lane, byte in enumerate(beat["data"].to_bytes(lanes, "little")) if beat["keep"] >> lane & 1)
        if beat["last"]:
            out.append((keeps, octets, first))
            keeps, octets, first = [], b"", None
    assert not keeps, "a frame without its end"
    return out


def well_kept(keeps, lanes):
    return all(keep == (1 << lanes) - 1 for keep in keeps[:-1]) and keeps[-1] != 0 and not keeps[-1] & keeps[-1] + 1


# --- In front of the frame.

HEADERS = [10, 12, 20, 24]


def in_front(dice, header):
    """A request's bytes and its tuser."""
    raw = dice.randbytes(header)
    return raw, int.from_bytes(raw[:10] + (raw[20:24] if header == 24 else bytes(4)), "little")


def lengths(dice, lanes, count):
    return [dice.choice([1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, dice.randint(1, 5 * lanes)]) for _ in range(count)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("pauses", PAUSES)
def test_the_header_becomes_the_request_and_the_frame_begins_in_lane_0(dice, width, header, pauses):
    lanes, dut = width // 8, InlineHeader(Config(width=width), header)
    sent, expected, into = [], [], []
    for length in lengths(dice, lanes, 25):
        raw, request = in_front(dice, header)
        frame = dice.randbytes(length)
        sent.append(frame)
        expected.append((request, frame))
        into += beats(raw + frame, lanes, dice)
    seen = []
    count = sum(-(-len(frame) // lanes) for frame in sent)
    simulate(dut, sender(dut.i, into, dice=dice, pauses=pauses[0]), receiver(dut.o, seen, count, dice=dice, pauses=pauses[1]))
    out = frames(seen, lanes)
    assert all(well_kept(keeps, lanes) for keeps, _, _ in out)
    assert [(first["user"], octets) for _, octets, first in out] == expected
    assert not any(first["own"] or first["own_uso_size"] for _, _, first in out)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("header", HEADERS)
def test_no_clock_is_lost_with_the_sink_ready(dice, width, header):
    lanes, dut = width // 8, InlineHeader(Config(width=width), header)
    into = [beat for length in lengths(dice, lanes, 60) for beat in beats(bytes(header + length), lanes)]

    async def source(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for beat in into:
            ctx.set(dut.i.payload, beat)
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            assert ready

    simulate(dut, source)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("header", HEADERS)
def test_a_frame_that_is_short_or_broken_leaves_an_empty_beat_and_the_next_is_untouched(dice, width, header):
    """Every length up to the header's, and every way to break keep in every beat."""
    lanes, dut = width // 8, InlineHeader(Config(width=width), header)
    full = (1 << lanes) - 1
    bad = []
    for length in range(1, header + 1):
        bad.append(beats(dice.randbytes(length), lanes))
    whole = beats(dice.randbytes(header + 3 * lanes + 1), lanes)
    for number in range(len(whole)):
        for keep in (0, full & ~1, full >> 1 if number < len(whole) - 1 else full & ~2 | 1 << lanes - 1, 1 << lanes - 1):
            bad.append([beat | {"keep": keep} if at == number else beat for at, beat in enumerate(whole)])
    into, goods = [], []
    for one in bad:
        raw, request = in_front(dice, header)
        frame = dice.randbytes(dice.randint(1, 3 * lanes))
        goods.append((request, frame))
        into += one + beats(raw + frame, lanes)
    seen, done = [], []

    async def source(ctx):
        await sender(dut.i, into)(ctx)
        await ctx.tick().repeat(5)
        done.append(True)

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while not done:
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                seen.append(plain(payload))

    simulate(dut, source, sink)
    out = frames(seen, lanes)
    assert len(out) == 2 * len(bad)
    for (keeps, _, _), one in zip(out[::2], bad, strict=True):
        assert 0 in keeps, f"{[bin(beat['keep']) for beat in one]} became {list(map(bin, keeps))}"
    assert [(first["user"], octets) for _, octets, first in out[1::2]] == goods


def resetting(dut, reset, into, dice):
    """A bench that resets the block at some moment in a run of beats, and stops sending there."""

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for beat in into[: dice.randint(1, len(into) - 1)]:
            ctx.set(dut.i.payload, beat)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)

    return bench


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("width", [32, 64, 512])
def test_after_a_reset_within_a_frame_the_next_is_the_first(dice, width, header):
    lanes, dut, reset, seen = width // 8, InlineHeader(Config(width=width), header), Signal(), []
    raw, request = in_front(dice, header)
    frame = dice.randbytes(3 * lanes - 1)

    async def whole(ctx):
        await resetting(dut, reset, beats(raw + dice.randbytes(4 * lanes), lanes), dice)(ctx)
        await sender(dut.i, beats(raw + frame, lanes))(ctx)

    async def sink(ctx):
        while not ctx.get(reset):
            await ctx.tick()
        await ctx.tick()
        await receiver(dut.o, seen, 3)(ctx)

    simulate(dut, whole, sink, reset=reset)
    ((keeps, octets, first),) = frames(seen, lanes)
    assert (first["user"], octets) == (request, frame) and well_kept(keeps, lanes)


# --- On a control stream.

FIELDS = ("frame_len", "flags", "gso_type", "gso_size", "csum_start", "csum_offset", "outer_th_offset", "inner_nh_offset", "vlan_tci")


def words(packet):
    return [{"data": word, "last": int(number == len(packet) - 1)} for number, word in enumerate(packet)]


def whole_request(dice, user_width):
    """A packet with every field drawn, and its tuser."""
    values = {name: dice.getrandbits(REQUEST[name].width) for name in FIELDS}
    keep_id, insert, user = dice.getrandbits(1), dice.getrandbits(1), dice.getrandbits(user_width) if user_width else 0
    packet = pack(REQUEST, **values, keep_id=keep_id, insert_vlan=insert, user=user)
    header = {name: values[name] for name in ("flags", "gso_type", "gso_size", "csum_start", "csum_offset", "frame_len")}
    expected = tuser(**header, outer_th=values["outer_th_offset"], inner_nh=values["inner_nh_offset"], keep_id=keep_id, user=user)
    return packet, expected | values["vlan_tci"] << 132 | insert << 148


@pytest.mark.parametrize("width, user_width", [(32, 0), (64, 16), (512, 5)])
@pytest.mark.parametrize("pauses", [*PAUSES, (0.9, 0.0)])
@pytest.mark.parametrize("late", [0.0, 0.8])
def test_each_frame_gets_the_request_of_its_packet_whichever_comes_first(dice, width, user_width, pauses, late):
    lanes, dut = width // 8, ControlStream(Config(width=width, user_width=user_width))
    into, control, expected = [], [], []
    for length in lengths(dice, lanes, 25):
        frame = dice.randbytes(length)
        packet, request = whole_request(dice, user_width)
        into += beats(frame, lanes, dice)
        control += words(packet)
        expected.append((request, frame))
    seen = []
    simulate(
        dut,
        sender(dut.i, into, dice=dice, pauses=pauses[0]),
        sender(dut.control, control, dice=dice, pauses=late),
        receiver(dut.o, seen, len(into), dice=dice, pauses=pauses[1]),
    )
    assert [(first["user"], octets) for _, octets, first in frames(seen, lanes)] == expected
    assert not any(first["own"] or first["own_uso_size"] for _, _, first in frames(seen, lanes))


CASES = {
    # name: (fields, then frame_len, auto, mtu, uso_size or None)
    "TCP, cut": ({"total_len": 3000, "header_len": 66, "no_udp": 1, "mss": 1500}, (3014, 1, 1500, None)),
    "UDP, cut": ({"total_len": 3000, "header_len": 42, "no_tcp": 1, "mss": 1500}, (3014, 1, 1500, 1472)),
    "whole, checksum": ({"whole": 1, "no_udp": 1, "no_tcp": 1, "mss": 1500}, (0, 1, 0xFFFF, None)),
    "whole, nothing": ({"whole": 1, "no_checksum": 1, "no_udp": 1, "no_tcp": 1}, (0, 0, 0xFFFF, None)),
    "nothing to cut by": ({"no_udp": 1, "no_tcp": 1, "total_len": 400, "header_len": 54}, (414, 1, 0xFFFF, None)),
    "no lengths": ({"mss": 1500}, (0, 1, 0xFFFF, None)),
}


@pytest.mark.parametrize("fields, expected", CASES.values(), ids=CASES)
def test_lengths_alone_let_the_engine_parse(fields, expected):
    dut, seen = ControlStream(Config()), []
    frame_len, auto, mtu, uso_size = expected
    simulate(dut, sender(dut.i, beats(bytes(60), 8)), sender(dut.control, words(pack(LENGTHS, **fields))), receiver(dut.o, seen, 8))
    first = seen[0]
    assert first["user"] == tuser(frame_len=frame_len)
    assert (first["own"], first["auto"], first["mtu"]) == (1, auto, mtu)
    assert (first["own_uso_size"], first["uso_size"]) == (1, uso_size) if uso_size else not first["own_uso_size"]


def broken_packets(dice):
    good = pack(REQUEST, gso_size=100)
    return [
        *(good[:count] for count in range(1, 6)),
        [*good, 0],
        [*good, *(dice.getrandbits(32) for _ in range(20))],
        [STATUS_TAG << 28, *good[1:]],
        [0, *good[1:]],
    ]


@pytest.mark.parametrize("pauses", [(0.0, 0.0), (0.5, 0.5)])
def test_a_broken_packet_spoils_its_own_frame_alone(dice, pauses):
    dut, seen = ControlStream(Config()), []
    control, into, expected = [], [], []
    for packet in broken_packets(dice):
        good, request = whole_request(dice, 0)
        control += words(packet) + words(good)
        expected += [tuser(gso_type=0x1F), request]
        into += beats(bytes(20), 8) + beats(bytes(9), 8)
    simulate(
        dut,
        sender(dut.i, into, dice=dice, pauses=pauses[0]),
        sender(dut.control, control, dice=dice, pauses=pauses[0]),
        receiver(dut.o, seen, len(into), dice=dice, pauses=pauses[1]),
    )
    out = [first for _, _, first in frames(seen, 8)]
    assert [first["user"] for first in out] == expected
    assert all(first["own"] and not first["auto"] for first in out[::2])


def test_frames_of_six_beats_follow_each_other_without_a_bubble(dice):
    dut, count = ControlStream(Config()), 30
    control = [word for _ in range(count + 2) for word in words(whole_request(dice, 0)[0])]
    clocks = []

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for number in range(6 * count):
            ctx.set(dut.i.payload, {"data": number, "keep": 0xFF, "last": number % 6 == 5})
            waited, ready = 0, False
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                waited += not ready
            clocks.append(waited)

    simulate(dut, source, sender(dut.control, control))
    assert sum(clocks[1:]) == 0, "after the first packet"


def test_after_a_reset_packets_and_frames_begin_anew(dice):
    dut, reset, seen = ControlStream(Config()), Signal(), []
    packet, request = whole_request(dice, 0)

    async def bench(ctx):
        for clocks in range(1, 20):
            seen.clear()
            ctx.set(dut.o.ready, 1)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, {"data": 0, "keep": 0xFF, "last": 0})
            ctx.set(dut.control.valid, 1)
            for number in range(clocks):
                ctx.set(dut.control.payload, {"data": packet[number % 6], "last": number % 6 == 5})
                await ctx.tick()
            ctx.set(dut.control.valid, 0)
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.o.ready, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            await sender(dut.control, words(packet))(ctx)
            ctx.set(dut.o.ready, 1)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, {"data": 7, "keep": 0xFF, "last": 1})
            taken = False
            while not taken:
                _, _, taken, user = await ctx.tick().sample(dut.i.ready, dut.o.payload.user)
            assert user == request
            ctx.set(dut.i.valid, 0)
            for _ in range(5):
                _, _, valid = await ctx.tick().sample(dut.o.valid)
                assert not valid

    simulate(dut, bench, reset=reset)


# --- Statuses.


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses, status_pauses", [((0.0, 0.0), 0.0), ((0.4, 0.4), 0.4), ((0.0, 0.0), 0.95)])
def test_every_frame_that_passes_has_its_status(dice, width, pauses, status_pauses):
    lanes, dut = width // 8, StatusStream(width)
    sent = [dice.randbytes(length) for length in lengths(dice, lanes, 80)]
    into = [beat for frame in sent for beat in beats(frame, lanes)]
    seen, statuses = [], []
    simulate(
        dut,
        sender(dut.i, into, dice=dice, pauses=pauses[0]),
        receiver(dut.o, seen, len(into), dice=dice, pauses=pauses[1]),
        receiver(dut.status, statuses, 6 * len(sent), dice=dice, pauses=status_pauses),
    )
    assert seen == into
    assert statuses == [word for frame in sent for word in words([STATUS_TAG << 28, 0, 0, 0, 0, len(frame)])]


def test_frames_do_not_pause_once_begun_though_statuses_do(dice):
    dut, seen = StatusStream(64), []
    into = [beat for length in lengths(dice, 8, 100) for beat in beats(bytes(length), 8)]
    done = []

    async def source(ctx):
        await sender(dut.i, into)(ctx)
        done.append(True)

    async def sink(ctx):
        inside = False
        while not done:
            ready = dice.random() < 0.5
            ctx.set(dut.o.ready, ready)
            _, _, valid, last, offered = await ctx.tick().sample(dut.o.valid, dut.o.payload.last, dut.i.valid)
            assert valid or not inside or not offered, "a pause in a frame"
            if valid and ready:
                seen.append(last)
                inside = not last

    simulate(dut, source, sink, receiver(dut.status, [], 600, dice=dice, pauses=0.9))
    assert len(seen) == len(into)


@pytest.mark.parametrize(
    "requests, user_width, sentence",
    [
        ("vnet11", 0, "Requests come by tuser, control, vnet10, vnet12, vnet20, vnet24, not 'vnet11'"),
        ("vnet10", 1, "have room for 0 user bits, not 1"),
        ("control", 17, "have room for 16 user bits, not 17"),
    ],
)
def test_requests_that_cannot_be_are_refused(requests, user_width, sentence):
    with pytest.raises(ValueError, match=sentence):
        check(Config(user_width=user_width), requests)
    assert [header_bytes(name) for name in ("tuser", "control", "vnet24")] == [0, 0, 24]


def test_a_value_without_a_place_is_refused():
    for layout, values in ((LENGTHS, {"mss": 1 << 14}), (REQUEST, {"mss": 1}), (REQUEST, {"flags": -1})):
        with pytest.raises(ValueError, match="There is no place for"):
            pack(layout, **values)
    assert struct.pack(">I", pack(LENGTHS)[0])[0] == 0xA0
