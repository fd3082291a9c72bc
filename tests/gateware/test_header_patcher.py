"""The fields of each segment's header, by either patcher."""

from itertools import groupby

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.config import FEATURES
from offcut.tx.layouts import Field
from offcut.tx.patcher import HeaderPatcher, lookup_clock

WIDTHS = [32, 64, 128, 512]
ALL = frozenset(FEATURES)
RECORD_CLOCKS = 14  # from a record to its first use, and to the next record, as the component documents
NEVER_LAST = ("length", "ip_csum")  # they stand before an IP header's end, so never in a unit's last row


def entry(g, length, **fields):
    row, lane = divmod(length - 1, g.bus_bytes)
    return {"cut": 1, "summed": 1, "last_row": row, "last_lane": lane} | fields


def rows_of(g, unit):
    """Clocks that a unit is sent in. (The patcher of a wide bus may begin in every clock whatever its rows.)"""
    return unit["last_row"] + 1 if g.serial else 1


def segments(g, header_len, payloads):
    """One frame's entries, a segment for each of ``payloads`` bytes."""
    last = len(payloads) - 1
    return [entry(g, header_len + payload, first=int(n == 0), last=int(n == last)) for n, payload in enumerate(payloads)]


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


def built(record):
    """The fields of a cut frame's header."""
    ipv4, ufo, tcp = not record.get("ipv6"), record.get("ufo"), not record.get("udp")
    inner, inner_ipv4 = record.get("inner"), record.get("inner") and not record.get("inner_ipv6")
    return {
        "length": True,
        "identification": ipv4,
        "fragment": ufo,
        "ip_csum": ipv4,
        "tunnel_length": record.get("tunnel_udp"),
        "tunnel_csum": record.get("tunnel_csum"),
        "inner_length": inner,
        "inner_identification": inner_ipv4,
        "inner_ip_csum": inner_ipv4,
        "low": not ufo,
        "high": tcp and not ufo,
        "flags": tcp and not ufo,
    }


