"""The request generator draws what it promises: a random test is worth no more than the edges it meets."""

import random
from collections import Counter

import pytest

from bench.scoreboard import answer
from offcut.config import FEATURES as CONFIG_FEATURES
from offcut_model import REASONS
from traffic import FEATURES, KINDS, LONG_KINDS, SIZES, Case, requests

COUNT = 12_000
CUT = ("tso", "tso6", "uso", "ufo", "udp-tunnel", "gre", "ipip")


@pytest.fixture(scope="module")
def cases(request):
    return list(requests(request.config.getoption("seed"), COUNT, jumbo=0.01, user_width=16))


def word(case, at):
    """16 bits of the request."""
    return int.from_bytes(case.vnet_hdr[at : at + 2], "little")


def notes(case):
    return case.note.partition(": ")[2].split(", ")


def test_equal_seeds_give_equal_requests_and_others_do_not(seed):
    first = list(requests(seed, 50))
    assert first == list(requests(seed, 50))
    assert first != list(requests(f"not {seed}", 50))
    assert first[17] == next(requests(seed, 1, start=17)), "one request can be had alone"


def test_the_generator_leaves_the_global_random_state_alone(seed):
    before = random.getstate()
    list(requests(seed, 5))
    assert random.getstate() == before


@pytest.mark.parametrize("width", (32, 64, 128, 256, 512))
@pytest.mark.parametrize("size", SIZES)
def test_every_case_is_well_formed(seed, width, size):
    for case in requests(seed, 2000, width=width, size=size, jumbo=0.005, user_width=24):
        assert isinstance(case, Case) and isinstance(case.frame, bytes)
        assert 1 <= len(case.frame) <= 524_288 and len(case.vnet_hdr) == 24
        assert 0 <= case.mtu < 1 << 16 and 0 <= case.uso_size < 1 << 16
        assert 0 <= case.frame_len < 1 << 20
        assert case.vlan_tci is None or 0 <= case.vlan_tci < 1 << 16
        assert case.id_mode in (0, 1, 2) and all(0 <= mask < 1 << 12 for mask in case.tcp_clear) and len(case.tcp_clear) == 3
        assert 0 <= case.disable < 1 << 16 and 0 <= case.user < 1 << 24
        assert case.tuser < 1 << 160 + 24 and case.kind in KINDS | LONG_KINDS


TUSER = {
    "the request": ({"vnet_hdr": bytes(range(24))}, int.from_bytes(bytes((*range(10), 20, 21, 22, 23)), "little")),
    "a request of ten bytes": ({"vnet_hdr": bytes(range(10))}, int.from_bytes(bytes(range(10)), "little")),
    "frame_len": ({"frame_len": 0xABCDE}, 0xABCDE << 112),
    "a tag": ({"vlan_tci": 0x1234}, 0x1234 << 132 | 1 << 148),
    "a tag of 0": ({"vlan_tci": 0}, 1 << 148),
    "the ID bit": ({"keep_id": True}, 1 << 149),
    "user bits": ({"user": 0xBEEF}, 0xBEEF << 160),
}


@pytest.mark.parametrize("what", TUSER)
def test_tuser_has_its_layout(what):
    fields, expected = TUSER[what]
    assert Case(**{"frame": b"1", "vnet_hdr": bytes(24), "frame_len": 0, "auto": False, "mtu": 0, "note": ""} | fields).tuser == expected


def test_features_are_switched_off_by_the_bits_that_the_engine_takes(cases):
    assert tuple(CONFIG_FEATURES) == FEATURES
    assert Case(b"1", bytes(24), 0, False, 0, "", disable=1 << 14 | 1 << 1 | 1 << 15).disabled == {"tx-vlan-offload", "tx-checksum-sctp"}
    assert set().union(*(case.disabled for case in cases)) == set(FEATURES)


def test_every_kind_is_drawn(cases):
    assert Counter(case.kind for case in cases).keys() == KINDS.keys() | LONG_KINDS.keys()


@pytest.mark.parametrize("width", (32, 64, 128, 256, 512))
def test_headers_and_frames_end_in_every_lane_that_they_can(seed, width):
    bus = width // 8
    cases = list(requests(seed, 6000, width=width, size="small", kinds=("tso", "udp-tunnel", "gre", "csum-anywhere", "pass", "tiny")))
    ends = {kind: {word(case, 2) % bus for case in cases if case.kind == kind and 54 <= word(case, 2) <= 256} for kind in CUT}
    assert ends["tso"] >= {lane for lane in range(bus) if lane % 4 == 2}, "headers are 14 bytes and multiples of 4"
    assert ends["udp-tunnel"] | ends["gre"] >= set(range(0, bus, 2)), "a second Ethernet header moves them by two"
    assert {len(case.frame) % bus for case in cases} == set(range(bus))


