"""UDP: segments that are datagrams (USO), and fragments of one datagram (UFO)."""

import struct
from itertools import pairwise

import pytest

from offcut_model import Options, Refused, fragment_identification, segment, takes_identification

from .build import (
    DESTINATION,
    HOP_BY_HOP,
    ROUTING,
    assert_packet_right,
    field,
    noise,
    pseudo,
    reason,
    slow_sum,
    tso,
    udp,
    udp_frame,
    ufo,
    uso,
)

L4 = {4: 34, 6: 54}


# Datagrams.

LENGTHS = {
    "the published result": (8192, 1272, [1272] * 6 + [560]),
    "two whole ones": (2000, 1000, [1000, 1000]),
    "one byte over": (2001, 1000, [1000, 1000, 1]),
    "one byte under": (1999, 1000, [1000, 999]),
    "one byte each": (5, 1, [1] * 5),
    "an odd size": (1000, 333, [333, 333, 333, 1]),
    "128 of them": (12800, 100, [100] * 128),
}


@pytest.mark.parametrize("version", (4, 6))
@pytest.mark.parametrize("name", LENGTHS)
def test_the_payload_is_cut_into_datagrams(name, version):
    length, gso_size, expected = LENGTHS[name]
    frame = udp_frame(length, version=version)
    l4 = L4[version]
    wire = segment(frame, uso(gso_size, csum_start=l4))
    assert [len(one) - l4 - 8 for one in wire] == expected
    assert b"".join(one[l4 + 8 :] for one in wire) == frame[l4 + 8 :]
    for one in wire:
        assert_packet_right(one[14:], protocol=17)
        assert one[l4 : l4 + 4] == frame[l4 : l4 + 4]


def test_the_ip_id_of_datagrams_follows_its_mode():
    frame = udp_frame(3000, ip={"ident": 0xFFFF})
    for options, expected in (({}, [0xFFFF, 0, 1]), ({"id_mode": 1}, [0xFFFF] * 3), ({"id_mode": 2}, [0xFFFF, 0x8000, 0x8001])):
        assert [field(one, 18, 2) for one in segment(frame, uso(1000), Options(**options))] == expected


@pytest.mark.parametrize("length", (0, 7, 2000, 65535))
def test_the_length_inside_the_partial_sum_of_a_datagram_is_its_own_length_field(length):
    frame = udp_frame(3000, length=length, check=slow_sum(pseudo(length, 17)))
    for told in (None, 0):
        for one in segment(frame, uso(1000), Options(frame_len=told)):
            assert_packet_right(one[14:], protocol=17)


def zero_sum_datagram(version, at=1000):
    """A payload of 3000 bytes whose middle 1000, as a datagram, have a checksum that comes out as 0x0000."""
    payload = bytearray(noise(3000))
    payload[at : at + 2] = b"\0\0"
    body = udp(bytes(payload[at : at + 1000]), check=0)
    payload[at : at + 2] = struct.pack("!H", 0xFFFF - slow_sum(pseudo(1008, 17, version) + body))
    return bytes(payload)


@pytest.mark.parametrize("version", (4, 6))
def test_a_datagrams_checksum_of_zero_is_sent_as_ffff(version):
    wire = segment(udp_frame(zero_sum_datagram(version), version=version), uso(1000, csum_start=L4[version]))
    assert field(wire[1], L4[version] + 6, 2) == 0xFFFF
    assert_packet_right(wire[1][14:], protocol=17)


@pytest.mark.parametrize("length", (0, 1, 999, 1000))
def test_a_datagram_within_gso_size_gets_its_checksum_and_nothing_else(length):
    frame = udp_frame(length, length=7, ip={"total": 5, "check": 0x1234})
    (wire,) = segment(frame, uso(1000))
    assert wire[:40] + wire[42:] == frame[:40] + frame[42:]
    assert slow_sum(pseudo(8 + length, 17) + wire[34:]) == 0xFFFF


LIMIT = {
    "128 segments": (12_800, {}, {}, None),
    "a byte more": (12_801, {}, {}, "bad_request"),
    "a byte more, no length told": (12_801, {}, {"frame_len": 0}, "bad_request"),
    "a byte more, no length told or declared": (12_801, {"total": 0}, {"frame_len": 0}, None),
    "a byte more, declared a byte less": (12_801, {"total": 28 + 12_800}, {"frame_len": 0}, None),
    "a byte less, declared a byte more": (12_799, {"total": 28 + 12_801}, {"frame_len": 0}, "bad_request"),
    "a byte less, told a byte more": (12_799, {}, {"frame_len": 42 + 12_801}, "bad_request"),
    "a byte more, told a byte less": (12_801, {}, {"frame_len": 42 + 12_800}, "length_mismatch"),
}


