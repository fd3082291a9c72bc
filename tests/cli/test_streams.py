"""Standard input and output in place of files, and signals."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

OFFCUT = [sys.executable, "-m", "offcut"]


def run(*arguments, **options):
    return subprocess.run([*OFFCUT, *map(str, arguments)], capture_output=True, check=False, **options)


def test_a_capture_goes_from_standard_input_to_standard_output(offcut, capture, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap")
    piped = run("segment", "-", "-o", "-", input=capture("bulk").read_bytes())
    assert (piped.returncode, piped.stdout) == (0, (tmp_path / "out.pcap").read_bytes())
    assert b"segments out" in piped.stderr, "the counts do not disturb the capture"


def test_an_unreadable_standard_input_is_named_as_its_user_does(tmp_path):
    piped = run("segment", "-", "-o", tmp_path / "out.pcap", input=b"hello, world")
    assert piped.returncode == 1 and piped.stderr.startswith(b"offcut: standard input is not a pcap or pcapng capture")
    assert not os.listdir(tmp_path)


def test_a_closed_standard_input_is_named(tmp_path):
    closed = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *OFFCUT, "segment", "-", "-o", tmp_path / "out.pcap"], capture_output=True, text=True, check=False
    )
    assert closed.returncode == 1 and closed.stderr == "offcut: cannot read standard input: it is closed\n"


def test_features_and_help_need_no_standard_input():
    closed = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *OFFCUT, "features"], capture_output=True, text=True, check=False)
    assert closed.returncode == 0 and closed.stderr == ""


def test_a_picture_can_go_to_standard_output(offcut, capture, tmp_path):
    outcome = offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--picture", "-")
    assert outcome.status == 0 and outcome.out.startswith("<svg") and outcome.out.endswith("</svg>\n")


def test_a_reader_that_goes_away_is_no_error_to_tell(capture):
    reader = subprocess.Popen([*OFFCUT, "segment", str(capture("bulk")), "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.close()
    assert b"Traceback" not in reader.stderr.read() and reader.wait() == 1
    reader.stderr.close()


def test_a_full_device_behind_standard_output_is_named(capture):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*OFFCUT, "segment", str(capture("bulk")), "-o", "-"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1 and done.stderr == "offcut: cannot write standard output: no space left on device\n"


CONFLICTS = {
    "JSON": (["-o", "-", "--json"], "--json prints on standard output, where the capture goes with -o -; name a file with -o"),
    "twice": (["-o", "-", "--picture", "-"], "- is named twice: only one of the output and the picture can go to standard output"),
}


@pytest.mark.parametrize("switches, message", CONFLICTS.values(), ids=CONFLICTS)
def test_two_things_on_standard_output_are_refused(offcut, capture, switches, message):
    assert offcut("segment", capture("bulk"), *switches) == (1, "", f"offcut: {message}\n")


def test_a_terminal_is_spared_a_capture(capture):
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*OFFCUT, "segment", str(capture("bulk")), "-o", "-"], stdout=theirs, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 1 and done.stderr.startswith("offcut: standard output is a terminal, which shows no capture")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_leaves_the_old_output_and_no_other_file(popen, tmp_path, capture, number):
    """The capture comes through a pipe that never ends, so the command is in mid-run when the signal comes."""
    output = tmp_path / "out.pcap"
    output.write_text("old")
    running = popen([*OFFCUT, "segment", "-", "-o", str(output)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False)
    running.stdin.write(capture("bulk").read_bytes())
    running.stdin.flush()
    deadline = time.monotonic() + 60
    while len(os.listdir(tmp_path)) < 2:  # until the hidden file is there
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.01)
    running.send_signal(number)
    said = running.stderr.read()
    assert running.wait(60) == 128 + number and said.endswith(b"offcut: terminated\n")
    running.stdin.close()
    running.stderr.close()
    assert os.listdir(tmp_path) == ["out.pcap"] and output.read_text() == "old"


def test_a_hangup_that_is_ignored_stays_ignored():
    """As under nohup."""
    program = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from offcut.cli import main, features; "
        "features.configuration.disabled = lambda args: os.kill(os.getpid(), signal.SIGHUP) or frozenset(); raise SystemExit(main(['features']))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
