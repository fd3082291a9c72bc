"""What UDP tunnels, GRE and IP in IP carry is cut, and every header around it is right for each segment."""

import struct

import pytest

from offcut_model import Options, VirtioNetHdr, segment

from .build import (
    HOP_BY_HOP,
    TCPV4,
    TCPV6,
    USO,
    assert_packet_right,
    ethernet,
    field,
    gre,
    inner_packet,
    ipv4,
    ipv6,
    noise,
    pseudo,
    reason,
    slow_sum,
    tso,
    udp_tunnel,
)

INNER = {"TCP over IPv4": TCPV4, "TCP over IPv6": TCPV6, "UDP over IPv4": USO, "UDP over IPv6": -USO}
NO_LENGTHS = {"total": 0}


def inner_headers(base):
    return {TCPV4: 40, TCPV6: 60, USO: 28, -USO: 48}[base]


def assert_payload_whole(wire, frame, front):
    assert b"".join(one[front:] for one in wire) == frame[front:]


# UDP tunnels.


@pytest.mark.parametrize("outer_csum", (False, True), ids=("plain", "outer checksum"))
@pytest.mark.parametrize("opaque", (0, 8, 22, 54), ids=("nothing", "VXLAN without Ethernet", "VXLAN", "Geneve with options"))
@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("outer", (4, 6))
def test_each_segment_in_a_udp_tunnel_is_right_by_itself(outer, name, opaque, outer_csum):
    base = INNER[name]
    header, frame = udp_tunnel(2500, outer=outer, base=base, opaque=opaque, outer_csum=outer_csum)
    wire = segment(frame, header)
    l3, th, nh = 14, header.outer_th_offset, header.inner_nh_offset
    front = nh + inner_headers(base)
    assert [len(one) - front for one in wire] == [1000, 1000, 500]
    assert_payload_whole(wire, frame, front)
    for number, one in enumerate(wire):
        assert_packet_right(one[nh:])
        assert one[th + 8 : nh] == frame[th + 8 : nh], "what is between the headers is nobody's business"
        assert one[th : th + 4] == frame[th : th + 4]
        assert field(one, th + 4, 2) == len(one) - th
        if outer_csum:
            assert_packet_right(one[l3:], protocol=17)
        else:
            assert one[th + 6 : th + 8] == frame[th + 6 : th + 8], "that field is copied"
        if outer == 4:
            assert slow_sum(one[l3:th]) == 0xFFFF
            assert field(one, l3 + 2, 2) == len(one) - l3
            assert field(one, l3 + 4, 2) == 1 + number, "the outer ID counts from its own start"
        if base in (TCPV4, USO):
            assert field(one, nh + 4, 2) == 7 + number, "so does the inner one"


@pytest.mark.parametrize("options, outer, inner", (({"id_mode": 1}, [1] * 3, [7] * 3), ({"keep_id": True}, [1] * 3, [7] * 3)))
def test_an_id_that_is_kept_is_kept_outside_and_inside(options, outer, inner):
    header, frame = udp_tunnel(2500)
    wire = segment(frame, header, Options(**options))
    assert [field(one, 18, 2) for one in wire] == outer
    assert [field(one, header.inner_nh_offset + 4, 2) for one in wire] == inner


def test_tags_options_and_extension_headers_of_either_header_are_copied():
    header, frame = udp_tunnel(
        2500,
        outer=6,
        base=TCPV4,
        tags=((0x88A8, 3), (0x8100, 4)),
        outer_ip={"through": (HOP_BY_HOP,)},
        inner={"options": noise(12)},
        options=noise(8),
        outer_csum=True,
        request={"csum_start": 22 + 48 + 16 + 32},
    )
    wire = segment(frame, header)
    assert len(wire) == 3
    for one in wire:
        assert_packet_right(one[22:], protocol=17)
        assert_packet_right(one[header.inner_nh_offset :], protocol=6)
    assert_payload_whole(wire, frame, 22 + 48 + 16 + 32 + 28)


def test_an_outer_checksum_of_zero_is_sent_as_ffff():
    header, frame = udp_tunnel(2500, outer_csum=True)
    wire = segment(frame, header)[1]
    # With its own checksum among the opaque bytes, too, the second segment sums to 0xFFFF before it is inverted.
    opaque = (field(wire, 42, 2) + field(wire, 40, 2)) % 0xFFFF
    changed = frame[:42] + struct.pack("!H", opaque) + frame[44:]
    wire = segment(changed, header)[1]
    assert field(wire, 40, 2) == 0xFFFF
    assert_packet_right(wire[14:], protocol=17)