@pytest.mark.parametrize("name", LIMIT)
def test_a_request_is_for_128_datagrams_at_most(name):
    length, ip, options, expected = LIMIT[name]
    assert reason(udp_frame(length, ip=ip), uso(100), **options) == expected
    if expected == "bad_request":
        assert reason(udp_frame(length, ip=ip), uso(100), mtu_max=100, **options) == expected, "before the lengths are looked at"


# Fragments.


def reassembled(wire, version, l4):
    """The datagram that a receiver puts together, whatever the order; every fragment must be right by itself."""
    parts = {}
    for one in wire:
        body, protocol = assert_packet_right(one[14:], protocol=17 if version == 4 else 44) if version == 6 else (one[l4:], 17)
        if version == 4:
            assert slow_sum(one[14:l4]) == 0xFFFF
            assert field(one, 16, 2) == len(one) - 14
            word = field(one, 20, 2)
            assert word & 0xC000 == 0, "no DF, no reserved bit"
            offset, more = 8 * (word & 0x1FFF), bool(word & 0x2000)
        else:
            assert body[0] == 17 and body[1] == 0
            word = field(body, 2, 2)
            assert word & 6 == 0
            offset, more, body = word & 0xFFF8, bool(word & 1), body[8:]
        parts[offset] = (body, more)
    whole = b""
    for offset in sorted(parts):
        body, more = parts[offset]
        assert offset == len(whole)
        assert more == (offset != max(parts))
        whole += body
    return whole


FRAGMENTED = {
    "plain": (3000, 1000, [1000, 1000, 1000, 8]),
    "exactly filled": (2992, 1000, [1000] * 3),
    "one byte over": (2993, 1000, [1000, 1000, 1000, 1]),
    "one byte under": (2991, 1000, [1000, 1000, 999]),
    "the UDP header alone in the first": (9, 8, [8, 8, 1]),
    "60,000 bytes at gso_size 8": (60_000, 8, [8] * 7501),
    "the longest datagram": (65_527, 9208, [9208] * 7 + [1079]),
    "an odd datagram": (1777, 592, [592, 592, 592, 9]),
}


@pytest.mark.parametrize("flags", (1, 0))
@pytest.mark.parametrize("version", (4, 6))
@pytest.mark.parametrize("name", FRAGMENTED)
def test_fragments_put_together_are_the_datagram_with_its_checksum(name, version, flags):
    length, gso_size, expected = FRAGMENTED[name]
    l4 = L4[version]
    frame = udp_frame(length, version=version, check=slow_sum(pseudo(8 + length, 17, version)) if flags else 0x1234)
    wire = segment(frame, ufo(gso_size, csum_start=l4, flags=flags), Options(ufo_order="first", mtu_max=9300))
    front = l4 + (8 if version == 6 else 0)
    assert [len(one) - front for one in wire] == expected
    datagram = reassembled(wire, version, l4)
    assert datagram[:6] + datagram[8:] == frame[l4 : l4 + 6] + frame[l4 + 8 :]
    assert slow_sum(pseudo(8 + length, 17, version) + datagram) == 0xFFFF


@pytest.mark.parametrize("version", (4, 6))
def test_the_fragment_with_the_udp_header_leaves_last_or_first(version):
    frame = udp_frame(3000, version=version)
    header = ufo(1000, csum_start=L4[version])
    first = segment(frame, header, Options(ufo_order="first"))
    last = segment(frame, header, Options(ufo_order="last"))
    assert last == first[1:] + first[:1]
    assert segment(frame, header) == last


@pytest.mark.parametrize("fragment", (0x0000, 0x4000, 0xE123, 0xFFFF))
def test_ipv4_fragments_share_their_id_and_what_stood_in_the_fragment_word_goes(fragment):
    frame = udp_frame(3000, ip={"ident": 0xABCD, "fragment": fragment, "options": noise(12)})
    wire = segment(frame, ufo(1000, csum_start=46), Options(ufo_order="first"))
    assert [field(one, 20, 2) for one in wire] == [0x2000, 0x207D, 0x20FA, 0x0177]
    assert {field(one, 18, 2) for one in wire} == {0xABCD}
    assert {one[34:46] for one in wire} == {noise(12)}, "options go into all"


