"""Every row of docs/semantics.md: which request a frame carries, in what order it is judged, and what auto makes of it."""

from dataclasses import replace

import pytest

from offcut_model import DEFAULT_FEATURES, FEATURES, REASONS, Options, Refused, VirtioNetHdr, segment

from .build import assert_sums_right, auto_frame, ethernet, ipv4, noise, pseudo, reason, slow_sum, tcp, tcp_frame, tso

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

TCPV4, UFO, TCPV6, USO = 1, 3, 4, 5
TUNNEL4, TUNNEL6, ECN = 0x20, 0x40, 0x80
TYPES = {TCPV4, UFO, TCPV6, USO}
TYPES |= {base | ECN for base in (TCPV4, TCPV6)}
TYPES |= {base | tunnel | ecn for base in (TCPV4, TCPV6) for tunnel in (TUNNEL4, TUNNEL6) for ecn in (0, ECN)}
TYPES |= {USO | tunnel for tunnel in (TUNNEL4, TUNNEL6)}
"""Every gso_type that exists."""


def test_a_gso_type_exists_and_is_disabled_or_is_a_bad_request():
    assert len(TYPES) == 16
    for gso_type in range(1, 256):
        expected = "disabled" if gso_type in TYPES else "bad_request"
        assert reason(b"", tso(0, gso_type=gso_type), features=frozenset()) == expected, hex(gso_type)


ASKS_FOR = {
    "tx-tcp-segmentation": (tso(1000), {}),
    "tx-tcp6-segmentation": (tso(1000, gso_type=TCPV6), {}),
    "tx-udp-segmentation": (tso(1000, gso_type=USO), {}),
    "tx-udp-fragmentation": (tso(1000, gso_type=UFO), {}),
    "tx-tcp-ecn-segmentation": (tso(1000, gso_type=TCPV4 | ECN), {}),
    "tx-udp_tnl-segmentation": (tso(1000, gso_type=TCPV4 | TUNNEL6), {}),
    "tx-udp_tnl-csum-segmentation": (tso(1000, gso_type=TCPV4 | TUNNEL4, flags=9), {}),
    "tx-tcp-mangleid-segmentation": (tso(1000), {"keep_id": True}),
    "tx-checksum-ip-generic": (CSUM, {}),
    "tx-vlan-offload": (VirtioNetHdr(), {"vlan_tci": 1}),
}


@pytest.mark.parametrize("name", ASKS_FOR)
def test_a_request_for_a_feature_that_is_switched_off_is_disabled(name):
    header, options = ASKS_FOR[name]
    for off in ({"features": FEATURES - {name}}, {"disable": {name}}):
        assert reason(tcp_frame(3000), header, **options, **off) == "disabled"
        assert reason(b"", replace(header, gso_size=0), **options, **off) == "disabled", "before numbers and headers are looked at"
    assert reason(tcp_frame(3000), header, **options) != "disabled"


NEEDS_NO_OTHER = {
    "TCP": (tcp_frame(3000), tso(1000), {}, {TSO}),
    "one segment": (tcp_frame(100), tso(1000), {}, {TSO}),
    "a checksum": (AUTO_FRAME, CSUM, {}, {CHECKSUM}),
    "keeping the ID of what is not cut": (AUTO_FRAME, CSUM, {"keep_id": True}, {CHECKSUM}),
    "UDP_TUNNEL_CSUM without a tunnel": (tcp_frame(3000), tso(1000, flags=9), {}, {TSO}),
    "a frame that passes": (AUTO_FRAME, VirtioNetHdr(gso_size=1), {}, set()),
}


@pytest.mark.parametrize("name", NEEDS_NO_OTHER)
def test_a_request_needs_no_feature_that_it_does_not_ask_for(name):
    frame, header, options, features = NEEDS_NO_OTHER[name]
    assert reason(frame, header, features=features, **options) is None


def udp_tunnel(**fields):
    """A request for TCP over IPv4 in VXLAN over IPv4."""
    return tso(1000, **{"gso_type": TCPV4 | TUNNEL4, "outer_th_offset": 34, "inner_nh_offset": 64, "csum_start": 84} | fields)


