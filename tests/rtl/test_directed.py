"""Edges that random requests hardly ever meet. What becomes of each is said here in words, and by the model byte for byte."""

from functools import cache

import pytest
from scapy.layers.inet import GRE, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Jumbo
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from bench.difference import difference
from bench.harness import as_request
from bench.scoreboard import answer
from features.ask import UDP_TUNNEL, asked, handed_over
from offcut.config import Config
from offcut.rtl import Engine
from traffic import FEATURES, Case

TCPV4, UFO, TCPV6, UDP_L4 = 1, 3, 4, 5
ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IPV4, IPV6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")
OUTER4, OUTER6 = IP(src="10.1.0.1", dst="10.1.0.2"), IPv6(src="fd01::1", dst="fd01::2")
TO_VXLAN = UDP(sport=50000, dport=4789) / VXLAN(vni=7) / ETHERNET


def tagged(tags):
    frame = ETHERNET
    for tag in range(tags):
        frame /= Dot1Q(vlan=tag)
    return frame


def case(packet, *, cut_to=None, mtu=1500, off=(), tci=None, auto=False, told=True, **request):
    """A request for a scapy packet with the payload it has; ``cut_to`` bytes of the frame arrive, ``off`` are features switched off."""
    header = asked(packet, request)
    frame = handed_over(packet, header)[:cut_to]
    disable = sum(1 << FEATURES.index(feature) for feature in off)
    return Case(frame, header.pack(24), len(frame) * told, auto, mtu, "", vlan_tci=tci, disable=disable)


def automatic(packet, **settings):
    return case(packet, flags=0, auto=True, **settings)


def nothing_asked(fields):
    return {"flags": 0, "csum_start": 0, "csum_offset": 0} | fields


def jumbo_packet(length):
    """IPv6 of so many bytes behind a jumbo-payload option, as BIG TCP has it; its length field is 0."""
    option = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=length - 40)])
    return ETHERNET / IPv6(src="fd00::1", dst="fd00::2", plen=0) / option / TCP() / bytes(length - 68)


EDGES = {
    # what: the request, and the reason it is dropped for or how many wire frames leave
    "a UDP tunnel over IPv6 that says it is over IPv4, too": (
        case(ETHERNET / OUTER6 / TO_VXLAN / IPV4 / TCP() / bytes(300), gso_type=UDP_TUNNEL | TCPV4, gso_size=100),
        "bad_request",
    ),
    "a datagram to be fragmented in a UDP tunnel": (
        case(ETHERNET / OUTER4 / TO_VXLAN / IPV4 / UDP() / bytes(300), gso_type=0x20 | UFO, gso_size=96),
        "bad_request",
    ),
    "a UDP tunnel over IPv6 that says it is over IPv4": (
        case(ETHERNET / OUTER6 / TO_VXLAN / IPV4 / TCP() / bytes(300), gso_type=0x20 | TCPV4, gso_size=100),
        "bad_header",
    ),
    "a datagram to be fragmented in IP in IP": (
        case(ETHERNET / OUTER4 / IPV4 / UDP() / bytes(300), gso_type=UFO, gso_size=96),
        "bad_header",
    ),
    "IP in IP in IP": (
        case(ETHERNET / OUTER4 / OUTER4 / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100),
        "bad_header",
    ),
    "a first fragment, whose TCP checksum auto leaves alone": (
        automatic(ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / TCP(chksum=0x1234) / bytes(100)),
        1,
    ),
    "a request of csum_offset alone, which is none for auto": (
        case(ETHERNET / IPV4 / TCP() / bytes(3000), auto=True, **nothing_asked({"csum_offset": 1})),
        1,
    ),
    "headers of 254 bytes and a tag": (
        case(tagged(50) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100, tci=5),
        "header_too_long",
    ),
    "headers of 250 bytes and a tag": (
        case(tagged(49) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100, tci=5),
        3,
    ),
    "a word that ends behind byte 256, of a frame that ends in it": (
        case(tagged(55) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100, cut_to=257),
        "header_too_long",
    ),
    "a word before byte 256, of a frame that ends in it": (
        case(tagged(54) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100, cut_to=253),
        "truncated",
    ),
    "GRE with a checksum that is switched off and a sequence number": (
        case(
            ETHERNET / OUTER4 / GRE(chksum_present=1, seqnum_present=1) / IPV4 / TCP() / bytes(300),
            gso_type=TCPV4,
            gso_size=100,
            off=["tx-gre-csum-segmentation"],
        ),
        "bad_header",
    ),
    "GRE with a sequence number": (
        case(ETHERNET / OUTER4 / GRE(seqnum_present=1) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100),
        "bad_header",
    ),
    "GRE with a checksum and a halfword behind it that is not 0": (
        case(ETHERNET / OUTER4 / GRE(chksum_present=1, offset=0x1234) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100),
        3,
    ),
    "a datagram to be fragmented between a routing header and a destination header": (
        case(ETHERNET / IPV6 / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt() / UDP() / bytes(300), gso_type=UFO, gso_size=96),
        "bad_header",
    ),
    "a datagram to be fragmented behind a destination header and a routing header": (
        case(ETHERNET / IPV6 / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / UDP() / bytes(300), gso_type=UFO, gso_size=96),
        4,
    ),
    "65,536 bytes behind a jumbo-payload option, which stays": (case(jumbo_packet(65536), gso_type=TCPV6, gso_size=8008), 9),
    "65,537 bytes behind a jumbo-payload option, which goes": (case(jumbo_packet(65537), gso_type=TCPV6, gso_size=8008), 9),
    "an MTU with 8 bytes for each fragment": (automatic(ETHERNET / IPV4 / UDP() / bytes(72), mtu=28), 10),
    "an MTU with 7 bytes for each fragment": (automatic(ETHERNET / IPV4 / UDP() / bytes(72), mtu=27), "too_big"),
}


