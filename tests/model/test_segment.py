"""TCP segmentation over IPv4, rule by rule, and one checksum."""

import struct

import pytest

from offcut_model import Options, VirtioNetHdr, segment

from .build import (
    ACK,
    AE,
    CWR,
    ECE,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    assert_sums_right,
    ethernet,
    ipv4,
    noise,
    pseudo,
    slow_sum,
    tcp,
    tcp_frame,
    transport_of,
    tso,
    udp,
)

OPTIONS = bytes.fromhex("0101080a1122334455667788")


def field(data, start, size):
    return int.from_bytes(data[start : start + size], "big")


LENGTHS = {
    "two whole segments": (2000, 1000, [1000, 1000]),
    "an exact multiple": (4380, 1460, [1460] * 3),
    "one byte over a multiple": (4381, 1460, [1460] * 3 + [1]),
    "one byte under a multiple": (4379, 1460, [1460, 1460, 1459]),
    "a last segment of 2 bytes": (1462, 1460, [1460, 2]),
    "a last segment of 3 bytes": (1463, 1460, [1460, 3]),
    "one byte a segment": (5, 1, [1] * 5),
    "an odd gso_size": (1000, 333, [333, 333, 333, 1]),
    "the largest gso_size": (65535, 65534, [65534, 1]),
    "gso_size above the MTU": (10000, 9000, [9000, 1000]),
    "BIG TCP": (300000, 9000, [9000] * 33 + [3000]),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_the_payload_is_cut_at_gso_size_and_every_sum_is_right(name):
    length, gso_size, expected = LENGTHS[name]
    frame = tcp_frame(length)
    wire = segment(frame, tso(gso_size), Options(mtu_max=70000))
    assert [len(one) - 54 for one in wire] == expected
    assert b"".join(one[54:] for one in wire) == frame[54:]
    sequences = [field(transport_of(one), 4, 4) for one in wire]
    assert sequences == [1000 + index * gso_size for index in range(len(expected))]
    for one in wire:
        if len(one) <= 65549:
            assert_sums_right(one)


HEADERS = {
    "plain": {},
    "a tag": {"tag": 0x2005},
    "TCP options": {"options": OPTIONS},
    "40 bytes of TCP options": {"options": noise(40)},
    "IP options": {"ip": {"options": bytes.fromhex("94040000")}},
    "all of them": {"tag": 0xFFFF, "options": noise(40), "ip": {"options": noise(40)}},
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_copied_into_every_segment_but_for_what_changes(name):
    fields = HEADERS[name]
    frame = tcp_frame(2500, **fields)
    l3 = 18 if "tag" in fields else 14
    l4 = l3 + 20 + len(fields.get("ip", {}).get("options", b""))
    payload = l4 + 20 + len(fields.get("options", b""))
    changes = {*range(l3 + 2, l3 + 6), l3 + 10, l3 + 11, *range(l4 + 4, l4 + 8), l4 + 12, l4 + 13, l4 + 16, l4 + 17}
    wire = segment(frame, tso(1000, csum_start=l4))
    assert len(wire) == 3
    for one in wire:
        assert_sums_right(one)
        assert [one[at] for at in range(payload) if at not in changes] == [frame[at] for at in range(payload) if at not in changes]


def test_the_sequence_number_wraps_inside_a_frame():
    wire = segment(tcp_frame(3000, seq=0xFFFF_FFFF - 1499), tso(1000))
    assert [field(one, 38, 4) for one in wire] == [0xFFFF_FFFF - 1499, 0xFFFF_FFFF - 499, 500]
    for one in wire:
        assert_sums_right(one)


@pytest.mark.parametrize("fragment", (0x4000, 0x0000, 0x8000, 0x2000, 0x6123))
def test_the_ip_id_counts_up_and_wraps_and_the_fragment_word_stays(fragment):
    wire = segment(tcp_frame(4000, ip={"ident": 0xFFFE, "fragment": fragment}), tso(1000))
    assert [field(one, 18, 2) for one in wire] == [0xFFFE, 0xFFFF, 0, 1]
    assert {field(one, 20, 2) for one in wire} == {fragment}


FLAGS = {
    "FIN on the last alone": (FIN, (0, 0, 1)),
    "PSH on the last alone": (PSH, (0, 0, 1)),
    "CWR on the first alone": (CWR, (1, 0, 0)),
    "SYN on every one": (SYN, (1, 1, 1)),
    "RST on every one": (RST, (1, 1, 1)),
    "ACK on every one": (ACK, (1, 1, 1)),
    "URG on every one": (URG, (1, 1, 1)),
    "ECE on every one": (ECE, (1, 1, 1)),
    "AE on every one": (AE, (1, 1, 1)),
    "the reserved bits on every one": (0xE00, (1, 1, 1)),
}


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name):
    flag, places = FLAGS[name]
    for others in (0, 0xFFF & ~flag):
        wire = segment(tcp_frame(3000, flags=flag | others), tso(1000))
        assert tuple((field(one, 46, 2) & flag) // flag for one in wire) == places
        assert {field(one, 46, 1) >> 4 for one in wire} == {5}, "the data offset stays"
        for one in wire:
            assert_sums_right(one)


MASKS = {
    "the default": ((0, 0, 0), (0x5FF6, 0x5F76, 0x5F7F)),
    "nothing is cleared": ((0x009, 0x089, 0x080), (0x5FFF, 0x5FFF, 0x5FFF)),
    "CWR stays, for AccECN": ((0, 0x080, 0x080), (0x5FF6, 0x5FF6, 0x5FFF)),
    "everything is cleared": ((0xFF6, 0xF76, 0xF7F), (0x5000, 0x5000, 0x5000)),
    "a bit each": ((0x800, 0x400, 0x001), (0x57F6, 0x5B76, 0x5F7E)),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_decide_which_flags_are_cleared(name):
    (first, middle, last), expected = MASKS[name]
    options = Options(tcp_clear_first=first, tcp_clear_middle=middle, tcp_clear_last=last)
    wire = segment(tcp_frame(3000, flags=0xFFF), tso(1000), options)
    assert tuple(field(one, 46, 2) for one in wire) == expected
    for one in wire:
        assert_sums_right(one)


ID_MODES = {
    "counted": ({}, (0x7FFE, 0x7FFF, 0x8000, 0x8001)),
    "fixed": ({"id_mode": 1}, (0x7FFE,) * 4),
    "counted in the low 15 bits": ({"id_mode": 2}, (0x7FFE, 0x7FFF, 0x0000, 0x0001)),
    "kept in this frame": ({"keep_id": True}, (0x7FFE,) * 4),
    "kept in this frame, whatever the mode": ({"keep_id": True, "id_mode": 2}, (0x7FFE,) * 4),
}


@pytest.mark.parametrize("name", ID_MODES)
def test_the_ip_id_follows_its_mode(name):
    options, expected = ID_MODES[name]
    wire = segment(tcp_frame(4000, ip={"ident": 0x7FFE}), tso(1000), Options(**options))
    assert tuple(field(one, 18, 2) for one in wire) == expected
    for one in wire:
        assert_sums_right(one)


def test_bit_15_of_an_id_counted_in_15_bits_stays():
    wire = segment(tcp_frame(3000, ip={"ident": 0xFFFF}), tso(1000), Options(id_mode=2))
    assert [field(one, 18, 2) for one in wire] == [0xFFFF, 0x8000, 0x8001]


@pytest.mark.parametrize("check", (0x0000, 0xFFFF, 0x1234))
def test_the_ip_checksum_is_new_whatever_stood_there(check):
    for one in segment(tcp_frame(3000, ip={"check": check}), tso(1000)):
        assert_sums_right(one)


@pytest.mark.parametrize("total", (0, 40, 10, 0xFFFF))
def test_a_wrong_ip_length_is_put_right_and_the_frames_own_length_is_cut(total):
    frame = tcp_frame(3000, ip={"total": total})
    wire = segment(frame, tso(1000))
    assert b"".join(one[54:] for one in wire) == frame[54:]
    for one in wire:
        assert_sums_right(one)


def test_bytes_beyond_the_ip_length_are_payload():
    frame = tcp_frame(1990, tail=noise(20))
    wire = segment(frame, tso(1000))
    assert [len(one) for one in wire] == [1054, 1054, 64]
    assert b"".join(one[54:] for one in wire) == frame[54:]


def test_ack_window_and_urgent_pointer_stay():
    frame = tcp_frame(3000, urgent=0xABCD, flags=URG)
    for one in segment(frame, tso(1000)):
        assert (one[42:46], one[48:50], one[52:54]) == (frame[42:46], frame[48:50], frame[52:54])


def test_nothing_is_padded():
    assert len(segment(tcp_frame(1001), tso(1000))[1]) == 55


def test_two_frames_with_different_headers_do_not_mix():
    first, second = tcp_frame(2500, options=OPTIONS, seq=5, flags=0xFFF), tcp_frame(2500, tag=3, seq=9, ip={"ident": 700})
    alone = [segment(first, tso(1000)), segment(second, tso(1000, csum_start=38))]
    assert [segment(first, tso(1000)), segment(second, tso(1000, csum_start=38))] == alone


# What the checksum starts from.


def partial(frame, length, extra=0):
    """The frame with a pseudo-header sum for ``length``, and something else, in its TCP checksum field."""
    return frame[:50] + struct.pack("!H", slow_sum(pseudo(length) + struct.pack("!H", extra))) + frame[52:]


STARTS = {
    "the frame's own length": (3020, 3040, None),
    "the length that was told": (3020, 9999, 3054),
    "the IP length, if none was told": (1234, 1254, 0),
}


@pytest.mark.parametrize("name", STARTS)
def test_the_length_taken_out_of_the_partial_sum_is(name):
    length, total, told = STARTS[name]
    frame = partial(tcp_frame(3000, ip={"total": total}), length)
    for one in segment(frame, tso(1000), Options(frame_len=told)):
        assert_sums_right(one)


def test_what_else_is_in_the_partial_sum_stays():
    # So the pseudo-header of a routed packet holds another destination than its header.
    plain = segment(partial(tcp_frame(3000), 3020), tso(1000))
    other = segment(partial(tcp_frame(3000), 3020, extra=0x0100), tso(1000))
    for one, two in zip(plain, other, strict=True):
        assert slow_sum(struct.pack("!HH", 0xFFFF - field(one, 50, 2), 0x0100)) == 0xFFFF - field(two, 50, 2)


@pytest.mark.parametrize("check", (0x0000, 0xFFFF, 0x1234))
def test_without_a_length_and_without_needs_csum_the_addresses_are_summed(check):
    frame = tcp_frame(3000, partial=False, check=check, ip={"total": 0})
    for header, told in ((tso(1000), 0), (tso(1000, flags=0, csum_start=0, csum_offset=0), None)):
        for one in segment(frame, header, Options(frame_len=told)):
            assert_sums_right(one)


def zero_sum_payload(gso_size, segments, index, **fields):
    """A payload whose segment ``index`` has a TCP checksum that comes out as 0x0000."""
    payload = bytearray(noise(gso_size * segments))
    at = gso_size * index
    payload[at : at + 2] = b"\0\0"
    body = tcp(bytes(payload[at : at + gso_size]), seq=1000 + at, **fields)
    payload[at : at + 2] = struct.pack("!H", 0xFFFF - slow_sum(pseudo(len(body)) + body))
    return bytes(payload)


@pytest.mark.parametrize("index", (0, 1, 2))
@pytest.mark.parametrize("flags", (1, 0))
def test_a_cut_segment_sends_a_checksum_of_zero_as_zero(index, flags):
    wire = segment(tcp_frame(zero_sum_payload(1000, 3, index)), tso(1000, flags=flags))
    assert field(wire[index], 50, 2) == 0x0000
    assert_sums_right(wire[index])


def test_a_request_for_one_segment_sends_a_checksum_of_zero_as_ffff():
    wire = segment(tcp_frame(zero_sum_payload(1000, 1, 0)), tso(1000))
    assert [field(one, 50, 2) for one in wire] == [0xFFFF]


@pytest.mark.parametrize("length, gso_size", ((0, 1), (1, 1), (999, 1000), (1000, 1000), (100, 65534)))
def test_a_payload_within_gso_size_gets_its_checksum_and_nothing_else(length, gso_size):
    frame = tcp_frame(length, flags=0xFFF, ip={"total": 5, "check": 0x1234})
    (wire,) = segment(frame, tso(gso_size))
    assert wire[:50] + wire[52:] == frame[:50] + frame[52:]
    assert slow_sum(pseudo(length + 20) + wire[34:]) == 0xFFFF
    assert segment(frame, tso(gso_size, flags=0)) == [frame], "without NEEDS_CSUM nothing at all"


@pytest.mark.parametrize("hdr_len", (0, 1, 54, 65535))
def test_hdr_len_is_never_relied_on(hdr_len):
    frame = tcp_frame(3000)
    assert segment(frame, tso(1000, hdr_len=hdr_len)) == segment(frame, tso(1000))


@pytest.mark.parametrize("gso_type", (0x01, 0x81))
@pytest.mark.parametrize("flags", (0x01, 0x03, 0x09, 0xFF))
def test_ecn_and_unknown_flags_change_nothing(gso_type, flags):
    frame = tcp_frame(3000, flags=0xFFF)
    assert segment(frame, tso(1000, gso_type=gso_type, flags=flags)) == segment(frame, tso(1000))


# Checksum only.


def completed(frame, start, offset):
    at = start + offset
    check = 0xFFFF - slow_sum(frame[start:])
    return frame[:at] + struct.pack("!H", check or 0xFFFF) + frame[at + 2 :]


FIELDS = {
    "TCP": (ethernet() + ipv4(tcp(noise(99), check=0x1234)), 34, 16),
    "UDP": (ethernet() + ipv4(udp(noise(98)), protocol=17), 34, 6),
    "an odd start": (noise(200), 33, 7),
    "an odd number of bytes": (noise(201), 30, 0),
    "a start beyond 127": (noise(400), 301, 5),
    "a start beyond 32767": (noise(66000), 65000, 900),
    "the frame's last two bytes": (noise(100), 40, 58),
    "the frame's first two bytes": (noise(100), 0, 0),
    "a frame of two bytes": (b"\x12\x34", 0, 0),
    "nothing but zeroes": (bytes(90), 20, 6),
    "a sum of 0xFFFF, TCP or not": (bytes(60) + b"\xff\xff" + bytes(30), 20, 16),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_checksum_request_completes_one_sum_and_nothing_else(name):
    frame, start, offset = FIELDS[name]
    wire = segment(frame, VirtioNetHdr(flags=1, csum_start=start, csum_offset=offset), Options(mtu_max=70000))
    assert wire == [completed(frame, start, offset)]
    assert field(wire[0], start + offset, 2) != 0
