"""One checksum: CRC32c where SCTP stands, and the tag that goes into any frame."""

import struct

import pytest

from offcut_model import FEATURES, Options, Refused, VirtioNetHdr, segment
from offcut_model.crc32c import crc32c

from .build import (
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    ROUTING,
    auto_frame,
    ethernet,
    field,
    ipv4,
    ipv6,
    noise,
    reason,
    slow_sum,
    tcp,
    tcp6_frame,
    tcp_frame,
    tso,
    tso6,
    udp_frame,
    udp_tunnel,
    ufo,
    uso,
)

# CRC32c. The check value is that of the catalogue of parametrised CRCs, the others are RFC 3720's (appendix B.4).

WORKED = {
    "the check value": (b"123456789", 0xE3069283),
    "32 bytes of zeroes": (bytes(32), 0x8A9136AA),
    "32 bytes of ones": (b"\xff" * 32, 0x62A8AB43),
    "32 bytes counting up": (bytes(range(32)), 0x46DD794E),
    "32 bytes counting down": (bytes(range(31, -1, -1)), 0x113FDB5C),
    "an iSCSI read command": (
        bytes.fromhex("01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000"),
        0xD9963A56,
    ),
    "nothing": (b"", 0),
}


@pytest.mark.parametrize("name", WORKED)
def test_published_results_of_crc32c(name):
    data, expected = WORKED[name]
    assert crc32c(data) == expected


def slow_crc(data):
    """Bit by bit, not reflected: the polynomial division of RFC 9260, appendix A, with every byte turned round."""
    register = 0xFFFF_FFFF
    for byte in data:
        for bit in range(8):
            feedback = (register >> 31) ^ (byte >> bit & 1)
            register = register << 1 & 0xFFFF_FFFF ^ (0x1EDC6F41 if feedback else 0)
    return int(f"{register ^ 0xFFFF_FFFF:032b}"[::-1], 2)


SCTP = struct.pack("!HHI", 40000, 36412, 0x12345678)
WITH_SCTP = {"features": FEATURES}


def sctp(payload, crc=0xBADBADBA):
    return SCTP + struct.pack("!I", crc) + payload


def sctp_csum(start, **fields):
    return VirtioNetHdr(**{"flags": 1, "csum_start": start, "csum_offset": 8} | fields)


def with_crc(frame, start):
    crc = slow_crc(frame[start : start + 8] + bytes(4) + frame[start + 12 :])
    return frame[: start + 8] + struct.pack("<I", crc) + frame[start + 12 :]


def with_sum(frame, start, offset=8):
    check = 0xFFFF - slow_sum(frame[start:])
    return frame[: start + offset] + struct.pack("!H", check or 0xFFFF) + frame[start + offset + 2 :]


BODY = sctp(noise(99))
IS_SCTP = {
    "IPv4": (ethernet() + ipv4(BODY, protocol=132), 34),
    "IPv4 with options": (ethernet() + ipv4(BODY, protocol=132, options=noise(12)), 46),
    "behind tags": (ethernet(tags=((0x88A8, 1), (0x8100, 2))) + ipv4(BODY, protocol=132), 42),
    "IPv6": (ethernet(0x86DD) + ipv6(BODY, protocol=132), 54),
    "behind extension headers": (ethernet(0x86DD) + ipv6(BODY, protocol=132, through=(HOP_BY_HOP, ROUTING, DESTINATION)), 78),
    "with bytes behind the packet": (ethernet() + ipv4(BODY, protocol=132) + noise(5), 34),
    "an IPv4 fragment": (ethernet() + ipv4(BODY, protocol=132, fragment=0x2000), 34),
    "12 bytes of SCTP": (ethernet() + ipv4(sctp(b""), protocol=132), 34),
    "lengths that are wrong": (ethernet() + ipv4(BODY, protocol=132, total=3), 34),
}


