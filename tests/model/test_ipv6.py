"""TCP segmentation over IPv6: lengths, extension headers, and packets above 64 KiB."""

import struct

import pytest

from offcut_model import Options, segment

from .build import (
    ADDRESSES6,
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    JUMBO,
    ROUTING,
    assert_packet_right,
    ethernet,
    extensions,
    field,
    ipv6,
    noise,
    pseudo,
    reason,
    slow_sum,
    tcp,
    tcp6_frame,
    tso6,
)

CHAINS = {
    "none": (),
    "hop-by-hop": (HOP_BY_HOP,),
    "routing": (ROUTING,),
    "destination": (DESTINATION,),
    "all of them, more than once": (HOP_BY_HOP, DESTINATION, ROUTING, DESTINATION, HOP_BY_HOP),
}


@pytest.mark.parametrize("tags", ((), ((0x8100, 5),), ((0x88A8, 5), (0x8100, 6))))
@pytest.mark.parametrize("name", CHAINS)
def test_every_header_is_copied_and_only_length_sequence_flags_and_checksum_change(name, tags):
    through = CHAINS[name]
    l3 = 14 + 4 * len(tags)
    l4 = l3 + 40 + 8 * len(through)
    frame = tcp6_frame(2500, tags=tags, ip={"through": through}, options=noise(12), flags=0xFFF)
    payload = l4 + 32
    wire = segment(frame, tso6(1000, csum_start=l4))
    changes = {l3 + 4, l3 + 5, *range(l4 + 4, l4 + 8), l4 + 12, l4 + 13, l4 + 16, l4 + 17}
    assert [len(one) - payload for one in wire] == [1000, 1000, 500]
    assert b"".join(one[payload:] for one in wire) == frame[payload:]
    assert [field(one, l4 + 4, 4) for one in wire] == [1000, 2000, 3000]
    assert [field(one, l4 + 12, 2) for one in wire] == [0x8FF6, 0x8F76, 0x8F7F]
    for one in wire:
        assert_packet_right(one[l3:], protocol=6)
        assert [one[at] for at in range(payload) if at not in changes] == [frame[at] for at in range(payload) if at not in changes]


def test_a_long_extension_header_is_walked():
    chain = extensions((DESTINATION,), 6, size=128)
    frame = tcp6_frame(3000, ip={"chain": chain, "next_header": DESTINATION})
    for one in segment(frame, tso6(1000, csum_start=54 + 128)):
        assert_packet_right(one[14:], protocol=6)


@pytest.mark.parametrize("length", (0, 1, 60, 0xFFFF))
def test_a_wrong_payload_length_is_put_right(length):
    for one in segment(tcp6_frame(3000, ip={"length": length}), tso6(1000)):
        assert_packet_right(one[14:], protocol=6)


def test_what_else_is_in_the_partial_sum_stays():
    # So a packet with segments left to route keeps the sum over its final destination.
    final = bytes(range(16))
    routing = struct.pack("!BBBBI16s", 6, 2, 0, 1, 0, final)
    body = tcp(noise(3000), check=slow_sum(ADDRESSES6[:16] + final + struct.pack("!II", 3020, 6)))
    frame = ethernet(0x86DD) + ipv6(body, chain=routing, next_header=ROUTING)
    for one in segment(frame, tso6(1000, csum_start=78)):
        segment_body = one[78:]
        assert slow_sum(ADDRESSES6[:16] + final + struct.pack("!II", len(segment_body), 6) + segment_body) == 0xFFFF