@cache
def engine():
    return Engine(Config(width=64))


@pytest.mark.parametrize("what", EDGES)
def test_what_random_requests_hardly_meet(what):
    asked, becomes = EDGES[what]
    frames, reason = answer(asked)
    assert (reason or len(frames)) == becomes, "so says the model"
    result = engine().run([as_request(asked)])
    assert result.dropped == ({reason: 1} if reason else {})
    for expected, came in zip(frames, result.frames, strict=True):
        assert came == expected, difference(expected, came)


BEHIND = {
    # What leaves right behind the last segment of a frame whose last row has a field in it, and has its own first field at the same place.
    "a datagram behind one tag, IPv6 behind six": (
        case(tagged(1) / IPV4 / UDP() / bytes(6001), gso_type=UDP_L4, gso_size=100),
        case(tagged(6) / IPV6 / TCP() / bytes(300), gso_type=TCPV6, gso_size=100),
    ),
    "a datagram over IPv6, IPv6 behind ten tags": (
        case(ETHERNET / IPV6 / UDP() / bytes(6002), gso_type=UDP_L4, gso_size=100),
        case(tagged(10) / IPV6 / TCP() / bytes(300), gso_type=TCPV6, gso_size=100),
    ),
    "a datagram in Ethernet in GRE, IPv4 behind 16 tags": (
        case(ETHERNET / OUTER4 / GRE(chksum_present=1) / ETHERNET / IPV4 / UDP() / bytes(6004), gso_type=UDP_L4, gso_size=100),
        case(tagged(16) / IPV4 / TCP() / bytes(300), gso_type=TCPV4, gso_size=100),
    ),
    "an IPv4 header's checksum of a frame that is not cut": (
        case(ETHERNET / OUTER4 / GRE(chksum_present=1) / ETHERNET / IPV4 / UDP() / bytes(6004), gso_type=UDP_L4, gso_size=100),
        automatic(tagged(14) / IPV4 / TCP() / bytes(300)),
    ),
}


@pytest.mark.parametrize("what", BEHIND)
def test_no_frame_spoils_the_last_row_of_the_one_before(what):
    asked = BEHIND[what]
    answers = [answer(each) for each in asked]
    assert all(reason is None for _, reason in answers)
    result = engine().run([as_request(each) for each in asked])
    for number, (expected, came) in enumerate(zip([frame for frames, _ in answers for frame in frames], result.frames, strict=True)):
        assert came == expected, f"frame {number}: {difference(expected, came)}"