NUMBERS = {
    "gso_size 0": (tso(0), {}),
    "gso_size 0 without NEEDS_CSUM": (tso(0, flags=0), {}),
    "gso_size 65535": (tso(65535), {}),
    "fragments of 7 bytes": (tso(7, gso_type=UFO, csum_offset=6), {}),
    "fragments of 12 bytes": (tso(12, gso_type=UFO, csum_offset=6), {}),
    "fragments of 1001 bytes without NEEDS_CSUM": (tso(1001, gso_type=UFO, flags=0), {}),
    "TCP with csum_offset 6": (tso(1000, csum_offset=6), {}),
    "TCP with csum_offset 0": (tso(1000, csum_offset=0), {}),
    "TCP over IPv6 with csum_offset 6": (tso(1000, gso_type=TCPV6, csum_offset=6), {}),
    "UDP with csum_offset 16": (tso(1000, gso_type=USO), {}),
    "fragments with csum_offset 16": (tso(1000, gso_type=UFO), {}),
    "UDP_L4 without NEEDS_CSUM": (tso(1000, gso_type=USO, flags=0, csum_offset=6), {}),
    "a tunnel without NEEDS_CSUM": (udp_tunnel(flags=0), {}),
    "a tunnel with UDP_TUNNEL_CSUM alone": (udp_tunnel(flags=8), {}),
    "an outer header of 19 bytes": (udp_tunnel(outer_th_offset=33), {}),
    "an outer IPv6 header of 39 bytes": (udp_tunnel(gso_type=TCPV4 | TUNNEL6, outer_th_offset=53), {}),
    "an inner header inside the outer UDP header": (udp_tunnel(inner_nh_offset=40), {}),
    "an inner header at an odd byte": (udp_tunnel(inner_nh_offset=63), {}),
    "an inner header of 19 bytes": (udp_tunnel(csum_start=83), {}),
    "an inner IPv6 header of 39 bytes": (udp_tunnel(gso_type=TCPV6 | TUNNEL4, csum_start=103), {}),
    "a tag behind csum_start": (tso(1000, csum_start=13), {"vlan_tci": 1}),
    "a tag behind csum_start of a checksum": (VirtioNetHdr(flags=1, csum_start=13, csum_offset=1), {"vlan_tci": 1}),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_a_request_that_cannot_be(name):
    header, options = NUMBERS[name]
    assert reason(tcp_frame(1500), header, **options) == "bad_request"
    assert reason(b"", header, **options) == "bad_request", "before the headers are looked at"


NUMBERS_ON_THE_EDGE = {
    "gso_size 65534": (tso(65534), {}),
    "gso_size 1": (tso(1), {}),
    "csum_offset without NEEDS_CSUM": (tso(1000, flags=0, csum_offset=6, csum_start=9), {}),
    "fragments of 8 bytes": (tso(8, gso_type=UFO, csum_offset=6), {}),
    "fragments of 65528 bytes": (tso(65528, gso_type=UFO, csum_offset=6), {}),
    "fragments without NEEDS_CSUM and csum_offset": (tso(1000, gso_type=UFO, flags=0, csum_offset=0), {}),
    "an outer header of 20 bytes": (udp_tunnel(), {}),
    "an outer IPv6 header of 40 bytes": (udp_tunnel(gso_type=TCPV4 | TUNNEL6, outer_th_offset=54), {}),
    "an inner header behind the outer UDP header": (udp_tunnel(inner_nh_offset=42), {}),
    "an inner header of 20 bytes, which may be IPv6": (udp_tunnel(gso_type=USO | TUNNEL4, csum_offset=6), {}),
    "an inner IPv6 header of 40 bytes": (udp_tunnel(gso_type=TCPV6 | TUNNEL4, csum_start=104), {}),
    "a tag before csum_start": (VirtioNetHdr(flags=1, csum_start=14, csum_offset=1), {"vlan_tci": 1}),
    "csum_start without NEEDS_CSUM and a tag": (VirtioNetHdr(csum_start=13), {"vlan_tci": 1}),
    "csum_start without a tag": (VirtioNetHdr(flags=1, csum_start=13, csum_offset=1), {}),
}


@pytest.mark.parametrize("name", NUMBERS_ON_THE_EDGE)
def test_numbers_of_a_request_that_can_be(name):
    header, options = NUMBERS_ON_THE_EDGE[name]
    assert reason(noise(1500), header, **options) != "bad_request"


NO_CSUM = {"flags": 0, "csum_start": 0, "csum_offset": 0}
HEADERS = {
    "ARP": (ethernet(0x0806) + ipv4(tcp(noise(3000))), tso(1000)),
    "IPv6 by EtherType": (ethernet(0x86DD) + ipv4(tcp(noise(3000))), tso(1000)),
    "ARP behind a tag": (ethernet(0x0806, tag=1) + ipv4(tcp(noise(3000))), tso(1000, csum_start=38)),
    "ARP behind two tags": (ethernet(0x88A8) + b"\0\1\x81\0\0\2\x08\x06" + ipv4(tcp(noise(3000))), tso(1000, csum_start=42)),
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
    "EtherType": (ethernet(0x0806) + bytes(2), 16),
    "EtherType behind a tag": (ethernet(0x0806, tag=1) + bytes(2), 20),
    "version": (ethernet() + b"\x65\0\0\0", 18),
    "ihl": (ethernet() + b"\x44\0\0\0", 18),
    "protocol": (ethernet() + ipv4(b"", protocol=17)[:12], 26),
    "csum_start": (ethernet() + ipv4(tcp(), options=bytes(4))[:28], 42),
    "data offset": (ethernet() + ipv4(tcp(offset=4))[:36], 50),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_contradiction_counts_from_the_end_of_the_word_where_it_is_seen(name):
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
        ({"mtu_max": 999, "frame_len": 1001}, "too_long"),
        ({"mtu_max": 998, "frame_len": 1001}, "too_long"),
    )
    for options, expected in cases:
        assert reason(frame, header, **options) == expected, options


# Where the length was not told.

ONE_OR_MORE = {
    "declared to fit": (3000, {"total": 1040}, "whole"),
    "declared not to fit": (3000, {"total": 1041}, "cut"),
    "declared to fit, and does": (1000, {}, "whole"),
    "declared to end in the headers": (3000, {"total": 20}, "whole"),
    "declared not to fit, and fits": (500, {"total": 1041}, "single"),
    "not declared": (3000, {"total": 0}, "cut"),
    "not declared, and fits": (500, {"total": 0}, "single"),
    "not declared, and empty": (0, {"total": 0}, "single"),
}


@pytest.mark.parametrize("name", ONE_OR_MORE)
def test_without_a_length_that_was_told_the_declared_one_says_whether_a_frame_is_cut(name):
    length, ip, expected = ONE_OR_MORE[name]
    frame = tcp_frame(length, flags=0xFFF, ip=ip)
    if ip.get("total"):
        # The partial sum is for the declared length, too: a segment's checksum comes out right.
        inside = ip["total"] - 20 if expected != "whole" else length + 20
        frame = frame[:50] + slow_sum(pseudo(inside)).to_bytes(2, "big") + frame[52:]
    wire = segment(frame, tso(1000), Options(frame_len=0))
    assert b"".join(one[54:] for one in wire) == frame[54:]
    if expected == "whole":
        assert wire == segment(frame, CSUM), "exactly as a checksum request"
    elif expected == "single":
        assert len(wire) == 1 and wire[0][46:48] == b"\x5f\xff", "a single segment keeps all flags"
        assert_sums_right(wire[0])
    else:
        assert [len(one) - 54 for one in wire] == [1000] * 3
        for one in wire:
            assert_sums_right(one)


def test_a_single_segment_is_cut_in_all_else():
    # Its flags are kept whatever the masks; its checksum of 0 stays 0; its ID is its own.
    frame = tcp_frame(500, flags=0xFFF, ip={"total": 0, "ident": 9})
    masks = {"tcp_clear_first": 0xFFF, "tcp_clear_middle": 0xFFF, "tcp_clear_last": 0xFFF}
    (wire,) = segment(frame, tso(1000), Options(frame_len=0, **masks))
    assert wire[46:48] == b"\x5f\xff"
    check = int.from_bytes(wire[50:52], "big")
    changed = (int.from_bytes(frame[60:62], "big") + check) % 0xFFFF
    (wire,) = segment(frame[:60] + changed.to_bytes(2, "big") + frame[62:], tso(1000), Options(frame_len=0))
    assert (wire[18:20], wire[50:52]) == (b"\0\x09", b"\0\0")
    assert_sums_right(wire)


def test_what_counts_against_mtu_max_is_what_leaves():
    single = tcp_frame(500, ip={"total": 0})
    assert reason(single, tso(1000), frame_len=0, mtu_max=554) is None
    assert reason(single, tso(1000), frame_len=0, mtu_max=553) == "too_long"
    declared_to_fit = tcp_frame(3000, ip={"total": 1040})
    assert reason(declared_to_fit, tso(1000), frame_len=0, mtu_max=3054) is None
    assert reason(declared_to_fit, tso(1000), frame_len=0, mtu_max=3053) == "too_long"


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
    with pytest.raises(Refused, match="^bad_header: the request is for IP protocol 6, the header at byte 34 is 17$"):
        segment(tcp_frame(3000, ip={"protocol": 17}), tso(1000))


def test_there_is_no_reason_without_a_name():
    assert "bad_keep" not in REASONS
    with pytest.raises(ValueError, match="no reason 'bad_luck'"):
        Refused("bad_luck", "")


# Options themselves.

RANGES = {
    "mtu": (0, 65535),
    "mtu_max": (1, (1 << 20) - 1),
    "frame_len": (0, (1 << 20) - 1),
    "tcp_clear_first": (0, 0xFFF),
    "tcp_clear_middle": (0, 0xFFF),
    "tcp_clear_last": (0, 0xFFF),
    "id_mode": (0, 2),
    "uso_size": (0, 65535),
    "frag_seed": (0, (1 << 32) - 1),
    "frag_number": (0, (1 << 32) - 1),
    "vlan_tci": (0, 65535),
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
    with pytest.raises(ValueError, match="no feature 'rx-lro'"):
        Options(disable={"rx-lro"})


def test_all_features_but_sctp_are_on_by_default():
    assert Options().features == DEFAULT_FEATURES == FEATURES - {"tx-checksum-sctp"}
    assert len(FEATURES) == 15
    assert Options().disable == frozenset()


@pytest.mark.parametrize("order", ("", "middle", None))
def test_an_unknown_order_of_fragments_is_refused_by_name(order):
    with pytest.raises(ValueError, match=f"ufo_order must be 'last' or 'first', not {order!r}"):
        Options(ufo_order=order)