@pytest.mark.parametrize("name", IS_SCTP)
def test_sctp_gets_a_crc32c(name):
    frame, start = IS_SCTP[name]
    assert segment(frame, sctp_csum(start), Options(**WITH_SCTP)) == [with_crc(frame, start)]
    assert segment(frame, sctp_csum(start), Options()) == [with_sum(frame, start)], "an ordinary one if the feature is not built in"
    assert segment(frame, sctp_csum(start), Options(disable={"tx-checksum-sctp"}, **WITH_SCTP)) == [with_sum(frame, start)]


IS_NOT_SCTP = {
    "another protocol": (ethernet() + ipv4(BODY, protocol=17), 34),
    "csum_start elsewhere": (ethernet() + ipv4(BODY, protocol=132), 38),
    "csum_start in front of it": (ethernet() + ipv4(BODY, protocol=132), 33),
    "another EtherType": (ethernet(0x0806) + ipv4(BODY, protocol=132), 34),
    "another version": (ethernet() + ipv4(BODY, protocol=132, version=6), 34),
    "ihl 4": (ethernet() + ipv4(BODY, protocol=132, ihl=4), 30),
    "behind a fragment header": (ethernet(0x86DD) + ipv6(BODY, protocol=132, through=(FRAGMENT,)), 62),
    "inside IP in IP": (ethernet() + ipv4(ipv4(BODY, protocol=132), protocol=4), 54),
    "tags without end": (ethernet(tags=((0x8100, 1),) * 61) + ipv4(BODY, protocol=132), 34 + 244),
}


@pytest.mark.parametrize("name", IS_NOT_SCTP)
def test_everything_else_gets_an_ordinary_checksum(name):
    frame, start = IS_NOT_SCTP[name]
    assert segment(frame, sctp_csum(start), Options(**WITH_SCTP)) == [with_sum(frame, start)]


def test_sctp_with_another_csum_offset_gets_an_ordinary_checksum():
    frame, start = IS_SCTP["IPv4"]
    for offset in (6, 7, 9, 16):
        assert segment(frame, sctp_csum(start, csum_offset=offset), Options(**WITH_SCTP)) == [with_sum(frame, start, offset)]


def test_headers_that_end_early_give_an_ordinary_checksum():
    frame, _ = IS_SCTP["IPv6"]
    for length in range(20, 58):
        start = length - 10
        assert segment(frame[:length], sctp_csum(start), Options(**WITH_SCTP)) == [with_sum(frame[:length], start)], length


def test_a_crc32c_lies_inside_the_frame_whole():
    frame, start = IS_SCTP["12 bytes of SCTP"]
    assert len(frame) == start + 12
    for length in range(start, start + 12):
        assert reason(frame[:length], sctp_csum(start), **WITH_SCTP) == "bad_request", length
    assert reason(frame[:-1], sctp_csum(start)) is None, "where two bytes of a checksum do"


def test_a_crc32c_that_comes_out_as_zero_stays_zero():
    # A CRC is affine in each bit of the payload: solve for the 32 last ones.
    base, start = ethernet() + ipv4(sctp(bytes(4), crc=0), protocol=132), 34
    at_zero = slow_crc(base[start:])
    columns = [slow_crc(base[start:-4] + struct.pack("!I", 1 << bit)) ^ at_zero for bit in range(32)]
    rows = [(column, 1 << bit) for bit, column in enumerate(columns)]
    wanted, chosen = at_zero, 0
    for bit in range(32):
        pivot = next(index for index, (column, _) in enumerate(rows) if column >> bit & 1)
        column, combination = rows.pop(pivot)
        rows = [(other ^ column, made ^ combination) if other >> bit & 1 else (other, made) for other, made in rows]
        if wanted >> bit & 1:
            wanted, chosen = wanted ^ column, chosen ^ combination
    frame = base[:-4] + struct.pack("!I", chosen)
    (wire,) = segment(frame, sctp_csum(start), Options(**WITH_SCTP))
    assert wire == frame and slow_crc(frame[start:]) == 0


