"""Whatever is wrong: one line that names it and says what helps, exit status 1, and no file half written."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from offcut.cli import capture as capture_module
from offcut.cli import main

DATA = Path(__file__).parents[1] / "data"

FRAME = bytes(12) + b"\x08\x06" + bytes(46)
NOW = (1_700_000_000, 0)

GZIP = b"\x1f\x8b\x08\x00" + bytes(40)
SECTION = bytes.fromhex("0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000")
INTERFACE = bytes.fromhex("01000000 14000000 01000000 00000000 14000000")
PACKET = bytes.fromhex("06000000 24000000 00000000 00000000 00000000 04000000 04000000 aabbccdd 24000000")

FILES = {
    "text": (b"hello, world\n", ["not a pcap or pcapng capture", "68 65 6c 6c"]),
    "nothing": (b"", ["not a pcap or pcapng capture", "nothing"]),
    "gzip": (GZIP, ["not a pcap", "gunzip"]),
    "pcapng that ends in its first block": (SECTION[:20], ["truncated"]),
    "pcapng that ends in a record": (SECTION + INTERFACE + PACKET + PACKET[:-6], ["truncated", "record 2"]),
    "pcapng with an unknown byte order": (
        SECTION[:8] + b"\1\2\3\4" + SECTION[12:],
        ["damaged behind record 0", "Not a supported capture file"],
    ),
    "pcapng block with two lengths": (SECTION + INTERFACE[:-4] + b"\x18\0\0\0", ["damaged", "bad blocklen"]),
    "pcapng block of an odd length": (SECTION + b"\5\0\0\0\x0e\0\0\0" + bytes(20), ["damaged", "bad blocklen"]),
    "pcapng block of less than its frame": (SECTION + b"\5\0\0\0\4\0\0\0", ["damaged", "contradicts itself"]),
    "pcapng interface that ends early": (SECTION + b"\1\0\0\0\x10\0\0\0" + bytes(4) + b"\x10\0\0\0", ["damaged"]),
    "pcapng that ends behind a block's type": (SECTION + b"\5\0\0\0", ["truncated", "record 1"]),
    "pcapng packet without interface": (SECTION + PACKET, ["damaged", "interface 0 is unknown"]),
    "pcapng block longer than any": (SECTION + b"\5\0\0\0\0\0\0\x7f" + bytes(20), ["damaged", "more than 16777216 bytes"]),
}


@pytest.mark.parametrize("content, words", FILES.values(), ids=FILES)
def test_a_file_that_is_no_whole_capture_is_refused(offcut, tmp_path, content, words):
    path = tmp_path / "in.pcapng"
    path.write_bytes(content)
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), str(path), *words)
    assert os.listdir(tmp_path) == ["in.pcapng"]


@pytest.mark.parametrize("missing", [1, 15, 16, 17, 59, 60, 75])
def test_a_truncated_pcap_is_refused_wherever_it_ends(offcut, pcap, tmp_path, missing):
    path = pcap([(NOW, FRAME), (NOW, FRAME)])
    os.truncate(path, path.stat().st_size - missing)
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), "truncated", "record 2")


def test_a_record_that_snaplen_cut_is_named(offcut, pcap, tmp_path):
    path = pcap([(NOW, FRAME), (NOW, FRAME, 1514)])
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), "record 2", "snaplen", "60 of 1514", "tcpdump -s 0")


def test_an_empty_record_is_named(offcut, pcap, tmp_path):
    refused(offcut("segment", pcap([(NOW, FRAME), (NOW, b"")]), "-o", tmp_path / "out.pcap"), "record 2", "empty")


def test_a_record_of_a_gigabyte_is_not_read_into_memory(offcut, pcap, tmp_path):
    path = pcap([(NOW, FRAME)])
    path.write_bytes(path.read_bytes() + bytes(8) + b"\0\0\0\x40" * 2)
    os.truncate(path, path.stat().st_size + (1 << 30))  # a file with a hole takes no room
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), "damaged behind record 1", "more than 16777216 bytes")


@pytest.mark.parametrize("link_type, kind", [(0, "BSD loopback"), (101, "raw IP"), (113, "Linux cooked"), (147, "unknown")])
def test_a_link_type_that_is_not_ethernet_is_named(offcut, pcap, tmp_path, link_type, kind):
    path = pcap([(NOW, FRAME)], link_type=link_type)
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), f"link type {link_type} ({kind})", "--vnet-hdr")


def test_a_record_too_short_for_its_virtio_net_hdr_is_named(offcut, pcap, tmp_path):
    path = pcap([(NOW, bytes(24) + FRAME), (NOW, bytes(24))])
    refused(offcut("segment", "--vnet-hdr", "--vnet-hdr-size", 24, path, "-o", tmp_path / "out.pcap"), "record 2", "24 bytes")


def test_a_frame_longer_than_any_bus_can_tell_is_named(offcut, pcap, tmp_path):
    path = pcap([(NOW, bytes(1 << 20))])
    refused(offcut("segment", path, "-o", tmp_path / "out.pcap"), "record 1", "1048576", "1048575")


SWITCHES = {
    "no output": ([], ["-o"]),
    "width 40": (["-o", "out", "--width", "40"], ["32, 64, 128, 256, 512", "40"]),
    "width in words": (["-o", "out", "--width", "wide"], ["--width", "'wide'"]),
    "MTU 10": (["-o", "out", "--mtu", "10"], ["--mtu", "68", "10"]),
    "MTU 65536": (["-o", "out", "--mtu", "65536"], ["65535", "65536"]),
    "MTU above --mtu-max": (["-o", "out", "--mtu", "9500"], ["9500", "9514", "9216", "raise --mtu-max"]),
    "--mtu-max 64": (["-o", "out", "--mtu-max", "64"], ["mtu_max", "1522", "64"]),
    "an unknown feature": (["-o", "out", "--features", "tx-magic"], ["tx-magic", "tx-tcp-segmentation"]),
    "an unknown engine": (["-o", "out", "--engine", "gpu"], ["--engine", "gpu", "rtl"]),
    "a header of 11 bytes": (["-o", "out", "--vnet-hdr", "--vnet-hdr-size", "11"], ["11", "10, 12, 20, 24"]),
    "a header's size without headers": (["-o", "out", "--vnet-hdr-size", "12"], ["--vnet-hdr-size 12", "add --vnet-hdr"]),
    "an MTU with headers": (["-o", "out", "--vnet-hdr", "--mtu", "1400"], ["--mtu 1400", "gso_size"]),
    "checking the model against itself": (["-o", "out", "--check"], ["--check", "--engine rtl"]),
    "an unknown switch": (["-o", "out", "--quick"], ["--quick"]),
}


@pytest.mark.parametrize("switches, words", SWITCHES.values(), ids=SWITCHES)
def test_a_wrong_switch_is_refused(offcut, capture, tmp_path, monkeypatch, switches, words):
    monkeypatch.chdir(tmp_path)
    refused(offcut("segment", capture("udp"), *switches), *words)
    assert not os.listdir(tmp_path)


def test_a_command_that_does_not_exist_is_refused(offcut):
    refused(offcut("merge"), "merge", "segment")


OUTPUTS = {
    "a folder that is not there": ("missing/out.pcap", ["no such file"]),
    "a folder": (".", ["directory"]),
    "below a file": ("file/out.pcap", ["not a directory"]),
}


@pytest.mark.parametrize("path, words", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("command", ["segment", "picture"])
def test_an_output_that_cannot_be_written_is_refused(offcut, capture, tmp_path, path, words, command):
    (tmp_path / "file").touch()
    wanted = str(tmp_path / path)
    outputs = ["-o", wanted] if command == "segment" else ["-o", tmp_path / "out.pcap", "--picture", wanted]
    refused(offcut("segment", capture("bulk"), *outputs), "cannot write", wanted, *words)
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_reported(offcut, capture):
    refused(offcut("segment", capture("bulk"), "-o", "/dev/full"), "cannot write /dev/full", "no space left")


@pytest.mark.parametrize("path, words", [("missing.pcap", ["no such file"]), (".", ["directory"])])
def test_an_input_that_cannot_be_read_is_refused(offcut, tmp_path, path, words):
    refused(offcut("segment", tmp_path / path, "-o", tmp_path / "out.pcap"), "cannot read", str(tmp_path / path), *words)
    assert not os.listdir(tmp_path)


def test_a_picture_of_nothing_is_refused(offcut, capture, tmp_path):
    refused(offcut("segment", capture("udp"), "-o", tmp_path / "out.pcap", "--picture", tmp_path / "out.svg"), "no frame", "--picture")
    assert not os.listdir(tmp_path)


def test_an_error_leaves_the_old_output_as_it_was(offcut, pcap, tmp_path):
    output = tmp_path / "out.pcap"
    output.write_text("old")
    path = pcap([(NOW, FRAME), (NOW, FRAME, 1514)])
    refused(offcut("segment", path, "-o", output), "snaplen")
    assert output.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["in.pcap", "out.pcap"]


def test_an_interruption_leaves_nothing_behind(offcut, capture, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(capture_module, "read_capture", interrupted)
    outcome = offcut("segment", capture("udp"), "-o", tmp_path / "out.pcap")
    assert outcome == (130, "", "offcut: interrupted\n")
    assert not os.listdir(tmp_path)


def test_a_device_as_output_stays_a_device(offcut, capture):
    assert offcut("segment", capture("udp"), "-o", "/dev/null").status == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_link_as_output_stays_a_link(offcut, capture, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert offcut("segment", capture("udp"), "-o", tmp_path / "link").status == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").is_file()


def test_the_output_has_the_permissions_of_any_new_file(offcut, capture, tmp_path):
    (tmp_path / "any").touch()
    offcut("segment", capture("udp"), "-o", tmp_path / "out.pcap")
    assert (tmp_path / "out.pcap").stat().st_mode == (tmp_path / "any").stat().st_mode


def refused(outcome, *words):
    """Assert that the command said one line with these words, and nothing else."""
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith("offcut: ") and outcome.err.count("\n") == 1 and outcome.err.endswith("\n")
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("picture", [None, "same"])
def test_a_file_that_is_named_twice_is_not_touched(tmp_path, capsys, picture):
    capture = tmp_path / "a.pcap"
    capture.write_bytes((DATA / "udp.pcap").read_bytes())
    arguments = ["-o", str(tmp_path / "b.pcap"), "--picture", str(capture)] if picture else ["-o", str(capture)]
    assert main(["segment", str(capture), *arguments]) == 1
    assert "is named twice" in capsys.readouterr().err
    assert capture.read_bytes() == (DATA / "udp.pcap").read_bytes()


def test_standard_output_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "offcut", "features"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "offcut: standard output cannot be written: No space left on device"