CONTRADICTIONS = {
    "a fragment header": (FRAGMENT,),
    "an authentication header": (51,),
    "no next header": (59,),
    "a mobility header": (135,),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_other_extension_headers_contradict(name):
    frame = tcp6_frame(3000, ip={"through": CONTRADICTIONS[name]})
    assert reason(frame, tso6(1000, csum_start=62)) == "bad_header"
    assert reason(frame, tso6(1000, flags=0)) == "bad_header"


# The L in the partial sum.


def with_partial(frame, l4, length):
    return frame[: l4 + 16] + slow_sum(pseudo(length, version=6)).to_bytes(2, "big") + frame[l4 + 18 :]


STARTS = {
    "the length that was told": (3020, 9999, None),
    "the payload length, if none was told": (1234, 1234, 0),
    "the payload length less the extension headers": (1234, 1242, 0),
}


@pytest.mark.parametrize("name", STARTS)
def test_the_length_taken_out_of_the_partial_sum_is(name):
    inside, length, told = STARTS[name]
    through = (HOP_BY_HOP,) if length == 1242 else ()
    l4 = 54 + 8 * len(through)
    frame = with_partial(tcp6_frame(3000, ip={"length": length, "through": through}), l4, inside)
    for one in segment(frame, tso6(1000, csum_start=l4), Options(frame_len=told)):
        assert_packet_right(one[14:], protocol=6)


@pytest.mark.parametrize("check", (0x0000, 0xFFFF, 0x1234))
def test_without_a_length_and_without_needs_csum_the_addresses_are_summed(check):
    frame = tcp6_frame(3000, check=check, ip={"length": 0})
    for header, told in ((tso6(1000), 0), (tso6(1000, flags=0), None)):
        for one in segment(frame, header, Options(frame_len=told)):
            assert_packet_right(one[14:], protocol=6)


# Packets above 64 KiB.


def jumbogram(payload, *, tags=(), first=JUMBO, length=0):
    """A packet as BIG TCP hands it over: payload length 0, and its real length in a hop-by-hop option."""
    body = tcp(noise(payload))
    body = tcp(noise(payload), check=slow_sum(pseudo(len(body), version=6)))
    return ethernet(0x86DD, tags=tags) + ipv6(body, chain=first + struct.pack("!I", len(body) + 8), next_header=0, length=length)


STRIPPED = {
    "400,000 bytes": (400_000, {}, {}, True),
    "behind two tags": (70_000, {"tags": ((0x88A8, 1), (0x8100, 2))}, {}, True),
    "an IP packet of 65,537 bytes": (65_537 - 68, {}, {}, True),
    "an IP packet of 65,536 bytes": (65_536 - 68, {}, {}, False),
    "behind a tag, an IP packet of 65,536 bytes": (65_536 - 68, {"tags": ((0x8100, 2),)}, {}, False),
    "30,000 bytes": (30_000, {}, {}, False),
    "30,000 bytes, no length told": (30_000, {}, {"frame_len": 0}, True),
    "30,000 bytes, no length told, a payload length": (30_000, {"length": 30_028}, {"frame_len": 0}, False),
    "a payload length all the same": (70_000, {"length": 5000}, {}, True),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_the_jumbo_payload_header_is_left_out_of(name):
    payload, fields, options, is_stripped = STRIPPED[name]
    frame = jumbogram(payload, **fields)
    l3 = 14 + 4 * len(fields.get("tags", ()))
    wire = segment(frame, tso6(1000, csum_start=l3 + 48), Options(**options))
    headers = l3 + 60 + 8 * (not is_stripped)
    assert b"".join(one[headers:] for one in wire) == frame[l3 + 68 :]
    for one in wire:
        assert_packet_right(one[l3:], protocol=6)
        assert one[l3 + 6] == (6 if is_stripped else HOP_BY_HOP)
        assert one[: l3 + 4] == frame[: l3 + 4]
        assert one[l3 + 7 : l3 + 40] == frame[l3 + 7 : l3 + 40]


def test_a_jumbogram_in_one_segment_is_not_stripped():
    frame = jumbogram(65_500)
    (wire,) = segment(frame, tso6(65_534, csum_start=62), Options(mtu_max=70_000))
    assert wire[:62] == frame[:62]


def test_mtu_max_counts_what_leaves():
    frame = jumbogram(70_000)
    assert reason(frame, tso6(1000, csum_start=62), mtu_max=1074) is None
    assert reason(frame, tso6(1000, csum_start=62), mtu_max=1073) == "too_long"


@pytest.mark.parametrize("first", (b"\x06\x00\x01\x04", b"\x06\x00\xc2\x05", b"\x06\x01\xc2\x04", b"\x3c\x00\xc2\x04", b"\x11\x00\xc2\x04"))
def test_another_hop_by_hop_header_above_64_kib_contradicts(first):
    frame = jumbogram(70_000, first=first)
    assert reason(frame, tso6(1000, flags=0)) == "bad_header"
    assert reason(frame[:58], tso6(1000, flags=0), frame_len=70_082) == "bad_header", "with its first word"


def test_above_64_kib_no_hop_by_hop_header_is_needed():
    wire = segment(tcp6_frame(70_000, ip={"length": 0}), tso6(1000))
    assert len(wire) == 70
    for one in wire:
        assert_packet_right(one[14:], protocol=6)
