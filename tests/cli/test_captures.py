"""What Linux handed to a NIC, cut by Offcut, is what Linux itself put on the wire: every frame, every byte."""

import os
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ["bulk", "http", "requests", "udp"]
ENGINES = [("model", 64), *(("rtl", width) for width in (32, 64, 128, 256, 512))]


@pytest.fixture
def agree(offcut, records, tmp_path):
    """Cut both of a sender's captures, and hold what comes out against the receiver's."""

    def check(folder, name, engine, width):
        wire = records(folder / f"{name}.wire.pcap")
        for switches, source in ([], f"{name}.pcap"), (["--vnet-hdr"], f"{name}.vnet.pcap"):
            output = tmp_path / "out.pcap"
            outcome = offcut("segment", *switches, folder / source, "-o", output, "--engine", engine, "--width", width)
            assert outcome.err == "" and outcome.status == 0
            for sent, expected in zip_longest(records(output), wire):
                assert sent and expected, f"{source}: one has more frames"
                assert sent.data.hex(" ") == expected.data.hex(" "), f"{source}: wire frame {sent.number}"

    return check


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine, width", ENGINES)
def test_offcut_sends_what_linux_sent(agree, capture, name, engine, width):
    agree(capture(name).parent, name, engine, width)


def test_the_captures_hold_what_they_are_for(capture, records):
    frames = {name: [record.data for record in records(capture(name))] for name in NAMES}
    assert max(map(len, frames["bulk"])) > 20 * 1448
    assert max(map(len, frames["http"])) > 20 * 1448
    assert b"HTTP/1.1 200 OK" in b"".join(frames["http"])
    assert min(map(len, frames["requests"])) < 70
    fragments = [frame for frame in frames["udp"] if frame[12:14] == b"\x08\x00" and int.from_bytes(frame[20:22], "big") & 0x3FFF]
    assert fragments and len(frames["udp"]) > len(fragments)


def test_the_captures_are_small(capture):
    assert sum(path.stat().st_size for path in capture("bulk").parent.iterdir()) < 1_000_000


@pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")
@pytest.mark.skipif(not (shutil.which("ip") and shutil.which("ethtool")), reason="needs iproute2 and ethtool")
def test_fresh_captures_of_the_running_kernel_agree_too(agree, tmp_path):
    made = subprocess.run([sys.executable, ROOT / "scripts" / "make_captures", tmp_path], capture_output=True, text=True)
    if "Operation not permitted" in made.stderr or "Not supported" in made.stderr:
        pytest.skip("this machine makes no network namespaces with veth and bridge")
    assert made.returncode == 0, made.stderr
    for name in NAMES:
        agree(tmp_path, name, "model", 64)


def test_no_namespace_is_left_behind():
    folder = Path("/var/run/netns")
    assert not folder.exists() or not list(folder.glob("offcut-*-sender"))
