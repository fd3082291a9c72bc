"""When frames were dropped, the command says what would help, and leaves standard output as it is."""

import json

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from offcut_model import VirtioNetHdr

UDP4 = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", flags="DF") / UDP() / bytes(3000))
UDP6 = bytes(Ether() / IPv6(src="fd00::1", dst="fd00::2") / UDP() / bytes(3000))
ICMP4 = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", flags="DF") / ICMP() / bytes(3000))
SMALL = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / bytes(30))

TOO_BIG = {
    "a datagram that must not be fragmented": (UDP4, [], ["--uso-size"], []),
    "a datagram over IPv6": (UDP6, [], ["--uso-size"], []),
    "what nothing can cut": (ICMP4, ["--uso-size", "1000"], ["--mtu"], ["--uso-size"]),
    "what is not built in": (UDP4, ["--uso-size", "1000", "--features", "tx-tcp-segmentation"], ["tx-udp-segmentation"], []),
    "what is switched off": (UDP4, ["--uso-size", "1000", "--disable", "tx-udp-segmentation"], ["tx-udp-segmentation"], []),
}


@pytest.mark.parametrize("frame, switches, words, others", TOO_BIG.values(), ids=TOO_BIG)
def test_too_big_says_what_would_help(offcut, pcap, tmp_path, frame, switches, words, others):
    outcome = offcut("segment", pcap([((1, 0), frame), ((2, 0), SMALL)]), "-o", tmp_path / "out.pcap", "--json", *switches)
    assert outcome.status == 0 and json.loads(outcome.out)["dropped"] == {"too_big": 1}
    assert outcome.err.startswith("offcut: too_big: ") and outcome.err.count("\n") == 1
    assert all(word in outcome.err for word in words) and not any(word in outcome.err for word in others)


def test_what_it_says_does_help(offcut, pcap, tmp_path):
    outcome = offcut("segment", pcap([((1, 0), UDP4), ((2, 0), UDP6)]), "-o", tmp_path / "out.pcap", "--uso-size", 1400)
    assert outcome.status == 0 and outcome.err == ""


def test_disabled_and_too_long_say_what_would_help(offcut, pcap, tmp_path):
    udp = VirtioNetHdr(flags=1, gso_type=5, gso_size=1400, csum_start=34, csum_offset=6).pack() + UDP4
    path = pcap([((1, 0), udp), ((2, 0), bytes(10) + UDP4), ((3, 0), bytes(10) + SMALL)])
    switches = ["--disable", "tx-udp-segmentation", "--mtu-max", "1600"]
    outcome = offcut("segment", "--vnet-hdr", path, "-o", tmp_path / "out.pcap", *switches)
    assert outcome.status == 0
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == ["disabled", "too_long"]
    assert "offcut features" in outcome.err and "--mtu-max" in outcome.err


def test_nothing_is_said_when_nothing_was_dropped(offcut, capture, tmp_path):
    assert offcut("segment", "--vnet-hdr", capture("bulk.vnet"), "-o", tmp_path / "out.pcap").err == ""


@pytest.mark.parametrize("real", [10, 12, 20, 24])
@pytest.mark.parametrize("said", [10, 12, 20, 24])
def test_a_wrong_size_of_the_virtio_net_hdr_is_noticed_and_the_right_one_named(offcut, pcap, records, capture, tmp_path, real, said):
    frames = [((1, 0), r.data[:10] + bytes(real - 10) + r.data[10:]) for r in records(capture("bulk.vnet"), ethernet=False)]
    outcome = offcut("segment", "--vnet-hdr", "--vnet-hdr-size", said, pcap(frames), "-o", tmp_path / "out.pcap")
    hint = f"behind one of {real} they are: try --vnet-hdr-size {real}\n"
    assert outcome.status == 0 and (hint in outcome.err) == (real != said)


def test_when_every_frame_was_dropped_the_size_is_asked_for(offcut, pcap, tmp_path):
    noise = bytes(range(1, 200))
    outcome = offcut("segment", "--vnet-hdr", pcap([((1, 0), b"\1\1" + noise)] * 3), "-o", tmp_path / "out.pcap")
    assert outcome.status == 0 and "every frame was dropped" in outcome.err and "--vnet-hdr-size" in outcome.err