NOTES = (
    *("vlan", "stacked tags", "insert a tag", "keep the ID", "masks", "switched off"),
    *("ip options 40", "tcp options 40", "ip options 8", "tcp options 12", "extension headers 1", "extension headers 3"),
    *("payload k*gso", "payload k*gso+1", "payload k*gso-1", "payload last 1..3", "payload gso", "payload below gso", "payload empty"),
    *("payload 128*gso+0", "payload 128*gso+1", "payload 128*gso-1", "UDP length wrong"),
    *("wire frame mtu_max-1", "wire frame mtu_max+0", "wire frame mtu_max+1", "mtu_max+0", "mtu_max+1"),
    *("IP length 0", "bytes beyond the IP length", "IP length too great", "partial sum wrong", "no NEEDS_CSUM", "frame_len wrong", "ECN"),
    *("a segment sums to 0", "only segment sums to 0", "the tunnel's sum", "sums to 0", "sum of zeroes"),
    *(f"{tunnel} v{outer} v{inner}" for tunnel in ("VXLAN", "Geneve", "another tunnel") for outer in (4, 6) for inner in (4, 6)),
    *("outer checksum", "outer partial sum wrong", "IPIP", "SIT", "IP6IP6", "IPv4 in IPv6"),
    *("GRE", "GRE key", "GRE checksum", "GRE checksum key", "GRE Ethernet", "GRE checksum key Ethernet"),
    *("gso_size refused", "gso_size no multiple of 8", "too many datagrams", "csum_offset refused", "csum_start near", "gso_type unknown"),
    *("outer_th_offset near", "inner_nh_offset near", "outer_th_offset anywhere", "inner_nh_offset anywhere", "both families"),
    *("NEEDS_CSUM missing", "ECN turned over", "another tag", "EtherType", "IP version", "ihl", "extension length", "transport"),
    *("protocol", "data offset", "cut off", "field out of the frame"),
    *("odd start", "odd field", "start beyond 127", "field ends the frame", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "ARP", "two tags"),
    *("SCTP", "another offset", "a header contradicts", "field at the end"),
    *("padding", "cut by a snaplen", "checksum 0", "short transport header", "total length 0", "version", "ends early"),
    *("as said", "shorter than it says", "low MTU", "no room for payload", "header cut off", "IP length MTU+0", "IP length MTU+1"),
    *("BIG TCP", "jumbo payload", "64 KiB", "auto off", "1 bytes", "60 bytes"),
)


@pytest.mark.parametrize("note", NOTES)
def test_an_edge_is_drawn(cases, note):
    assert any(note in notes(case) for case in cases)


def tso(cases):
    """TSO requests with at most one tag as (case, IP header's offset)."""
    return [(case, 18 if "vlan" in notes(case) else 14) for case in cases if case.kind == "tso" and "stacked tags" not in notes(case)]


EDGES = {
    "gso_size 1": lambda cases: any(word(c, 4) == 1 for c, _ in tso(cases)),
    "gso_size 65534": lambda cases: any(word(c, 4) == 65534 for c, _ in tso(cases)),
    "all twelve flag bits, set and clear": lambda cases: all(
        any(
            int.from_bytes(c.frame[l4 + 12 : l4 + 14], "big") >> bit & 1 == value
            for c, l4 in ((c, l3 + 4 * (c.frame[l3] & 15)) for c, l3 in tso(cases))
        )
        for bit in range(12)
        for value in (0, 1)
    ),
    "an ID that wraps": lambda cases: any(c.frame[l3 + 4] == 0xFF and c.frame[l3 + 5] > 0xFA for c, l3 in tso(cases)),
    "an ID that wraps in 15 bits": lambda cases: any(c.id_mode == 2 and c.frame[l3 + 4] == 0x7F for c, l3 in tso(cases)),
    "an IP checksum of 0": lambda cases: any(c.frame[l3 + 10 : l3 + 12] == bytes(2) for c, l3 in tso(cases)),
    "cfg_mtu 0": lambda cases: any(c.mtu == 0 and c.auto for c in cases),
    "frame_len unknown, right and wrong": lambda cases: {0, 1, 2} == {bool(c.frame_len) + (c.frame_len == len(c.frame)) for c in cases},
    "unknown flags": lambda cases: any(c.vnet_hdr[0] & 0xF4 for c, _ in tso(cases)),
    "a last segment of odd length": lambda cases: any(len(c.frame) % 2 for c, _ in tso(cases)),
    "headers of 252 to 260 bytes": lambda cases: all(
        any(f"headers of {length} bytes" in notes(c) for c in cases) for length in (252, 254, 256, 258, 260)
    ),
    "7,501 fragments": lambda cases: any(c.kind == "big-ufo" and word(c, 4) == 8 and len(c.frame) > 60_000 for c in cases),
    "200 KiB": lambda cases: any(len(c.frame) > 200 << 10 for c in cases),
}


@pytest.mark.parametrize("edge", EDGES)
def test_a_field_meets_its_edge(cases, edge):
    assert EDGES[edge](cases)


def test_a_kind_or_size_that_does_not_exist_is_named_in_the_error():
    with pytest.raises(ValueError, match="'huge'"):
        next(requests(1, 1, size="huge"))
    with pytest.raises(ValueError, match="'nothing'"):
        next(requests(1, 1, kinds=("nothing",)))


def checksums(case):
    """What stands in the checksum fields of each wire frame of a request, by the model: the innermost, and that of a UDP tunnel."""
    segments, _ = answer(case)
    places = [word(case, 6) + word(case, 8)]
    if case.vnet_hdr[1] == 3 and len(segments) > 1 and "IPv6" in notes(case):
        places = [places[0] + 8]  # a fragment header stands before it
    if word(case, 20):
        places.append(word(case, 20) + 6)
    return {wire[at : at + 2] for wire in segments for at in places}


def test_a_sum_that_should_come_out_zero_does(seed):
    cases = [case for case in requests(seed, 300, kinds=("segment-zero-sum",), jumbo=0) if not any("GRE" in note for note in notes(case))]
    seen = [checksums(case) & {bytes(2), b"\xff\xff"} for case in cases]
    assert sum(map(bool, seen)) > 0.97 * len(cases), "an inner routing header or a header too long may spoil one"
    assert set.union(*seen) == {bytes(2), b"\xff\xff"}


def test_every_reason_of_the_model_is_met_and_most_requests_are_sent(cases):
    met = Counter(answer(case)[1] for case in cases)
    assert met.keys() == REASONS.keys() | {None}
    assert 0.6 < met[None] / len(cases) < 0.8
