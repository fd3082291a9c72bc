"""The fields of each segment's header, by either patcher."""

from itertools import groupby

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.config import FEATURES
from offcut.tx.layouts import Field
from offcut.tx.parser.instruction import Patch
from offcut.tx.patcher import HeaderPatcher, lookup_clock
from offcut.tx.patcher.interface import patch_layout

WIDTHS = [32, 64, 128, 512]
ALL = frozenset(FEATURES)
HALFWORD_BYTES = 2

FLAGS = ("FLAGS", "FLAGS_MIDDLE", "FLAGS_LAST", "FLAGS_ONLY")
"""The four words of TCP's flags, by the place of the segment in its frame."""


def entry(g, length, **fields):
    row, lane = divmod(length - 1, g.bus_bytes)
    return {"cut": 1, "summed": 1, "last_row": row, "last_lane": lane} | fields


def uncut(g, length, *, ip_at=None, **fields):
    """A frame that is not cut, with an IP header's checksum at a place or without."""
    ip = {} if ip_at is None else {"ip": 1, "ip_low": ip_at + 1}
    return entry(g, length, cut=0, first=1, last=1, csum=1, **ip, **fields)


def rows_of(g, unit):
    """Clocks that a unit is sent in. (The patcher of a wide bus may begin in every clock whatever its rows.)"""
    return unit["last_row"] + 1 if g.serial else 1


