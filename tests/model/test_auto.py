"""Auto: what becomes of a frame without a request."""

import struct

import pytest

from offcut_model import FEATURES, Options, Refused, segment

from .build import (
    ADDRESSES6,
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    JUMBO,
    ROUTING,
    assert_packet_right,
    assert_sums_right,
    auto6_frame,
    auto_frame,
    ethernet,
    extensions,
    field,
    ip_of,
    ipv4,
    ipv6,
    noise,
    pseudo,
    reason,
    slow_sum,
    tcp,
    udp,
)

TSO, CHECKSUM = "tx-tcp-segmentation", "tx-checksum-ip-generic"
AUTO_FRAME = auto_frame(tcp(noise(100)))
AUTO = {"auto": True}
NOT_UNDERSTOOD = {
    "nothing": b"",
    "one byte": b"\0",
    "addresses alone": ethernet()[:12],
    "an Ethernet header alone": ethernet(),
    "ARP": ethernet(0x0806) + noise(46),
    "version 0 in place of IPv6": ethernet(0x86DD) + bytes(2000),
    "another EtherType before what looks like IPv4": auto_frame(tcp(noise(90)), ethertype=0x0801),
    "another EtherType behind a tag": auto_frame(tcp(noise(90)), ethertype=0x0801, tag=1),
    "another EtherType behind two tags": ethernet(0x8100, tag=1) + b"\0\1\x08\1" + ipv4(tcp()),
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


# Tags and IPv6.


def test_tags_are_passed_over_as_many_as_there_are():
    for count in range(5):
        tags = ((0x88A8, 1), (0x8100, 2), (0x8100, 3), (0x88A8, 4))[:count]
        frame = ethernet(tags=tags) + ipv4(tcp(noise(5000)))
        wire = segment(frame, options=Options(**AUTO))
        assert len(wire) == 4
        for one in wire:
            assert one[: 14 + 4 * count] == frame[: 14 + 4 * count]
            assert_packet_right(one[14 + 4 * count :], protocol=6)


NOT_UNDERSTOOD_6 = {
    "39 bytes of an IPv6 header": auto6_frame(tcp())[: 14 + 39],
    "version 4": auto6_frame(tcp(noise(2000)), version=4),
    "tags without end": ethernet(0x86DD, tags=((0x8100, 1),) * 61) + ipv6(tcp(noise(2000))),
    "an IP header that ends behind 256 bytes": ethernet(0x86DD, tags=((0x8100, 1),) * 51) + ipv6(tcp(noise(2000))),
    "an IPv4 header that ends behind 256 bytes": ethernet(tags=((0x8100, 1),) * 56) + ipv4(tcp(noise(2000))),
    "a packet that ends beyond the frame": auto6_frame(tcp(noise(50)), length=71),
    "payload length 0": auto6_frame(tcp(noise(50)), length=0),
    "payload length 0 of a long frame": auto6_frame(tcp(noise(3000)), length=0),
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD_6)
def test_over_ipv6_auto_passes(name):
    frame = NOT_UNDERSTOOD_6[name]
    assert segment(frame, options=Options(**AUTO)) == [frame]


def test_the_last_ip_header_that_is_understood_ends_within_256_bytes():
    frame = ethernet(tags=((0x8100, 1),) * 55) + ipv4(tcp(noise(99)))
    assert segment(frame, options=Options(**AUTO)) != [frame]
    frame = ethernet(0x86DD, tags=((0x8100, 1),) * 50) + ipv6(tcp(noise(99)))
    assert segment(frame, options=Options(**AUTO)) != [frame]


def filled6(frame, l4, protocol, covered):
    """The frame with the checksum of ``covered`` bytes from ``l4`` on from scratch."""
    at = l4 + (16 if protocol == 6 else 6)
    cleared = frame[:at] + b"\0\0" + frame[at + 2 :]
    check = 0xFFFF - slow_sum(pseudo(covered, protocol, 6) + cleared[l4 : l4 + covered])
    return frame[:at] + struct.pack("!H", check or 0xFFFF) + frame[at + 2 :]


ALL_THREE = (HOP_BY_HOP, ROUTING, DESTINATION)
FITS_6 = {
    "TCP": (auto6_frame(tcp(noise(99))), (54, 6, 119)),
    "TCP behind extension headers": (auto6_frame(tcp(noise(99)), through=ALL_THREE), (78, 6, 119)),
    "TCP with padding": (auto6_frame(tcp(), tail=noise(3)), (54, 6, 20)),
    "TCP of 19 bytes": (auto6_frame(tcp()[:19]), None),
    "UDP": (auto6_frame(udp(noise(98)), protocol=17), (54, 17, 106)),
    "UDP behind extension headers": (auto6_frame(udp(noise(98)), protocol=17, through=ALL_THREE), (78, 17, 106)),
    "UDP with a checksum of 0, which over IPv6 is none": (auto6_frame(udp(noise(98), check=0), protocol=17), (54, 17, 106)),
    "UDP shorter than its packet": (auto6_frame(udp(noise(98), length=50), protocol=17), (54, 17, 50)),
    "UDP longer than its packet": (auto6_frame(udp(noise(98), length=107), protocol=17), None),
    "UDP of 7 bytes": (auto6_frame(udp()[:7], protocol=17), None),
    "ICMPv6": (auto6_frame(noise(60), protocol=58), None),
    "a fragment": (auto6_frame(udp(noise(98)), protocol=17, through=(FRAGMENT,)), None),
    "no next header": (auto6_frame(noise(60), protocol=59), None),
    "a routing header with segments left": (auto6_frame(tcp(noise(99)), chain=b"\x06\0\0\1\0\0\0\0", next_header=ROUTING), None),
    "segments left of what is no routing header": (
        auto6_frame(tcp(noise(99)), chain=b"\x06\0\0\1\0\0\0\0", next_header=DESTINATION),
        (62, 6, 119),
    ),
    "extension headers that end at 256": (
        auto6_frame(tcp(noise(99)), chain=extensions((DESTINATION,), 6, 200), next_header=60),
        (254, 6, 119),
    ),
    "extension headers that end behind it": (auto6_frame(tcp(noise(99)), chain=extensions((DESTINATION,), 6, 208), next_header=60), None),
    "extension headers longer than the packet": (auto6_frame(noise(60), chain=b"\x06\xff\1\4\0\0\0\0", next_header=60), None),
    "a UDP header that ends behind 256": (
        auto6_frame(udp(noise(99)), protocol=17, chain=extensions((DESTINATION,), 17, 200), next_header=60),
        None,
    ),
    "a packet of exactly the MTU": (auto6_frame(tcp(noise(1440))), (54, 6, 1460)),
}


@pytest.mark.parametrize("name", FITS_6)
def test_over_ipv6_auto_fills_the_sum_of_what_fits(name):
    frame, sums = FITS_6[name]
    assert segment(frame, options=Options(**AUTO)) == [filled6(frame, *sums) if sums else frame]


@pytest.mark.parametrize("through", ((), (HOP_BY_HOP,), ALL_THREE))
def test_over_ipv6_auto_cuts_tcp_above_the_mtu(through):
    payload = noise(20000)
    frame = auto6_frame(tcp(payload, flags=0xFFF, options=noise(12)), through=through, tail=noise(9))
    front = 14 + 40 + 8 * len(through) + 32
    wire = segment(frame, options=Options(**AUTO))
    assert b"".join(one[front:] for one in wire) == payload
    assert {len(one) for one in wire[:-1]} == {1514}
    for one in wire:
        assert_packet_right(one[14:], protocol=6)


def jumbogram(payload, first=JUMBO):
    body = tcp(noise(payload))
    return ethernet(0x86DD) + ipv6(body, chain=first + struct.pack("!I", len(body) + 8), next_header=0, length=0)


def test_over_ipv6_auto_cuts_big_tcp_and_leaves_the_jumbo_header_out():
    for payload, is_stripped in ((65_536 - 68, False), (65_537 - 68, True), (300_000, True)):
        frame = jumbogram(payload)
        wire = segment(frame, options=Options(**AUTO))
        front = 74 if is_stripped else 82
        assert b"".join(one[front:] for one in wire) == frame[82:]
        assert {len(one) for one in wire[:-1]} == {1514 - 8 * is_stripped}, "the MTU counts with it"
        for one in wire:
            assert_packet_right(one[14:], protocol=6)


def test_over_ipv6_big_tcp_needs_a_length_that_was_told_and_is_not_small():
    frame = jumbogram(80_000)
    assert segment(frame, options=Options(frame_len=0, mtu_max=100_000, **AUTO)) == [frame]
    frame = jumbogram(65_535 - 68)
    assert segment(frame, options=Options(mtu_max=100_000, **AUTO)) == [frame]


def test_another_hop_by_hop_header_above_64_kib_is_not_looked_behind():
    assert reason(jumbogram(80_000, first=b"\x06\x00\x01\x04"), **AUTO) == "too_big"
    frame = auto6_frame(tcp(noise(99)), through=(HOP_BY_HOP,), tail=bytes(70_000))
    assert segment(frame, options=Options(mtu_max=100_000, **AUTO)) == [frame], "whatever the packet's own length"


# UDP above the MTU.


USO_CUT = {
    "IPv4": (auto_frame(udp(noise(5000)), protocol=17), 42),
    "IPv4 with DF clear": (auto_frame(udp(noise(5000)), protocol=17, fragment=0), 42),
    "IPv4 with options": (auto_frame(udp(noise(5000)), protocol=17, options=noise(8)), 50),
    "IPv6": (auto6_frame(udp(noise(5000)), protocol=17), 62),
    "IPv6 with extension headers": (auto6_frame(udp(noise(5000)), protocol=17, through=ALL_THREE), 86),
    "IPv6 with a checksum of 0": (auto6_frame(udp(noise(5000), check=0), protocol=17), 62),
    "with padding": (auto_frame(udp(noise(5000)), protocol=17, tail=noise(7)), 42),
}


@pytest.mark.parametrize("name", USO_CUT)
@pytest.mark.parametrize("uso_size", (1000, 1272, 1410))
def test_with_a_uso_size_auto_cuts_udp_into_datagrams(name, uso_size):
    frame, front = USO_CUT[name]
    wire = segment(frame, options=Options(uso_size=uso_size, **AUTO))
    assert b"".join(one[front:] for one in wire) == noise(5000)
    assert {len(one) - front for one in wire[:-1]} == {uso_size}
    for one in wire:
        assert_packet_right(one[14:], protocol=17)
        assert field(one, front - 2, 2) != 0


def test_there_may_be_more_than_128_datagrams():
    assert len(segment(auto_frame(udp(noise(5000)), protocol=17), options=Options(uso_size=10, **AUTO))) == 500


def test_a_datagram_without_a_checksum_is_cut_into_such():
    wire = segment(auto_frame(udp(noise(5000), check=0), protocol=17), options=Options(uso_size=1000, **AUTO))
    assert [field(one, 38, 4) for one in wire] == [1008 << 16] * 5


UFO_CUT = {
    "plain": ({}, {}, 1480),
    "options": ({"options": noise(12)}, {}, 1464),
    "an MTU of 576": ({}, {"mtu": 576}, 552),
    "the least MTU": ({}, {"mtu": 28}, 8),
    "padding": ({"tail": noise(7)}, {}, 1480),
    "header first": ({}, {"ufo_order": "first"}, 1480),
}


@pytest.mark.parametrize("check", (0xBAD2, 0))
@pytest.mark.parametrize("name", UFO_CUT)
def test_without_a_uso_size_auto_fragments_udp_over_ipv4(name, check):
    ip, options, size = UFO_CUT[name]
    frame = auto_frame(udp(noise(5001), check=check), protocol=17, fragment=0, **ip)
    wire = segment(frame, options=Options(**AUTO, **options))
    if options.get("ufo_order") != "first":
        wire = wire[-1:] + wire[:-1]
    l4 = 34 + len(ip.get("options", b""))
    datagram = b"".join(one[l4:] for one in wire)
    assert [field(one, 20, 2) for one in wire] == [
        size // 8 * number | (0x2000 if number + 1 < len(wire) else 0) for number in range(len(wire))
    ]
    assert {len(one) - l4 for one in wire[:-1]} == {size}
    assert datagram[:6] + datagram[8:] == frame[l4 : l4 + 6] + noise(5001)
    if check:
        assert slow_sum(pseudo(5009, 17) + datagram) == 0xFFFF
    else:
        assert datagram[6:8] == b"\0\0"


MORE_TOO_BIG = {
    "UDP with DF": (auto_frame(udp(noise(3000)), protocol=17, fragment=0x4000), {}),
    "UDP over IPv6": (auto6_frame(udp(noise(3000)), protocol=17), {}),
    "UDP shorter than its packet": (auto_frame(udp(noise(3000), length=3007), protocol=17, fragment=0), {}),
    "UDP longer than its packet, with a uso_size": (auto_frame(udp(noise(3000), length=3009), protocol=17), {"uso_size": 1000}),
    "no room for a datagram": (auto_frame(udp(noise(3000)), protocol=17), {"uso_size": 1473}),
    "no room for a datagram over IPv6": (auto6_frame(udp(noise(3000)), protocol=17), {"uso_size": 1453}),
    "no room for a fragment": (auto_frame(udp(noise(3000)), protocol=17, fragment=0), {"mtu": 27}),
    "a UDP header that is cut": (auto_frame(udp(noise(3000)), protocol=17, fragment=0)[:41], {}),
    "a first fragment": (auto_frame(udp(noise(3000)), protocol=17, fragment=0x2000), {"uso_size": 1000}),
    "an IPv6 fragment": (auto6_frame(udp(noise(3000)), protocol=17, through=(FRAGMENT,)), {"uso_size": 1000}),
    "segments left to route": (auto6_frame(tcp(noise(3000)), chain=b"\x06\0\0\1\0\0\0\0", next_header=ROUTING), {}),
    "an extension header that is cut": (auto6_frame(tcp(noise(3000)), through=(DESTINATION,))[:60], {}),
    "a TCP header that ends behind 256 bytes": (
        auto6_frame(tcp(noise(3000), options=bytes(12)), chain=extensions((DESTINATION,), 6, 176), next_header=60),
        {},
    ),
    "TCP whose headers leave with more than 256": (
        auto6_frame(tcp(noise(3000)), chain=extensions((DESTINATION,), 6, 176), next_header=60, tags=((0x8100, 1),)),
        {"vlan_tci": 1},
    ),
    "ICMPv6": (auto6_frame(noise(3000), protocol=58), {}),
    "IP in IP": (auto_frame(ipv4(tcp(noise(3000))), protocol=4), {}),
    "an empty IPv6 packet above the MTU": (auto6_frame(tcp(), length=0), {"mtu": 39}),
    "TCP switched off": (auto_frame(tcp(noise(3000))), {"disable": {TSO}}),
    "TCP over IPv6 switched off": (auto6_frame(tcp(noise(3000))), {"disable": {"tx-tcp6-segmentation"}}),
    "datagrams switched off": (
        auto_frame(udp(noise(3000)), protocol=17, fragment=0),
        {"uso_size": 1000, "disable": {"tx-udp-segmentation"}},
    ),
    "fragments switched off": (auto_frame(udp(noise(3000)), protocol=17, fragment=0), {"disable": {"tx-udp-fragmentation"}}),
}


@pytest.mark.parametrize("name", MORE_TOO_BIG)
def test_more_that_auto_refuses(name):
    frame, options = MORE_TOO_BIG[name]
    assert reason(frame, **AUTO, **options) == "too_big"


JUST_NOT_TOO_BIG = {
    "a datagram has room": (auto_frame(udp(noise(3000)), protocol=17), {"uso_size": 1472}),
    "a datagram over IPv6 has room": (auto6_frame(udp(noise(3000)), protocol=17), {"uso_size": 1452}),
    "headers of 254 bytes": (
        auto6_frame(tcp(noise(3000)), chain=extensions((DESTINATION,), 6, 176), next_header=60, tags=((0x8100, 1),)),
        {},
    ),
    "headers of 254 bytes with a tag": (
        auto6_frame(tcp(noise(3000)), chain=extensions((DESTINATION,), 6, 176), next_header=60),
        {"vlan_tci": 1},
    ),
    "no feature but TCP": (auto_frame(tcp(noise(3000))), {"features": {TSO}}),
    "no feature but TCP over IPv6": (auto6_frame(tcp(noise(3000))), {"features": {"tx-tcp6-segmentation"}}),
    "no feature but datagrams": (auto6_frame(udp(noise(3000)), protocol=17), {"uso_size": 1000, "features": {"tx-udp-segmentation"}}),
    "no feature but fragments": (auto_frame(udp(noise(3000)), protocol=17, fragment=0), {"features": {"tx-udp-fragmentation"}}),
}


@pytest.mark.parametrize("name", JUST_NOT_TOO_BIG)
def test_auto_cuts_where(name):
    frame, options = JUST_NOT_TOO_BIG[name]
    assert len(segment(frame, options=Options(**AUTO, **options))) > 1


SHORTER = {
    "datagrams": (auto_frame(udp(noise(5000)), protocol=17), {"uso_size": 1000}, 42 + 1000),
    "fragments": (auto_frame(udp(noise(5000)), protocol=17, fragment=0), {}, 34 + 1480),
    "TCP over IPv6": (auto6_frame(tcp(noise(5000))), {}, 74 + 1440),
}


@pytest.mark.parametrize("name", SHORTER)
def test_what_is_there_of_a_frame_shorter_than_it_says_is_cut(name):
    frame, options, one = SHORTER[name]
    assert segment(frame[:one], options=Options(**AUTO, **options)) == [frame[:one]]
    wire = segment(frame[: one + 1], options=Options(**AUTO, **options))
    assert len(wire) == 2


def test_without_a_length_that_was_told_a_shorter_frame_is_cut_into_one():
    frame = auto_frame(tcp(noise(5000), flags=0xFFF))[:500]
    (wire,) = segment(frame, options=Options(frame_len=0, **AUTO))
    assert_sums_right(wire)
    assert wire[54:] == frame[54:]
    assert field(wire, 46, 2) == 0x5FFF, "and keeps all flags"


ID_MODES = {
    "counted": ({}, [0x7FFF, 0x8000, 0x8001, 0x8002]),
    "fixed": ({"id_mode": 1}, [0x7FFF] * 4),
    "in 15 bits": ({"id_mode": 2}, [0x7FFF, 0, 1, 2]),
    "kept in this frame": ({"keep_id": True}, [0x7FFF] * 4),
    "kept in this frame, which is switched off": (
        {"keep_id": True, "disable": {"tx-tcp-mangleid-segmentation"}},
        [0x7FFF, 0x8000, 0x8001, 0x8002],
    ),
}


@pytest.mark.parametrize("name", ID_MODES)
def test_auto_counts_ids_as_any_request(name):
    options, expected = ID_MODES[name]
    wire = segment(auto_frame(tcp(noise(5000)), ident=0x7FFF), options=Options(**AUTO, **options))
    assert [field(one, 18, 2) for one in wire] == expected


def test_addresses_of_the_header_count_behind_a_routing_header_without_segments_left():
    (wire,) = segment(auto6_frame(tcp(noise(99)), through=(ROUTING,)), options=Options(**AUTO))
    body = wire[62:]
    assert slow_sum(ADDRESSES6 + struct.pack("!II", len(body), 6) + body) == 0xFFFF


def test_no_feature_at_all_leaves_every_frame_that_fits_as_it_is():
    for frame in (AUTO_FRAME, auto6_frame(tcp(noise(99))), auto_frame(udp(noise(99)), protocol=17)):
        assert segment(frame, options=Options(features=FEATURES - {CHECKSUM}, **AUTO)) == [frame]