@pytest.mark.parametrize("outer_csum", (False, True))
@pytest.mark.parametrize("length", (0, 999, 1000))
def test_one_segment_in_a_tunnel_gets_its_inner_checksum_and_nothing_else(length, outer_csum):
    header, frame = udp_tunnel(length, outer_csum=outer_csum, flags=0xFFF)
    (wire,) = segment(frame, header)
    at = header.csum_start + 16
    assert wire[:at] + wire[at + 2 :] == frame[:at] + frame[at + 2 :]
    assert slow_sum(pseudo(20 + length) + wire[header.csum_start :]) == 0xFFFF


OUTER_STARTS = {
    "the length that was told": (None, None),
    "the outer IP header's length, if none was told": (0, 3000),
}


@pytest.mark.parametrize("name", OUTER_STARTS)
def test_the_lengths_taken_out_of_both_partial_sums_are(name):
    told, declared = OUTER_STARTS[name]
    header, frame = udp_tunnel(2500, outer_csum=True)
    if declared is not None:
        # Both sums are for a packet that ends where the outer header says.
        frame = bytearray(frame)
        frame[16:18] = struct.pack("!H", declared)
        frame[40:42] = struct.pack("!H", slow_sum(pseudo(declared - 20, 17)))
        inner = 14 + declared - header.csum_start
        frame[header.csum_start + 16 : header.csum_start + 18] = struct.pack("!H", slow_sum(pseudo(inner)))
        frame = bytes(frame)
    for one in segment(frame, header, Options(frame_len=told)):
        assert_packet_right(one[14:], protocol=17)
        assert_packet_right(one[header.inner_nh_offset :], protocol=6)


def test_above_64_kib_too_each_segment_is_right():
    header, frame = udp_tunnel(150_000, outer_csum=True, outer_ip=NO_LENGTHS, inner=NO_LENGTHS)
    wire = segment(frame, header)
    assert len(wire) == 150
    for one in wire:
        assert_packet_right(one[14:], protocol=17)
        assert_packet_right(one[header.inner_nh_offset :], protocol=6)


def test_a_udp_tunnel_of_any_port_and_without_a_length_at_all_is_a_bad_header():
    header, frame = udp_tunnel(2500, outer_ip=NO_LENGTHS)
    assert reason(frame, header) is None
    assert reason(frame, header, frame_len=0) == "bad_header"


