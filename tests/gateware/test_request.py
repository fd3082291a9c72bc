"""What a frame's metadata ask for, and what of it is refused at once."""

import pytest
from support import geometry, plain, simulate, tuser

from offcut.config import DEFAULT_FEATURES, FEATURES, Config
from offcut.tx.layouts import Base, Drop, Kind
from offcut.tx.request import RequestDecoder

LATENCY = 2
ALL = frozenset(FEATURES)


def decode(asked, *, features=ALL, user_width=0):
    """The requests that come of (tuser, settings) pairs, one a clock."""
    dut = RequestDecoder(geometry(64, features=features, user_width=user_width))
    requests = []

    async def bench(ctx):
        for clock in range(len(asked) + LATENCY):
            here = clock < len(asked)
            ctx.set(dut.valid, here)
            if here:
                user, settings = asked[clock]
                ctx.set(dut.user, user)
                ctx.set(dut.settings, settings)
                ctx.set(dut.row, clock % 64)
            assert ctx.get(dut.o.valid) == (clock >= LATENCY)
            if clock >= LATENCY:
                requests.append(plain(ctx.get(dut.o.payload)))
            await ctx.tick()

    simulate(dut, bench)
    return requests


CHECKSUM = {"flags": 1, "csum_start": 34, "csum_offset": 6}
TCP4 = {"flags": 1, "gso_type": 1, "gso_size": 1448, "csum_start": 34, "csum_offset": 16}
TCP6 = TCP4 | {"gso_type": 4, "csum_start": 54}
USO = TCP4 | {"gso_type": 5, "csum_offset": 6}
UFO = USO | {"gso_type": 3}
BARE = {"flags": 0, "csum_start": 0, "csum_offset": 0}
TAG = {"tci": 0x2005}
OUTER = {"outer_th": 34, "inner_nh": 50}
TUNNEL4 = TCP4 | OUTER | {"gso_type": 0x21, "csum_start": 70}
TUNNEL6 = TCP6 | {"gso_type": 0x44, "outer_th": 54, "inner_nh": 70, "csum_start": 110}