# A tag.

TAGGED = {
    "a frame that passes": (noise(60), VirtioNetHdr(gso_size=1)),
    "a frame of 12 bytes": (noise(12), VirtioNetHdr()),
    "a frame that has tags": (tcp_frame(99, tag=3), VirtioNetHdr(gso_size=1)),
    "a checksum": (tcp_frame(99), VirtioNetHdr(flags=1, csum_start=34, csum_offset=16)),
    "a checksum right behind the addresses": (noise(60), VirtioNetHdr(flags=1, csum_start=14, csum_offset=0)),
    "TCP": (tcp_frame(3000), tso(1000)),
    "one segment": (tcp_frame(100), tso(1000)),
    "TCP behind tags": (tcp6_frame(3000, tags=((0x88A8, 1), (0x8100, 2))), tso6(1000, csum_start=62)),
    "datagrams": (udp_frame(3000), uso(1000)),
    "fragments": (udp_frame(3000, version=6), ufo(1000, csum_start=54)),
    "a tunnel": udp_tunnel(3000)[::-1],
    "auto": (auto_frame(tcp(noise(100))), VirtioNetHdr()),
    "auto that cuts": (auto_frame(tcp(noise(5000))), VirtioNetHdr()),
}


@pytest.mark.parametrize("name", TAGGED)
def test_a_tag_goes_behind_the_addresses_of_every_wire_frame(name):
    frame, header = TAGGED[name]
    plain = segment(frame, header, Options(auto=True))
    tagged = segment(frame, header, Options(auto=True, vlan_tci=0xA123))
    assert tagged == [one[:12] + b"\x81\x00\xa1\x23" + one[12:] for one in plain]


@pytest.mark.parametrize("name", TAGGED)
def test_mtu_max_counts_with_the_tag_and_the_mtu_of_auto_does_not(name):
    frame, header = TAGGED[name]
    longest = max(len(one) for one in segment(frame, header, Options(auto=True)))
    assert reason(frame, header, auto=True, vlan_tci=1, mtu_max=longest + 4) is None
    assert reason(frame, header, auto=True, vlan_tci=1, mtu_max=longest + 3) == "too_long"


def test_a_frame_without_addresses_is_too_short_for_a_tag():
    for header in (VirtioNetHdr(), VirtioNetHdr(flags=1, csum_start=14), tso(1000)):
        assert reason(noise(11), header, vlan_tci=1, auto=True) == "truncated"
        assert reason(noise(11), header, vlan_tci=1, mtu_max=1) == "truncated", "before mtu_max is looked at"
        assert reason(noise(11), header, vlan_tci=1, frame_len=60) == "length_mismatch"
        assert reason(noise(60), header, vlan_tci=1, frame_len=11) == "length_mismatch"
    assert reason(noise(11), VirtioNetHdr()) is None


CONTRADICTED = {
    "too long by its tag, before the end that was told": ({"mtu_max": 1057, "frame_len": 1500}, "too_long"),
    "too long by its tag, in the byte that was told": ({"mtu_max": 1057, "frame_len": 1054}, "too_long"),
    "too long by its tag, behind the end that was told": ({"mtu_max": 1057, "frame_len": 1053}, "length_mismatch"),
}


@pytest.mark.parametrize("name", CONTRADICTED)
def test_of_a_wrong_length_and_one_that_is_too_great_the_earlier_byte_counts(name):
    options, expected = CONTRADICTED[name]
    assert reason(tcp_frame(3000), tso(1000), vlan_tci=1, **options) == expected


def test_segments_that_have_left_have_their_tag():
    frame = tcp_frame(3000)
    with pytest.raises(Refused) as caught:
        segment(frame, tso(1000), Options(vlan_tci=7, frame_len=9999))
    assert [field(one, 14, 2) for one in caught.value.segments] == [7, 7]
