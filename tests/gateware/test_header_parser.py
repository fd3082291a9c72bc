"""The header parser as a whole: tables of frames and requests, and the plans that must come of them."""

import pytest
from amaranth import Module
from frames import Case, ipv4, rows_of
from support import geometry, plain, simulate

from offcut.tx.layouts import Drop, Kind
from offcut.tx.parser import HeaderParser
from offcut.tx.queue import Queue
from offcut.tx.rows import RowStore

WIDTHS = [32, 64, 256]
OPTIONS = bytes(range(1, 41))
UDP = {"protocol": 17}

SEGMENT = {
    "plain": Case(ipv4(), Kind.SEGMENT, cut=True),
    "tagged": Case(ipv4(tagged=True), Kind.SEGMENT, cut=True),
    "IP options": Case(ipv4(options=OPTIONS[:4]), Kind.SEGMENT, cut=True),
    "all IP options": Case(ipv4(options=OPTIONS), Kind.SEGMENT, cut=True),
    "timestamps": Case(ipv4(tcp_options=OPTIONS[:12]), Kind.SEGMENT, cut=True),
    "all options, tagged": Case(ipv4(tagged=True, options=OPTIONS, tcp_options=OPTIONS), Kind.SEGMENT, cut=True),
    "frame_len unknown": Case(ipv4(), Kind.SEGMENT, frame_len=0, cut=True),
    "frame_len and total length unknown": Case(ipv4(total_length=0), Kind.SEGMENT, frame_len=0, cut=True),
    "total length 0": Case(ipv4(total_length=0), Kind.SEGMENT, cut=True),
    "total length lies": Case(ipv4(total_length=7), Kind.SEGMENT, cut=True),
    "no checksum asked for": Case(ipv4(), Kind.SEGMENT, needs_csum=0, csum_start=0, csum_offset=0, cut=True),
    "BIG TCP": Case(ipv4(total_length=0), Kind.SEGMENT, frame_len=300_000, cut=True),
    "gso_size 1": Case(ipv4(), Kind.SEGMENT, size=1, cut=True),
    "gso_size 65534": Case(ipv4(), Kind.SEGMENT, size=65534, cut=True),
    "no payload": Case(ipv4(b""), Kind.SEGMENT, cut=True),
    "a fragment": Case(ipv4(fragment=0x2001), Kind.SEGMENT, cut=True),
    "IPv6": Case(ipv4(ethertype=0x86DD), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "two tags": Case(ipv4(tagged=True, ethertype=0x8100), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "version 6": Case(ipv4(version=6), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "ihl 4": Case(ipv4(ihl=4), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "csum_start elsewhere": Case(ipv4(), Kind.SEGMENT, csum_start=38, drop=Drop.BAD_HEADER),
    "UDP": Case(ipv4(**UDP), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "data offset 4": Case(ipv4(data_offset=4), Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "ends in Ethernet": Case(ipv4()[:10], Kind.SEGMENT, csum_start=34, drop=Drop.TRUNCATED),
    "ends in IPv4": Case(ipv4()[:30], Kind.SEGMENT, drop=Drop.TRUNCATED),
    "ends in TCP": Case(ipv4()[:50], Kind.SEGMENT, drop=Drop.TRUNCATED),
    "ends in TCP's options": Case(ipv4(tcp_options=OPTIONS)[:93], Kind.SEGMENT, drop=Drop.TRUNCATED),
    "a contradiction before the end": Case(ipv4(**UDP)[:30], Kind.SEGMENT, drop=Drop.BAD_HEADER),
    "ends in TCP, length wrong": Case(ipv4()[:50], Kind.SEGMENT, frame_len=70, fault=Drop.LENGTH_MISMATCH, drop=Drop.LENGTH_MISMATCH),
    "ends in TCP, contract broken": Case(ipv4()[:50], Kind.SEGMENT, fault=Drop.BAD_KEEP, drop=Drop.BAD_KEEP),
    "a contradiction comes before a fault": Case(ipv4(ihl=3)[:40], Kind.SEGMENT, fault=Drop.LENGTH_MISMATCH, drop=Drop.BAD_HEADER),
    "refused": Case(ipv4(), Kind.SEGMENT, refused=Drop.BAD_REQUEST, drop=Drop.BAD_REQUEST),
    "disabled": Case(ipv4(), Kind.SEGMENT, refused=Drop.DISABLED, drop=Drop.DISABLED),
}

LONG = ipv4(b"y" * 600)
AUTO = {
    "a TCP frame that fits": Case(ipv4(), Kind.AUTO, size=1500, ip=True, l4=True),
    "a UDP frame that fits": Case(ipv4(**UDP), Kind.AUTO, size=1500, ip=True, l4=True),
    "tagged": Case(ipv4(tagged=True), Kind.AUTO, size=1500, ip=True, l4=True),
    "tagged UDP with IP options": Case(ipv4(tagged=True, options=OPTIONS[:8], **UDP), Kind.AUTO, size=1500, ip=True, l4=True),
    "padded": Case(ipv4(b"", padding=b"p" * 6), Kind.AUTO, size=1500, ip=True, l4=True),
    "exactly the MTU": Case(ipv4(), Kind.AUTO, size=140, ip=True, l4=True),
    "a UDP frame without a checksum": Case(ipv4(csum=0, **UDP), Kind.AUTO, size=1500, ip=True),
    "UDP shorter than its header": Case(ipv4(udp_length=7, **UDP), Kind.AUTO, size=1500, ip=True),
    "UDP longer than its datagram": Case(ipv4(udp_length=109, **UDP), Kind.AUTO, size=1500, ip=True),
    "UDP shorter than its datagram": Case(ipv4(udp_length=60, **UDP), Kind.AUTO, size=1500, ip=True, l4=True),
    "a first fragment": Case(ipv4(fragment=0x2000), Kind.AUTO, size=1500, ip=True),
    "a last fragment": Case(ipv4(fragment=0x0007, **UDP), Kind.AUTO, size=1500, ip=True),
    "another protocol": Case(ipv4(protocol=1), Kind.AUTO, size=1500, ip=True),
    "less than a TCP header": Case(ipv4(total_length=39), Kind.AUTO, size=1500, ip=True),
    "less than a UDP header": Case(ipv4(total_length=27, **UDP), Kind.AUTO, size=1500, ip=True),
    "IPv6": Case(ipv4(ethertype=0x86DD), Kind.AUTO, size=1500, unchanged=True),
    "two tags": Case(ipv4(tagged=True, ethertype=0x8100), Kind.AUTO, size=1500, unchanged=True),
    "version 5": Case(ipv4(version=5), Kind.AUTO, size=1500, unchanged=True),
    "ihl 4": Case(ipv4(ihl=4), Kind.AUTO, size=1500, unchanged=True),
    "total length below the header's": Case(ipv4(total_length=19), Kind.AUTO, size=1500, unchanged=True),
    "total length 0": Case(ipv4(total_length=0), Kind.AUTO, size=1500, unchanged=True),
    "a runt": Case(ipv4()[:20], Kind.AUTO, size=1500, unchanged=True),
    "above the MTU": Case(LONG, Kind.AUTO, size=500, cut=True),
    "a byte above the MTU": Case(ipv4(), Kind.AUTO, size=139, cut=True),
    "above the MTU, tagged, options": Case(
        ipv4(b"z" * 900, tagged=True, options=OPTIONS[:4], tcp_options=OPTIONS[:12]), Kind.AUTO, size=600, cut=True
    ),
    "one byte a segment": Case(LONG, Kind.AUTO, size=41, cut=True),
    "BIG TCP": Case(ipv4(total_length=0), Kind.AUTO, size=9000, frame_len=14 + 65536, cut=True),
    "not quite BIG TCP": Case(ipv4(total_length=0), Kind.AUTO, size=9000, frame_len=14 + 65535, unchanged=True),
    "no room for a byte": Case(LONG, Kind.AUTO, size=40, drop=Drop.TOO_BIG),
    "UDP above the MTU": Case(ipv4(b"y" * 600, **UDP), Kind.AUTO, size=500, drop=Drop.TOO_BIG),
    "a fragment above the MTU": Case(ipv4(b"y" * 600, fragment=0x2000), Kind.AUTO, size=500, drop=Drop.TOO_BIG),
    "data offset 4 above the MTU": Case(ipv4(b"y" * 600, data_offset=4), Kind.AUTO, size=500, drop=Drop.TOO_BIG),
    "no whole TCP header": Case(LONG[:50], Kind.AUTO, size=500, drop=Drop.TOO_BIG),
}

OTHERS = {
    "pass": Case(ipv4(), Kind.PASS),
    "pass of one byte": Case(b"p", Kind.PASS),
    "checksum": Case(ipv4(), Kind.CHECKSUM),
    "checksum at an odd place": Case(bytes(100), Kind.CHECKSUM, csum_start=35, csum_offset=16),
    "checksum at an odd offset": Case(bytes(100), Kind.CHECKSUM, csum_start=34, csum_offset=7),
    "checksum far behind": Case(bytes(60), Kind.CHECKSUM, csum_start=65535, csum_offset=65535),
    "checksum disabled": Case(bytes(60), Kind.CHECKSUM, refused=Drop.DISABLED, drop=Drop.DISABLED),
}
CASES = [
    *((f"segment: {name}", case) for name, case in SEGMENT.items()),
    *((f"auto: {name}", case) for name, case in AUTO.items()),
    *((f"others: {name}", case) for name, case in OTHERS.items()),
]


class Bench:
    """A parser between a row store and a queue of requests, in place of the ingress and of all that follows."""

    def __init__(self, g):
        self.g = g
        self.top = m = Module()
        m.submodules.rows = self.rows = RowStore(g)
        m.submodules.requests = self.requests = Queue(g.request, depth=32)
        m.submodules.dut = self.dut = dut = HeaderParser(g)
        m.d.comb += [
            dut.written.eq(self.rows.written),
            self.rows.parse_at.eq(dut.parse_at),
            dut.parse.eq(self.rows.parse),
            dut.requests.valid.eq(self.requests.o.valid),
            dut.requests.payload.eq(self.requests.o.payload),
            self.requests.o.ready.eq(dut.requests.ready),
        ]

    def run(self, cases, dice=None, *, pauses=0.0, stalls=0.0):
        """(plan, record, header bytes if cut, field tags) of each case."""
        g, dut, rows = self.g, self.dut, self.rows
        planned, done = [0], []

        async def source(ctx):
            """A frame's request goes with its first row; rows are taken back as soon as their frame is planned, so long frames fit."""
            address = 0
            for case in cases:
                frame_rows = rows_of(g, case.frame, case.fault)
                request = case.request | {"row": address % g.store_rows}
                address += len(frame_rows)
                for number, row in enumerate(frame_rows):
                    while not ctx.get(rows.room) or (dice and dice.random() < pauses):
                        await ctx.tick()
                    ctx.set(rows.i.payload, row)
                    ctx.set(rows.i.valid, 1)
                    if number == 0:
                        ctx.set(self.requests.i.payload, request)
                        ctx.set(self.requests.i.valid, 1)
                        _, _, ready = await ctx.tick().sample(self.requests.i.ready)
                        assert ready
                        ctx.set(self.requests.i.valid, 0)
                    else:
                        await ctx.tick()
                    ctx.set(rows.i.valid, 0)
            done.append(True)

        async def slicer(ctx):
            """Takes the rows of frames that are planned."""
            frame = 0
            ctx.set(rows.ends.ready, 0)
            while frame < len(cases):
                ctx.set(rows.ends.ready, frame < planned[0])
                ready = frame < planned[0]
                _, _, valid, last = await ctx.tick().sample(rows.ends.valid, rows.ends.p.last)
                frame += valid & last & ready
            ctx.set(rows.ends.ready, 0)

        async def sink(ctx):
            slots, results = {}, []
            held = 0  # header slots that are not given back
            while planned[0] < len(cases):
                ctx.set(dut.room, not (dice and dice.random() < stalls))
                release = held and (not dice or dice.random() < 0.2)
                ctx.set(dut.released, bool(release))
                held -= bool(release)
                _, _, valid, plan, record, write, header = await ctx.tick().sample(
                    dut.plan.valid, dut.plan.payload, dut.record, dut.header.valid, dut.header.payload
                )
                if write:
                    slots.setdefault(header.slot, {})[header.index] = plain(header)
                if valid:
                    planned[0] += 1
                    plan = plain(plan)
                    chunks = dict(slots[plan["slot"]]) if plan["cut"] else {}
                    held += plan["cut"]
                    results.append((plan, plain(record), chunks))
            ctx.set(dut.released, 0)
            self.results = results

        simulate(self.top, source, slicer, sink)
        return self.results


def bits_of(case, plan, record, chunks, g):
    """Each thing that a plan must say, as (what, got, expected)."""
    size, auto = g.bus_bytes, case.kind == Kind.AUTO
    yield "drop", plan["drop"], int(case.drop)
    yield "swallow", plan["swallow"], int(case.drop != Drop.NONE)
    yield "cut", plan["cut"], int(case.cut)
    if case.drop:
        return
    yield "auto", plan["auto"], int(auto)
    if case.cut:
        yield from cut_bits(case, plan, record, chunks, size, g)
        return
    yield "header_len", plan["header_len"], 0
    yield "limit", plan["limit"], 0
    yield "ip", plan["ip"], int(case.ip)
    yield "csum", plan["csum"], int(case.l4 if auto else case.request["needs_csum"])
    if case.ip:
        yield "ip_sum", plan["ip_sum"] % 0xFFFF, case.ip_sum()
        yield "ip_tagged", plan["ip_tagged"], int(case.l3 == 18)
        yield "end", plan["end"], case.l3 + case.total_length - 1
    if case.l4:
        tcp = case.protocol == 6
        length = case.total_length - case.ihl if tcp else int.from_bytes(case.transport[4:6], "big")
        yield "base", plan["base"] % 0xFFFF, case.whole_base()
        yield "sum_first", plan["sum_first"], case.l4_at
        yield "sum_last", plan["sum_last"], case.l4_at + length - 1
        yield "csum_low", plan["csum_low"], case.l4_at + (17 if tcp else 7)
        yield "csum_swap", plan["csum_swap"], 0
    if case.kind == Kind.CHECKSUM:
        yield "base", plan["base"], 0
        yield "sum_first", plan["sum_first"], case.csum_start
        yield "csum_low", plan["csum_low"], case.csum_start + case.csum_offset + 1
        yield "end", plan["end"], case.csum_start + case.csum_offset + 1
        yield "csum_swap", plan["csum_swap"], case.csum_offset % 2


def cut_bits(case, plan, record, chunks, size, g):
    end = case.header_len + case.gso_size - 1
    yield "header_len", plan["header_len"], case.header_len
    yield "headed", plan["headed"], int(case.header_len >= size)
    yield "full segment", (plan["last_row"], plan["last_lane"]), divmod(end, size)
    yield "single", plan["single"], int(end // size == case.header_len // size)
    yield "step_lane", plan["step_lane"], case.gso_size % size
    yield "base", plan["base"] % 0xFFFF, case.segment_base()
    yield "csum_low", plan["csum_low"], case.l4_at + 17
    big = case.kind == Kind.AUTO and case.total_length == 0
    limit = int(case.kind == Kind.AUTO and not big)
    yield "limit", plan["limit"], limit
    if limit:
        yield "end", plan["end"], case.l3 + case.total_length - 1
    t = case.transport
    yield "seq", record["seq"], int.from_bytes(t[4:8], "big")
    yield "flags", record["flags"], int.from_bytes(t[12:14], "big")
    yield "identification", record["identification"], int.from_bytes(case.frame[case.l3 + 4 : case.l3 + 6], "big")
    yield "ip_sum", record["ip_sum"] % 0xFFFF, case.ip_sum()
    yield "record.header_len", record["header_len"], case.header_len
    yield "record.tagged", record["tagged"], int(case.l3 == 18)
    chunk_bytes = g.parse_bits // 8
    count = -(-case.header_len // chunk_bytes)
    header = b"".join(chunks[index]["data"].to_bytes(chunk_bytes, "little") for index in range(count))
    yield "header", header[: case.header_len], case.frame[: case.header_len]
    tags = [tag for index in range(count) for tag in chunks[index]["fields"]][: case.header_len // 2]
    places = {case.l3 + 2: 1, case.l3 + 4: 1, case.l4_at + 4: 2, case.l4_at + 6: 2, case.l4_at + 12: 3}
    yield "fields", tags, [places.get(2 * halfword, 0) for halfword in range(case.header_len // 2)]


def check(g, cases, results):
    for (name, case), (plan, record, chunks) in zip(cases, results, strict=True):
        for what, got, expected in bits_of(case, plan, record, chunks, g):
            assert got == expected, f"{name}: {what} is {got}, not {expected}"


@pytest.mark.parametrize("width", WIDTHS)
def test_every_frame_gets_its_plan(width):
    g = geometry(width)
    check(g, CASES, Bench(g).run([case for _, case in CASES]))


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.6), (0.2, 0.2)])
def test_plans_keep_their_order_when_rows_come_late_and_slots_are_rare(dice, width, pauses, stalls):
    g = geometry(width)
    cases = [dice.choice(CASES) for _ in range(30)]
    check(g, cases, Bench(g).run([case for _, case in cases], dice, pauses=pauses, stalls=stalls))
