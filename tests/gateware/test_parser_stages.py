"""The header walk stage by stage, and the judge at its end."""

import pytest
from amaranth import Module
from amaranth.hdl import Signal
from amaranth.lib import wiring
from frames import Case, ipv4, rows_of
from support import geometry, plain, pulse, receiver, sender, simulate

from offcut.tx.layouts import Drop, Kind
from offcut.tx.parser import WALK
from offcut.tx.parser.feed import HeaderFeed
from offcut.tx.parser.judge import Judge
from offcut.tx.parser.stage import chunk_layout
from offcut.tx.parser.sums import HeaderSums
from offcut.tx.rows import RowStore

WIDTHS = [32, 64]
OPTIONS = bytes(range(1, 41))
FRAMES = {
    "TCP": ipv4(),
    "TCP, tagged": ipv4(tagged=True),
    "UDP": ipv4(protocol=17),
    "IP options": ipv4(options=OPTIONS[:12]),
    "all options, tagged": ipv4(tagged=True, options=OPTIONS, tcp_options=OPTIONS),
    "a fragment": ipv4(fragment=0x2000),
    "DF alone": ipv4(fragment=0x4000, total_length=77),
    "IPv6": ipv4(ethertype=0x86DD),
    "two tags": ipv4(tagged=True, ethertype=0x8100),
    "one byte": ipv4()[:1],
    "ends in the EtherType": ipv4()[:13],
    "ends in the total length": ipv4()[:17],
    "ends before the protocol": ipv4()[:23],
    "ends in the sequence number": ipv4()[:41],
    "ends in the flags": ipv4()[:47],
    "ends in the TCP checksum": ipv4()[:51],
}


def chunks_of(g, frame, request=None, tag=0):
    """A frame's first 256 bytes in chunks, as the feed gives them."""
    size = g.parse_bits // 8
    frame = frame[:256]
    return [
        {
            "tag": tag,
            "first": int(at == 0),
            "end": int(at + size >= len(frame)),
            "index": at // size,
            "count": min(size, len(frame) - at),
            "data": int.from_bytes(frame[at : at + size], "little"),
            "request": request or {},
        }
        for at in range(0, len(frame), size)
    ]


def walk(g):
    """The stages in a row: (module, first stage, last stage)."""
    m, stages, layout = Module(), [], chunk_layout(g)
    for number, kind in enumerate(WALK):
        stage = kind(g, layout)
        m.submodules[f"stage_{number}"] = stage
        if stages:
            wiring.connect(m, stages[-1].o, stage.i)
        stages.append(stage)
        layout = stage.layout
    return m, stages[0], stages[-1]


def walked(g, frames, dice=None, pauses=0.0, request=None):
    """What is known with each frame's last chunk."""
    m, first, last = walk(g)
    chunks = [chunk for frame in frames for chunk in chunks_of(g, frame, request)]
    seen = []
    simulate(m, sender(first.i, chunks, dice=dice, pauses=pauses), receiver(last.o, seen, len(chunks)))
    return [chunk for chunk in seen if chunk["end"]]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_fields_are_found_where_they_stand(dice, width, pauses):
    """Frames back to back: nothing of one is left in the next."""
    g = geometry(width)
    for (name, frame), found in zip(FRAMES.items(), walked(g, list(FRAMES.values()), dice, pauses), strict=True):
        case = Case(frame, Kind.SEGMENT)
        n, l3, l4 = len(frame), case.l3, case.l4_at
        tagged = int(frame[12:14] == b"\x81\x00")
        is_ipv4 = int(frame[l3 - 2 : l3] == b"\x08\x00")
        assert (found["tagged"], found["ipv4"]) == (tagged, is_ipv4), name
        assert found["foreign"] == int(n >= l3 and not is_ipv4), name
        if not is_ipv4:
            continue
        assert found["version_seen"] == int(n > l3), name
        assert found["protocol_seen"] == int(n >= l3 + 10), name
        if n >= l3 + 20:
            assert found["version_ihl"] == frame[l3], name
            assert found["total_length"] == case.total_length, name
            assert found["identification"] == int.from_bytes(frame[l3 + 4 : l3 + 6], "big"), name
            assert found["protocol"] == frame[l3 + 9], name
            assert found["fragment"] == int(int.from_bytes(frame[l3 + 6 : l3 + 8], "big") & 0x3FFF != 0), name
            assert found["l4"] * 2 == l4, name
        assert found["word3_seen"] == int(n >= l4 + 8), name
        assert found["flags_seen"] == int(n >= l4 + 13), name
        assert found["csum_seen"] == int(n >= l4 + 18), name
        if n >= l4 + 18:
            words = {"word2": 4, "word3": 6, "flags": 12, "csum": 16}
            assert {word: found[word] for word in words} == {
                word: int.from_bytes(frame[l4 + at : l4 + at + 2], "big") for word, at in words.items()
            }, name
            assert found["header_whole"] == int(n >= case.header_len), name
            assert found["header_end"] * 2 == case.header_len or case.protocol == 17, name