REQUESTS = {
    # name: metadata, kind, drop, and whether the headers must be looked at
    "all zero, auto off": ({}, Kind.PASS, Drop.NONE, 0),
    "DATA_VALID alone": ({"flags": 2}, Kind.PASS, Drop.NONE, 0),
    "unknown flags": ({"flags": 0xF4}, Kind.PASS, Drop.NONE, 0),
    "a length alone": ({"frame_len": 60}, Kind.PASS, Drop.NONE, 0),
    "a tag": (TAG, Kind.PASS, Drop.NONE, 1),
    "keep the ID of a frame that passes": ({"keep_id": 1}, Kind.PASS, Drop.NONE, 0),
    "a checksum": (CHECKSUM, Kind.CHECKSUM, Drop.NONE, 0),
    "a checksum at 0": ({"flags": 1}, Kind.CHECKSUM, Drop.NONE, 0),
    "a checksum and DATA_VALID": (CHECKSUM | {"flags": 3}, Kind.CHECKSUM, Drop.NONE, 0),
    "a checksum and a tag": (CHECKSUM | TAG, Kind.CHECKSUM, Drop.NONE, 1),
    "a checksum from the tag on": (CHECKSUM | TAG | {"csum_start": 14}, Kind.CHECKSUM, Drop.NONE, 1),
    "a checksum across the tag": (CHECKSUM | TAG | {"csum_start": 13}, Kind.CHECKSUM, Drop.BAD_REQUEST, 0),
    "a checksum of SCTP, maybe": (CHECKSUM | {"csum_offset": 8}, Kind.CHECKSUM, Drop.NONE, 1),
    "a tunnel's checksum without one": (CHECKSUM | {"flags": 9}, Kind.CHECKSUM, Drop.NONE, 0),
    "TCP": (TCP4, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with ECN": (TCP4 | {"gso_type": 0x81}, Kind.SEGMENT, Drop.NONE, 1),
    "TCP without a checksum": (TCP4 | BARE, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with a tag": (TCP4 | TAG, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with a checksum across the tag": (TCP4 | TAG | {"csum_start": 13}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "TCP without a checksum, with a tag": (TCP4 | TAG | BARE, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with its ID kept": (TCP4 | {"keep_id": 1}, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with a tunnel's checksum": (TCP4 | {"flags": 9}, Kind.SEGMENT, Drop.NONE, 1),
    "TCP with another csum_offset": (TCP4 | {"csum_offset": 6}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "TCP over IPv6": (TCP6, Kind.SEGMENT, Drop.NONE, 1),
    "TCP over IPv6 with ECN": (TCP6 | {"gso_type": 0x84}, Kind.SEGMENT, Drop.NONE, 1),
    "TCP over IPv6 with another csum_offset": (TCP6 | {"csum_offset": 17}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "gso_size 1": (TCP4 | {"gso_size": 1}, Kind.SEGMENT, Drop.NONE, 1),
    "gso_size 65534": (TCP4 | {"gso_size": 65534}, Kind.SEGMENT, Drop.NONE, 1),
    "gso_size 0": (TCP4 | {"gso_size": 0}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "gso_size 65535": (TCP4 | {"gso_size": 65535}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "USO": (USO, Kind.SEGMENT, Drop.NONE, 1),
    "USO without a checksum": (USO | BARE, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "USO with another csum_offset": (USO | {"csum_offset": 16}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "USO with ECN": (USO | {"gso_type": 0x85}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "UFO": (UFO, Kind.SEGMENT, Drop.NONE, 1),
    "UFO without a checksum": (UFO | BARE, Kind.SEGMENT, Drop.NONE, 1),
    "UFO with another csum_offset": (UFO | {"csum_offset": 16}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "UFO with an offset that is not 8 bytes'": (UFO | {"gso_size": 1444}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "UFO in a tunnel": (UFO | OUTER | {"gso_type": 0x23}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "UFO with ECN": (UFO | {"gso_type": 0x83}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel over IPv4": (TUNNEL4, Kind.SEGMENT, Drop.NONE, 1),
    "a tunnel over IPv6": (TUNNEL6, Kind.SEGMENT, Drop.NONE, 1),
    "IPv6 in a tunnel over IPv4": (TUNNEL4 | {"gso_type": 0x24, "csum_start": 90}, Kind.SEGMENT, Drop.NONE, 1),
    "IPv4 in a tunnel over IPv6": (TUNNEL6 | {"gso_type": 0x41, "csum_start": 90}, Kind.SEGMENT, Drop.NONE, 1),
    "USO in a tunnel": (TUNNEL4 | {"gso_type": 0x25, "csum_offset": 6}, Kind.SEGMENT, Drop.NONE, 1),
    "ECN in a tunnel": (TUNNEL4 | {"gso_type": 0xA1}, Kind.SEGMENT, Drop.NONE, 1),
    "a tunnel with its checksum": (TUNNEL4 | {"flags": 9}, Kind.SEGMENT, Drop.NONE, 1),
    "a tunnel without a checksum": (TUNNEL4 | {"flags": 0}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel over IPv4, outer_th_offset 33": (TUNNEL4 | {"outer_th": 33}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel over IPv6, outer_th_offset 53": (TUNNEL6 | {"outer_th": 53}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel of UDP's 8 bytes alone": (TUNNEL4 | {"inner_nh": 42}, Kind.SEGMENT, Drop.NONE, 1),
    "a tunnel shorter than UDP's header": (TUNNEL4 | {"inner_nh": 40}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel with an odd inner header": (TUNNEL4 | {"inner_nh": 49}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel, csum_start 19 behind": (TUNNEL4 | {"csum_start": 69}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "IPv6 in a tunnel, csum_start 39 behind": (TUNNEL6 | {"csum_start": 109}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel at the end of the numbers": (
        TUNNEL4 | {"outer_th": 65534, "inner_nh": 4, "csum_start": 40},
        Kind.SEGMENT,
        Drop.BAD_REQUEST,
        0,
    ),
    "both tunnels": (TUNNEL4 | {"gso_type": 0x61}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "a tunnel of nothing": (TUNNEL4 | {"gso_type": 0x20}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "ECN of nothing": (TCP4 | {"gso_type": 0x80}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "type 2": (TCP4 | {"gso_type": 2}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "type 6": (TCP4 | {"gso_type": 6}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
    "type 17": (TCP4 | {"gso_type": 17}, Kind.SEGMENT, Drop.BAD_REQUEST, 0),
}
BASES = {1: Base.TCP4, 3: Base.UFO, 4: Base.TCP6, 5: Base.USO}


def place(told):
    """A place that no header reaches becomes one that no walk comes to."""
    return told if told < 512 else told % 512 | 1


def test_requests_are_decoded_one_a_clock():
    """hdr_len and frame_len are noise here."""
    asked = [(tuser(**{"hdr_len": 77, "frame_len": 0x98765} | fields), {}) for fields, *_ in REQUESTS.values()]
    for clock, ((name, (fields, kind, drop, walk)), request) in enumerate(zip(REQUESTS.items(), decode(asked), strict=True)):
        told = dict.fromkeys(("flags", "gso_type", "gso_size", "csum_start", "csum_offset", "outer_th", "inner_nh"), 0) | fields
        assert (Kind(request["kind"]), Drop(request["drop"]), request["walk"]) == (kind, drop, walk), name
        assert request["row"] == clock % 64, name
        expected = {
            "needs_csum": told["flags"] & 1,
            "size": told["gso_size"],
            "csum_start": told["csum_start"],
            "csum_low": told["csum_start"] + told["csum_offset"] + 1,
            "csum_swap": told["csum_offset"] % 2,
            "frame_len": told.get("frame_len", 0x98765),
            "tunnel": int(told["gso_type"] & 0x60 != 0),
            "outer_ipv6": int(told["gso_type"] & 0x40 != 0),
            "tunnel_csum": int(told["gso_type"] & 0x60 != 0 and told["flags"] & 8 != 0),
            "outer_th": place(told["outer_th"]),
            "inner_nh": place(told["inner_nh"]),
            "sctp": int(kind == Kind.CHECKSUM and told["csum_offset"] == 8),
            "insert": int("tci" in told),
            "tci": told.get("tci", 0),
            "id_mode": int(bool(told.get("keep_id"))),
        }
        if kind == Kind.SEGMENT and not drop:
            expected["base"] = BASES[told["gso_type"] & 31]
        assert {name: request[name] for name in expected} == expected, name


@pytest.mark.parametrize("csum_start, csum_offset", [(0, 0), (65535, 0), (65535, 65535), (1, 65535)])
def test_places_of_checksums_go_beyond_16_bits(csum_start, csum_offset):
    (request,) = decode([(tuser(flags=1, csum_start=csum_start, csum_offset=csum_offset), {})])
    assert request["csum_low"] == csum_start + csum_offset + 1


FEATURE = {
    # feature: metadata that ask for it, and what is asked of the walk by it
    "tx-checksum-ip-generic": (CHECKSUM, "checksum"),
    "tx-tcp-segmentation": (TCP4, "tcp4"),
    "tx-tcp-ecn-segmentation": (TCP4 | {"gso_type": 0x81}, None),
    "tx-tcp-mangleid-segmentation": (TCP4 | {"keep_id": 1}, None),
    "tx-tcp6-segmentation": (TCP6, "tcp6"),
    "tx-udp-segmentation": (USO, "uso"),
    "tx-udp-fragmentation": (UFO, "ufo"),
    "tx-gre-segmentation": (None, "gre"),
    "tx-gre-csum-segmentation": (None, "gre_csum"),
    "tx-ipxip4-segmentation": (None, "ipxip4"),
    "tx-ipxip6-segmentation": (None, "ipxip6"),
    "tx-udp_tnl-segmentation": (TUNNEL4, None),
    "tx-udp_tnl-csum-segmentation": (TUNNEL4 | {"flags": 9}, None),
    "tx-vlan-offload": (TAG, None),
}


@pytest.mark.parametrize("feature", FEATURE)
def test_a_feature_can_be_switched_off_for_a_frame_or_left_out(feature):
    metadata, walks = FEATURE[feature]
    user = tuser(**(metadata or {}))
    bit = 1 << Config.bit(feature)
    on, off, others = decode([(user, {}), (user, {"disable": bit}), (user, {"disable": ~bit & 0xFFFF})])
    (left_out,) = decode([(user, {})], features=ALL - {feature})
    if metadata:
        assert [each["drop"] for each in (on, off, left_out)] == [Drop.NONE, Drop.DISABLED, Drop.DISABLED]
    if walks:
        assert [each["on"][walks] for each in (on, off, others, left_out)] == [1, 0, 1, 0]
        assert sum(others["on"].values()) == 1


def test_without_a_feature_no_request_goes_beyond_passing():
    assert [request["drop"] for request in decode([(tuser(**each), {}) for each in (TCP4, CHECKSUM, TAG, {})], features=frozenset())] == [
        Drop.DISABLED,
        Drop.DISABLED,
        Drop.DISABLED,
        Drop.NONE,
    ]


def test_sctp_is_no_more_than_a_checksum_unless_it_is_on():
    user = tuser(**CHECKSUM | {"csum_offset": 8})
    off, on = decode([(user, {"disable": 1 << Config.bit("tx-checksum-sctp")}), (user, {})])
    assert [(each["sctp"], each["walk"], each["drop"]) for each in (off, on)] == [(0, 0, Drop.NONE), (1, 1, Drop.NONE)]
    (not_built,) = decode([(user, {})], features=DEFAULT_FEATURES)
    assert ("sctp" in not_built, not_built["walk"], not_built["drop"]) == (False, 0, Drop.NONE)


ORDER = {
    # name: metadata wrong in two ways, the features that are off, the drop that counts
    "a type that does not exist comes before what is off": (TCP4 | {"gso_type": 2}, ALL, Drop.BAD_REQUEST),
    "what is off comes before a bad size": (TCP4 | {"gso_size": 0}, {"tx-tcp-segmentation"}, Drop.DISABLED),
    "an insertion that is off comes before a bad size": (TCP4 | TAG | {"gso_size": 0}, {"tx-vlan-offload"}, Drop.DISABLED),
    "an insertion that is off comes before its place": (CHECKSUM | TAG | {"csum_start": 0}, {"tx-vlan-offload"}, Drop.DISABLED),
    "a checksum that is off comes before the tag's place": (
        CHECKSUM | TAG | {"csum_start": 0},
        {"tx-checksum-ip-generic"},
        Drop.DISABLED,
    ),
    "a kept ID is asked for by segments alone": (CHECKSUM | {"keep_id": 1}, {"tx-tcp-mangleid-segmentation"}, Drop.NONE),
    "a tunnel's checksum is asked for by tunnels alone": (TCP4 | {"flags": 9}, {"tx-udp_tnl-csum-segmentation"}, Drop.NONE),
    "a segment needs no checksum feature": (TCP4, {"tx-checksum-ip-generic"}, Drop.NONE),
}


@pytest.mark.parametrize("name", ORDER)
def test_what_is_wrong_first_counts(name):
    metadata, off, drop = ORDER[name]
    (request,) = decode([(tuser(**metadata), {"disable": sum(1 << Config.bit(feature) for feature in off)})])
    assert (Drop(request["drop"]), request["walk"]) == (drop, int(not drop and metadata.get("gso_type", 0) != 0))


@pytest.mark.parametrize("mtu, size", [(0, 1500), (1500, 1500), (9000, 9000), (65535, 65535)])
def test_auto_takes_requests_of_all_zeroes_and_the_mtu(mtu, size):
    """A tag, a kept ID and user bits stand beside the request."""
    settings = {"auto": 1, "mtu": mtu, "uso_size": 1200}
    beside = {"frame_len": 60, "tci": 0, "keep_id": 1, "user": 5}
    zero, tagged, other = decode([(tuser(frame_len=60), settings), (tuser(**beside), settings), (tuser(hdr_len=1), settings)], user_width=3)
    for request in (zero, tagged):
        assert (request["kind"], request["walk"], request["size"], request["csum_start"]) == (Kind.AUTO, 1, size, 1200)
        assert (request["frame_len"], request["needs_csum"], request["drop"]) == (60, 0, Drop.NONE)
    assert (tagged["insert"], tagged["id_mode"], tagged["user"]) == (1, 1, 5)
    assert (other["kind"], other["walk"]) == (Kind.PASS, 0)


def test_auto_ignores_a_kept_id_that_is_off():
    (request,) = decode([(tuser(keep_id=1), {"auto": 1, "disable": 1 << Config.bit("tx-tcp-mangleid-segmentation"), "id_mode": 2})])
    assert (request["drop"], request["id_mode"]) == (Drop.NONE, 2)


def test_settings_that_a_frame_takes_along(dice):
    asked, expected = [], []
    for _ in range(20):
        masks = {f"clear_{place}": dice.getrandbits(12) for place in ("first", "middle", "last")}
        mode, keep, user = dice.randrange(3), dice.getrandbits(1), dice.getrandbits(17)
        settings = {"id_mode": mode} | {f"tcp_{name}": mask for name, mask in masks.items()}
        asked.append((tuser(**TCP4, keep_id=keep, user=user), settings))
        expected.append(masks | {"id_mode": 1 if keep else mode, "user": user})
    for request, wanted in zip(decode(asked, user_width=17), expected, strict=True):
        assert {name: request[name] for name in wanted} == wanted
