"""scripts/differential: what it counts, and that it finds what does not agree, on a stand-in for the compiled engine."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.scoreboard import Answers
from kernel.differences import Disagreement
from offcut.config import FEATURES
from offcut.oracle import unavailable
from traffic import requests

SCRIPT = Path(__file__).parents[2] / "scripts" / "differential"


@pytest.fixture(scope="module")
def script():
    loader = importlib.machinery.SourceFileLoader("differential", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("differential", loader))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)  # no cache beside the scripts
        loader.exec_module(module)
    return module


class ModelAsEngine:
    """Answers as the model does, and then as ``spoil`` makes of it."""

    def __init__(self, cases, spoil):
        self._cases, self._spoil = cases, spoil

    def run(self, asked, frag_seed, **rhythm):
        assert [request.tuser() for request in asked] == [case.tuser for case in self._cases]
        ask = Answers(features=frozenset(FEATURES), frag_seed=frag_seed)
        frames, users, dropped = [], [], Counter()
        for case in self._cases:
            wires, reason = ask(case)
            frames += wires
            users += [case.user] * len(wires)
            dropped[reason] += 1
        del dropped[None]
        return self._spoil(SimpleNamespace(frames=frames, users=users, dropped=dict(dropped)))


@pytest.fixture
def gateware(script, seed):
    cases = list(requests(seed, 200, jumbo=0, size="small", user_width=script.USER_WIDTH))

    def check(spoil):
        under_test = script.Gateware.__new__(script.Gateware)
        under_test._features, under_test._ufo_order, under_test._ufo_buffer = frozenset(FEATURES), "last", None
        under_test._engine = ModelAsEngine(cases, spoil)
        under_test.seen = script.defaultdict(Counter)
        under_test.check(0, cases, script.random.Random(seed))
        return under_test

    return check


def test_an_engine_that_answers_as_the_model_agrees(gateware):
    seen = gateware(lambda result: result).seen
    assert sum(counts["requests"] for counts in seen.values()) == 200


def changed(result, **fields):
    return SimpleNamespace(**vars(result) | fields)


SPOILT = {
    "a byte": (lambda r: changed(r, frames=[*r.frames[:5], r.frames[5][:-1] + b"?", *r.frames[6:]]), "differ at segment"),
    "a frame is missing": (lambda r: changed(r, frames=r.frames[:-1], users=r.users[:-1]), "it did not come"),
    "a frame too many": (lambda r: changed(r, frames=[*r.frames, b"1"], users=[*r.users, 0]), "1 wire frames more"),
    "user bits": (lambda r: changed(r, users=[r.users[0] ^ 1, *r.users[1:]]), "its user bits are"),
    "a drop": (lambda r: changed(r, dropped=r.dropped | {"bad_keep": 1}), "the model drops"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_an_engine_that_answers_otherwise_is_found(gateware, what):
    spoil, words = SPOILT[what]
    with pytest.raises(Disagreement, match=words):
        gateware(spoil)


def differential(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


def test_kernel_and_model_agree_and_it_says_on_how_much():
    if why := unavailable():
        pytest.skip(why)
    ran = differential("--no-rtl", "--width", "32", "--requests", "600", "--seed", "5", "--size", "small")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("seed 5, 600 requests at each of 32 bits\n") and ran.stdout.endswith("\nAll agree.\n")
    assert "\nall " in ran.stdout and " 600 " in ran.stdout


def test_a_disagreement_ends_it_with_the_command_to_see_it_again(script, monkeypatch, capsys):
    class Disagreeing:
        def __init__(self, *_):
            self.seen = {}

        def check(self, *_):
            raise Disagreement("side by side")

    monkeypatch.setattr(script, "Gateware", Disagreeing)
    monkeypatch.setattr(script.sys, "argv", ["differential", "--no-kernel", "--width", "128", "--seed", "7", "--requests", "3"])
    with pytest.raises(SystemExit) as end:
        script.main()
    assert end.value.code == 1
    err = capsys.readouterr().err
    assert "side by side\nAgain with: scripts/differential --seed 7 --width 128 --requests 3" in err


def test_nothing_to_compare_is_refused():
    ran = differential("--no-rtl", "--no-kernel")
    assert ran.returncode == 2 and "leave the model alone" in ran.stderr
