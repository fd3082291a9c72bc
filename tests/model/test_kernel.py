"""The running Linux kernel cuts the same frames as the model, byte for byte; where it cannot be asked, what it answered before."""

from collections import Counter
from pathlib import Path

import pytest

from kernel.differences import compare, without_identification
from kernel.oracle import KernelOracle, unavailable
from kernel.vectors import KINDS, load, question
from offcut_model import VirtioNetHdr
from traffic import requests

from .build import ethernet, ipv4, noise, pseudo, slow_sum, tcp, tcp_frame, transport_of, tso, udp

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
    # The same, where the kernel is known to differ.
    "payload within gso_size, options beyond it": (tso(1000), tcp_frame(1000, options=noise(12)), "one_segment_taken_for_more"),
    "payload of gso_size, no NEEDS_CSUM, headers beyond it": (tso(1000, **NO_CSUM), tcp_frame(1000), "one_segment_taken_for_more"),
    "csum_start 19": (VirtioNetHdr(flags=1, csum_start=19), noise(100), "csum_start_below_20"),
    "csum_start 20": (VirtioNetHdr(flags=1, csum_start=20), noise(100), "whole"),
    "IP version 6": (tso(1000), tcp_frame(3000, ip={"version": 6}), "ip_version_is_not_looked_at"),
    "UDP in one segment": (tso(1000), tcp_frame(100, ip={"protocol": 17}), "one_segment_is_not_looked_into"),
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


def udp_frame(length):
    """A UDP datagram over IPv4 with the pseudo-header's sum in its checksum field."""
    body = udp(noise(length), check=slow_sum(pseudo(8 + length, protocol=17)))
    return ethernet() + ipv4(body, protocol=17)


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
