"""A live NIC leaves nothing behind: not at its end, not on Ctrl-C, not after a fault; and after a kill, not at the next start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from judgement import own_name

from offcut.live import LiveError, Session, Settings, ledger
from offcut.live.network import HOST, PEER, add_namespace, delete_namespace, namespace_path

SECONDS = 120.0
"""Within which all must have happened, on a machine that is busy with other things."""
LOAD = Path(__file__).parents[2] / "scripts" / "load"
SERVER = f"{sys.executable} {LOAD} sink & sleep 1001"
COMMAND = "sleep 1000 & sleep 1001"
"""Each a child and a grandchild of a shell."""
PROGRAM = """
import sys
from pathlib import Path
from offcut.cli import main
from offcut.live import ledger
ledger.DIRECTORY = Path(sys.argv.pop(1))
sys.exit(main())
"""
"""The command with a ledger of its own, so that nobody else who starts a live NIC meanwhile clears away what is killed here."""


def remains(name):
    """What there is of a NIC: namespaces, its entry in the ledger, processes that it started."""
    files = [namespace_path(f"{name}-{end.role}") for end in (HOST, PEER)] + [ledger.DIRECTORY / f"{name}.json"]
    marked = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{ledger.MARK}={name}".encode() in path.read_bytes().split(b"\0"):
                marked.append(path.parent.name)
        except OSError:
            continue
    return [path for path in files if path.exists()], marked


NOTHING = ([], [])


@pytest.fixture
def running(live_possible, popen, tmp_path, monkeypatch):
    """Start the command with a server on either side, and wait until all runs: (its process, its name)."""
    started = []
    monkeypatch.setattr(ledger, "DIRECTORY", tmp_path)

    def start(*arguments):
        name = own_name()
        offcut = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        command = [*offcut, "live", "--engine", "model", "--name", name, "--peer-run", SERVER, *arguments]
        process = popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        wanted = 6 if "--run" in arguments else 3
        deadline = time.monotonic() + SECONDS
        while len(remains(name)[1]) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        files, marked = remains(name)
        assert len(files) == 3 and len(marked) == wanted
        return process, name

    yield start
    for process in started:
        process.kill()
        process.wait()
    ledger.clear_stale()
    for process in started:
        process.communicate()


def wait_until_inside(process, namespace):
    """Until a process has entered a namespace; `ip` does so before it becomes what it was told to start."""
    deadline = time.monotonic() + SECONDS
    while Path(f"/proc/{process.pid}/ns/net").stat().st_ino != namespace_path(namespace).stat().st_ino:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)


ENDS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}


@pytest.mark.parametrize("number", ENDS.values(), ids=ENDS)
def test_a_signal_ends_it_with_a_summary_and_nothing_is_left(running, number):
    process, name = running()
    while "Ctrl-C ends it" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0 and "frames from the host" in out
    assert remains(name) == NOTHING


@pytest.mark.parametrize("number", ENDS.values(), ids=ENDS)
def test_a_signal_during_a_command_ends_both(running, number):
    process, name = running("--run", COMMAND)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130 and "offcut: interrupted" in err
    assert remains(name) == NOTHING


def test_what_a_killed_one_left_is_gone_at_the_next_start(running):
    process, name = running("--run", COMMAND)
    process.kill()
    process.wait()
    assert remains(name) != NOTHING
    with Session(Settings(engine="model", name=own_name())) as nic:
        assert name in nic.cleared
    assert remains(name) == NOTHING


def test_another_that_runs_is_left_alone_and_keeps_its_name(running):
    process, name = running()
    with Session(Settings(engine="model", name=own_name())) as nic:
        assert name not in nic.cleared
    with pytest.raises(LiveError, match=f"{name}.*running already.*--name"), Session(Settings(engine="model", name=name)):
        pass
    assert remains(name) != NOTHING and process.poll() is None


def test_a_stale_namespace_is_cleared_though_a_strangers_process_is_in_it_and_that_lives_on(running):
    process, name = running()
    with subprocess.Popen(["ip", "netns", "exec", f"{name}-host", "sleep", "1000"]) as stranger:
        try:
            wait_until_inside(stranger, f"{name}-host")
            process.kill()
            process.wait()
            assert name in ledger.clear_stale()
            assert remains(name) == NOTHING and stranger.poll() is None
        finally:
            stranger.kill()


def test_a_namespace_that_it_did_not_make_is_neither_used_nor_removed(live_possible):
    name = own_name()
    add_namespace(f"{name}-peer")
    try:
        with pytest.raises(LiveError, match="did not make"), Session(Settings(engine="model", name=name)):
            pass
        with Session(Settings(engine="model", name=own_name())):
            pass
        assert [path.name for path in remains(name)[0]] == [f"{name}-peer"]
    finally:
        delete_namespace(f"{name}-peer")


def test_a_fault_while_it_is_made_leaves_nothing(live_possible, tmp_path):
    name = own_name()
    (tmp_path / "host.pcap").mkdir()
    for engine in ("model", "rtl"):
        with pytest.raises((LiveError, OSError)), Session(Settings(engine=engine, name=name, pcap=tmp_path, tuned=False)):
            pass
        assert remains(name) == NOTHING


def test_a_fault_of_its_user_leaves_nothing(live):
    name = own_name()
    with pytest.raises(ZeroDivisionError), live(engine="model", name=name) as nic:
        nic.start(PEER, "sleep 1000")
        raise ZeroDivisionError
    assert remains(name) == NOTHING


@pytest.mark.parametrize("engine", ["model", "rtl"])
def test_a_device_that_is_taken_away_is_told(live, engine):
    with live(engine=engine) as nic:
        subprocess.run(["ip", "-n", nic.namespace(PEER), "link", "delete", PEER.device], check=True)
        deadline = time.monotonic() + SECONDS
        with pytest.raises(LiveError, match="the engine has failed"):
            while time.monotonic() < deadline:
                nic.counters()
                time.sleep(0.02)


def test_the_open_files_are_as_many_as_before(live):
    before = len(os.listdir("/proc/self/fd"))
    for engine in ("model", "rtl"):
        with live(engine=engine):
            pass
        assert len(os.listdir("/proc/self/fd")) == before