def test_the_ipv6_fragment_header_stands_behind_the_extension_headers():
    frame = udp_frame(3000, version=6, tags=((0x8100, 7),), ip={"through": (HOP_BY_HOP, DESTINATION, ROUTING)})
    wire = segment(frame, ufo(1000, csum_start=82), Options(ufo_order="first", frag_seed=5, frag_number=6))
    identification = fragment_identification(5, 6)
    for number, one in enumerate(wire):
        assert one[:22] + one[24:74] + one[75:82] == frame[:22] + frame[24:74] + frame[75:82]
        assert one[74] == 44, "what names the transport header names the fragment header"
        assert one[82:90] == struct.pack("!BBHI", 17, 0, 1000 * number | (number < 3), identification)
        assert field(one, 22, 2) == len(one) - 58


def test_a_destination_header_behind_a_routing_header_contradicts_fragments():
    frame = udp_frame(3000, version=6, ip={"through": (ROUTING, DESTINATION)})
    assert reason(frame, ufo(1000, csum_start=70)) == "bad_header"
    assert reason(frame, uso(1000, csum_start=70)) is None, "but not datagrams"
    frame = udp_frame(3000, version=6, ip={"through": (DESTINATION, ROUTING, HOP_BY_HOP)})
    assert reason(frame, ufo(1000, csum_start=78)) is None


@pytest.mark.parametrize("version", (4, 6))
@pytest.mark.parametrize("length", (0, 991, 992))
def test_a_datagram_within_one_fragment_gets_its_checksum_and_nothing_else(length, version):
    l4 = L4[version]
    frame = udp_frame(length, version=version, length=7)
    (wire,) = segment(frame, ufo(1000, csum_start=l4))
    assert wire[: l4 + 6] + wire[l4 + 8 :] == frame[: l4 + 6] + frame[l4 + 8 :]
    assert slow_sum(pseudo(8 + length, 17, version) + wire[l4:]) == 0xFFFF
    assert segment(frame, ufo(1000, flags=0)) == [frame], "without NEEDS_CSUM nothing at all"


@pytest.mark.parametrize("version", (4, 6))
def test_a_fragmented_datagrams_checksum_of_zero_is_sent_as_ffff(version):
    payload = bytearray(noise(3000))
    payload[500:502] = b"\0\0"
    rest = slow_sum(pseudo(3008, 17, version) + udp(bytes(payload), check=0))
    payload[500:502] = struct.pack("!H", 0xFFFF - rest)
    wire = segment(udp_frame(bytes(payload), version=version), ufo(1000, csum_start=L4[version]))
    assert field(wire[-1], L4[version] + (8 if version == 6 else 0) + 6, 2) == 0xFFFF


@pytest.mark.parametrize("check", (0x0000, 0x1234))
def test_the_partial_sum_of_a_fragmented_datagram_does_not_count(check):
    assert segment(udp_frame(3000, check=check), ufo(1000)) == segment(udp_frame(3000), ufo(1000))


LENGTH_LIMIT = {
    "65,535 bytes": (65_527, {}, {}, None),
    "65,536 bytes": (65_528, {"total": 1000}, {}, "bad_request"),
    "65,536 bytes, no length told": (65_528, {"total": 2000}, {"frame_len": 0}, None),
    "65,535 bytes declared": (1000, {"total": 65_535, "options": b""}, {"frame_len": 0}, None),
    "no length at all": (1000, {"total": 0}, {"frame_len": 0}, "bad_header"),
    "no declared length": (1000, {"total": 0}, {}, None),
}


@pytest.mark.parametrize("name", LENGTH_LIMIT)
def test_a_datagram_has_65535_bytes_at_most(name):
    length, ip, options, expected = LENGTH_LIMIT[name]
    assert reason(udp_frame(length, ip=ip), ufo(1000), **options) == expected


@pytest.mark.parametrize("version", (4, 6))
def test_offsets_of_a_datagram_that_declared_less_wrap_and_disturb_nothing(version):
    ip = {"total": 2028} if version == 4 else {"length": 2008}
    frame = udp_frame(140_000, version=version, ip=ip)
    wire = segment(frame, ufo(1000, csum_start=L4[version]), Options(frame_len=0, ufo_order="first"))
    if version == 4:
        assert [field(one, 20, 2) for one in wire[:-1]] == [0x2000 | 125 * number & 0x1FFF for number in range(140)]
    else:
        assert [field(one, 56, 2) for one in wire[:-1]] == [1000 * number & 0xFFFF | 1 for number in range(140)]