async def look_up(ctx, dut, g, names):
    """What the patcher says of these fields in this clock, each in a halfword of its own choosing."""
    values = {}
    for name in names:
        if Field[name.upper()] in g.fields:
            ctx.set(dut.tags, [g.tag(Field[name.upper()])] * (g.width // 16))
            said = plain(ctx.get(dut.values))
            assert len(set(said)) == 1, "every halfword is told the same"
            values[name] = said[0]
    return values


def run(g, units, sums, *, dice=None, pauses=0.0, rows=None):
    """The fields of each unit; a unit is (entry, record), and those of one frame have one record.

    They are looked up in the last row in which they can stand, or by ``rows``, of which each is the row of one field, or of "csum".
    """
    dut, seen, waiting, crcs = HeaderPatcher(g), [{} for _ in units], list(sums), []
    frames = [list(group) for _, group in groupby(enumerate(units), key=lambda unit: id(unit[1][1]) if unit[1][0]["cut"] else unit[0])]
    slots = {number: place % g.slots for place, frame in enumerate(frames) for number, _ in frame}
    lookup, begun = lookup_clock(g), {}

    async def bench(ctx):
        records = [(place, frame[0][1][1]) for place, frame in enumerate(frames) if frame[0][1][0]["cut"]]
        places = {number: place for place, frame in enumerate(frames) for number, _ in frame}
        written, clock, next_record, next_begin, queue = {}, 0, 0, 0, list(enumerate(units))
        while queue or clock <= max(begun[n] + rows_of(g, unit) for n, (unit, _) in enumerate(units)) + lookup + 1:
            now = places[queue[0][0]] if queue else len(frames)
            writes = bool(records) and clock >= next_record and records[0][0] < now + g.slots - 1
            ctx.set(dut.record.valid, writes)
            if writes:
                place, record = records.pop(0)
                ctx.set(dut.record.payload, {"slot": place % g.slots, "record": {k: v for k, v in record.items() if k in g.record.members}})
                written[place], next_record = clock, clock + RECORD_CLOCKS
            begin = bool(queue) and clock >= next_begin and ctx.get(dut.ready) and not (pauses and dice.random() < pauses)
            if begin and queue[0][1][0]["cut"]:
                begin = now in written and clock >= written[now] + RECORD_CLOCKS
            ctx.set(dut.begin, begin)
            if begin:
                number, (unit, _) = queue.pop(0)
                ctx.set(dut.entry, {"slot": slots[number]} | unit)
                begun[number], next_begin = clock, clock + rows_of(g, unit)
            ctx.set(dut.sum, waiting[0] if waiting else 0)
            for number, then in begun.items():
                unit, record = units[number]
                names = [name for name, is_built in built(record).items() if is_built] if unit["cut"] else ["ip_csum"]
                for name in [*names, "csum"]:
                    row = rows[name] if rows else rows_of(g, unit) - 1 - (g.serial and name in NEVER_LAST)
                    if name == "csum" and clock == then + lookup + 1 + row:
                        seen[number]["csum"] = ctx.get(dut.csum)
                    elif name != "csum" and clock == then + lookup + row:
                        seen[number] |= await look_up(ctx, dut, g, [name])
            _, _, sum_taken, crc_taken = await ctx.tick().sample(dut.take_sum, dut.take_crc)
            if sum_taken:
                waiting.pop(0)
            if crc_taken:
                crcs.append(clock)
            clock += 1

    simulate(dut, bench)
    assert not waiting
    assert crcs == [begun[number] + lookup for number, (unit, _) in enumerate(units) if unit.get("crc")]
    return seen


def inverted(total, *, zero):
    """The checksum of a sum that is not folded yet; ``zero`` is what it is where it comes out as zero."""
    return 0xFFFF - total % 0xFFFF if total % 0xFFFF else zero


DEFAULT_MASKS = {"first": 0xFF6, "middle": 0xF76, "last": 0xF7F}
"""Flags that stay."""


def count_on(identification, number, mode):
    return [
        (identification + number) % 65536,
        identification,
        identification & 0x8000 | (identification + number) & 0x7FFF,
    ][mode]


def random_record(dice, **fields):
    """A record as the parser would leave it: places in a header, and sums of which those that count are not 0."""
    return {
        "size": dice.choice([1, 8, 536, 1448, 65528]),
        "length_behind": dice.randint(13, 60),
        "identification": dice.choice([dice.getrandbits(16), 0xFFFF, 0x7FFF, 0x7FFE]),
        "ip_sum": dice.randrange(1, 0x10000),
        "id_mode": dice.randrange(3),
        "seq": dice.choice([dice.getrandbits(32), (1 << 32) - 1, (1 << 32) - 1000, 0xFFFF]),
        "flags": dice.getrandbits(16),
        "clear_first": dice.choice([0, dice.getrandbits(12)]),
        "clear_middle": dice.choice([0, dice.getrandbits(12)]),
        "clear_last": dice.choice([0, dice.getrandbits(12)]),
        "l4_behind": dice.randint(33, 120),
        "inner_length_behind": dice.randint(60, 120),
        "inner_identification": dice.choice([dice.getrandbits(16), 0xFFFF, 0x7FFF]),
        "inner_ip_sum": dice.randrange(1, 0x10000),
        "tunnel_behind": dice.randint(33, 80),
        "inner": 1,
        "tunnel_csum": 1,
        "tunnel_sum": dice.randrange(1, 0x10000),
        "tunnel_udp": dice.getrandbits(1),
        "inner_ipv6": dice.getrandbits(1),
    } | fields


def common(g, unit, record, number):
    """What does not depend on the transport: lengths, identifications, the sums of IP headers and of a tunnel."""
    length = unit["last_row"] * g.bus_bytes + unit["last_lane"] + 1
    mode = 1 if record.get("ufo") else record["id_mode"]
    fields = {
        "length": length - 1 - record["length_behind"],
        "identification": count_on(record["identification"], number, mode),
        "inner_length": length - 1 - record["inner_length_behind"],
        "inner_identification": count_on(record["inner_identification"], number, mode),
        "tunnel_length": length - 1 - record["tunnel_behind"],
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
        place = "first" if unit["first"] else "last" if unit["last"] else "middle"
        stays = DEFAULT_MASKS[place] ^ record[f"clear_{place}"] if len(units) > 1 else 0xFFF
        seq = (record["seq"] + offset) % (1 << 32)
        flags = record["flags"] & (0xF000 | stays)
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
        fields |= {"low": length - 1 - record["l4_behind"]}
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


def random_frame(dice, g, kind):
    """A frame's (entry, record) pairs, its payload sums, and what must come out."""
    header_len = dice.randint(130, 256)
    payload = dice.choice([1, 3, 100] if g.serial else [1, 3, 536, 1448, 9000])
    payloads = [payload] * dice.randint(0, 5) + [dice.randint(1, payload)]
    if kind == "UFO":
        order = g.config.ufo_order
        record = random_record(
            dice,
            udp=1,
            ufo=1,
            inner=0,
            tunnel_csum=0,
            tunnel_udp=0,
            ipv6=dice.getrandbits(1),
            size=dice.choice([8, 1448, 65528 if len(payloads) < 3 else 8000]),
        )
        units, sums = fragments(g, header_len, payloads, order), [dice.randrange(0xFFFF)]
        wanted = expected_ufo(g, units, sums[0], record, order)
    else:
        record = random_record(dice, udp=int(kind == "USO"))
        units, sums = segments(g, header_len, payloads), [dice.randrange(0xFFFF) for _ in payloads]
        wanted = (expected_uso if kind == "USO" else expected_tcp)(g, units, sums, record)
    return [(unit, record) for unit in units], sums, wanted


def check(seen, wanted):
    for number, (got, fields) in enumerate(zip(seen, wanted, strict=True)):
        assert {name: got[name] for name in fields if name in got} == {name: value for name, value in fields.items() if name in got}, number


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
    seen = run(g, units, sums, dice=dice, pauses=pauses)
    wanted_names = [{name for name, is_built in built(record).items() if is_built} for _, record in units]
    assert all(names <= got.keys() for names, got in zip(wanted_names, seen, strict=True))
    check(seen, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_for_one_kind_alone_has_its_fields(dice, kind):
    g = geometry(64, features=frozenset({KINDS[kind]}))
    units, sums, wanted = [], [], []
    for _ in range(10):
        more_units, more_sums, more = random_frame(dice, g, kind)
        units, sums, wanted = units + more_units, sums + more_sums, wanted + more
    units = [(unit, {name: value for name, value in record.items() if name in g.record.members}) for unit, record in units]
    check(run(g, units, sums), wanted)


FLAGS = {
    # place: (first, last) of the segment, flags out of 0xFFFF
    "first": (1, 0, 0xFFF6),
    "middle": (0, 0, 0xFF76),
    "last": (0, 1, 0xFF7F),
    "whole": (1, 1, 0xFFFF),
}


@pytest.mark.parametrize("place", FLAGS)
@pytest.mark.parametrize("changed", [0, 0x080, 0xFFF])
def test_flags_stay_by_the_place_of_the_segment(place, changed):
    """FIN and PSH on the last alone, CWR on the first alone, the rest of the word on all; a setting turns any of these over."""
    first, last, kept = FLAGS[place]
    g = geometry(64)
    masks = {f"clear_{each}": changed if each == place else 0x555 for each in ("first", "middle", "last")}
    (seen,) = run(g, [(entry(g, 100, first=first, last=last), {"flags": 0xFFFF} | masks)], [0])
    assert seen["flags"] == kept ^ (changed if place != "whole" else 0)


WRAPS = {
    # mode: the IDs of three segments whose first has this one
    0: {0x7FFF: (0x7FFF, 0x8000, 0x8001), 0xFFFF: (0xFFFF, 0x0000, 0x0001)},
    1: {0x7FFF: (0x7FFF, 0x7FFF, 0x7FFF), 0xFFFF: (0xFFFF, 0xFFFF, 0xFFFF)},
    2: {0x7FFF: (0x7FFF, 0x0000, 0x0001), 0xFFFF: (0xFFFF, 0x8000, 0x8001)},
}


@pytest.mark.parametrize("mode", WRAPS)
def test_both_identifications_count_as_the_mode_says(mode):
    g = geometry(64)
    for outer, inner in ((0x7FFF, 0xFFFF), (0xFFFF, 0x7FFF)):
        record = {"identification": outer, "inner": 1, "inner_identification": inner, "id_mode": mode}
        seen = run(g, [(unit, record) for unit in segments(g, 54, [9, 9, 9])], [0, 0, 0])
        assert tuple(each["identification"] for each in seen) == WRAPS[mode][outer]
        assert tuple(each["inner_identification"] for each in seen) == WRAPS[mode][inner]


@pytest.mark.parametrize("features", [ALL, frozenset({"tx-checksum-ip-generic"}), frozenset({"tx-checksum-ip-generic", "tx-vlan-offload"})])
@pytest.mark.parametrize("ip_sum", [0x1234, 0xFFFF])
def test_a_frame_that_is_not_cut_gets_its_sums_alone(dice, features, ip_sum):
    """The checksum's zero leaves as 0xFFFF, that of the IP header as zero; what a header slot holds is no matter."""
    g = geometry(64, features=features)
    sums = [0, 1, 0x7FFF, 0xFFFE]
    unit = entry(g, 60, cut=0, first=1, last=1, csum=1, ip=1, ip_sum=ip_sum)
    noise = {name: value for name, value in random_record(dice).items() if name in g.record.members}
    for got, payload_sum in zip(run(g, [(unit, noise) for _ in sums], sums), sums, strict=True):
        assert got["csum"] == inverted(payload_sum, zero=0xFFFF)
        assert got["ip_csum"] == 0xFFFF - ip_sum


ZEROES = {
    # name: record, the checksum that comes out as zero, as which it is sent
    "TCP": ({"flags": 0x5010}, "csum", 0),
    "USO": ({"udp": 1}, "csum", 0xFFFF),
    "an outer UDP checksum": ({"tunnel_udp": 1, "tunnel_sum": 0xFFFF - 100}, "tunnel_csum", 0xFFFF),
    "an outer UDP checksum over IPv6": ({"tunnel_udp": 1, "inner_ipv6": 1, "tunnel_sum": 0xFFFF - 200}, "tunnel_csum", 0xFFFF),
    "GRE": ({"tunnel_sum": 100}, "tunnel_csum", 0),
    "GRE with IPv6": ({"tunnel_sum": 0xFFFF, "inner_ipv6": 1}, "tunnel_csum", 0),
    "IPv4": ({"ip_sum": 0xFFFF - 86 - 7, "length_behind": 13, "identification": 7}, "ip_csum", 0),
    "an inner IPv4": ({"inner_ip_sum": 0xFFFF - 20 - 7, "inner_length_behind": 79, "inner_identification": 7}, "inner_ip_csum", 0),
}


@pytest.mark.parametrize("name", ZEROES)
def test_a_checksum_of_zero_is_mangled_where_the_protocol_says_so(name):
    record, field, zero = ZEROES[name]
    record = {"inner": 1, "tunnel_csum": 1} | record
    g = geometry(64)
    known = 200 if record.get("udp") else 0x5010 + 100
    (seen,) = run(g, [(entry(g, 100, first=1), record)], [0xFFFF - known])
    assert seen[field] == zero


@pytest.mark.parametrize("width", [64, 128])
def test_a_reset_between_segments_harms_no_later_frame(width):
    g = geometry(width)
    dut, reset = HeaderPatcher(g), Signal()
    record = {"seq": 1000, "identification": 7, "flags": 0x5018, "length_behind": 13, "ip_sum": 9}

    async def bench(ctx):
        ctx.set(dut.record.payload, {"slot": 0, "record": record})
        await pulse(ctx, dut.record.valid)
        await ctx.tick().repeat(RECORD_CLOCKS)
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
        assert await look_up(ctx, dut, g, wanted) == wanted

    simulate(dut, bench, reset=reset)


@pytest.mark.parametrize("width", [64, 128])
def test_a_crc_is_taken_in_time_for_its_frames_first_row(width):
    g = geometry(width, features=ALL)
    plain_one, with_crc = entry(g, 60, cut=0, first=1, last=1), entry(g, 60, cut=0, first=1, last=1, csum=1, crc=1)
    run(g, [(unit, {}) for unit in (plain_one, with_crc, plain_one, with_crc, with_crc)], [0] * 5)


TIGHT = {
    # The headers whose fields stand closest, the least payload; name: record, header length, byte of each field.
    "TCP": ({}, 54, {"length": 16, "identification": 18, "ip_csum": 24, "high": 38, "low": 40, "flags": 46, "csum": 50}),
    "USO": ({"udp": 1, "l4_behind": 33}, 42, {"length": 16, "identification": 18, "ip_csum": 24, "low": 38, "csum": 40}),
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
        {"inner": 1, "tunnel_csum": 1, "tunnel_udp": 1, "udp": 1, "l4_behind": 61},
        70,
        {"length": 16, "identification": 18, "ip_csum": 24, "tunnel_length": 38, "tunnel_csum": 40, "inner_length": 44}
        | {"inner_identification": 46, "inner_ip_csum": 52, "low": 66, "csum": 68},
    ),
}


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", TIGHT)
def test_every_field_is_ready_when_its_row_passes(dice, name, width):
    """Units of one byte of payload, as close as the patcher lets them be; a field is looked up in the row in which it stands."""
    g = geometry(width, features=ALL)
    fixed, header_len, places = TIGHT[name]
    least = {
        "inner": 0,
        "inner_ipv6": 0,
        "tunnel_csum": 0,
        "tunnel_udp": 0,
        "length_behind": 13,
        "inner_length_behind": 41,
        "tunnel_behind": 33,
    }
    record = random_record(dice, **(least | fixed))
    units = segments(g, header_len, [1] * 5)
    sums = [dice.randrange(0xFFFF) for _ in units]
    wanted = (expected_uso if record.get("udp") else expected_tcp)(g, units, sums, record)
    rows = {field: at // g.bus_bytes for field, at in places.items()}
    seen = run(g, [(unit, record) for unit in units], sums, rows=rows)
    assert all(set(places) == set(got) for got in seen)
    check(seen, wanted)
