"""`offcut live`: what it prints, and how it refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from judgement import own_name

from offcut.cli import main
from offcut.cli.live import _filled_in
from offcut.live import Counters
from offcut.live.report import Report, status_line


@pytest.fixture
def command(capfd):
    """Call `offcut live`: (status, standard output, standard error)."""

    def call(*arguments):
        try:
            status = main(["live", *arguments])
        except SystemExit as end:
            status = end.code
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def nic(command, live_possible):
    return lambda *arguments: command("--engine", "model", "--name", own_name(), *arguments)


def test_help_teaches_with_examples(command):
    status, out, err = command("--help")
    assert (status, err) == (0, "")
    for word in ("--run", "--peer-run", "{peer}", "--engine", "--width", "--mtu", "--pcap", "--loss", "--reorder", "examples:"):
        assert word in out


BAD = {
    "MTU too small": (["--mtu", "575"], "between 576 and 9000 bytes, not be 575"),
    "MTU too large": (["--mtu", "9001"], "not be 9001"),
    "MTU above mtu-max": (["--mtu", "2000", "--mtu-max", "1600"], "between 576 and 1586 bytes"),
    "loss": (["--loss", "1"], "loss must be a probability below 1, not 1.0"),
    "reorder": (["--reorder", "-0.5"], "reorder must be a probability below 1, not -0.5"),
    "width": (["--width", "48"], "48"),
    "feature": (["--features", "tx-magic"], "tx-magic"),
    "name": (["--name", "a/b"], "'a/b'"),
    "engine": (["--engine", "fpga"], "fpga"),
}


@pytest.mark.parametrize("arguments, words", BAD.values(), ids=BAD)
def test_a_bad_argument_is_refused_in_one_line_that_names_it(command, arguments, words):
    status, out, err = command(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1) and words in err


def test_without_root_it_says_how(command, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status, out, err = command("--engine", "model")
    assert (status, out, err.count("\n")) == (1, "", 1) and "sudo offcut live" in err


def test_without_tap_devices_it_says_what_is_missing(nic, monkeypatch):
    really = os.open

    def without(path, *rest, **options):
        if path == "/dev/net/tun":
            raise FileNotFoundError(2, "No such file or directory", path)
        return really(path, *rest, **options)

    monkeypatch.setattr(os, "open", without)
    status, out, err = nic("--run", "true")
    assert (status, out, err.count("\n")) == (1, "", 1) and "/dev/net/tun" in err


def test_it_tells_how_to_enter_both_sides_and_sums_up(nic):
    status, out, err = nic("--run", "echo to {peer} and {peer6} from {host} and {host6}")
    assert status == 0
    assert out.startswith("to 10.87.0.2 and fd0f:fc07::2 from 10.87.0.1 and fd0f:fc07::1\n")
    assert err.count("sudo ip netns exec offcut-test-") == 2
    for word in ("frames from the host", "wire frames", "dropped by the engine", "dropped by the TAPs", "TcpInCsumErrors"):
        assert word in out


def test_what_is_no_address_stays_in_braces():
    assert _filled_in("awk '{print $1}' {peer} {}") == "awk '{print $1}' 10.87.0.2 {}"


def test_json_is_all_that_stands_on_standard_output(nic):
    status, out, err = nic("--json", "--peer-run", "echo server", "--run", "echo client")
    told = json.loads(out)
    assert status == 0 and "client" in err and "server" in err
    assert (told["engine"], told["width"], told["mtu"], told["dropped"], told["retransmitted"]) == ("model", None, 1500, {}, 0)


def test_the_status_of_a_command_that_fails_is_told(nic):
    status, out, err = nic("--run", "exit 7")
    assert status == 1 and "ended with status 7: exit 7" in err and "frames from the host" in out


def test_captures_are_written(nic, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert nic("--pcap", str(folder), "--run", "true")[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["host.pcap", "peer.pcap", "request.pcap"]


def test_the_status_line_tells_rates_since_the_last_one_and_sums():
    before = Counters(bytes_out=1_000_000, clocks=1_000_000)
    now = Counters(
        frames_in=1234,
        super_frames_in=1000,
        frames_out=56789,
        bytes_out=26_000_000,
        clocks=5_000_000,
        back_frames=7,
        dropped={"bad_header": 3},
    )
    line = status_line(before, now, 2.0)
    for words in ("100.0 Mb/s", "2.00 M clocks/s", "host 1,234 (1,000 cut)", "wire 56,789", "back 7", "dropped 3"):
        assert words in line
    assert "lost" not in line and "lost 2  late 1" in status_line(before, Counters(lost=2, reordered=1), 1.0)


def test_the_table_names_the_reasons_of_drops():
    counters = Counters(frames_in=10, dropped={"too_long": 2, "bad_header": 1}, clocks=1000, bytes_out=7500, engine_seconds=0.001)
    host, peer = {"DeviceTxDropped": 4, "TcpRetransSegs": 5}, {"TcpInCsumErrors": 6}
    lines = Report(counters, host, peer, seconds=1.0, engine="rtl", width=64, mtu=1500).table().splitlines()
    rows = {line[: line.index("  ", 3)].strip(): line.split("  ", 1)[1].split()[0] for line in lines}
    shown = {"dropped by the engine": "3", "too_long": "2", "bad_header": "1", "dropped by the TAPs": "4", "retransmitted by TCP": "5"}
    for label, value in (shown | {"peer: TcpInCsumErrors": "6", "bytes per clock": "7.500"}).items():
        (line,) = [line for line in lines if line.strip().startswith(label)]
        assert line.split(label)[1].split()[0] == value, rows


ROOT = Path(__file__).parents[2]


def test_every_table_of_the_benchmark_has_its_place_in_the_page_and_was_recorded():
    said = subprocess.run([sys.executable, ROOT / "scripts" / "bench_live", "--help"], capture_output=True, text=True, check=True).stdout
    tables = re.search(r"TABLE +(\w+(?:,\s+\w+)+)", said)[1]
    for name in re.split(r",\s+", tables):
        (table,) = re.findall(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", (ROOT / "docs" / "live.md").read_text(), flags=re.S)
        assert len(table.splitlines()) > 3, name
