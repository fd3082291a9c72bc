"""The list of deliberate faults fits the tree, and every fault in it turns a test red."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTED = tomllib.loads((ROOT / "scripts" / "mutations.toml").read_text())
FAULTS = [{"tests": LISTED["usual"]} | fault for fault in LISTED["fault"]]


def mutate(*arguments, check=True):
    return subprocess.run([sys.executable, ROOT / "scripts" / "mutate", *arguments], check=check, capture_output=True, text=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['rule']} ({fault['file']})")
def test_what_a_fault_replaces_stands_in_the_tree_once(fault):
    assert (ROOT / fault["file"]).read_text().count(fault["text"]) == 1
    assert fault["text"] != fault["becomes"]
    assert all((ROOT / test.partition("::")[0]).exists() for test in fault["tests"] if test.startswith("tests/"))


def test_no_rule_stands_twice():
    rules = [(fault["rule"], fault["file"].split("/")[0]) for fault in FAULTS]
    assert len(set(rules)) == len(rules)


def test_the_script_says_that_a_fault_was_killed():
    assert "1 of 1 faults killed" in mutate("--only", "the IP ID wraps").stdout


def test_nothing_chosen_is_no_success():
    assert mutate("--only", "no such fault", check=False).returncode == 1


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_fault_turns_a_test_red():
    done = mutate(check=False)
    assert done.returncode == 0, done.stdout + done.stderr
