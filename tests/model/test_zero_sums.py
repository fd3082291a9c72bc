"""Checksums that come out as 0x0000: which of them are sent so, and which as 0xFFFF."""

import pytest

from offcut_model import Options, VirtioNetHdr, segment

from .build import (
    TCPV6,
    USO,
    auto6_frame,
    auto_frame,
    ethernet,
    field,
    gre,
    ipv4,
    noise,
    partial,
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


def tunnelled(**fields):
    header, frame = udp_tunnel(3000, **fields)
    return frame, header


GRE = ethernet() + ipv4(gre(ipv4(partial(tcp, noise(3000)), ident=7), check=0, key=5), protocol=47)
IPIP = ethernet() + ipv4(ipv4(partial(tcp, noise(3000)), ident=7), protocol=4)
NOTHING = VirtioNetHdr()
AUTO = {"auto": True}

ZEROES = {
    # frame, request, options; of which wire frame the checksum field at which byte; a halfword of the frame that its sum covers; what is sent
    "TCP, cut": (tcp_frame(3000), tso(1000), {}, 1, 50, 1060, 0x0000),
    "TCP, cut, the last segment": (tcp_frame(3000), tso(1000), {}, 2, 50, 2060, 0x0000),
    "TCP, cut, without NEEDS_CSUM": (tcp_frame(3000), tso(1000, flags=0), {}, 1, 50, 1060, 0x0000),
    "TCP, cut, the length unknown": (tcp_frame(3000, ip={"total": 0}), tso(1000), {"frame_len": 0}, 1, 50, 1060, 0x0000),
    "TCP in one segment": (tcp_frame(1000), tso(1000), {}, 0, 50, 60, 0xFFFF),
    "TCP over IPv6, cut": (tcp6_frame(3000), tso6(1000), {}, 1, 70, 1080, 0x0000),
    "TCP over IPv6 in one segment": (tcp6_frame(1000), tso6(1000), {}, 0, 70, 80, 0xFFFF),
    "a TCP checksum": (tcp_frame(1000), VirtioNetHdr(flags=1, csum_start=34, csum_offset=16), {}, 0, 50, 60, 0xFFFF),
    "any checksum": (noise(100), VirtioNetHdr(flags=1, csum_start=20, csum_offset=3), {}, 0, 23, 60, 0xFFFF),
    "datagrams": (udp_frame(3000), uso(1000), {}, 1, 40, 1052, 0xFFFF),
    "datagrams over IPv6": (udp_frame(3000, version=6), uso(1000, csum_start=54), {}, 1, 60, 1072, 0xFFFF),
    "one datagram": (udp_frame(1000), uso(1000), {}, 0, 40, 52, 0xFFFF),
    "fragments": (udp_frame(3000), ufo(1000), {"ufo_order": "first"}, 0, 40, 2052, 0xFFFF),
    "fragments over IPv6": (udp_frame(3000, version=6), ufo(1000, csum_start=54), {"ufo_order": "first"}, 0, 68, 2072, 0xFFFF),
    "TCP in a UDP tunnel": (*tunnelled(), {}, 1, 86, 1100, 0x0000),
    "TCP over IPv6 in a UDP tunnel": (*tunnelled(base=TCPV6), {}, 1, 106, 1120, 0x0000),
    "TCP in a UDP tunnel in one segment": (udp_tunnel(1000)[1], udp_tunnel(1000)[0], {}, 0, 86, 100, 0xFFFF),
    "UDP in a UDP tunnel": (*tunnelled(base=USO), {}, 1, 76, 1100, 0xFFFF),
    "the UDP tunnel itself": (*tunnelled(outer_csum=True), {}, 1, 40, 44, 0xFFFF),
    "the UDP tunnel over IPv6 itself": (*tunnelled(outer=6, outer_csum=True), {}, 1, 60, 64, 0xFFFF),
    "TCP in GRE": (GRE, tso(1000, csum_start=66), {}, 1, 82, 1100, 0x0000),
    "GRE itself": (GRE, tso(1000, csum_start=66), {}, 1, 38, 42, 0x0000),
    "TCP in IP in IP": (IPIP, tso(1000, csum_start=54), {}, 1, 70, 1080, 0x0000),
    "auto, TCP": (auto_frame(tcp(noise(100))), NOTHING, AUTO, 0, 50, 60, 0xFFFF),
    "auto, TCP over IPv6": (auto6_frame(tcp(noise(100))), NOTHING, AUTO, 0, 70, 80, 0xFFFF),
    "auto, UDP": (auto_frame(udp(noise(100)), protocol=17), NOTHING, AUTO, 0, 40, 52, 0xFFFF),
    "auto, TCP, cut": (auto_frame(tcp(noise(5000))), NOTHING, AUTO, 1, 50, 1600, 0x0000),
    "auto, datagrams": (auto_frame(udp(noise(5000)), protocol=17), NOTHING, AUTO | {"uso_size": 1000}, 1, 40, 1100, 0xFFFF),
    "auto, fragments": (
        auto_frame(udp(noise(5000)), protocol=17, fragment=0),
        NOTHING,
        AUTO | {"ufo_order": "first"},
        0,
        40,
        2000,
        0xFFFF,
    ),
    "an IP header": (tcp_frame(3000, ip={"options": bytes(4)}), tso(1000, csum_start=38), {}, 1, 24, 36, 0x0000),
    "an outer IP header": (*tunnelled(outer_ip={"options": bytes(4)}, request={"csum_start": 74}), {}, 1, 24, 36, 0x0000),
}


@pytest.mark.parametrize("name", ZEROES)
def test_a_sum_of_zero_is_sent_as_it_must_be(name):
    frame, header, options, index, at, halfword, expected = ZEROES[name]
    check = field(segment(frame, header, Options(**options))[index], at, 2)
    assert check not in (0x0000, 0xFFFF)
    # What is missing to 0xFFFF before the sum is inverted goes into a halfword that it covers.
    changed = (field(frame, halfword, 2) + check) % 0xFFFF
    frame = frame[:halfword] + changed.to_bytes(2, "big") + frame[halfword + 2 :]
    assert field(segment(frame, header, Options(**options))[index], at, 2) == expected
