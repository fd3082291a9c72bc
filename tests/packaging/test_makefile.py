"""`make` says what it can do, and what it lacks before it begins."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ["g++", "make", "perl"]


@pytest.fixture
def make(tmp_path):
    """Call make with a virtual environment of its own and a PATH that holds these programs alone."""

    def call(*arguments, programs):
        folder = tmp_path / "bin"
        folder.mkdir()
        for program in programs:
            (folder / program).symlink_to(shutil.which(program))
        environment = {"PATH": str(folder), "HOME": str(tmp_path)}
        command = [folder / "make", f"VENV={tmp_path / 'venv'}", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    return call


@pytest.mark.parametrize("missing", ["g++", "perl"])
def test_a_missing_program_is_named(make, tmp_path, missing):
    ran = make("venv", programs=[*(program for program in NEEDED if program != missing), "python3"])
    assert ran.returncode != 0
    assert f"needs: {missing}." in ran.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("python", ["python2.7", "false"])
def test_a_python_that_is_missing_or_too_old_is_named(make, tmp_path, python):
    ran = make("venv", f"PYTHON={python}", programs=[*NEEDED, "false"])
    assert ran.returncode != 0
    assert "Python 3.11 or later" in ran.stderr and python in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_help_lists_every_target(make):
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    ran = make("help", programs=["make", "awk"])
    assert set(re.findall(r"^  make (\S+)", ran.stdout, re.MULTILINE)) == set(phony)


def test_ci_runs_what_people_run():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "make test"
