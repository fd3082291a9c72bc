"""The switches that stand for the engine's configuration inputs and metadata: what the model does with them, and that the gateware does the same."""

import json

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from offcut_model import VirtioNetHdr

ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
PAYLOAD = bytes(range(256)) * 16

TCP4 = ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2", id=0x7FFE) / TCP(sport=4000, dport=80, flags="PA") / PAYLOAD[:4000]
UDP4 = ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2", flags="DF") / UDP(sport=4000, dport=53) / PAYLOAD[:4000]
UDP6 = ETHERNET / IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=4000, dport=53) / PAYLOAD[:4000]
FRAMES = [bytes(frame) for frame in (TCP4, UDP4, UDP6)]


def wire(records, path):
    return [Ether(record.data) for record in records(path)]


def ids(frames):
    return [frame[IP].id for frame in frames if IP in frame and TCP in frame]


SWITCHES = {
    "nothing": ([], {"too_big": 2}, [0x7FFE, 0x7FFF, 0x8000]),
    "--id-mode fixed": (["--id-mode", "fixed"], {"too_big": 2}, [0x7FFE] * 3),
    "--id-mode 15-bit": (["--id-mode", "15-bit"], {"too_big": 2}, [0x7FFE, 0x7FFF, 0]),
    "--disable": (["--disable", "tx-tcp-segmentation"], {"too_big": 3}, []),
    "--uso-size": (["--uso-size", "1272"], {}, [0x7FFE, 0x7FFF, 0x8000]),
    "--uso-size and --disable": (["--uso-size", "1272", "--disable", "tx-udp-segmentation"], {"too_big": 2}, [0x7FFE, 0x7FFF, 0x8000]),
    "--vlan": (["--vlan", "8195", "--mtu", "9000"], {}, [0x7FFE]),
}


@pytest.mark.parametrize("switches, dropped, expected_ids", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("engine", (["--engine", "model"], ["--engine", "rtl", "--check"]), ids=("model", "rtl"))
def test_a_switch_is_obeyed(offcut, pcap, records, tmp_path, engine, switches, dropped, expected_ids):
    path = pcap([((1, 0), frame) for frame in FRAMES])
    outcome = offcut("segment", path, "-o", tmp_path / "out.pcap", "--json", *switches, *engine)
    frames = wire(records, tmp_path / "out.pcap")
    assert outcome.status == 0 and json.loads(outcome.out)["dropped"] == dropped
    assert ids(frames) == expected_ids


def test_uso_size_is_the_payload_of_each_datagram(offcut, pcap, records, tmp_path):
    offcut("segment", pcap([((1, 0), FRAMES[1]), ((2, 0), FRAMES[2])]), "-o", tmp_path / "out.pcap", "--uso-size", 1272)
    assert [len(frame[UDP].payload) for frame in wire(records, tmp_path / "out.pcap")] == [1272, 1272, 1272, 184] * 2


def test_a_vlan_tag_goes_into_every_wire_frame(offcut, pcap, records, tmp_path):
    offcut("segment", pcap([((1, 0), FRAMES[0])]), "-o", tmp_path / "out.pcap", "--vlan", 5 << 13 | 77)
    frames = wire(records, tmp_path / "out.pcap")
    assert [(frame[Dot1Q].prio, frame[Dot1Q].vlan) for frame in frames] == [(5, 77)] * 3
    assert b"".join(bytes(frame[TCP].payload) for frame in frames) == PAYLOAD[:4000]


ORDERS = {"last": [1480, 2960, 0], "first": [0, 1480, 2960]}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("engine", (["--engine", "model"], ["--engine", "rtl", "--check"]), ids=("model", "rtl"))
def test_fragments_leave_in_the_order_that_was_built(offcut, pcap, records, tmp_path, engine, order):
    frame = bytes(ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=53) / PAYLOAD[:4000])
    assert offcut("segment", pcap([((1, 0), frame)]), "-o", tmp_path / "out.pcap", "--ufo-order", order, *engine).status == 0
    assert [8 * fragment[IP].frag for fragment in wire(records, tmp_path / "out.pcap")] == ORDERS[order]