def pause_behind(g, unit, record):
    """A clock that the joiner leaves behind a unit whose last field may stand in its last row: a datagram's that ends in its header's row."""
    return int(g.serial and unit["cut"] and record.get("udp", 0) and unit["last_row"] == unit.get("header_len", 0) // g.bus_bytes)


def segments(g, header_len, payloads):
    """One frame's entries, a segment for each of ``payloads`` bytes."""
    last = len(payloads) - 1
    return [
        entry(g, header_len + payload, header_len=header_len, first=int(n == 0), last=int(n == last)) for n, payload in enumerate(payloads)
    ]


def fragments(g, header_len, payloads, order):
    """Likewise of a datagram, in the order in which they leave; the sum comes with its first."""
    made = [each | {"ufo": 1} for each in segments(g, header_len, payloads)]
    for number, each in enumerate(made):
        each["summed"] = int(number == 0)
    if order == "first":
        return made
    alone = int(len(made) == 1)
    beside = made[0] | {"side": 1, "first": alone, "last": alone}
    for each in made[1:2]:
        each["first"] = 1
    return [*made[1:], beside]


def layout(record, *, tags=0, options=(0, 0, 0), between=0):
    """Where each field stands in a header that leaves, and how long it is.

    Parameters
    ----------
    record : dict
        What the header has in it.
    tags : int
        VLAN tags in front of the outermost IP header.
    options : tuple of int
        Words of them behind the outermost and the inner IP header, and the TCP header.
    between : int
        Bytes between a tunnel's header and the inner IP header.
    """
    places, at = {}, 14 + 4 * tags

    def ip(prefix, ipv6, words):
        if ipv6:
            places[prefix + "length"] = at + 4
            return at + 40 + 8 * words
        places.update({prefix + "length": at + 2, prefix + "identification": at + 4, prefix + "ip_csum": at + 10})
        return at + 20 + 4 * words

    at = ip("", record.get("ipv6"), options[0])
    ufo = record.get("ufo")
    if ufo:
        places["fragment"] = at + 2 if record.get("ipv6") else 14 + 4 * tags + 6
        return at + 8 * bool(record.get("ipv6")), places
    if record.get("tunnel_udp"):
        places["tunnel_length"] = at + 4
    if record.get("tunnel_csum"):
        places["tunnel_csum"] = at + (6 if record.get("tunnel_udp") else 4)
    if record.get("inner"):
        if record.get("tunnel_udp") or record.get("tunnel_csum"):
            at += 8 + between
        at = ip("inner_", record.get("inner_ipv6"), options[1])
    if record.get("udp"):
        return at + 8, places | {"low": at + 4, "csum": at + 6}
    return at + 20 + 4 * options[2], places | {"high": at + 4, "low": at + 6, "flags": at + 12, "csum": at + 16}


def words(g, record):
    """What the parser gives the patcher: the word of constants, then a word for each field that the engine has."""
    names = {"LENGTH": -record.get("length_from", 0)}
    ipv6, inner = record.get("ipv6"), record.get("inner")
    if not ipv6:
        names["IDENTIFICATION"] = record.get("identification", 0)
    if record.get("ufo"):
        names["FRAGMENT"] = 0x0001 if ipv6 else 0x2000
    if not ipv6:
        names["IP_CSUM"] = record.get("ip_sum", 0)
    if record.get("tunnel_udp"):
        names["TUNNEL_LENGTH"] = -record.get("tunnel_from", 0)
    if record.get("tunnel_csum"):
        names["TUNNEL_CSUM"] = record.get("tunnel_sum", 0)
    if inner:
        names["INNER_LENGTH"] = -record.get("inner_length_from", 0)
        if not record.get("inner_ipv6"):
            names |= {"INNER_IDENTIFICATION": record.get("inner_identification", 0), "INNER_IP_CSUM": record.get("inner_ip_sum", 0)}
    if record.get("udp"):
        names |= {} if record.get("ufo") else {"LOW": -record.get("l4_from", 0)}
    else:
        seq = record.get("seq", 0)
        names |= {"LOW": seq & 0xFFFF, "HIGH": seq >> 16} | dict(zip(FLAGS, record.get("flags", (0,) * 4), strict=True))
    names = {name: value for name, value in names.items() if Field[name.partition("_")[0] if name in FLAGS else name] in g.fields}
    lasts = FLAGS if "FLAGS" in names else list(names)[-1:]
    there = patch_layout(g).members
    constants = {name: record.get(name, 0) for name in ("id_mode", "udp", "ipv6", "ufo", "inner_ipv6", "tunnel_udp") if name in there}
    return [{"kind": Patch.CONSTANTS, "data": record.get("size", 0)} | constants] + [
        {"kind": Patch[name], "index": index, "last": int(name in lasts), "data": value & 0xFFFF}
        for index, (name, value) in enumerate(names.items())
    ]


def look_up(ctx, dut, g, places, row):
    """What the patcher says in this clock of the fields that stand in a row (of a wide engine: of all of them), by their places."""
    values = {}
    if g.serial:
        ctx.set(dut.row, row % g.slot_rows)
        said = plain(ctx.get(dut.values))
        return {name: said[at % g.bus_bytes // HALFWORD_BYTES] for name, at in places.items() if at // g.bus_bytes == row}
    for name in places:
        if name != "csum" and Field[name.upper()] in g.fields:
            ctx.set(dut.tags, [g.tag(Field[name.upper()])] * (g.width // 16))
            said = plain(ctx.get(dut.values))
            assert len(set(said)) == 1, "every halfword is told the same"
            values[name] = said[0]
    return values


async def write(ctx, dut, g, record, places):
    """What the parser leaves of a frame: where its fields stand, and how they are made."""
    halfwords = [
        {"index": at // HALFWORD_BYTES, "field": g.tag(Field[name.upper()])}
        for name, at in places.items()
        if name != "csum" and Field[name.upper()] in g.fields
    ]
    for number, word in enumerate(words(g, record)):
        if g.serial:
            ctx.set(dut.header.valid, number < len(halfwords))
            ctx.set(dut.header.payload, halfwords[number] if number < len(halfwords) else {})
        ctx.set(dut.patch.payload, word)
        await pulse(ctx, dut.patch.valid)
    assert not g.serial or number + 1 >= len(halfwords)


def run(g, units, sums, *, dice=None, pauses=0.0):
    """The fields of each unit, each looked up as its row passes.

    Parameters
    ----------
    units : list of (entry, record, places)
        Those of one frame have one record.
    """
    dut, seen, waiting, crcs = HeaderPatcher(g), [{} for _ in units], list(sums), []
    frames = [list(group) for _, group in groupby(enumerate(units), key=lambda unit: id(unit[1][1]) if unit[1][0]["cut"] else unit[0])]
    frame_of = {number: place for place, frame in enumerate(frames) for number, _ in frame}
    lookup, begun, written, done = lookup_clock(g), {}, set(), []

    async def parser(ctx):
        """Works ahead, as far as there are slots."""
        for place, frame in enumerate(frames):
            _, (unit, record, places) = frame[0]
            if unit["cut"]:
                while len(begun) < len(units) and place >= frame_of[len(begun)] + g.slots - 1:
                    await ctx.tick()
                ctx.set(dut.slot, place % g.slots)
                await write(ctx, dut, g, record, places)
                ctx.set(dut.patch.valid, 0)
                if g.serial:
                    ctx.set(dut.header.valid, 0)
            written.add(place)

    async def joiner(ctx):
        clock, next_begin = 0, 0
        while len(begun) < len(units) or clock <= max(begun[n] + rows_of(g, unit) for n, (unit, *_) in enumerate(units)) + lookup + 1:
            number = len(begun)
            begin = number < len(units) and frame_of[number] in written and clock >= next_begin
            begin = begin and ctx.get(dut.ready) and not (pauses and dice.random() < pauses)
            ctx.set(dut.begin, begin)
            if begin:
                unit, record, _ = units[number]
                ctx.set(dut.entry, {"slot": frame_of[number] % g.slots} | unit)
                begun[number], next_begin = clock, clock + rows_of(g, unit) + pause_behind(g, unit, record)
            ctx.set(dut.sum, waiting[0] if waiting else 0)
            for number, then in begun.items():
                unit, _, places = units[number]
                row = clock - then - lookup
                if 0 <= row < rows_of(g, unit):
                    seen[number] |= look_up(ctx, dut, g, {name: at for name, at in places.items() if name != "csum"}, row)
                if g.serial and "csum" in places and row - 1 == places["csum"] // g.bus_bytes or not g.serial and row == 1:
                    seen[number]["csum"] = ctx.get(dut.csum)
            _, _, sum_taken, crc_taken = await ctx.tick().sample(dut.take_sum, dut.take_crc)
            if sum_taken:
                waiting.pop(0)
            if crc_taken:
                crcs.append(clock)
            clock += 1
        done.append(clock)

    simulate(dut, parser, joiner)
    assert not waiting
    assert crcs == [begun[number] + lookup for number, (unit, *_) in enumerate(units) if unit.get("crc")]
    return seen


def inverted(total, *, zero):
    """The checksum of a sum that is not folded yet; ``zero`` is what it is where it comes out as zero."""
    return 0xFFFF - total % 0xFFFF if total % 0xFFFF else zero


def count_on(identification, number, mode):
    return [
        (identification + number) % 65536,
        identification,
        identification & 0x8000 | (identification + number) & 0x7FFF,
    ][mode]


def random_record(dice, **fields):
    """What the parser would find out: places in a header, and sums of which those that count are not 0."""
    return {
        "size": dice.choice([1, 8, 536, 1448, 65528]),
        "length_from": dice.randint(14, 34),
        "identification": dice.choice([dice.getrandbits(16), 0xFFFF, 0x7FFF, 0x7FFE]),
        "ip_sum": dice.randrange(1, 0x10000),
        "id_mode": dice.randrange(3),
        "seq": dice.choice([dice.getrandbits(32), (1 << 32) - 1, (1 << 32) - 1000, 0xFFFF]),
        "flags": [dice.getrandbits(16) for _ in FLAGS],
        "l4_from": dice.randint(20, 42),
        "inner_length_from": dice.randint(14, 42),
        "inner_identification": dice.choice([dice.getrandbits(16), 0xFFFF, 0x7FFF]),
        "inner_ip_sum": dice.randrange(1, 0x10000),
        "tunnel_from": dice.randint(14, 42),
        "inner": 1,
        "tunnel_csum": 1,
        "tunnel_sum": dice.randrange(1, 0x10000),
        "tunnel_udp": dice.getrandbits(1),
        "inner_ipv6": dice.getrandbits(1),
        "ipv6": dice.getrandbits(1),
    } | fields


def common(g, unit, record, number):
    """What does not depend on the transport: lengths, identifications, the sums of IP headers and of a tunnel."""
    length = unit["last_row"] * g.bus_bytes + unit["last_lane"] + 1
    mode = 1 if record.get("ufo") else record["id_mode"]
    fields = {
        "length": length - record["length_from"],
        "identification": count_on(record["identification"], number, mode),
        "inner_length": length - record["inner_length_from"],
        "inner_identification": count_on(record["inner_identification"], number, mode),
        "tunnel_length": length - record["tunnel_from"],
    }
    inner_ip = record["inner_ip_sum"] + fields["inner_length"] + fields["inner_identification"]
    # A UDP tunnel's checksum counts the length twice, in its header and the pseudo-header, once more with an inner IPv6 header's field, and
    # the inner pseudo-header's takes one away; one of GRE has none of its own.
    times = {(0, 0): -1, (0, 1): 0, (1, 0): 1, (1, 1): 2}[record["tunnel_udp"], record["inner_ipv6"]]
    tunnel = record["tunnel_sum"] + times * length
    fields["inner_ip_csum"] = inverted(inner_ip, zero=0)
    fields["tunnel_csum"] = inverted(tunnel, zero=0xFFFF if record["tunnel_udp"] else 0)
    return length, fields


def expected_tcp(g, units, sums, record):
    out, offset = [], 0
    for number, (unit, payload_sum) in enumerate(zip(units, sums, strict=True)):
        length, fields = common(g, unit, record, number)
        flags = record["flags"][3 if len(units) == 1 else 0 if unit["first"] else 2 if unit["last"] else 1]
        seq = (record["seq"] + offset) % (1 << 32)
        fields |= {"high": seq >> 16, "low": seq & 0xFFFF, "flags": flags}
        fields["ip_csum"] = inverted(record["ip_sum"] + fields["length"] + fields["identification"], zero=0)
        fields["csum"] = inverted((seq >> 16) + (seq & 0xFFFF) + flags + length + payload_sum, zero=0)
        out.append(fields)
        offset += record["size"]
    return out


def expected_uso(g, units, sums, record):
    out = []
    for number, (unit, payload_sum) in enumerate(zip(units, sums, strict=True)):
        length, fields = common(g, unit, record, number)
        fields |= {"low": length - record["l4_from"]}
        fields["ip_csum"] = inverted(record["ip_sum"] + fields["length"] + fields["identification"], zero=0)
        # The UDP length stands in its header and in the pseudo-header.
        fields["csum"] = inverted(2 * length + payload_sum, zero=0xFFFF)
        out.append(fields)
    return out


def expected_ufo(g, units, datagram_sum, record, order):
    out, count = [], len(units)
    for place, unit in enumerate(units):
        number = place if order == "first" else (place + 1) % count
        _, fields = common(g, unit, record, number)
        offset, more = number * record["size"] // 8, int(number != count - 1)
        fields["fragment"] = offset << 3 | more if record["ipv6"] else more << 13 | offset
        fields["ip_csum"] = inverted(record["ip_sum"] + fields["length"] + fields["identification"] + fields["fragment"], zero=0)
        if unit["summed"]:
            fields["csum"] = inverted(datagram_sum, zero=0xFFFF)
        out.append(fields)
    return out


def random_layout(dice, g, record):
    """A header of any length that fits, as tight as can be now and then."""
    while True:
        few = {
            "tags": dice.choice([0, 0, 1, 2]),
            "options": [dice.choice([0, 0, 1, 3]) for _ in range(3)],
            "between": dice.choice([0, 8, 22]),
        }
        many = {"tags": dice.randint(0, 30), "options": [dice.randint(0, 10) for _ in range(3)], "between": 2 * dice.randint(0, 40)}
        header_len, places = layout(record, **dice.choice([few, many]))
        if header_len <= g.header_bytes:
            return header_len, places


def random_frame(dice, g, kind):
    """A frame's (entry, record, places), its payload sums, and what must come out."""
    payload = dice.choice([1, 3, 100] if g.serial else [1, 3, 536, 1448, 9000])
    payloads = [payload] * dice.randint(0, 5) + [dice.randint(1, payload)]
    if kind == "UFO":
        order = g.config.ufo_order
        payloads = [8] + [dice.choice([8, 64])] * (len(payloads) - 2) + [dice.randint(1, 9)] * (len(payloads) > 1)
        size = dice.choice([8, 1448, 65528 if len(payloads) < 3 else 8000])
        record = random_record(dice, udp=1, ufo=1, inner=0, tunnel_csum=0, tunnel_udp=0, size=size)
        header_len, places = random_layout(dice, g, record)
        units, sums = fragments(g, header_len, payloads, order), [dice.randrange(0xFFFF)]
        wanted = expected_ufo(g, units, sums[0], record, order)
        return [(unit, record, places | ({"csum": header_len + 6} if unit["summed"] else {})) for unit in units], sums, wanted
    record = random_record(dice, udp=int(kind == "USO"))
    header_len, places = random_layout(dice, g, record)
    units, sums = segments(g, header_len, payloads), [dice.randrange(0xFFFF) for _ in payloads]
    wanted = (expected_uso if kind == "USO" else expected_tcp)(g, units, sums, record)
    return [(unit, record, places) for unit in units], sums, wanted


def check(g, units, seen, wanted):
    """Every field that stands in the header was looked up, and was right."""
    for number, ((_, _, places), got, fields) in enumerate(zip(units, seen, wanted, strict=True)):
        there = {name for name in places if name == "csum" or Field[name.upper()] in g.fields}
        assert {name: got[name] for name in there} == {name: fields[name] for name in there}, number


KINDS = {"TCP": "tx-tcp-segmentation", "USO": "tx-udp-segmentation", "UFO": "tx-udp-fragmentation"}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("order, pauses", [("last", 0.0), ("last", 0.5), ("first", 0.0)])
def test_fields_run_on_from_segment_to_segment(dice, width, order, pauses):
    """Frames of 1 to 6 segments of every kind, back to back: flags by place, IDs and sequence number over their wraps, all checksums."""
    g = geometry(width, features=ALL, ufo_order=order)
    units, sums, wanted = [], [], []
    for _ in range(30):
        more_units, more_sums, more = random_frame(dice, g, dice.choice(list(KINDS)))
        units, sums, wanted = units + more_units, sums + more_sums, wanted + more
    check(g, units, run(g, units, sums, dice=dice, pauses=pauses), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_for_one_kind_alone_has_its_fields(dice, kind):
    g = geometry(64, features=frozenset({KINDS[kind]}))
    units, sums, wanted = [], [], []
    for _ in range(10):
        more_units, more_sums, more = random_frame(dice, g, kind)
        units, sums, wanted = units + more_units, sums + more_sums, wanted + more
    check(g, units, run(g, units, sums), wanted)


@pytest.mark.parametrize("width", [64, 512])
def test_flags_are_those_for_the_place_of_the_segment(width):
    """One word for the first, one for those in the middle, one for the last, one for a segment that is alone."""
    g = geometry(width)
    record = {"flags": [0x5011, 0x5022, 0x5033, 0x5044]}
    header_len, places = layout(record)
    for count, wanted in {1: [0x5044], 2: [0x5011, 0x5033], 4: [0x5011, 0x5022, 0x5022, 0x5033]}.items():
        units = [(unit, record, places) for unit in segments(g, header_len, [9] * count)]
        assert [each["flags"] for each in run(g, units, [0] * count)] == wanted


WRAPS = {
    # mode: the IDs of three segments whose first has this one
    0: {0x7FFF: (0x7FFF, 0x8000, 0x8001), 0xFFFF: (0xFFFF, 0x0000, 0x0001)},
    1: {0x7FFF: (0x7FFF, 0x7FFF, 0x7FFF), 0xFFFF: (0xFFFF, 0xFFFF, 0xFFFF)},
    2: {0x7FFF: (0x7FFF, 0x0000, 0x0001), 0xFFFF: (0xFFFF, 0x8000, 0x8001)},
}


@pytest.mark.parametrize("mode", WRAPS)
@pytest.mark.parametrize("width", [64, 512])
def test_both_identifications_count_as_the_mode_says(mode, width):
    g = geometry(width)
    for outer, inner in ((0x7FFF, 0xFFFF), (0xFFFF, 0x7FFF)):
        record = {"identification": outer, "inner": 1, "inner_identification": inner, "id_mode": mode}
        header_len, places = layout(record)
        seen = run(g, [(unit, record, places) for unit in segments(g, header_len, [9, 9, 9])], [0, 0, 0])
        assert tuple(each["identification"] for each in seen) == WRAPS[mode][outer]
        assert tuple(each["inner_identification"] for each in seen) == WRAPS[mode][inner]


UNCUT = {
    "everything": (64, ALL),
    "everything, 32 bits": (32, ALL),
    "everything, 512 bits": (512, ALL),
    "checksums": (64, frozenset({"tx-checksum-ip-generic"})),
    "checksums and tags": (64, frozenset({"tx-checksum-ip-generic", "tx-vlan-offload"})),
}


@pytest.mark.parametrize("name", UNCUT)
def test_a_frame_that_is_not_cut_gets_its_sums_alone(dice, name):
    """The checksum's zero leaves as 0xFFFF, that of the IP header as zero, wherever they stand; what a header slot holds is no matter."""
    width, features = UNCUT[name]
    g = geometry(width, features=features)
    ip_sums, sums, places = [0x1234, 0xFFFF], [0, 1, 0x7FFF, 0xFFFE], [24, 26, 44, 246]
    cases = [(ip_sum, payload_sum, at) for ip_sum in ip_sums for payload_sum in sums for at in places]
    dice.shuffle(cases)
    units = [(uncut(g, at + 30, ip_at=at, ip_sum=ip_sum), {}, {"ip_csum": at, "csum": at + 26}) for ip_sum, _, at in cases]
    for got, (ip_sum, payload_sum, _) in zip(run(g, units, [each for _, each, _ in cases]), cases, strict=True):
        assert got["csum"] == inverted(payload_sum, zero=0xFFFF)
        assert got["ip_csum"] == 0xFFFF - ip_sum


ZEROES = {
    # name: record, the checksum that comes out as zero, as which it is sent
    "TCP": ({"flags": (0x5010,) * 4}, "csum", 0),
    "USO": ({"udp": 1}, "csum", 0xFFFF),
    "an outer UDP checksum": ({"tunnel_udp": 1, "tunnel_sum": 0xFFFF - 150}, "tunnel_csum", 0xFFFF),
    "an outer UDP checksum over IPv6": ({"tunnel_udp": 1, "inner_ipv6": 1, "tunnel_sum": 0xFFFF - 300}, "tunnel_csum", 0xFFFF),
    "GRE": ({"tunnel_sum": 150}, "tunnel_csum", 0),
    "GRE with IPv6": ({"tunnel_sum": 0xFFFF, "inner_ipv6": 1}, "tunnel_csum", 0),
    "IPv4": ({"ip_sum": 0xFFFF - 136 - 7, "length_from": 14, "identification": 7}, "ip_csum", 0),
    "an inner IPv4": ({"inner_ip_sum": 0xFFFF - 70 - 7, "inner_length_from": 80, "inner_identification": 7}, "inner_ip_csum", 0),
}


@pytest.mark.parametrize("name", ZEROES)
@pytest.mark.parametrize("width", [64, 512])
def test_a_checksum_of_zero_is_mangled_where_the_protocol_says_so(name, width):
    """In a unit of 150 bytes."""
    record, field, zero = ZEROES[name]
    record = {"inner": 1, "tunnel_csum": 1} | record
    g = geometry(width)
    _, places = layout(record)
    known = 300 if record.get("udp") else 150 + record.get("flags", (0,))[0]
    (seen,) = run(g, [(entry(g, 150, first=1, last=1), record, places)], [0xFFFF - known])
    assert seen[field] == zero


@pytest.mark.parametrize("width", [64, 128])
def test_a_reset_between_segments_harms_no_later_frame(width):
    g = geometry(width)
    dut, reset = HeaderPatcher(g), Signal()
    record = {"seq": 1000, "identification": 7, "flags": (0x5018,) * 4, "length_from": 14, "ip_sum": 9}
    _, places = layout(record)

    async def bench(ctx):
        await write(ctx, dut, g, record, places)
        ctx.set(dut.entry, entry(g, 1000, first=1))
        await pulse(ctx, dut.begin)
        await ctx.tick().repeat(2)
        await pulse(ctx, reset)
        for _ in range(10):
            _, _, taken = await ctx.tick().sample(dut.take_sum)
            assert not taken
        ctx.set(dut.entry, entry(g, 100, first=1))
        assert ctx.get(dut.ready)
        await pulse(ctx, dut.begin)
        await ctx.tick().repeat(lookup_clock(g) + 7)
        wanted = {"high": 0, "low": 1000, "identification": 7, "length": 86}
        seen = {}
        for row in range(places["low"] // g.bus_bytes + 1):
            seen |= look_up(ctx, dut, g, {name: places[name] for name in wanted}, row)
        assert seen == wanted

    simulate(dut, bench, reset=reset)


@pytest.mark.parametrize("width", [64, 128])
def test_a_crc_is_taken_in_time_for_its_frames_first_row(width):
    g = geometry(width, features=ALL)
    plain_one, with_crc = uncut(g, 60), uncut(g, 60, crc=1)
    run(g, [(unit, {}, {}) for unit in (plain_one, with_crc, plain_one, with_crc, with_crc)], [0] * 5)


TIGHT = {
    # The headers whose fields stand closest, the least payload; name: record, header length, byte of each field.
    "TCP": ({}, 54, {"length": 16, "identification": 18, "ip_csum": 24, "high": 38, "low": 40, "flags": 46, "csum": 50}),
    "USO": ({"udp": 1}, 42, {"length": 16, "identification": 18, "ip_csum": 24, "low": 38, "csum": 40}),
    "USO over IPv6": ({"udp": 1, "ipv6": 1}, 62, {"length": 18, "low": 58, "csum": 60}),
    "IPIP": (
        {"inner": 1},
        74,
        {"length": 16, "identification": 18, "ip_csum": 24, "inner_length": 36, "inner_identification": 38, "inner_ip_csum": 44}
        | {"high": 58, "low": 60, "flags": 66, "csum": 70},
    ),
    "GRE with a checksum": (
        {"inner": 1, "tunnel_csum": 1},
        82,
        {"length": 16, "identification": 18, "ip_csum": 24, "tunnel_csum": 38, "inner_length": 44, "inner_identification": 46}
        | {"inner_ip_csum": 52, "high": 66, "low": 68, "flags": 74, "csum": 78},
    ),
    "IP in UDP": (
        {"inner": 1, "tunnel_csum": 1, "tunnel_udp": 1},
        82,
        {"length": 16, "identification": 18, "ip_csum": 24, "tunnel_length": 38, "tunnel_csum": 40, "inner_length": 44}
        | {"inner_identification": 46, "inner_ip_csum": 52, "high": 66, "low": 68, "flags": 74, "csum": 78},
    ),
    "datagram in UDP": (
        {"inner": 1, "tunnel_csum": 1, "tunnel_udp": 1, "udp": 1},
        70,
        {"length": 16, "identification": 18, "ip_csum": 24, "tunnel_length": 38, "tunnel_csum": 40, "inner_length": 44}
        | {"inner_identification": 46, "inner_ip_csum": 52, "low": 66, "csum": 68},
    ),
}
LEAST = {"inner": 0, "inner_ipv6": 0, "tunnel_csum": 0, "tunnel_udp": 0, "ipv6": 0}


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", TIGHT)
@pytest.mark.parametrize("tags", [0, 1])
def test_every_field_is_ready_when_its_row_passes(dice, name, width, tags):
    """Units of one byte of payload, as close as the patcher lets them be."""
    g = geometry(width, features=ALL)
    fixed, header_len, places = TIGHT[name]
    record = random_record(dice, **(LEAST | fixed))
    assert layout(record) == (header_len, places)
    header_len, places = layout(record, tags=tags)
    units = segments(g, header_len, [1] * 5)
    sums = [dice.randrange(0xFFFF) for _ in units]
    wanted = (expected_uso if record.get("udp") else expected_tcp)(g, units, sums, record)
    units = [(unit, record, places) for unit in units]
    check(g, units, run(g, units, sums), wanted)


BEFORE = {
    # Units whose last row can have a field in it; name: record, layout
    "a datagram behind a tag": ({"udp": 1}, {"tags": 1}),
    "a datagram over IPv6": ({"udp": 1, "ipv6": 1}, {}),
    "a datagram in Ethernet in GRE": ({"udp": 1, "inner": 1, "tunnel_csum": 1}, {"between": 14}),
    "a fragment over IPv6": ({"udp": 1, "ufo": 1, "ipv6": 1, "size": 8}, {}),
    "TCP": ({}, {}),
}


def follower(dice, g, at, kind):
    """A frame whose first field to be made, or IP checksum, stands at a place, if there is one."""
    if kind.startswith("uncut"):
        ip_at = {"ip_at": at} if kind == "uncut" else {"ip_low": at + 1}  # (Where there is none, its place may be left from another frame.)
        return uncut(g, at + 30, ip_sum=1, **ip_at), {}, {"ip_csum": at} if kind == "uncut" else {}
    record = random_record(dice, **LEAST | {"ipv6": int(kind == "IPv6"), "udp": 1})
    tags, rest = divmod(at - (18 if record["ipv6"] else 16), 4)
    if rest or tags < 0:
        return None
    header_len, places = layout(record, tags=tags)
    return segments(g, header_len, [9])[0], record, places


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("kind", ["IPv4", "IPv6", "uncut", "uncut without an IP header"])
def test_no_unit_overwrites_a_field_of_the_one_before(dice, width, name, kind):
    """At whatever place of that one's last two rows the next one's first field stands. (Without :func:`pause_behind` it would.)"""
    g = geometry(width, features=ALL)
    fixed, extras = BEFORE[name]
    units, sums, wanted = [], [], []
    for payload in range(1, 5):
        record = random_record(dice, **LEAST | fixed)
        header_len, places = layout(record, **extras)
        end = header_len + payload
        for at in range((end - 1) // g.bus_bytes * g.bus_bytes - g.bus_bytes, end, 2):
            following = follower(dice, g, at, kind)
            if following is None:
                continue
            if record.get("ufo"):
                record = random_record(dice, **LEAST | fixed)
                before = fragments(g, header_len, [8, payload], "last")
                more, frame_sums = expected_ufo(g, before, 7, record, "last")[:1], [7]
                before = [before[0]]
            else:
                record = random_record(dice, **LEAST | fixed)
                before, frame_sums = segments(g, header_len, [payload]), [7]
                more = (expected_uso if record.get("udp") else expected_tcp)(g, before, frame_sums, record)
            units += [(unit, record, places) for unit in before]
            sums += frame_sums[: sum(unit["summed"] for unit in before)]
            wanted += more
            unit, behind, its_places = following
            units.append(following)
            sums.append(3)
            wanted += expected_uso(g, [unit], [3], behind) if unit["cut"] else [{"ip_csum": 0xFFFE}]
    assert units
    check(g, units, run(g, units, sums), wanted)
