"""The running Linux kernel cuts the same frames as the model, byte for byte; where it cannot be asked, what it answered before."""

from collections import Counter
from pathlib import Path

import pytest

from kernel.differences import DIFFERENCES, compare, without_identification
from kernel.vectors import KINDS, load, question
from offcut.oracle import KernelOracle, unavailable
from offcut_model import VirtioNetHdr
from traffic import requests

from .build import (
    JUMBO,
    TCPV4,
    TCPV6,
    USO,
    ethernet,
    gre,
    ipv4,
    ipv6,
    noise,
    partial,
    pseudo,
    slow_sum,
    tcp,
    tcp6_frame,
    tcp_frame,
    transport_of,
    tso,
    tso6,
    udp,
    udp_frame,
    udp_tunnel,
    ufo,
    uso,
)

VECTORS = load(Path(__file__).with_name("kernel_vectors.json"))
COUNT = 5000
LONG_COUNT = 200_000


@pytest.fixture(scope="module")
def kernel():
    why = unavailable()
    if why:
        pytest.skip(why)
    with KernelOracle() as oracle:
        yield oracle


def test_the_model_answers_as_the_kernel_did_when_it_was_recorded():
    seen = Counter(compare(vector.header, vector.frame, vector.answer, vector.note) for vector in VECTORS)
    assert min(seen["cut"], seen["whole"], seen["refused"]) >= 20, seen


def test_the_kernel_still_answers_as_it_was_recorded(kernel):
    answers = kernel.cut((vector.header, vector.frame) for vector in VECTORS)
    for vector, answer in zip(VECTORS, answers, strict=True):
        assert without_identification(vector.header, vector.frame, answer) == vector.answer, vector.note


def test_the_model_answers_random_requests_as_the_kernel_does(kernel, seed, long_campaign):
    seen = Counter()
    count = LONG_COUNT if long_campaign else COUNT
    for case in requests(seed, count, kinds=KINDS, jumbo=0.005):
        header, frame = question(case)
        (answer,) = kernel.cut([(header, frame)])
        seen[compare(header, frame, answer, case.note)] += 1
    print(dict(seen))
    assert seen["cut"] > count / 10 and seen["whole"] > count / 20 and seen["refused"] > count / 20, seen


# What was asked of the kernel by hand.


def with_zero_sum(length, at=0):
    """A TCP frame of ``length`` bytes of payload whose bytes from ``at`` on, as a segment, have a checksum that comes out as 0."""
    payload = bytearray(noise(length))
    payload[at : at + 2] = b"\0\0"
    body = tcp(bytes(payload[at : at + 1000]), seq=1000 + at)
    payload[at : at + 2] = (0xFFFF - slow_sum(pseudo(len(body)) + body)).to_bytes(2, "big")
    return tcp_frame(bytes(payload))


def zero_sum_udp(at, length):
    """A UDP frame of 3000 bytes of payload, of which ``length`` from ``at`` on, as a datagram, have a checksum that comes out as 0."""
    payload = bytearray(noise(3000))
    payload[at : at + 2] = b"\0\0"
    body = udp(bytes(payload[at : at + length]), check=0)
    payload[at : at + 2] = (0xFFFF - slow_sum(pseudo(len(body), 17) + body)).to_bytes(2, "big")
    return udp_frame(bytes(payload))


def jumbogram(payload, *, first=JUMBO, tags=()):
    """A packet above 64 KiB over IPv6 as BIG TCP hands it over, or one with another hop-by-hop header."""
    body = partial(tcp, noise(payload), version=6)
    chain = first + (8 + len(body)).to_bytes(4, "big")
    return ethernet(0x86DD, tags=tags) + ipv6(body, chain=chain, next_header=0, length=0)


def without_outer_sum(frame):
    """A frame with 0 in the checksum field of the outer UDP header behind IPv4."""
    return frame[:40] + bytes(2) + frame[42:]


