"""Wireshark's dissectors find no bad checksum in what Offcut sends."""

import shutil
import subprocess
from functools import cache

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark (Debian: apt install tshark)")

LAYERS = ("ip", "tcp", "udp")
BAD, GOOD = "0", "1"
ODDITIES = ("lost_segment", "retransmission", "out_of_order")


def fields(path, names):
    """One list a frame, of what Wireshark has in these fields: text, empty where there is none."""
    switches = [word for layer in LAYERS for word in ("-o", f"{layer}.check_checksum:TRUE")]
    columns = [word for name in names for word in ("-e", name)]
    shown = subprocess.run(["tshark", "-r", path, *switches, "-T", "fields", *columns], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in shown.stdout.splitlines()]


@cache
def checksums(path):
    """For each layer, the status of the checksum in each frame that has one."""
    frames = fields(path, [f"{layer}.checksum.status" for layer in LAYERS])
    return {layer: [status for status in column if status] for layer, column in zip(LAYERS, zip(*frames, strict=True), strict=True)}


@pytest.mark.parametrize("engine", ["model", "rtl"])
@pytest.mark.parametrize("name", ["bulk", "http", "requests", "udp"])
def test_no_checksum_of_a_bundled_capture_is_bad(offcut, capture, tmp_path, name, engine):
    assert offcut("segment", capture(name), "-o", tmp_path / "wire.pcap", "--engine", engine).status == 0
    wire = checksums(tmp_path / "wire.pcap")
    transport = "udp" if name == "udp" else "tcp"
    for layer in ("ip", transport):
        assert len(wire[layer]) > 10 and set(wire[layer]) == {GOOD}
    # As Linux handed them over, they were bad: so Wireshark does look at them.
    assert BAD in checksums(capture(name))[transport]


def test_no_segment_is_lost_or_twice(offcut, capture, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "wire.pcap")
    frames = fields(tmp_path / "wire.pcap", ["tcp.len", *(f"tcp.analysis.{oddity}" for oddity in ODDITIES)])
    assert len(frames) > 100
    assert not [number for number, (_, *odd) in enumerate(frames, 1) if any(odd)]