def test_a_fragmented_datagrams_length_is_the_one_told_or_else_declared():
    frame = udp_frame(3000, ip={"total": 2020}, check=0)
    for told, length in ((None, 3008), (0, 2000)):
        wire = segment(frame, ufo(1000), Options(frame_len=told, ufo_order="first"))
        assert slow_sum(pseudo(length, 17) + reassembled(wire, 4, 34)) == 0xFFFF


LEFT = {
    "told too much": ({"frame_len": 9999}, [1, 2]),
    "told too little": ({"frame_len": 2034 + 1}, [1]),
    "told to end with a fragment": ({"frame_len": 2034}, []),
    "told too much, header first": ({"frame_len": 9999, "ufo_order": "first"}, []),
}


@pytest.mark.parametrize("name", LEFT)
def test_fragments_that_have_left_before_the_length_was_seen_to_be_wrong_stand(name):
    options, expected = LEFT[name]
    frame = udp_frame(3000)
    whole = segment(frame, ufo(1000), Options(ufo_order="first"))
    with pytest.raises(Refused) as caught:
        segment(frame, ufo(1000), Options(**options))
    assert caught.value.reason == "length_mismatch"
    assert list(caught.value.segments) == [whole[index] for index in expected]


def test_mtu_max_counts_the_fragment_header():
    header = ufo(1000, csum_start=54)
    assert reason(udp_frame(3000, version=6), header, mtu_max=1062) is None
    assert reason(udp_frame(3000, version=6), header, mtu_max=1061) == "too_long"


# Identifications.


def cipher(seed, number):
    """The block cipher of docs/semantics.md, on strings of bits."""

    def rotated(bits, by):
        return bits[by:] + bits[:by]

    def xored(*words):
        return "".join(str(sum(map(int, column)) % 2) for column in zip(*words, strict=True))

    def both(one, other):
        return "".join("1" if pair == ("1", "1") else "0" for pair in zip(one, other, strict=True))

    key, block = f"{seed:032b}", f"{number:032b}"
    keys = (key[16:], key[:16])
    x, y = block[:16], block[16:]
    for i in range(32):
        x, y = xored(y, both(rotated(x, 1), rotated(x, 8)), rotated(x, 2), keys[i % 2], f"{i:016b}"), x
    return int(x + y, 2)


def test_identifications_are_the_cipher_of_the_page():
    for seed in (0, 1, 0x10000, 0xFFFF_FFFF, 0x0123_4567):
        for number in (0, 1, 2, 0xFFFF, 0x10000, 0xFFFF_FFFF, 0x89AB_CDEF):
            assert fragment_identification(seed, number) == cipher(seed, number)


def test_no_identification_comes_twice_and_none_tells_the_next():
    drawn = [fragment_identification(20080, number) for number in range(50_000)]
    assert len(set(drawn)) == len(drawn)
    steps = {(after - before) & 0xFFFF_FFFF for before, after in pairwise(drawn[:1000])}
    assert len(steps) > 990
    assert drawn[:1000] != [fragment_identification(20081, number) for number in range(1000)]


NUMBERS = {
    "fragments over IPv6": (udp_frame(3000, version=6), ufo(1000, csum_start=54), {}, True),
    "one fragment over IPv6": (udp_frame(30, version=6), ufo(1000, csum_start=54), {}, True),
    "fragments over IPv6 of a wrong length": (udp_frame(3000, version=6), ufo(1000, csum_start=54), {"frame_len": 2000}, True),
    "fragments over IPv6 that are too long": (udp_frame(3000, version=6), ufo(1000, csum_start=54), {"mtu_max": 100}, True),
    "fragments over IPv6 of too long a datagram": (udp_frame(70_000, version=6), ufo(1000, csum_start=54), {}, True),
    "fragments over IPv4": (udp_frame(3000), ufo(1000), {}, False),
    "datagrams over IPv6": (udp_frame(3000, version=6), uso(1000, csum_start=54), {}, False),
    "a walk that ends badly": (udp_frame(3000, version=6), ufo(1000, csum_start=56), {}, False),
    "headers that end early": (udp_frame(3000, version=6)[:61], ufo(1000, csum_start=54), {}, False),
    "a request that is refused": (udp_frame(3000, version=6), ufo(1001, csum_start=54), {}, False),
    "a feature that is off": (udp_frame(3000, version=6), ufo(1000, csum_start=54), {"disable": {"tx-udp-fragmentation"}}, False),
    "no request": (udp_frame(3000, version=6), tso(0, gso_type=0), {}, False),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_taken_by(name):
    frame, header, options, expected = NUMBERS[name]
    assert takes_identification(frame, header, Options(**options)) is expected
