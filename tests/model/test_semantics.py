"""Every row of docs/semantics.md: which request a frame carries, in what order it is judged, and what auto makes of it."""

import pytest

from offcut_model import FEATURES, REASONS, Options, Refused, VirtioNetHdr, segment

from .build import assert_sums_right, auto_frame, ethernet, ip_of, ipv4, noise, pseudo, reason, slow_sum, tcp, tcp_frame, tso, udp

CSUM = VirtioNetHdr(flags=1, csum_start=34, csum_offset=16)
TSO, CHECKSUM = "tx-tcp-segmentation", "tx-checksum-ip-generic"


# Which of four requests a frame carries.

AUTO_FRAME = auto_frame(tcp(noise(100)))
NOT_QUITE_NOTHING = {
    "flags": 0x02,
    "hdr_len": 1,
    "gso_size": 1,
    "csum_start": 1,
    "csum_offset": 1,
}


@pytest.mark.parametrize("name", NOT_QUITE_NOTHING)
def test_a_header_without_a_request_that_is_not_all_zero_passes(name):
    assert segment(AUTO_FRAME, VirtioNetHdr(**{name: NOT_QUITE_NOTHING[name]}), Options(auto=True)) == [AUTO_FRAME]


def test_no_header_is_the_header_of_zeroes():
    assert segment(AUTO_FRAME) == segment(AUTO_FRAME, VirtioNetHdr()) == [AUTO_FRAME]
    assert segment(AUTO_FRAME, options=Options(auto=True)) == segment(AUTO_FRAME, VirtioNetHdr(), Options(auto=True)) != [AUTO_FRAME]


def test_what_follows_the_ten_bytes_of_the_request_does_not_count():
    header = VirtioNetHdr(num_buffers=1, hash_value=1, hash_report=1, outer_th_offset=1, inner_nh_offset=1)
    assert segment(AUTO_FRAME, header, Options(auto=True)) == segment(AUTO_FRAME, options=Options(auto=True))


def test_a_request_is_a_request_in_auto_too():
    frame = tcp_frame(3000)
    assert segment(frame, tso(1000), Options(auto=True)) == segment(frame, tso(1000))
    assert segment(frame, CSUM, Options(auto=True)) == segment(frame, CSUM)


# The order of judgement: a list of faults from the first judged to the last, each as the change it makes.

BAD_TYPES = (2, 6, 7, 8, 0x10, 0x1F, 0x20, 0x40, 0x60, 0x80, 0x23, 0x43, 0x61, 0xE1, 0xA3, 0x82, 0xFF)
GOOD_TYPES_NOT_BUILT_IN = (3, 4, 5, 0x83, 0x84, 0x85, 0x21, 0x41, 0xA1, 0xC1, 0x24, 0x44, 0xA4, 0x25, 0x45, 0xC5)


@pytest.mark.parametrize("gso_type", BAD_TYPES)
def test_a_gso_type_that_does_not_exist_is_a_bad_request(gso_type):
    assert reason(b"", tso(0, gso_type=gso_type), features=frozenset()) == "bad_request"


@pytest.mark.parametrize("gso_type", GOOD_TYPES_NOT_BUILT_IN)
def test_a_gso_type_that_exists_but_is_not_built_in_is_disabled(gso_type):
    assert reason(b"", tso(0, gso_type=gso_type)) == "disabled"


def test_every_gso_type_is_one_or_the_other():
    assert {*BAD_TYPES}.isdisjoint(GOOD_TYPES_NOT_BUILT_IN)
    exists = {base | tunnel | ecn for base in (1, 3, 4, 5) for tunnel in (0, 0x20, 0x40) for ecn in (0, 0x80) if base != 3 or not tunnel}
    for gso_type in range(1, 256):
        expected = None if gso_type in (0x01, 0x81) else "disabled" if gso_type in exists else "bad_request"
        assert reason(tcp_frame(3000), tso(1000, gso_type=gso_type)) == expected, hex(gso_type)


def test_a_feature_that_is_left_out_is_disabled():
    assert reason(tcp_frame(3000), tso(1000), features={CHECKSUM}) == "disabled"
    assert reason(b"", tso(0), features={CHECKSUM}) == "disabled", "before its numbers are looked at"
    assert reason(AUTO_FRAME, CSUM, features={TSO}) == "disabled"
    assert reason(tcp_frame(3000), tso(1000), features={TSO}) is None
    assert reason(tcp_frame(100), tso(1000), features={TSO}) is None, "a request for one segment needs no other feature"
    assert reason(AUTO_FRAME, CSUM, features={CHECKSUM}) is None