CONTRADICTIONS = {
    "outer_th_offset too small": ({"outer_ip": {"options": bytes(4)}}, {"outer_th_offset": 34}),
    "outer_th_offset too great": ({}, {"outer_th_offset": 36}),
    "csum_start too great": ({}, {"csum_start": 74}),
    "another outer family": ({"outer": 6}, {"gso_type": TCPV4 | 0x20}),
    "another inner family": ({"base": TCPV6}, {"gso_type": TCPV4 | 0x20}),
    "inner UDP with another version": ({"base": USO, "inner": {"version": 5}}, {}),
    "inner UDP with version 0": ({"base": USO, "inner": {"version": 0}}, {}),
    "inner TCP with another version": ({"inner": {"version": 6}}, {}),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_udp_tunnel_is_contradicted_by(name):
    fields, request = CONTRADICTIONS[name]
    header, frame = udp_tunnel(2500, request=request, **fields)
    assert reason(frame, header) == "bad_header"


@pytest.mark.parametrize("at, protocol", ((23, 6), (23, 4), (23, 47), (59, 17), (59, 4), (59, 47)))
def test_a_udp_tunnel_carries_tcp_in_ip_in_udp_and_nothing_else(at, protocol):
    header, frame = udp_tunnel(2500)
    assert (header.inner_nh_offset, frame[23], frame[59]) == (50, 17, 6)
    assert reason(frame[:at] + bytes((protocol,)) + frame[at + 1 :], header) == "bad_header"


# GRE, and IP in IP.


def carried(base, *, outer=4, around=None, payload=2500, tags=(), outer_ip=None, inner=None, gso_size=1000, request=None, **fields):
    """A request for what an IP header carries, with ``around`` (packet, its EtherType) in between: the request, the frame and both offsets."""
    packet, transport = inner_packet(payload, base, inner, **fields)
    version = packet[0] >> 4
    ethertype = 0x0800 if version == 4 else 0x86DD
    protocol = {4: 4, 6: 41}[version]
    body = packet
    if around is not None:
        body, protocol = around(packet, ethertype), 47
    build, outer_type = (ipv4, 0x0800) if outer == 4 else (ipv6, 0x86DD)
    front = ethernet(outer_type, tags=tags)
    outer_packet = build(body, protocol=protocol, **(outer_ip or {}))
    frame = front + outer_packet
    gre_at = len(frame) - len(body)
    nh = len(frame) - len(packet)
    header = {
        "flags": 1,
        "gso_type": abs(base),
        "gso_size": gso_size,
        "csum_start": nh + transport,
        "csum_offset": 6 if abs(base) == USO else 16,
    }
    return VirtioNetHdr(**header | (request or {})), frame, gre_at, nh


def gre_with(*, ethernet_tags=None, **fields):
    """What stands around a packet in GRE; with ``ethernet_tags`` it carries Ethernet."""

    def around(packet, ethertype):
        if ethernet_tags is not None:
            return gre(ethernet(ethertype, tags=ethernet_tags) + packet, protocol=0x6558, **fields)
        return gre(packet, protocol=ethertype, **fields)

    return around


AROUND = {
    "IP in IP": None,
    "GRE": gre_with(),
    "GRE with a key": gre_with(key=0x12345678),
    "GRE with a checksum": gre_with(check=0xBAD3),
    "GRE with both": gre_with(check=0, key=0xFFFFFFFF),
    "GRE with Ethernet": gre_with(ethernet_tags=()),
    "GRE with all and tagged Ethernet": gre_with(check=0xFFFF, key=1, ethernet_tags=((0x8100, 9),)),
}


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("around", AROUND)
def test_each_segment_in_gre_and_ip_in_ip_is_right_by_itself(around, outer, name):
    base = INNER[name]
    header, frame, gre_at, nh = carried(base, outer=outer, around=AROUND[around], tags=((0x8100, 1),))
    wire = segment(frame, header)
    front = nh + inner_headers(base)
    assert [len(one) - front for one in wire] == [1000, 1000, 500]
    assert_payload_whole(wire, frame, front)
    for number, one in enumerate(wire):
        assert_packet_right(one[18:])
        assert_packet_right(one[nh:])
        if outer == 4:
            assert field(one, 22, 2) == 1 + number
        if base in (TCPV4, USO):
            assert field(one, nh + 4, 2) == 7 + number
        if "checksum" in around or "both" in around or "all" in around:
            assert slow_sum(one[gre_at:]) == 0xFFFF
            assert one[gre_at : gre_at + 4] + one[gre_at + 6 : nh] == frame[gre_at : gre_at + 4] + frame[gre_at + 6 : nh]
        else:
            assert one[gre_at:nh] == frame[gre_at:nh]


@pytest.mark.parametrize("around", ("IP in IP", "GRE", "GRE with a key"))
@pytest.mark.parametrize("base", (TCPV4, TCPV6))
def test_without_needs_csum_the_inner_addresses_are_summed(around, base):
    header, frame, _, nh = carried(base, around=AROUND[around], request={"flags": 0, "csum_start": 0, "csum_offset": 0})
    for one in segment(frame, header):
        assert_packet_right(one[14:])
        assert_packet_right(one[nh:], protocol=6)


def test_a_gre_checksum_of_zero_stays_zero():
    header, frame, at, nh = carried(TCPV4, around=gre_with(check=0, key=0))
    wire = segment(frame, header)[1]
    changed = frame[: at + 8] + struct.pack("!I", field(wire, at + 4, 2)) + frame[at + 12 :]
    wire = segment(changed, header)[1]
    assert field(wire, at + 4, 2) == 0
    assert slow_sum(wire[at:]) == 0xFFFF


GRE_CONTRADICTIONS = {
    "a version": {"flags": 0x0001},
    "a sequence number": {"flags": 0x1000},
    "routing": {"flags": 0x4000},
    "strict source routing": {"flags": 0x0800},
    "recursion": {"flags": 0x0100},
    "a reserved bit": {"flags": 0x0008},
}


@pytest.mark.parametrize("name", GRE_CONTRADICTIONS)
def test_gre_is_contradicted_by(name):
    header, frame, *_ = carried(TCPV4, around=gre_with(**GRE_CONTRADICTIONS[name]))
    assert reason(frame, header) == "bad_header"


OTHERS = {
    "GRE that carries ARP": carried(TCPV4, around=lambda packet, ethertype: gre(packet, protocol=0x0806)),
    "GRE that carries tags": carried(TCPV4, around=lambda packet, ethertype: gre(b"\0\1\x08\0" + packet, protocol=0x8100)),
    "GRE with Ethernet that carries ARP": carried(TCPV4, around=lambda packet, ethertype: gre(ethernet(0x0806) + packet, protocol=0x6558)),
    "GRE that carries another version": carried(TCPV4, around=lambda packet, ethertype: gre(packet, protocol=0x86DD)),
    "another inner family": carried(TCPV6, request={"gso_type": TCPV4}),
    "a checksum without NEEDS_CSUM": carried(TCPV4, around=gre_with(check=0), request={"flags": 0}),
    "csum_start at the outer transport": carried(TCPV4, request={"csum_start": 34}),
    "GRE in GRE": carried(TCPV4, around=lambda packet, ethertype: gre(ipv4(gre(packet), protocol=47))),
    "IP in IP in IP": carried(TCPV4, around=lambda packet, ethertype: gre(ipv4(packet, protocol=4))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_tunnels_are_contradicted_by(name):
    header, frame, *_ = OTHERS[name]
    assert reason(frame, header) == "bad_header"


SWITCHES = {
    "IPIP": (carried(TCPV4), "tx-ipxip4-segmentation"),
    "SIT": (carried(TCPV6), "tx-ipxip4-segmentation"),
    "IPv4 in IPv6": (carried(TCPV4, outer=6), "tx-ipxip6-segmentation"),
    "IPv6 in IPv6": (carried(TCPV6, outer=6), "tx-ipxip6-segmentation"),
    "GRE": (carried(TCPV4, around=gre_with()), "tx-gre-segmentation"),
    "GRE with a checksum": (carried(TCPV4, around=gre_with(check=0)), "tx-gre-csum-segmentation"),
    "GRE with a checksum, no GRE": (carried(TCPV4, around=gre_with(check=0)), "tx-gre-segmentation"),
}
TUNNEL_FEATURES = {"tx-ipxip4-segmentation", "tx-ipxip6-segmentation", "tx-gre-segmentation", "tx-gre-csum-segmentation"}


@pytest.mark.parametrize("name", SWITCHES)
def test_a_tunnel_that_is_switched_off_is_disabled_when_the_walk_meets_it(name):
    (header, frame, gre_at, nh), feature = SWITCHES[name]
    assert reason(frame, header, disable={feature}) == "disabled"
    needed = (
        {feature}
        | ({"tx-gre-segmentation"} if "gre" in feature else set())
        | ({"tx-gre-csum-segmentation"} if "checksum" in name else set())
    )
    assert reason(frame, header, disable=TUNNEL_FEATURES - needed) is None
    # It counts with the word that says so, and not a word before.
    seen = gre_at + 4 if feature == "tx-gre-csum-segmentation" else {4: 26, 6: 22}[frame[14] >> 4]
    assert reason(frame[:seen], header, disable={feature}) == "disabled"
    assert reason(frame[: seen - 1], header, disable={feature}) == "truncated"


@pytest.mark.parametrize("around", AROUND)
def test_a_tunnel_that_nothing_gives_a_length_is_a_bad_header(around):
    header, frame, *_ = carried(TCPV4, around=AROUND[around], outer_ip=NO_LENGTHS)
    assert reason(frame, header) is None
    assert reason(frame, header, frame_len=0) == "bad_header"


@pytest.mark.parametrize("around", AROUND)
def test_one_segment_in_any_tunnel_gets_its_inner_checksum_and_nothing_else(around):
    header, frame, _, nh = carried(TCPV4, around=AROUND[around], payload=1000)
    (wire,) = segment(frame, header)
    at = header.csum_start + 16
    assert wire[:at] + wire[at + 2 :] == frame[:at] + frame[at + 2 :]
    assert slow_sum(pseudo(1020) + wire[header.csum_start :]) == 0xFFFF


def test_fragments_of_a_tunnel_are_not_made():
    header, frame, *_ = carried(USO, request={"gso_type": 3})
    assert reason(frame, header) == "bad_header"
    header, frame, *_ = carried(USO, around=gre_with(), request={"gso_type": 3})
    assert reason(frame, header) == "bad_header"


def test_without_a_tunnel_in_the_request_udp_is_not_entered():
    header, frame = udp_tunnel(2500)
    assert reason(frame, tso(1000, csum_start=header.csum_start)) == "bad_header"