@pytest.mark.parametrize("engine", (["--engine", "model"], ["--engine", "rtl", "--check"]), ids=("model", "rtl"))
def test_the_tunnel_fields_of_a_24_byte_header_are_used(offcut, pcap, records, tmp_path, engine):
    inner = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04") / IP(src="192.168.0.1", dst="192.168.0.2") / TCP(flags="A")
    outer = ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5000, dport=4789, chksum=0) / VXLAN(vni=7)
    frame = bytes(outer / inner / PAYLOAD[:3000])
    asked = VirtioNetHdr(flags=1, gso_type=0x21, gso_size=1400, csum_start=84, csum_offset=16, outer_th_offset=34, inner_nh_offset=64)
    path = pcap([((1, 0), asked.pack(24) + frame)])
    outcome = offcut("segment", "--vnet-hdr", "--vnet-hdr-size", 24, path, "-o", tmp_path / "out.pcap", *engine)
    assert outcome.status == 0 and outcome.err == ""
    assert [len(frame[VXLAN][TCP].payload) for frame in wire(records, tmp_path / "out.pcap")] == [1400, 1400, 200]


@pytest.mark.parametrize("engine", (["--engine", "model"], ["--engine", "rtl", "--check"]), ids=("model", "rtl"))
def test_ipv6_fragments_of_different_datagrams_have_different_identifications(offcut, pcap, records, tmp_path, engine, monkeypatch):
    """Also in different batches of a long capture, which are different runs of the gateware."""
    monkeypatch.setattr("offcut.cli.records.BATCH_BYTES", 10_000)
    asked = VirtioNetHdr(flags=1, gso_type=3, gso_size=1448, csum_start=54, csum_offset=6)
    path = pcap([((1, 0), asked.pack() + FRAMES[2])] * 9)
    assert offcut("segment", "--vnet-hdr", path, "-o", tmp_path / "out.pcap", *engine).status == 0
    frames = records(tmp_path / "out.pcap")
    identifications = [frame.data[58:62] for frame in frames]
    assert len(frames) == 27 and len(set(identifications)) == 9
    assert all(len(set(identifications[at : at + 3])) == 1 for at in range(0, 27, 3))


REFUSED = {
    "a VLAN of 17 bits": (["--vlan", "65536"], ["--vlan", "65535", "65536"]),
    "a VLAN that makes frames too long": (["--vlan", "1", "--mtu", "9202"], ["9202", "9220", "9216", "raise --mtu-max"]),
    "datagrams of nothing": (["--uso-size", "0"], ["--uso-size", "between 1 and 1472", "0"]),
    "datagrams above the MTU": (["--uso-size", "1473"], ["between 1 and 1472", "MTU of 1500", "1473"]),
    "datagrams above a low MTU": (["--uso-size", "600", "--mtu", "576"], ["between 1 and 548", "MTU of 576", "600"]),
    "an ID mode that is none": (["--id-mode", "random"], ["--id-mode", "random", "15-bit"]),
    "a feature to disable that is none": (["--disable", "tso"], ["--disable", "'tso'", "tx-tcp-segmentation"]),
    "an order that is none": (["--ufo-order", "middle"], ["--ufo-order", "middle", "first"]),
    "datagrams with headers": (["--vnet-hdr", "--uso-size", "1000"], ["--uso-size 1000", "gso_size", "leave --uso-size out"]),
    "user bits": (["--user-width", "8"], ["--user-width"]),
}


@pytest.mark.parametrize("switches, words", REFUSED.values(), ids=REFUSED)
def test_a_switch_out_of_range_is_refused_with_one_line(offcut, capture, tmp_path, switches, words):
    outcome = offcut("segment", capture("udp"), "-o", tmp_path / "out.pcap", *switches)
    assert outcome.status == 1 and outcome.out == "" and outcome.err.count("\n") == 1
    assert all(word in outcome.err for word in words)
    assert not (tmp_path / "out.pcap").exists()


def test_a_datagram_that_outgrows_the_buffer_of_an_engine_is_dropped_by_both(offcut, pcap, tmp_path):
    """Where the fragment with the checksum leaves first, all of them wait in the buffer, however little of each of its words they fill."""
    frame = bytes(ETHERNET / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=53) / bytes(60000))
    asked = VirtioNetHdr(flags=1, gso_type=3, gso_size=8, csum_start=34, csum_offset=6)
    switches = ["--vnet-hdr", "--ufo-order", "first", "--width", 512, "--json"]
    for engine, dropped in (["model"], {}), (["rtl", "--check"], {"too_big": 1}):
        outcome = offcut("segment", *switches, pcap([((1, 0), asked.pack() + frame)]), "-o", tmp_path / "out.pcap", "--engine", *engine)
        assert outcome.status == 0 and json.loads(outcome.out)["dropped"] == dropped
        assert ("--ufo-order last" in outcome.err) == bool(dropped)