NUMBERS = {
    "gso_size 0": (tso(0), "bad_request"),
    "gso_size 0 without NEEDS_CSUM": (tso(0, flags=0), "bad_request"),
    "gso_size 65535": (tso(65535), "bad_request"),
    "gso_size 65534": (tso(65534), None),
    "gso_size 1": (tso(1), None),
    "csum_offset 6": (tso(1000, csum_offset=6), "bad_request"),
    "csum_offset 0": (tso(1000, csum_offset=0), "bad_request"),
    "csum_offset without NEEDS_CSUM": (tso(1000, flags=0, csum_offset=6, csum_start=9), None),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_a_request(name):
    header, expected = NUMBERS[name]
    assert reason(tcp_frame(1500), header) == expected
    if expected:
        assert reason(b"", header) == expected, "before the headers are looked at"


NO_CSUM = {"flags": 0, "csum_start": 0, "csum_offset": 0}
HEADERS = {
    "ARP": (ethernet(0x0806) + ipv4(tcp(noise(3000))), tso(1000)),
    "IPv6 by EtherType": (ethernet(0x86DD) + ipv4(tcp(noise(3000))), tso(1000)),
    "ARP behind a tag": (ethernet(0x0806, tag=1) + ipv4(tcp(noise(3000))), tso(1000, csum_start=38)),
    "two tags": (ethernet(0x8100, tag=1) + b"\0\1\x08\0" + ipv4(tcp(noise(3000))), tso(1000, csum_start=42)),
    "802.1ad": (ethernet(0x88A8) + b"\0\1\x08\0" + ipv4(tcp(noise(3000))), tso(1000, csum_start=38)),
    "version 6": (tcp_frame(3000, ip={"version": 6}), tso(1000)),
    "ihl 4": (tcp_frame(3000, ip={"ihl": 4}), tso(1000, csum_start=30)),
    "ihl 0": (tcp_frame(3000, ip={"ihl": 0}), tso(1000, **NO_CSUM)),
    "csum_start before the TCP header": (tcp_frame(3000), tso(1000, csum_start=33)),
    "csum_start behind the TCP header": (tcp_frame(3000), tso(1000, csum_start=38)),
    "csum_start without the tag": (tcp_frame(3000, tag=5), tso(1000)),
    "csum_start without the IP options": (tcp_frame(3000, ip={"options": bytes(8)}), tso(1000)),
    "UDP": (tcp_frame(3000, ip={"protocol": 17}), tso(1000)),
    "data offset 4": (tcp_frame(3000, offset=4), tso(1000)),
    "data offset 0": (tcp_frame(3000, offset=0), tso(1000, **NO_CSUM)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_contradict_the_request(name):
    frame, header = HEADERS[name]
    assert reason(frame, header) == "bad_header"
    assert reason(frame, header, frame_len=60, mtu_max=100) == "bad_header", "before the lengths are looked at"
    small = frame[:90]
    assert reason(small, header) == "bad_header", "for one segment, too"


def test_a_request_for_one_segment_is_walked_without_needs_csum_too():
    assert reason(tcp_frame(10, ip={"protocol": 17}), tso(1000, **NO_CSUM)) == "bad_header"


@pytest.mark.parametrize("fields", ({}, {"tag": 7}, {"options": noise(12)}, {"tag": 7, "options": noise(40), "ip": {"options": bytes(40)}}))
def test_a_frame_that_ends_before_the_end_of_its_tcp_header_is_truncated(fields):
    frame = tcp_frame(0, **fields)
    l4 = 34 + 4 * ("tag" in fields) + len(fields.get("ip", {}).get("options", b""))
    for length in range(len(frame)):
        assert reason(frame[:length], tso(1000, csum_start=l4)) == "truncated", length
        assert reason(frame[:length], tso(1000, **NO_CSUM), mtu_max=1) == "truncated", "before mtu_max is looked at"
        assert reason(frame[:length], tso(1000, **NO_CSUM), frame_len=9999) == "length_mismatch", (
            "the frame ends before the end that was told"
        )
    assert reason(frame, tso(1000, csum_start=l4)) is None


SEEN = {
    "EtherType": (ethernet(0x0806), 14),
    "EtherType behind a tag": (ethernet(0x0806, tag=1), 18),
    "version and ihl": (ethernet() + b"\x65", 15),
    "csum_start": (ethernet() + b"\x46", 15),
    "protocol": (ethernet() + ipv4(b"", protocol=17)[:10], 24),
    "data offset": (ethernet() + ipv4(tcp(offset=4))[:33], 47),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_contradiction_counts_from_the_byte_where_it_is_seen(name):
    frame, seen = SEEN[name]
    assert len(frame) == seen
    assert reason(frame, tso(1000)) == "bad_header"
    assert reason(frame[:-1], tso(1000)) == "truncated"
    assert reason(frame, tso(1000), frame_len=seen) == "bad_header"
    assert reason(frame, tso(1000), frame_len=seen - 1) == "length_mismatch", "nothing behind the end that was told is looked at"
    assert reason(frame, tso(1000), frame_len=seen + 1) == "bad_header"


# Lengths. n is 3054 bytes: 54 of headers, three segments of 1000.

LENGTHS = {
    "told right": ({"frame_len": 3054}, None, 0),
    "not told": ({"frame_len": 0}, None, 0),
    "one byte too few told": ({"frame_len": 3053}, "length_mismatch", 2),
    "one byte too many told": ({"frame_len": 3055}, "length_mismatch", 2),
    "told to end with a segment": ({"frame_len": 2054}, "length_mismatch", 1),
    "told to end one byte into a segment": ({"frame_len": 2055}, "length_mismatch", 2),
    "told to end in the first segment": ({"frame_len": 1054}, "length_mismatch", 0),
    "told to end in the headers": ({"frame_len": 20}, "length_mismatch", 0),
    "far too many told": ({"frame_len": 9999}, "length_mismatch", 2),
    "segments of mtu_max": ({"mtu_max": 1054}, None, 0),
    "segments above mtu_max": ({"mtu_max": 1053}, "too_long", 0),
    "above mtu_max before the end that was told": ({"mtu_max": 1053, "frame_len": 1500}, "too_long", 0),
    "above mtu_max behind the end that was told": ({"mtu_max": 1053, "frame_len": 1000}, "length_mismatch", 0),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_a_cut_frame(name):
    options, expected, left = LENGTHS[name]
    frame = tcp_frame(3000, flags=0xFFF)
    # The partial sum is right for the length that was told, and so are the segments that have left.
    told = options.get("frame_len") or 3054
    frame = frame[:50] + slow_sum(pseudo(max(0, told - 34))).to_bytes(2, "big") + frame[52:]
    assert reason(frame, tso(1000), **options) == expected
    if expected:
        with pytest.raises(Refused) as caught:
            segment(frame, tso(1000), Options(**options))
        whole = segment(tcp_frame(3000, flags=0xFFF), tso(1000))
        assert list(caught.value.segments) == whole[:left]


@pytest.mark.parametrize("header", (VirtioNetHdr(), CSUM, tso(2000)), ids=("pass", "checksum", "one segment"))
def test_lengths_of_a_frame_that_leaves_whole(header):
    frame = tcp_frame(946)
    cases = (
        ({"frame_len": 1000}, None),
        ({"frame_len": 999}, "length_mismatch"),
        ({"frame_len": 1001}, "length_mismatch"),
        ({"mtu_max": 1000}, None),
        ({"mtu_max": 999}, "too_long"),
        ({"mtu_max": 999, "frame_len": 0}, "too_long"),
        ({"mtu_max": 999, "frame_len": 999}, "length_mismatch"),
        ({"mtu_max": 900, "frame_len": 950}, "too_long"),
        ({"mtu_max": 999, "frame_len": 1001}, "length_mismatch"),
        ({"mtu_max": 998, "frame_len": 1001}, "too_long"),
    )
    for options, expected in cases:
        assert reason(frame, header, **options) == expected, options


def test_a_checksum_field_outside_the_frame_is_a_bad_request_and_judged_last():
    frame = noise(100)
    for start, offset, expected in (
        (98, 0, None),
        (99, 0, "bad_request"),
        (34, 64, None),
        (34, 65, "bad_request"),
        (65535, 65535, "bad_request"),
    ):
        header = VirtioNetHdr(flags=1, csum_start=start, csum_offset=offset)
        assert reason(frame, header) == expected
        if expected:
            assert reason(frame, header, frame_len=101) == "length_mismatch"
            assert reason(frame, header, mtu_max=99) == "too_long"


def test_a_refusal_says_its_reason_first():
    with pytest.raises(Refused, match="^bad_header: the request is for TCP, the IP protocol is 17$"):
        segment(tcp_frame(3000, ip={"protocol": 17}), tso(1000))


def test_there_is_no_reason_without_a_name():
    assert "bad_keep" not in REASONS
    with pytest.raises(ValueError, match="no reason 'bad_luck'"):
        Refused("bad_luck", "")


# Auto.

AUTO = {"auto": True}
NOT_UNDERSTOOD = {
    "nothing": b"",
    "one byte": b"\0",
    "addresses alone": ethernet()[:12],
    "an Ethernet header alone": ethernet(),
    "ARP": ethernet(0x0806) + noise(46),
    "IPv6": ethernet(0x86DD) + noise(2000),
    "another EtherType before what looks like IPv4": auto_frame(tcp(noise(90)), ethertype=0x0801),
    "another EtherType behind a tag": auto_frame(tcp(noise(90)), ethertype=0x0801, tag=1),
    "two tags": ethernet(0x8100, tag=1) + b"\0\1\x08\0" + ipv4(tcp()),
    "802.1ad": ethernet(0x88A8) + b"\0\1\x08\0" + ipv4(tcp()),
    "an IP header that is cut": auto_frame(tcp())[:33],
    "IP options that are cut": auto_frame(tcp(), options=noise(12), total=32)[:45],
    "version 5": auto_frame(tcp(), version=5),
    "ihl 4": auto_frame(tcp(), ihl=4),
    "a total length below the header's": auto_frame(tcp(), total=19),
    "a total length below the header's, with options": auto_frame(tcp(), options=bytes(8), total=27),
    "total length 0": auto_frame(tcp(), total=0),
    "a packet that ends beyond the frame": auto_frame(tcp(noise(50)), total=91),
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_auto_passes_what_it_does_not_understand(name):
    frame = NOT_UNDERSTOOD[name]
    assert segment(frame, options=Options(**AUTO)) == [frame]


def filled(frame, l4=34, covered=None, protocol=6, field=None):
    """The frame with its sums from scratch: the IP header's, and of ``covered`` bytes from ``l4`` the one at ``field``."""
    wire = bytearray(frame)
    l3 = 18 if frame[12:14] == b"\x81\0" else 14
    wire[l3 + 10 : l3 + 12] = b"\0\0"
    wire[l3 + 10 : l3 + 12] = (0xFFFF - slow_sum(wire[l3:l4])).to_bytes(2, "big")
    if covered is not None:
        at = l4 + (16 if protocol == 6 else 6)
        wire[at : at + 2] = b"\0\0"
        check = 0xFFFF - slow_sum(pseudo(covered, protocol) + wire[l4 : l4 + covered])
        wire[at : at + 2] = (check or 0xFFFF).to_bytes(2, "big")
    return bytes(wire)


FITS = {
    "TCP": (auto_frame(tcp(noise(99))), {"covered": 119}),
    "TCP behind a tag": (auto_frame(tcp(noise(99)), tag=3), {"l4": 38, "covered": 119}),
    "TCP with options": (auto_frame(tcp(noise(9), options=noise(12)), options=noise(8)), {"l4": 42, "covered": 41}),
    "TCP with padding": (auto_frame(tcp(b"ab"), tail=noise(4)), {"covered": 22}),
    "TCP with data offset 0": (auto_frame(tcp(noise(99), offset=0)), {"covered": 119}),
    "TCP of exactly 20 bytes": (auto_frame(tcp()), {"covered": 20}),
    "TCP of 19 bytes": (auto_frame(tcp()[:19]), {}),
    "TCP of 19 bytes with padding": (auto_frame(tcp()[:19], tail=noise(9)), {}),
    "UDP": (auto_frame(udp(noise(99)), protocol=17), {"covered": 107, "protocol": 17}),
    "UDP with padding": (auto_frame(udp(b"ab"), protocol=17, tail=noise(16)), {"covered": 10, "protocol": 17}),
    "UDP without a checksum": (auto_frame(udp(noise(99), check=0), protocol=17), {}),
    "UDP shorter than its packet": (auto_frame(udp(noise(99), length=57), protocol=17), {"covered": 57, "protocol": 17}),
    "UDP longer than its packet": (auto_frame(udp(noise(99), length=108), protocol=17), {}),
    "UDP of length 7": (auto_frame(udp(noise(99), length=7), protocol=17), {}),
    "UDP of length 8": (auto_frame(udp(noise(99), length=8), protocol=17), {"covered": 8, "protocol": 17}),
    "UDP of 7 bytes": (auto_frame(udp()[:7], protocol=17), {}),
    "ICMP": (auto_frame(noise(60), protocol=1), {}),
    "another protocol that looks like UDP": (auto_frame(udp(noise(60)), protocol=136), {}),
    "another protocol that looks like TCP": (auto_frame(tcp(noise(60)), protocol=7), {}),
    "a first fragment": (auto_frame(tcp(noise(99)), fragment=0x2000), {}),
    "a last fragment": (auto_frame(udp(noise(99)), protocol=17, fragment=0x0001), {}),
    "DF and the evil bit are no fragment": (auto_frame(tcp(noise(99)), fragment=0xC000), {"covered": 119}),
    "an IP header alone": (auto_frame(b""), {}),
    "a packet of exactly the MTU": (auto_frame(tcp(noise(1460))), {"covered": 1480}),
    "a packet of the MTU with padding": (auto_frame(tcp(noise(1460)), tail=noise(30)), {"covered": 1480}),
}


@pytest.mark.parametrize("name", FITS)
def test_auto_fills_the_sums_of_what_fits(name):
    frame, sums = FITS[name]
    assert segment(frame, options=Options(**AUTO)) == [filled(frame, **sums)]


@pytest.mark.parametrize("protocol, build, at", ((6, tcp, 16), (17, udp, 6)))
def test_auto_sends_a_checksum_of_zero_as_ffff(protocol, build, at):
    body = build(b"\0\0" + noise(80), check=0)
    rest = slow_sum(pseudo(len(body), protocol) + body)
    body = build((0xFFFF - rest).to_bytes(2, "big") + noise(80), check=1)
    (wire,) = segment(auto_frame(body, protocol=protocol), options=Options(**AUTO))
    assert wire[34 + at : 36 + at] == b"\xff\xff"


def test_auto_leaves_an_ip_header_sum_of_zero_as_zero():
    base = auto_frame(noise(60), protocol=1, ident=0, check=0)
    frame = auto_frame(noise(60), protocol=1, ident=0xFFFF - slow_sum(base[14:34]))
    (wire,) = segment(frame, options=Options(**AUTO))
    assert wire[24:26] == b"\0\0"


def test_auto_fills_nothing_without_the_checksum_feature_and_cuts_nothing_without_the_other():
    assert segment(AUTO_FRAME, options=Options(features={TSO}, **AUTO)) == [AUTO_FRAME]
    big = auto_frame(tcp(noise(3000)))
    assert reason(big, features={CHECKSUM}, **AUTO) == "too_big"
    for one in segment(big, options=Options(features={TSO}, **AUTO)):
        assert_sums_right(one)


CUT = {
    "plain": ({}, {}, 54),
    "a tag": ({"tag": 9}, {}, 58),
    "options": ({"options": noise(20)}, {"options": noise(12)}, 86),
    "padding, which is dropped": ({"tail": noise(7)}, {}, 54),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("mtu", (1500, 576, 1499, 9000))
def test_auto_cuts_tcp_above_the_mtu(name, mtu):
    ip, fields, headers = CUT[name]
    payload = noise(20000)
    frame = auto_frame(tcp(payload, flags=0xFFF, **fields), **ip)
    wire = segment(frame, options=Options(mtu=mtu, **AUTO))
    assert b"".join(one[headers:] for one in wire) == payload
    assert {len(ip_of(one)) for one in wire[:-1]} == {mtu}
    for one in wire:
        assert_sums_right(one)
    assert [one[headers - len(fields.get("options", b"")) - 7] & 0x89 for one in (wire[0], wire[1], wire[-1])] == [0x80, 0, 0x09]


def test_a_packet_one_byte_above_the_mtu_is_cut_in_two():
    assert [len(one) for one in segment(auto_frame(tcp(noise(1461))), options=Options(**AUTO))] == [1514, 55]


def test_mtu_zero_stands_for_1500():
    frame = auto_frame(tcp(noise(5000)))
    assert segment(frame, options=Options(mtu=0, **AUTO)) == segment(frame, options=Options(mtu=1500, **AUTO))


def test_auto_cuts_what_is_there_of_a_frame_shorter_than_it_says():
    frame = auto_frame(tcp(noise(5000)))
    for length, expected in ((54 + 1461, [1514, 55]), (54 + 1460, None), (54, None), (4000, [1514, 1514, 54 + 4000 - 54 - 2920])):
        wire = segment(frame[:length], options=Options(**AUTO))
        assert [len(one) for one in wire] == expected if expected else wire == [frame[:length]]


TOO_BIG = {
    "UDP": (auto_frame(udp(noise(3000)), protocol=17), {}),
    "ICMP": (auto_frame(noise(3000), protocol=1), {}),
    "a fragment": (auto_frame(tcp(noise(3000)), fragment=0x2000), {}),
    "a later fragment": (auto_frame(tcp(noise(3000)), fragment=0x4010), {}),
    "data offset 4": (auto_frame(tcp(noise(3000), offset=4)), {}),
    "no room for payload": (auto_frame(tcp(noise(3000))), {"mtu": 40}),
    "no room for a TCP header": (auto_frame(tcp(noise(3000))), {"mtu": 10}),
    "a TCP header that is cut": (auto_frame(tcp(noise(3000)))[:53], {}),
    "a TCP header that is cut before its data offset": (auto_frame(tcp(noise(3000)))[:46], {}),
    "TCP options that are cut": (auto_frame(tcp(noise(3000), options=noise(12)))[:65], {}),
    "one byte above the MTU": (auto_frame(udp(noise(1473)), protocol=17), {}),
}


@pytest.mark.parametrize("name", TOO_BIG)
def test_auto_refuses_what_it_cannot_cut(name):
    frame, options = TOO_BIG[name]
    assert reason(frame, **AUTO, **options) == "too_big"
    assert reason(frame, frame_len=40, mtu_max=50, **AUTO, **options) == "too_big", "before the lengths are looked at"


def test_one_byte_of_payload_a_segment_is_room_enough():
    wire = segment(auto_frame(tcp(noise(50))), options=Options(mtu=41, **AUTO))
    assert [len(one) for one in wire] == [55] * 50


BIG = auto_frame(tcp(noise(80000)), total=0)
BIG_TCP = {
    "the real length": (BIG, {}, True),
    "a length that was told": (BIG, {"frame_len": len(BIG)}, True),
    "no length": (BIG, {"frame_len": 0, "mtu_max": 100000}, False),
    "a packet of 65536 bytes": (BIG[: 14 + 65536], {}, True),
    "a packet of 65535 bytes": (BIG[: 14 + 65535], {"mtu_max": 100000}, False),
}


@pytest.mark.parametrize("name", BIG_TCP)
def test_big_tcp_is_understood_with(name):
    frame, options, is_cut = BIG_TCP[name]
    wire = segment(frame, options=Options(**AUTO, **options))
    assert (len(wire) > 1) == is_cut
    if is_cut:
        assert b"".join(one[54:] for one in wire) == frame[54:]
        for one in wire:
            assert_sums_right(one)
    else:
        assert wire == [frame]


def test_auto_judges_lengths_as_any_request():
    frame = auto_frame(tcp(noise(3000)))
    assert reason(frame, mtu_max=1513, **AUTO) == "too_long"
    assert reason(frame, mtu_max=1514, **AUTO) is None
    with pytest.raises(Refused) as caught:
        segment(frame, options=Options(frame_len=3000, **AUTO))
    assert caught.value.reason == "length_mismatch"
    assert list(caught.value.segments) == segment(frame, options=Options(**AUTO))[:2]


# Options themselves.

RANGES = {
    "mtu": (0, 65535),
    "mtu_max": (1, (1 << 20) - 1),
    "frame_len": (0, (1 << 20) - 1),
    "tcp_keep_first": (0, 0xFFF),
    "tcp_keep_middle": (0, 0xFFF),
    "tcp_keep_last": (0, 0xFFF),
}


@pytest.mark.parametrize("name", RANGES)
def test_an_option_out_of_range_is_refused_by_name(name):
    least, greatest = RANGES[name]
    for value in RANGES[name]:
        Options(**{name: value})
    for value in (least - 1, greatest + 1):
        with pytest.raises(ValueError, match=f"{name} must lie between {least} and {greatest}, not {value}"):
            Options(**{name: value})


def test_the_default_is_no_auto_an_mtu_of_1500_and_wire_frames_of_9216_bytes():
    assert Options() == Options(auto=False, mtu=1500, mtu_max=9216, frame_len=None)


def test_an_unknown_feature_is_refused_by_name():
    with pytest.raises(ValueError, match="no feature 'rx-gro'"):
        Options(features={"rx-gro"})
    assert Options().features == FEATURES == {TSO, CHECKSUM}
