"""Mistakes that others made, each as the answer that is right."""

import pytest

from offcut_model import Options, VirtioNetHdr, segment

from .build import (
    CWR,
    FIN,
    PSH,
    assert_packet_right,
    auto_frame,
    field,
    noise,
    tcp,
    tcp_frame,
    tso,
    udp_frame,
    uso,
)


def ids(wire):
    return [field(one, 18, 2) for one in wire]


def flags(wire):
    return [field(one, 46, 2) & 0xFFF for one in wire]


def payloads(front):
    return lambda wire: [len(one) - front for one in wire]


def sequences(wire):
    return [field(one, 38, 4) for one in wire]


def lengths(wire):
    return [len(one) for one in wire]


def checksum_at(at, *indices):
    return lambda wire: [field(wire[index], at, 2) for index in indices]


def first_bytes(wire):
    return [one[54:55] for one in wire]


MISTAKES = {
    "FIN and PSH are cleared on the last segment": (tcp_frame(3000, flags=FIN | PSH), tso(1000), flags, [0, 0, FIN | PSH]),
    "FIN and PSH are kept before it": (tcp_frame(2000, flags=FIN | PSH), tso(1000), flags, [0, FIN | PSH]),
    "CWR is kept on the middle ones": (tcp_frame(3000, flags=CWR), tso(1000), flags, [CWR, 0, 0]),
    "the IP ID is not incremented": (tcp_frame(3000, ip={"ident": 5}), tso(1000), ids, [5, 6, 7]),
    "the IP ID is not wrapped": (tcp_frame(3000, ip={"ident": 0xFFFF}), tso(1000), ids, [0xFFFF, 0, 1]),
    "the IP ID is not incremented with DF": (tcp_frame(2000, ip={"ident": 5, "fragment": 0x4000}), tso(1000), ids, [5, 6]),
    "the segment size is the MTU's": (tcp_frame(4000), tso(536), payloads(54), [536] * 7 + [248]),
    "an odd number of data bytes": (tcp_frame(2001), tso(667), payloads(54), [667, 667, 667]),
    "a last segment of 1 byte": (tcp_frame(2001), tso(1000), payloads(54), [1000, 1000, 1]),
    "a last segment of 2 bytes": (tcp_frame(2002), tso(1000), payloads(54), [1000, 1000, 2]),
    "a last segment of 3 bytes": (tcp_frame(2003), tso(1000), payloads(54), [1000, 1000, 3]),
    "an empty segment behind an exact multiple": (tcp_frame(2000), tso(1000), payloads(54), [1000, 1000]),
    "gso_size above the payload": (tcp_frame(500), tso(1000), payloads(54), [500]),
    "the sequence number does not wrap inside a frame": (
        tcp_frame(3000, seq=0xFFFF_FC18),
        tso(1000),
        sequences,
        [0xFFFF_FC18, 0, 1000],
    ),
    "a frame is padded to 60 bytes": (tcp_frame(1001), tso(1000), lengths, [1054, 55]),
    "a header is copied from the segment before": (tcp_frame(2500, flags=0xFFF), tso(1000), flags, [0xFF6, 0xF76, 0xF7F]),
    "a datagram's ID is not incremented": (udp_frame(2000, ip={"ident": 5}), uso(1000), ids, [5, 6]),
    "a datagram's length is the super-frame's": (
        udp_frame(2500),
        uso(1000),
        lambda wire: [field(one, 38, 2) for one in wire],
        [1008, 1008, 508],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_not_made_that(name):
    frame, header, look, expected = MISTAKES[name]
    wire = segment(frame, header)
    assert look(wire) == expected
    for one in wire:
        if len(wire) > 1:
            assert_packet_right(one[14:])


@pytest.mark.parametrize("start", (127, 128, 255, 256, 1000, 40_000))
def test_a_checksum_may_start_above_127(start):
    frame = bytes(start) + b"\x12\x34\x00\x00" + bytes(20)
    (wire,) = segment(frame, VirtioNetHdr(flags=1, csum_start=start, csum_offset=2), Options(mtu_max=70_000))
    assert field(wire, start + 2, 2) == 0xFFFF - 0x1234


def test_padding_behind_a_packet_is_in_no_sum():
    frame = auto_frame(tcp(b"ab"), tail=b"\xff" * 4)
    padded, plain = segment(frame, options=Options(auto=True))[0], segment(frame[:-4], options=Options(auto=True))[0]
    assert padded == plain + b"\xff" * 4


def test_rule_12_is_not_rule_8():
    # A sum of zero: 0xFFFF if the request is for one segment, 0x0000 if it is cut.
    payload = noise(1000)
    check = field(segment(tcp_frame(payload * 2), tso(1000))[0], 50, 2)
    payload = ((field(payload, 0, 2) + check) % 0xFFFF).to_bytes(2, "big") + payload[2:]
    assert field(segment(tcp_frame(payload * 2), tso(1000))[0], 50, 2) == 0x0000
    assert field(segment(tcp_frame(payload), tso(1000))[0], 50, 2) == 0xFFFF


@pytest.mark.parametrize("other", (udp_frame(2500), tcp_frame(2500, tag=4, options=noise(12)), noise(60)))
def test_two_frames_back_to_back_do_not_mix(other):
    frame = tcp_frame(2500)
    alone = segment(frame, tso(1000))
    segment(other)
    assert segment(frame, tso(1000)) == alone
