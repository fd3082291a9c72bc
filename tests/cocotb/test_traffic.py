"""The request generator draws what it promises: a random test is worth no more than the edges it meets."""

import random
from collections import Counter

import pytest

from bench.scoreboard import answer
from offcut_model import REASONS
from traffic import KINDS, SIZES, Case, requests

COUNT = 6000


@pytest.fixture(scope="module")
def cases(request):
    return list(requests(request.config.getoption("seed"), COUNT, jumbo=0.005))


def word(case, at):
    return int.from_bytes(case.vnet_hdr[at : at + 2], "little")


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
    for case in requests(seed, 1000, width=width, size=size):
        assert isinstance(case, Case) and isinstance(case.frame, bytes)
        assert len(case.frame) >= 1 and len(case.vnet_hdr) == 10
        assert 0 <= case.mtu < 1 << 16
        assert 0 <= case.frame_len < 1 << 20
        assert case.tuser < 1 << 132 and case.kind in (*KINDS, "jumbo")


def test_every_kind_is_drawn(cases):
    assert Counter(case.kind for case in cases).keys() == KINDS.keys() | {"jumbo"}


@pytest.mark.parametrize("width", (32, 64, 128, 256, 512))
def test_headers_and_frames_end_in_every_lane_that_they_can(seed, width):
    bus = width // 8
    cases = list(requests(seed, 3000, width=width, size="small", kinds=("tso", "csum-anywhere", "pass", "tiny")))
    lanes = {word(case, 2) % bus for case in cases if case.kind == "tso" and 54 <= word(case, 2) <= 138}
    assert lanes >= {lane for lane in range(bus) if lane % 4 == 2}, "headers are 14 bytes and multiples of 4"
    assert {len(case.frame) % bus for case in cases} == set(range(bus))


NOTES = (
    *("vlan", "ip options 40", "tcp options 40", "ip options 8", "tcp options 12"),
    *("payload k*gso", "payload k*gso+1", "payload k*gso-1", "payload last 1..3", "payload gso", "payload below gso", "payload empty"),
    *("wire frame mtu_max-1", "wire frame mtu_max+0", "wire frame mtu_max+1", "mtu_max+0", "mtu_max+1"),
    *("IP length 0", "bytes beyond the IP length", "IP length too great", "partial sum wrong", "no NEEDS_CSUM", "frame_len wrong", "ECN"),
    *("a segment sums to 0", "only segment sums to 0", "sums to 0", "sum of zeroes"),
    *("gso_size refused", "csum_offset refused", "csum_start near", "gso_type unknown", "another tag", "EtherType", "IP version", "ihl"),
    *("protocol", "data offset", "cut off", "field out of the frame"),
    *("odd start", "odd field", "start beyond 127", "field ends the frame", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "ARP", "two tags"),
    *("padding", "cut by a snaplen", "checksum 0", "UDP length wrong", "short transport header", "total length 0", "version", "ends early"),
    *("as said", "shorter than it says", "low MTU", "no room for payload", "header cut off", "IP length MTU+0", "IP length MTU+1"),
    *("BIG TCP", "64 KiB", "auto off", "1 bytes", "60 bytes"),
)


@pytest.mark.parametrize("note", NOTES)
def test_an_edge_is_drawn(cases, note):
    assert any(note in case.note.partition(": ")[2].split(", ") for case in cases)


def tso(cases):
    """Right TSO requests as (case, IP header's offset)."""
    return [(case, 18 if case.frame[12:14] == b"\x81\x00" else 14) for case in cases if case.kind == "tso"]


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
    "an IP checksum of 0": lambda cases: any(c.frame[l3 + 10 : l3 + 12] == bytes(2) for c, l3 in tso(cases)),
    "cfg_mtu 0": lambda cases: any(c.mtu == 0 and c.auto for c in cases),
    "frame_len unknown, right and wrong": lambda cases: {0, 1, 2} == {bool(c.frame_len) + (c.frame_len == len(c.frame)) for c in cases},
    "unknown flags": lambda cases: any(c.vnet_hdr[0] & 0xF4 for c, _ in tso(cases)),
}


@pytest.mark.parametrize("edge", EDGES)
def test_a_field_meets_its_edge(cases, edge):
    assert EDGES[edge](cases)


def test_a_kind_or_size_that_does_not_exist_is_named_in_the_error():
    with pytest.raises(ValueError, match="'huge'"):
        next(requests(1, 1, size="huge"))
    with pytest.raises(ValueError, match="'nothing'"):
        next(requests(1, 1, kinds=("nothing",)))


def checksum_fields(case):
    """The checksum that stands in each wire frame of a TCP or UDP request, by the model."""
    for frame in answer(case, mtu_max=9216)[0]:
        l3 = 18 if frame[12:14] == b"\x81\x00" else 14
        at = l3 + 4 * (frame[l3] & 15) + (16 if frame[l3 + 9] == 6 else 6)
        yield frame[at : at + 2]


@pytest.mark.parametrize(("kind", "fields"), {"tso-zero-sum": {bytes(2), b"\xff\xff"}, "auto-zero-sum": {b"\xff\xff"}}.items())
def test_a_sum_that_should_come_out_zero_does(seed, kind, fields):
    cases = list(requests(seed, 100, kinds=(kind,), jumbo=0))
    assert all(fields & set(checksum_fields(case)) for case in cases)
    assert set.union(*(fields & set(checksum_fields(case)) for case in cases)) == fields


def test_every_reason_of_the_model_is_met_and_most_requests_are_sent(cases):
    met = Counter(answer(case, mtu_max=9216)[1] for case in cases)
    assert met.keys() == REASONS.keys() | {None}
    assert 0.6 < met[None] / len(cases) < 0.8
