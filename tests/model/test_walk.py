"""The walk: words, in their order, and what it says when it cannot go on."""

import pytest

from .build import (
    DESTINATION,
    HOP_BY_HOP,
    TCPV4,
    TCPV6,
    USO,
    ethernet,
    extensions,
    gre,
    ipv4,
    ipv6,
    noise,
    reason,
    tcp,
    tcp6_frame,
    tcp_frame,
    tso,
    tso6,
    udp,
    udp_frame,
    udp_tunnel,
    ufo,
    uso,
)

WHOLE = {
    "TCP over IPv4": (tcp_frame(0), tso(1000), 54),
    "TCP with all options": (tcp_frame(0, tag=1, options=noise(40), ip={"options": noise(40)}), tso(1000, csum_start=78), 138),
    "TCP over IPv6": (tcp6_frame(0), tso6(1000), 74),
    "TCP behind extension headers": (tcp6_frame(0, ip={"through": (HOP_BY_HOP, DESTINATION)}), tso6(1000, csum_start=70), 90),
    "datagrams": (udp_frame(0), uso(1000), 42),
    "fragments, whose UDP header must be there": (udp_frame(0), ufo(1000), 42),
    "TCP in a UDP tunnel": (udp_tunnel(0, opaque=22)[1], udp_tunnel(0, opaque=22)[0], 104),
    "UDP in a UDP tunnel": (udp_tunnel(0, base=USO)[1], udp_tunnel(0, base=USO)[0], 78),
    "IP in IP": (ethernet() + ipv4(ipv4(tcp()), protocol=4), tso(1000, csum_start=54), 74),
    "GRE": (ethernet() + ipv4(gre(ipv4(tcp()), key=1), protocol=47), tso(1000, csum_start=62), 82),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_frame_that_ends_before_the_end_of_its_headers_is_truncated(name):
    frame, header, headers = WHOLE[name]
    assert len(frame) == headers
    assert reason(frame, header) is None
    for length in range(len(frame)):
        assert reason(frame[:length], header) == "truncated", length
        assert reason(frame[:length], header, frame_len=0) == "truncated", length
        assert reason(frame[:length], header, frame_len=len(frame)) == "length_mismatch", length
        if length:
            assert reason(frame, header, frame_len=length) == "length_mismatch", length


def replaced(frame, at, data):
    return frame[:at] + data + frame[at + len(data) :]


VXLAN_HEADER, VXLAN = udp_tunnel(3000, opaque=22)
IPIP = ethernet() + ipv4(ipv4(tcp(noise(3000))), protocol=4)
GRE = ethernet() + ipv4(gre(ipv4(tcp(noise(3000))), check=0), protocol=47)
CHAIN = tcp6_frame(3000, ip={"through": (DESTINATION, HOP_BY_HOP)})
SEEN = {
    "EtherType": (replaced(tcp_frame(3000), 12, b"\x08\x06"), tso(1000), 16),
    "EtherType behind two tags": (ethernet(0x0806, tags=((0x88A8, 1), (0x8100, 2))) + bytes(99), tso(1000), 24),
    "IPv6 version": (replaced(tcp6_frame(3000), 14, b"\x40"), tso6(1000), 18),
    "IPv6 next header": (replaced(tcp6_frame(3000), 20, b"\x11"), tso6(1000), 22),
    "the first extension header's next header": (replaced(CHAIN, 54, b"\x33"), tso6(1000, csum_start=70), 58),
    "the second extension header's next header": (replaced(CHAIN, 62, b"\x2c"), tso6(1000, csum_start=70), 66),
    "csum_start, behind an IPv6 header": (tcp6_frame(3000), tso6(1000, csum_start=53), 58),
    "csum_start, behind IPv4 options": (tcp_frame(3000, ip={"options": bytes(8)}), tso(1000), 46),
    "csum_start, of UDP": (udp_frame(3000), uso(1000, csum_start=36), 38),
    "csum_start, of fragments": (udp_frame(3000), ufo(1000, csum_start=35), 38),
    "data offset": (replaced(tcp_frame(3000), 46, b"\x40"), tso(1000), 50),
    "outer family": (replaced(VXLAN, 12, b"\x86\xdd"), VXLAN_HEADER, 16),
    "outer protocol": (replaced(VXLAN, 23, b"\x06"), VXLAN_HEADER, 26),
    "outer_th_offset": (*udp_tunnel(3000, outer_ip={"options": bytes(8)}, request={"outer_th_offset": 34})[::-1], 46),
    "inner version": (replaced(VXLAN, 64, b"\x65"), VXLAN_HEADER, 68),
    "inner protocol": (replaced(VXLAN, 73, b"\x11"), VXLAN_HEADER, 76),
    "inner csum_start": (VXLAN, udp_tunnel(3000, opaque=22, request={"csum_start": 88})[0], 88),
    "inner version of UDP": (*udp_tunnel(3000, base=USO, opaque=22, inner={"version": 5})[::-1], 68),
    "inner IP in IP": (replaced(IPIP, 43, b"\x04"), tso(1000, csum_start=54), 46),
    "GRE flags": (replaced(GRE, 35, b"\x01"), tso(1000, csum_start=62), 38),
    "GRE protocol": (replaced(GRE, 36, b"\x08\x06"), tso(1000, csum_start=62), 38),
    "GRE checksum without NEEDS_CSUM": (GRE, tso(1000, flags=0), 38),
    "version behind GRE": (replaced(GRE, 42, b"\x55"), tso(1000, csum_start=62), 46),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_contradiction_counts_with_its_word_and_not_a_byte_before(name):
    frame, header, seen = SEEN[name]
    assert reason(frame, header) == "bad_header"
    assert reason(frame[:seen], header) == "bad_header"
    assert reason(frame[: seen - 1], header) == "truncated"
    assert reason(frame, header, frame_len=seen) == "bad_header"
    assert reason(frame, header, frame_len=seen - 1) == "length_mismatch", "nothing behind the end that was told is looked at"


@pytest.mark.parametrize(
    "header, frame, feature",
    (
        (tso(1000, flags=0), GRE, "tx-gre-csum-segmentation"),
        (tso(1000, csum_start=62), replaced(GRE, 36, b"\x08\x06"), "tx-gre-csum-segmentation"),
    ),
)
def test_a_word_that_contradicts_and_asks_for_what_is_switched_off_contradicts(header, frame, feature):
    assert reason(frame, header, disable={feature}) == "bad_header"


# 256 bytes.


def tagged(count, packet, ethertype=0x0800):
    return ethernet(ethertype, tags=((0x8100, 1),) * count) + packet


def with_options(size):
    """A TCP frame whose headers have ``size`` bytes, and its request: tags, and as many options as are left."""
    tags = (size - 54) // 4 - 10
    frame = ethernet(tags=((0x8100, 1),) * tags) + ipv4(tcp(noise(3000), options=bytes(size - 54 - 4 * tags)))
    return frame, tso(1000, csum_start=34 + 4 * tags)


def destination_options(size, build, protocol, **request):
    """A frame over IPv6 with a destination options header of ``size`` bytes, and its request."""
    chain = extensions((DESTINATION,), protocol, size=size)
    frame = ethernet(0x86DD) + ipv6(build(noise(3000)), protocol=protocol, chain=chain, next_header=DESTINATION)
    return frame, {"csum_start": 54 + size} | request


def tunnel_of(opaque, **fields):
    header, frame = udp_tunnel(3000, opaque=opaque, **fields)
    return frame, header


UDP6, UDP6_REQUEST = destination_options(192, udp, 17)
LONG = {
    "headers of 254 bytes": (*with_options(254), {}, None),
    "headers of 258 bytes": (*with_options(258), {}, "header_too_long"),
    "headers of 250 bytes and a tag": (*with_options(250), {"vlan_tci": 1}, None),
    "headers of 254 bytes and a tag": (*with_options(254), {"vlan_tci": 1}, "header_too_long"),
    "the EtherType in the last word": (tagged(60, bytes(2)), tso(1000), {}, "header_too_long"),
    "no EtherType in 256 bytes": (tagged(61, bytes(99)), tso(1000), {}, "header_too_long"),
    "another EtherType in the last word": (tagged(60, bytes(99), 0x0806), tso(1000), {}, "bad_header"),
    "another EtherType behind it": (tagged(61, bytes(99), 0x0806), tso(1000), {}, "header_too_long"),
    "a UDP header that ends at 254": (UDP6, uso(1000, **UDP6_REQUEST), {}, None),
    "an IPv6 fragment header that ends at 254": (UDP6, ufo(1000, **UDP6_REQUEST), {}, None),
    "and a tag": (UDP6, ufo(1000, **UDP6_REQUEST), {"vlan_tci": 1}, "header_too_long"),
    "and a tag, in one fragment": (UDP6, ufo(65528, **UDP6_REQUEST), {"vlan_tci": 1}, "header_too_long"),
    "a tunnel of 254 bytes": (*tunnel_of(172), {}, None),
    "a tunnel of 256 bytes": (*tunnel_of(174), {}, None),
    "a tunnel of 258 bytes": (*tunnel_of(176), {}, "header_too_long"),
    "a tunnel of 256 bytes and a tag": (*tunnel_of(174), {"vlan_tci": 1}, "header_too_long"),
    "opaque bytes beyond 256": (*tunnel_of(300), {}, "header_too_long"),
    "a contradiction beyond 256": (*tunnel_of(300, inner={"version": 7}), {}, "header_too_long"),
}


@pytest.mark.parametrize("name", LONG)
def test_headers_fit_into_256_bytes_as_they_come_and_as_they_leave(name):
    frame, header, options, expected = LONG[name]
    assert reason(frame, header, **options) == expected


def test_of_a_word_that_is_neither_there_nor_within_256_bytes_the_latter_counts():
    frame, header = tunnel_of(300)
    assert reason(frame[:258], header) == "header_too_long"
    assert reason(frame[:256], header) == "header_too_long"
    assert reason(frame[:253], header) == "truncated"
    assert reason(frame[:253], header, frame_len=9999) == "length_mismatch"
    assert reason(frame[:256], header, frame_len=9999) == "header_too_long"


def test_a_fragments_udp_header_must_lie_within_256_bytes_though_it_is_payload():
    # Walked, it ends at 256 + 2; what leaves would have fitted.
    chain = extensions((DESTINATION,), 17, size=192)
    frame = ethernet(0x86DD, tags=((0x8100, 1),)) + ipv6(udp(noise(3000)), protocol=17, chain=chain, next_header=DESTINATION)
    assert reason(frame, ufo(1000, csum_start=250)) == "header_too_long"


TYPES = {
    "TCPv4 over IPv6": (tcp6_frame(3000), tso6(1000, gso_type=TCPV4), "bad_header"),
    "TCPv6 over IPv4": (tcp_frame(3000), tso(1000, gso_type=TCPV6), "bad_header"),
    "TCPv4 over UDP": (udp_frame(3000), tso(1000), "bad_header"),
    "UDP_L4 over TCP": (tcp_frame(3000), uso(1000), "bad_header"),
    "fragments of TCP": (tcp_frame(3000), ufo(1000), "bad_header"),
    "UDP_L4 over IPv6": (udp_frame(3000, version=6), uso(1000, csum_start=54), None),
    "fragments over IPv6": (udp_frame(3000, version=6), ufo(1000, csum_start=54), None),
}


@pytest.mark.parametrize("name", TYPES)
def test_the_type_names_the_innermost_headers(name):
    frame, header, expected = TYPES[name]
    assert reason(frame, header) == expected
