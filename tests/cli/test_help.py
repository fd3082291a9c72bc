"""The command explains itself."""

import subprocess
import sys

import pytest

from offcut import __version__
from offcut.config import FEATURES

HELP = {
    "the command": ([], ["segment", "verilog", "features", "examples:"]),
    "segment": (["segment"], ["--mtu", "--engine", "--width", "--vnet-hdr", "--json", "--check", "--picture", "examples:"]),
    "verilog": (["verilog"], ["--width", "--features", "--mtu-max", "FILE.v", "examples:"]),
    "features": (["features"], ["ethtool -k", "example:"]),
}


@pytest.mark.parametrize("command, words", HELP.values(), ids=HELP)
def test_help_teaches_with_examples(offcut, command, words):
    outcome = offcut(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    for word in words:
        assert word in outcome.out


def test_the_version_is_the_one_of_the_package(offcut):
    assert offcut("--version").out == f"offcut {__version__}\n"


def test_features_are_listed_by_their_ethtool_names(offcut):
    listed = dict(line.split()[:2] for line in offcut("features").out.splitlines())
    assert listed == {f"{name}:": "on" for name in FEATURES}


def test_features_that_are_left_out_are_off(offcut):
    listed = dict(line.split()[:2] for line in offcut("features", "--features", "tx-checksum-ip-generic").out.splitlines())
    assert listed == {"tx-tcp-segmentation:": "off", "tx-checksum-ip-generic:": "on"}


def test_the_module_runs_as_the_command():
    ran = subprocess.run([sys.executable, "-m", "offcut", "features"], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "") and "tx-tcp-segmentation" in ran.stdout


def test_a_closed_pipe_is_no_error_to_tell():
    ran = subprocess.Popen([sys.executable, "-m", "offcut", "features"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ran.stdout.close()
    assert ran.stderr.read() == b""
    ran.stderr.close()
    ran.wait()