@pytest.mark.parametrize("width", WIDTHS)
def test_every_halfword_of_a_header_is_named_once(width):
    """IP header, addresses, length and ID, transport header, checksums: the lanes tile the headers."""
    g = geometry(width)
    m, first, last = walk(g)
    frame = FRAMES["all options, tagged"]
    case = Case(frame, Kind.SEGMENT)
    chunks, seen = chunks_of(g, frame), []
    simulate(m, sender(first.i, chunks), receiver(last.o, seen, len(chunks)))
    lanes = g.parse_bits // 16
    names = ["is_ip", "is_addresses", "is_own", "is_l4", "is_l4_csum"]
    marks = {name: [chunk[name] >> lane & 1 for chunk in seen for lane in range(lanes)] for name in names}
    l3, l4 = case.l3, case.l4_at
    own, addresses = {l3 + 2, l3 + 4}, set(range(l3 + 12, l3 + 20, 2))
    varying = {l4 + 4, l4 + 6, l4 + 12}
    for at in range(0, case.header_len, 2):
        name = (
            "is_own" if at in own
            else "is_addresses" if at in addresses
            else "is_l4_csum" if at == l4 + 16
            else None if at < l3 or at in varying or at == l3 + 10
            else "is_ip" if at < l4
            else "is_l4"
        )  # fmt: skip
        assert [mark for mark in names if marks[mark][at // 2]] == ([name] if name else []), at
    in_header = [chunk["in_header"] >> lane & 1 for chunk in seen for lane in range(lanes)]
    assert in_header[: case.header_len // 2] == [1] * (case.header_len // 2)
    behind = in_header[case.header_len // 2 :]
    assert not any(behind)


JUDGED = {
    # name: request, facts, (decided, drop, cut, ip, l4)
    "undecided": ({"kind": Kind.SEGMENT}, {}, None),
    "refused": ({"kind": Kind.SEGMENT, "drop": Drop.DISABLED}, {}, (Drop.DISABLED, 0, 0, 0)),
    "pass": ({"kind": Kind.PASS}, {}, (0, 0, 0, 0)),
    "checksum": ({"kind": Kind.CHECKSUM}, {"contradicts": 1}, (0, 0, 0, 0)),
    "contradiction": ({"kind": Kind.SEGMENT}, {"contradicts": 1, "header_whole": 1}, (Drop.BAD_HEADER, 0, 0, 0)),
    "whole header": ({"kind": Kind.SEGMENT}, {"header_whole": 1}, (0, 1, 0, 0)),
    "truncated": ({"kind": Kind.SEGMENT}, {"end": 1}, (Drop.TRUNCATED, 0, 0, 0)),
    "truncated by a fault": ({"kind": Kind.SEGMENT}, {"end": 1, "fault": 2}, (Drop.LENGTH_MISMATCH, 0, 0, 0)),
    "auto: waits for the IP header": ({"kind": Kind.AUTO}, {"tcp": 1, "csum_seen": 1}, None),
    "auto: waits for the checksum": ({"kind": Kind.AUTO}, {"tcp": 1, "ip_whole": 1}, None),
    "auto: waits for the UDP length": ({"kind": Kind.AUTO}, {"udp": 1, "ip_whole": 1}, None),
    "auto: foreign": ({"kind": Kind.AUTO}, {"not_ipv4": 1, "ip_whole": 1}, (0, 0, 0, 0)),
    "auto: empty": ({"kind": Kind.AUTO}, {"ip_empty": 1, "ip_whole": 1}, (0, 0, 0, 0)),
    "auto: ends": ({"kind": Kind.AUTO}, {"end": 1}, (0, 0, 0, 0)),
    "auto: TCP": ({"kind": Kind.AUTO}, {"tcp": 1, "ip_whole": 1, "csum_seen": 1, "l4_fits": 1}, (0, 0, 1, 1)),
    "auto: TCP too short": ({"kind": Kind.AUTO}, {"tcp": 1, "ip_whole": 1, "csum_seen": 1}, (0, 0, 1, 0)),
    "auto: UDP": ({"kind": Kind.AUTO}, {"udp": 1, "ip_whole": 1, "word3_seen": 1, "l4_fits": 1, "udp_fits": 1}, (0, 0, 1, 1)),
    "auto: UDP that lies": ({"kind": Kind.AUTO}, {"udp": 1, "ip_whole": 1, "word3_seen": 1, "l4_fits": 1}, (0, 0, 1, 0)),
    "auto: other protocols": ({"kind": Kind.AUTO}, {"ip_whole": 1}, (0, 0, 1, 0)),
    "auto: above the MTU waits": ({"kind": Kind.AUTO}, {"ip_whole": 1, "tcp": 1, "above_mtu": 1, "csum_seen": 1, "mtu_fits": 1}, None),
    "auto: cut": ({"kind": Kind.AUTO}, {"ip_whole": 1, "tcp": 1, "above_mtu": 1, "header_whole": 1, "mtu_fits": 1}, (0, 1, 0, 0)),
    "auto: no byte fits": ({"kind": Kind.AUTO}, {"ip_whole": 1, "tcp": 1, "above_mtu": 1, "header_whole": 1}, (Drop.TOO_BIG, 0, 0, 0)),
    "auto: UDP too big": ({"kind": Kind.AUTO}, {"ip_whole": 1, "udp": 1, "above_mtu": 1, "word3_seen": 1}, (Drop.TOO_BIG, 0, 0, 0)),
    "auto: bad TCP too big": (
        {"kind": Kind.AUTO},
        {"ip_whole": 1, "tcp": 1, "above_mtu": 1, "tcp_bad": 1, "mtu_fits": 1},
        (Drop.TOO_BIG, 0, 0, 0),
    ),
}


def behind_the_walk(g, block):
    """(module, block): the block's input has the layout of the walk's end, but is not connected to it."""
    m, _, last = walk(g)
    m.submodules.dut = dut = block(g, last.layout)
    return m, dut


def test_the_judge_decides_once_and_each_cut_takes_the_next_slot():
    g = geometry(64)
    m, dut = behind_the_walk(g, Judge)
    slot = 0

    async def bench(ctx):
        nonlocal slot
        for name, (request, facts, verdict) in JUDGED.items():
            walks = int(request["kind"] in (Kind.SEGMENT, Kind.AUTO) and "drop" not in request)
            request = {key: int(value) for key, value in request.items()} | {"walk": walks}
            for first in (1, 0):  # the second chunk of a frame that is settled says nothing more
                ctx.set(dut.i.payload, {"first": first, "tag": 5, "request": request} | facts)
                ctx.set(dut.i.valid, 1)
                decides = int(verdict is not None and first == 1)
                assert ctx.get(dut.slot) == slot % g.slots, name
                assert ctx.get(dut.decided) == decides, name
                assert ctx.get(dut.decided_tag) == 5
                assert ctx.get(dut.open) == int(walks and (first or verdict is None)), name
                assert ctx.get(dut.spared) == int(decides and walks and not verdict[1]), name
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                assert ctx.get(dut.o.valid) == decides, name
                if decides:
                    got = plain(ctx.get(dut.o.payload))
                    assert (got["drop"], got["cut"], got["ip"], got["l4"]) == tuple(map(int, verdict)), name
                    if got["cut"]:
                        assert got["slot"] == slot % g.slots
                        slot += 1

    simulate(m, bench)


@pytest.mark.parametrize(
    "features, facts, verdict",
    [
        ([], {"tcp": 1, "ip_whole": 1, "csum_seen": 1, "l4_fits": 1}, (0, 0, 0, 0)),
        (["tx-checksum-ip-generic"], {"ip_whole": 1, "tcp": 1, "above_mtu": 1, "header_whole": 1, "mtu_fits": 1}, (Drop.TOO_BIG, 0, 0, 0)),
    ],
)
def test_the_judge_does_in_auto_what_is_built_in(features, facts, verdict):
    m, dut = behind_the_walk(geometry(64, features=frozenset(features)), Judge)

    async def bench(ctx):
        ctx.set(dut.i.payload, {"first": 1, "request": {"kind": int(Kind.AUTO), "walk": 1}} | facts)
        await pulse(ctx, dut.i.valid)
        got = plain(ctx.get(dut.o.payload))
        assert (got["drop"], got["cut"], got["ip"], got["l4"]) == tuple(map(int, verdict))

    simulate(m, bench)


SUMS_AFTER = 3  # clocks behind a chunk


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_sums_take_the_halfwords_that_are_marked(dice, width, pauses):
    """Random marks on random halfwords, in frames that are cut or not, with their pseudo-header from scratch or not."""
    g = geometry(width)
    m, dut = behind_the_walk(g, HeaderSums)
    lanes = g.parse_bits // 16

    def marked(chunk, name):
        octets = chunk["data"].to_bytes(2 * lanes, "little")
        return [int.from_bytes(octets[2 * lane : 2 * lane + 2], "big") if chunk[name] >> lane & 1 else 0 for lane in range(lanes)]

    async def bench(ctx):
        for _ in range(25):
            scratch, kind, above = dice.getrandbits(1), dice.choice([Kind.SEGMENT, Kind.AUTO]), dice.getrandbits(1)
            cut = kind == Kind.SEGMENT or above
            ip = l4 = 0
            for number in range(dice.randint(1, 12)):
                while dice.random() < pauses:
                    await ctx.tick()
                masks = {name: dice.getrandbits(lanes) for name in ("is_ip", "is_addresses", "is_own", "is_l4", "is_l4_csum", "in_header")}
                masks["is_addresses"] &= ~masks["is_ip"]
                masks["is_own"] &= ~masks["is_ip"] & ~masks["is_addresses"]
                masks["is_l4"] &= ~masks["is_addresses"]
                masks["is_l4_csum"] &= ~masks["is_l4"] & ~masks["is_addresses"]
                chunk = masks | {"data": dice.getrandbits(g.parse_bits), "first": int(number == 0), "scratch": scratch, "above_mtu": above}
                inside = [chunk["in_header"] >> lane & 1 for lane in range(lanes)]
                ip += sum(marked(chunk, "is_ip")) + sum(marked(chunk, "is_addresses"))
                ip += 0 if cut else sum(marked(chunk, "is_own"))
                l4 += sum(marked(chunk, "is_addresses")) if scratch else 0
                if cut:
                    l4 += sum(value for value, here in zip(marked(chunk, "is_l4"), inside, strict=True) if here)
                    l4 += 0 if scratch else sum(marked(chunk, "is_l4_csum"))
                ctx.set(dut.i.payload, chunk | {"request": {"kind": int(kind)}})
                await pulse(ctx, dut.i.valid)
            await ctx.tick().repeat(SUMS_AFTER - 1)
            assert (ctx.get(dut.ip), ctx.get(dut.l4)) == (ip, l4)

    simulate(m, bench)


class Feed:
    """A feed on a row store whose rows are all written before, or in time."""

    def __init__(self, g):
        self.g, self.top = g, Module()
        self.top.submodules.rows = self.rows = RowStore(g)
        self.top.submodules.dut = self.dut = HeaderFeed(g)
        self.top.d.comb += [
            self.dut.written.eq(self.rows.written),
            self.rows.parse_at.eq(self.dut.at),
            self.dut.row.eq(self.rows.parse),
        ]


@pytest.mark.parametrize("width", [32, 64, 256])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.5, 0.3)])
def test_the_feed_gives_each_frame_in_chunks_to_its_end_or_to_256_bytes(dice, width, pauses, stalls):
    g = geometry(width)
    bench = Feed(g)
    dut, rows = bench.dut, bench.rows
    size, seen, expected, done = g.parse_bits // 8, [], [], []
    # (No header reaches the last chunk of 256 bytes, so the feed does not wait for it.)
    lengths = [1, size, size + 1, 60, 200, dice.randint(1, 256 - size)] + ([] if pauses else [256, 257, 400])
    frames = [(dice.randbytes(dice.choice(lengths)), dice.random() < 0.8) for _ in range(20)]
    for frame, walk_it in frames:
        pieces = [frame[at : at + size] for at in range(0, min(256, len(frame)), size)]
        if not walk_it:
            expected.append((1, 1, None))
            continue
        for number, piece in enumerate(pieces):
            expected.append((int(number == 0), int((number + 1) * size >= len(frame)), piece))

    async def source(ctx):
        """A frame's request comes when its first row is written; the rest of its rows when the feed has begun, so the ring is never full."""
        address = 0
        ctx.set(rows.ends.ready, 1)
        for number, (frame, walk_it) in enumerate(frames):
            frame_rows = rows_of(g, frame)[: 256 // g.bus_bytes + 1]
            await sender(rows.i, frame_rows[:1])(ctx)
            ctx.set(dut.i.payload, {"row": address % g.store_rows, "walk": int(walk_it), "frame_len": number})
            ctx.set(dut.i.valid, 1)
            ready = False
            while not ready:
                ctx.set(dut.room, dice.random() >= stalls)
                ctx.set(dut.slot_room, dice.random() >= stalls)
                _, _, ready = await ctx.tick().sample(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            await sender(rows.i, frame_rows[1:], dice=dice, pauses=pauses)(ctx)
            address += len(frame_rows)
        done.append(True)

    async def sink(ctx):
        quiet = 0
        while quiet < 10:
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            quiet = quiet + 1 if done and not valid else 0
            if valid:
                chunk = plain(payload)
                octets = chunk["data"].to_bytes(size, "little")[: chunk["count"]]
                seen.append((chunk["first"], chunk["end"], octets))

    simulate(bench.top, source, sink)
    assert [chunk[:2] for chunk in seen] == [chunk[:2] for chunk in expected]
    for (first, end, octets), (first_expected, end_expected, piece) in zip(seen, expected, strict=True):
        assert (first, end) == (first_expected, end_expected)
        assert piece is None or octets == piece


def test_the_feed_stops_when_its_frame_is_decided_and_begins_only_with_room():
    g = geometry(64)
    bench, reset = Feed(g), Signal()
    dut, rows = bench.dut, bench.rows

    async def go(ctx):
        for row in rows_of(g, bytes(160)):
            ctx.set(rows.i.payload, row)
            await pulse(ctx, rows.i.valid)
        ctx.set(dut.i.payload, {"row": 0, "walk": 1})
        ctx.set(dut.i.valid, 1)
        for room, slot_room in ((0, 0), (1, 0), (0, 1)):
            ctx.set(dut.room, room)
            ctx.set(dut.slot_room, slot_room)
            for _ in range(3):
                _, _, ready, begun, valid = await ctx.tick().sample(dut.i.ready, dut.begun, dut.o.valid)
                assert not (ready or begun or valid)
        ctx.set(dut.room, 1)
        ctx.set(dut.slot_room, 1)
        assert ctx.get(dut.i.ready) and ctx.get(dut.begun)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        chunks = []
        for _ in range(30):
            _, _, valid, tag = await ctx.tick().sample(dut.o.valid, dut.o.p.tag)
            chunks += [tag] if valid else []
            ctx.set(dut.decided, len(chunks) == 4)
            ctx.set(dut.decided_tag, tag)
        assert 4 <= len(chunks) < 10
        assert len(set(chunks)) == 1
        # A frame that needs no walk needs no slot either.
        ctx.set(dut.slot_room, 0)
        ctx.set(dut.i.payload, {"row": 0, "walk": 0})
        assert ctx.get(dut.i.ready)
        ctx.set(dut.i.valid, 1)
        assert not ctx.get(dut.begun)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await pulse(ctx, reset)
        for _ in range(5):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid

    simulate(bench.top, go, reset=reset)
