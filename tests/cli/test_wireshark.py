"""Wireshark's dissectors find no bad checksum in what Offcut sends."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark (Debian: apt install tshark)")

LAYERS = ("ip", "tcp", "udp")
BAD, GOOD = 0, 1


def count(path, condition):
    """How many frames of a capture a display filter lets through."""
    checks = [word for layer in LAYERS for word in ("-o", f"{layer}.check_checksum:TRUE")]
    shown = subprocess.run(["tshark", "-r", path, *checks, "-Y", condition], capture_output=True, text=True, check=True)
    return len(shown.stdout.splitlines())


@pytest.mark.parametrize("engine", ["model", "rtl"])
@pytest.mark.parametrize("name", ["bulk", "http", "requests", "udp"])
def test_no_checksum_of_a_bundled_capture_is_bad(offcut, capture, tmp_path, name, engine):
    wire = tmp_path / "wire.pcap"
    assert offcut("segment", capture(name), "-o", wire, "--engine", engine).status == 0
    transport = "udp" if name == "udp" else "tcp"
    assert count(wire, " || ".join(f"{layer}.checksum.status == {BAD}" for layer in LAYERS)) == 0
    assert count(wire, f"ip.checksum.status == {GOOD}") == count(wire, "ip")
    assert count(wire, f"{transport}.checksum.status == {GOOD}") == count(wire, transport) > 10
    # As Linux handed them over, they were bad: so the filter does see them.
    assert count(capture(name), f"{transport}.checksum.status == {BAD}") > 0


def test_no_segment_is_lost_or_twice(offcut, capture, tmp_path):
    wire = tmp_path / "wire.pcap"
    offcut("segment", capture("bulk"), "-o", wire)
    assert count(wire, "tcp.analysis.lost_segment || tcp.analysis.retransmission || tcp.analysis.out_of_order") == 0