TAGS = ((0x8100, 5),)
LEFT_TO_ROUTE = b"\x06\0\0\1\0\0\0\0"
INNER = {"TCP over IPv4": TCPV4, "TCP over IPv6": TCPV6, "UDP over IPv4": USO, "UDP over IPv6": -USO}
CSUM = VirtioNetHdr(flags=1, csum_start=34, csum_offset=16)
NO_CSUM = {"flags": 0, "csum_start": 0, "csum_offset": 0}
ASKED = {
    "payload of gso_size": (tso(1000), tcp_frame(1000, flags=0xFFF, ip={"total": 7}), "whole"),
    "payload of gso_size, no NEEDS_CSUM": (tso(1100, **NO_CSUM), tcp_frame(1000, flags=0xFFF, ip={"total": 7}), "whole"),
    "payload one above gso_size": (tso(1000), tcp_frame(1001), "cut"),
    "no payload": (tso(1000), tcp_frame(0), "whole"),
    "no NEEDS_CSUM": (tso(1000, **NO_CSUM), tcp_frame(3000, check=0x1234, partial=False), "cut"),
    "no NEEDS_CSUM, IP length 0": (tso(1000, **NO_CSUM), tcp_frame(3000, ip={"total": 0}), "cut"),
    "a cut segment sums to 0": (tso(1000), with_zero_sum(3000, at=1000), "cut"),
    "a cut segment sums to 0, no NEEDS_CSUM": (tso(1000, **NO_CSUM), with_zero_sum(3000, at=1000), "cut"),
    "one segment sums to 0": (tso(1000), with_zero_sum(1000), "whole"),
    "a TCP checksum request sums to 0": (CSUM, with_zero_sum(1000), "whole"),
    "a UDP checksum request": (
        VirtioNetHdr(flags=1, csum_start=34, csum_offset=6),
        ethernet() + ipv4(udp(noise(99)), protocol=17),
        "whole",
    ),
    "a partial sum of 0": (tso(1000), tcp_frame(3000, partial=False, check=0), "cut"),
    "a partial sum of 0xFFFF": (tso(1000), tcp_frame(3000, partial=False, check=0xFFFF), "cut"),
    "a fragment": (tso(1000), tcp_frame(3000, ip={"fragment": 0x2010}), "cut"),
    "IP length 0": (tso(1000), tcp_frame(3000, ip={"total": 0}), "cut"),
    "IP length too short": (tso(1000), tcp_frame(3000, ip={"total": 99}), "cut"),
    "IP length below its header's": (tso(1000), tcp_frame(3000, ip={"total": 3}), "cut"),
    "IP length too long": (tso(1000), tcp_frame(3000, ip={"total": 9999}), "cut"),
    "a tag and all options": (tso(1000, csum_start=78), tcp_frame(3000, tag=1, options=noise(40), ip={"options": noise(40)}), "cut"),
    "ECN": (tso(1000, gso_type=0x81), tcp_frame(3000, flags=0xFFF), "cut"),
    "gso_size 1": (tso(1), tcp_frame(3000), "cut"),
    "gso_size 65534, and a wire frame above 64 KiB": (tso(65534), tcp_frame(70000, ip={"total": 0}), "cut"),
    "gso_size 65535": (tso(65535), tcp_frame(70000, ip={"total": 0}), "refused"),
    "gso_size 0": (tso(0), tcp_frame(3000), "refused"),
    "csum_offset 6": (tso(1000, csum_offset=6), tcp_frame(3000), "refused"),
    "csum_start at the IP header": (tso(1000, csum_start=14), tcp_frame(3000), "refused"),
    "csum_start in the TCP header": (tso(1000, csum_start=38), tcp_frame(3000), "refused"),
    "data offset 4": (tso(1000), tcp_frame(3000, offset=4), "refused"),
    "UDP": (tso(1000), tcp_frame(3000, ip={"protocol": 17}), "refused"),
    "an unknown type": (tso(1000, gso_type=2), tcp_frame(3000), "refused"),
    "the checksum field half outside": (VirtioNetHdr(flags=1, csum_start=34, csum_offset=65), noise(100), "refused"),
    "an odd csum_start": (VirtioNetHdr(flags=1, csum_start=33, csum_offset=4), noise(100), "whole"),
    "BIG TCP": (tso(1448), tcp_frame(500_000, ip={"total": 0}), "cut"),
    "7 tags": (tso(1000, csum_start=62), ethernet(tags=TAGS * 7) + tcp_frame(3000)[14:], "cut"),
    # IPv6.
    "TCP over IPv6": (tso6(1000), tcp6_frame(3000, flags=0xFFF, options=noise(12)), "cut"),
    "TCP behind every extension header": (tso6(1000, csum_start=94), tcp6_frame(3000, ip={"through": (0, 60, 43, 60, 0)}), "cut"),
    "TCP behind extension headers, no NEEDS_CSUM": (tso6(1000, **NO_CSUM), tcp6_frame(3000, ip={"through": (0, 60, 43)}), "cut"),
    "TCP behind a fragment header": (tso6(1000, csum_start=62), tcp6_frame(3000, ip={"through": (44,)}), "refused"),
    "TCP behind an authentication header": (tso6(1000, csum_start=62), tcp6_frame(3000, ip={"through": (51,)}), "refused"),
    "a routing header with segments left": (
        tso6(1000, csum_start=62),
        tcp6_frame(3000, ip={"chain": LEFT_TO_ROUTE, "next_header": 43}),
        "cut",
    ),
    "IPv6 payload length 0": (tso6(1000), tcp6_frame(3000, ip={"length": 0}), "cut"),
    "TCPv6 over IPv4": (tso(1000, gso_type=4), tcp_frame(3000), "refused"),
    "TCPv4 over IPv6": (tso6(1000, gso_type=1), tcp6_frame(3000), "refused"),
    "BIG TCP over IPv6": (tso6(1448, csum_start=62), jumbogram(400_000), "cut"),
    "a jumbogram of 65,537 bytes": (tso6(1448, csum_start=62), jumbogram(65_537 - 68), "cut"),
    "a jumbogram of 65,536 bytes": (tso6(1448, csum_start=62), jumbogram(65_536 - 68), "cut"),
    "a jumbogram of 65,537 bytes behind a tag": (tso6(1448, csum_start=66), jumbogram(65_537 - 68, tags=TAGS), "cut"),
    "a jumbogram of 65,536 bytes behind a tag": (tso6(1448, csum_start=66), jumbogram(65_536 - 68, tags=TAGS), "cut"),
    "a jumbo header in front of 30,000 bytes": (tso6(1448, csum_start=62), jumbogram(30_000), "cut"),
    "a jumbogram in one segment": (tso6(65534, csum_start=62), jumbogram(65_500), "whole"),
    "above 64 KiB without a jumbo header": (tso6(1448), tcp6_frame(70_000, ip={"length": 0}), "cut"),
    "gso_size 65534 over IPv6": (tso6(65534), tcp6_frame(140_000, ip={"length": 0}), "cut"),
    # Datagrams.
    "datagrams": (uso(1000), udp_frame(3001), "cut"),
    "datagrams over IPv6": (uso(1000, csum_start=54), udp_frame(3001, version=6), "cut"),
    "datagrams that add up": (uso(1000), udp_frame(3000), "cut"),
    "one datagram": (uso(1000), udp_frame(1000), "whole"),
    "one byte beyond a datagram": (uso(1000), udp_frame(1001), "cut"),
    "a datagram that sums to 0": (uso(1000), zero_sum_udp(1000, 1000), "cut"),
    "one datagram that sums to 0": (uso(3000), zero_sum_udp(0, 3000), "whole"),
    "datagrams with a partial sum of 0": (uso(1000), udp_frame(3000, check=0), "cut"),
    "datagrams with a partial sum of 0xFFFF": (uso(1000), udp_frame(3000, check=0xFFFF), "cut"),
    "datagrams with UDP length 0": (uso(1000), udp_frame(3000, length=0), "cut"),
    "datagrams with another UDP length": (uso(1000), udp_frame(3000, length=65535), "cut"),
    "128 datagrams": (uso(10), udp_frame(1280), "cut"),
    "129 datagrams": (uso(10), udp_frame(1281), "refused"),
    "datagrams above 64 KiB": (uso(65534), udp_frame(140_000, ip={"total": 0}), "cut"),
    "datagrams without NEEDS_CSUM": (uso(1000, **NO_CSUM), udp_frame(3000), "refused"),
    "datagrams with ECN": (uso(1000, gso_type=0x85), udp_frame(3000), "refused"),
    "datagrams with csum_offset 16": (uso(1000, csum_offset=16), udp_frame(3000), "refused"),
    "datagrams of TCP": (uso(1000), tcp_frame(3000), "refused"),
    # Fragments.
    "fragments": (ufo(1000), udp_frame(3000), "cut"),
    "fragments over IPv6": (ufo(1000, csum_start=54), udp_frame(3000, version=6), "cut"),
    "fragments without NEEDS_CSUM": (ufo(1000, **NO_CSUM), udp_frame(3000), "cut"),
    "fragments without NEEDS_CSUM over IPv6": (ufo(1000, **NO_CSUM), udp_frame(3000, version=6), "cut"),
    "fragments with options and DF": (ufo(1000, csum_start=42), udp_frame(3000, ip={"fragment": 0xC123, "options": noise(8)}), "cut"),
    "fragments with a wrong UDP length": (ufo(1000), udp_frame(3000, length=9), "cut"),
    "fragments with a wrong partial sum": (ufo(1000), udp_frame(3000, check=0x1234), "cut"),
    "a datagram of gso_size": (ufo(1000), udp_frame(992), "whole"),
    "a datagram of gso_size over IPv6": (ufo(1000, csum_start=54), udp_frame(992, version=6), "whole"),
    "a datagram one byte above gso_size": (ufo(1000), udp_frame(993), "cut"),
    "fragments of 8 bytes": (ufo(8), udp_frame(100), "cut"),
    "a fragmented datagram that sums to 0": (ufo(1000), zero_sum_udp(0, 3000), "cut"),
    "fragments of TCP": (ufo(1000), tcp_frame(3000), "refused"),
    # UDP tunnels.
    **{
        f"{inner} in a UDP tunnel over IPv{outer}{', outer checksum' * outer_csum}": (
            *udp_tunnel(3000, outer=outer, base=base, outer_csum=outer_csum),
            "cut",
        )
        for inner, base in INNER.items()
        for outer in (4, 6)
        for outer_csum in (False, True)
    },
    "a tunnel with nothing between the headers": (*udp_tunnel(3000, opaque=0), "cut"),
    "a tunnel with Geneve options": (*udp_tunnel(3000, opaque=76), "cut"),
    "a tunnel with 2 bytes between the headers": (*udp_tunnel(3000, opaque=2, outer_csum=True), "cut"),
    "a tunnel behind 7 tags": (*udp_tunnel(3000, tags=TAGS * 7), "cut"),
    "a tunnel with options outside and inside": (
        *udp_tunnel(3000, outer_ip={"options": bytes(8)}, inner={"options": bytes(12)}, request={"csum_start": 90}, options=noise(12)),
        "cut",
    ),
    "a tunnel with extension headers outside": (*udp_tunnel(3000, outer=6, outer_ip={"through": (0, 60)}, outer_csum=True), "cut"),
    "a tunnel with ECN": (*udp_tunnel(3000, request={"gso_type": 0xA1}, flags=0xFFF), "cut"),
    "a tunnel above 64 KiB": (*udp_tunnel(150_000, outer_csum=True, outer_ip={"total": 0}, inner={"total": 0}), "cut"),
    "a tunnel with one segment": (*udp_tunnel(1000, outer_csum=True), "whole"),
    "a tunnel whose outer partial sum is 0": (udp_tunnel(3000, outer_csum=True)[0], without_outer_sum(udp_tunnel(3000)[1]), "cut"),
    "a tunnel whose outer checksum field is 0": (udp_tunnel(3000)[0], without_outer_sum(udp_tunnel(3000)[1]), "cut"),
    "a tunnel without NEEDS_CSUM": (*udp_tunnel(3000, request={"flags": 0}), "refused"),
    "a tunnel of both families": (*udp_tunnel(3000, request={"gso_type": 0x61}), "refused"),
    "a tunnel with fragments": (*udp_tunnel(3000, base=USO, request={"gso_type": 0x23}), "refused"),
    "a tunnel without a type": (*udp_tunnel(3000, request={"gso_type": 0x20}), "refused"),
    "a tunnel with datagrams and ECN": (*udp_tunnel(3000, base=USO, request={"gso_type": 0xA5}), "refused"),
    "a tunnel with an outer header of 19 bytes": (*udp_tunnel(3000, request={"outer_th_offset": 33}), "refused"),
    "a tunnel with an inner header in the outer one": (*udp_tunnel(3000, opaque=0, request={"inner_nh_offset": 41}), "refused"),
    "a tunnel with an inner header of 19 bytes": (*udp_tunnel(3000, request={"csum_start": 69}), "refused"),
    "a tunnel with csum_start behind the transport header": (*udp_tunnel(3000, request={"csum_start": 74}), "refused"),
    "a tunnel of the other inner family": (*udp_tunnel(3000, base=TCPV6, request={"gso_type": 0x21}), "refused"),
    "UDP_TUNNEL_CSUM without a tunnel": (tso(1000, flags=9), tcp_frame(3000), "cut"),
    "a UDP tunnel in a request without one": (tso(1000, csum_start=70), udp_tunnel(3000)[1], "refused"),
    # Where the kernel is known to differ: each at least once.
    "a frame of 13 bytes": (VirtioNetHdr(), noise(13), "no_ethernet_header"),
    "a tag at the frame's end": (VirtioNetHdr(), ethernet(tags=TAGS) + bytes(1), "tag_without_what_follows"),
    "9 tags": (tso(1000, csum_start=70), ethernet(tags=TAGS * 9) + tcp_frame(3000)[14:], "too_many_tags"),
    "payload within gso_size, options beyond it": (tso(1000), tcp_frame(1000, options=noise(12)), "one_segment_taken_for_more"),
    "payload of gso_size, no NEEDS_CSUM, headers beyond it": (tso(1000, **NO_CSUM), tcp_frame(1000), "one_segment_taken_for_more"),
    "csum_start 19": (VirtioNetHdr(flags=1, csum_start=19), noise(100), "csum_start_below_20"),
    "csum_start 20": (VirtioNetHdr(flags=1, csum_start=20), noise(100), "whole"),
    "IP version 6": (tso(1000), tcp_frame(3000, ip={"version": 6}), "ip_version_is_not_looked_at"),
    "UDP in one segment": (tso(1000), tcp_frame(100, ip={"protocol": 17}), "one_segment_is_not_looked_into"),
    "GRE": (tso(1000, csum_start=58), ethernet() + ipv4(gre(ipv4(tcp(noise(3000)))), protocol=47), "tunnel_that_a_tap_cannot_name"),
    "IP in IP": (tso(1000, csum_start=54), ethernet() + ipv4(ipv4(tcp(noise(3000))), protocol=4), "tunnel_that_a_tap_cannot_name"),
    "outer_th_offset too great": (*udp_tunnel(3000, request={"outer_th_offset": 36}), "tunnel_offset_is_believed"),
    "a UDP tunnel over the other family": (*udp_tunnel(3000, outer=6, request={"gso_type": 0x21}), "tunnel_family_is_not_looked_at"),
    "an odd tunnel header": (*udp_tunnel(3000, opaque=9), "tunnel_offset_may_be_odd"),
    "headers of 300 bytes": (*udp_tunnel(3000, opaque=216), "headers_may_be_longer"),
    "fragments of 12 bytes": (ufo(12), udp_frame(100), "fragments_overlap"),
    "a datagram of 65,536 bytes": (ufo(1480), udp_frame(65_528), "fragments_beyond_64_kib"),
    "fragments with ECN": (ufo(1000, gso_type=0x83), udp_frame(3000), "fragments_with_ecn"),
    "fragments with csum_offset 16": (ufo(1000, csum_offset=16), udp_frame(3000), "fragments_with_any_checksum_field"),
    "a destination header behind a routing header": (
        ufo(1000, csum_start=70),
        udp_frame(3000, version=6, ip={"through": (43, 60)}),
        "fragment_header_behind_routing",
    ),
    "fragments behind an extension header": (
        ufo(1000, csum_start=62),
        udp_frame(3000, version=6, ip={"through": (60,)}),
        "fragment_offsets_count_extension_headers",
    ),
    "a jumbogram behind two tags": (tso6(1448, csum_start=70), jumbogram(70_000, tags=TAGS * 2), "jumbo_header_is_left_in"),
    "another hop-by-hop header above 64 KiB": (
        tso6(1448, csum_start=62),
        jumbogram(70_000, first=b"\x06\0\1\4"),
        "jumbo_header_may_be_another",
    ),
}


def test_every_known_difference_is_asked_about():
    assert {expected for *_, expected in ASKED.values()} == {difference.__name__ for difference in DIFFERENCES} | {
        "cut",
        "whole",
        "refused",
    }


@pytest.mark.parametrize("name", ASKED)
def test_the_kernel_is_asked_about(kernel, name):
    header, frame, expected = ASKED[name]
    (answer,) = kernel.cut([(header, frame)])
    assert compare(header, frame, answer, name) == expected


@pytest.mark.parametrize("header, number, check", ((tso(1000), 1, 0x0000), (tso(2000), 0, 0xFFFF), (CSUM, 0, 0xFFFF)))
def test_the_kernel_itself_sends_zero_from_a_cut_and_ffff_else(kernel, header, number, check):
    frame = with_zero_sum(3000, at=1000) if header.gso_size == 1000 else with_zero_sum(1000)
    (answer,) = kernel.cut([(header, frame)])
    assert int.from_bytes(transport_of(answer[number])[16:18], "big") == check


@pytest.mark.parametrize(
    "gso_type, length, gso_size, bytes_behind_ip",
    (
        (5, 8192, 1272, [8 + 1272] * 6 + [8 + 560]),
        (3, 60_000, 8, [8] * 7501),
    ),
    ids=("8192 bytes of UDP at 1272 are six datagrams of 1272 and one of 560", "60,000 bytes of UDP at 8 are 7,501 fragments"),
)
def test_the_kernel_itself_gives_the_published_result(kernel, gso_type, length, gso_size, bytes_behind_ip):
    header = VirtioNetHdr(flags=1, gso_type=gso_type, gso_size=gso_size, csum_start=34, csum_offset=6)
    (answer,) = kernel.cut([(header, udp_frame(length))])
    assert [len(wire) - 34 for wire in answer] == bytes_behind_ip
    assert compare(header, udp_frame(length), answer) == "cut"


def test_the_oracle_leaves_nothing_behind_and_the_process_where_it_was(kernel):
    namespace, devices = Path("/proc/self/ns/net").readlink(), Path("/proc/net/dev").read_text().count("\n")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with KernelOracle() as another:
        assert another.cut([(VirtioNetHdr(), noise(60))]) == [[noise(60)]]
        assert Path("/proc/self/ns/net").readlink() == namespace
    assert Path("/proc/net/dev").read_text().count("\n") == devices
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
