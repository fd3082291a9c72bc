"""The compiled engine against the golden model on random requests, under random pauses and noise, through resets and broken beats."""

import random
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest

from bench.difference import difference
from bench.harness import as_request, ufo_buffer
from bench.scoreboard import Answers
from offcut.config import FEATURES, WIDTHS, Config
from offcut.rtl import Engine, Reset
from traffic import requests

COUNT = 10_000
BLOCK = 1000
"""Requests in one run; each run has its own rhythm."""

UFO = 3

RHYTHMS = (0.0, 0.0, 0.1, 0.5, 0.9, (1, 1), (7, 2), (64, 40))


OPTIONS = {
    32: {"user_width": 1, "features": FEATURES},
    64: {},
    128: {"ufo_order": "first", "user_width": 33},
    256: {},
    512: {"ufo_order": "first", "user_width": 64},
}
"""What else each engine is built with."""


@cache
def compiled(width):
    return Engine(Config(width=width, **OPTIONS[width]))


@pytest.fixture
def engine(width):
    return compiled(width)


def drawn(cases):
    return [as_request(case) for case in cases]


def answered(engine, cases, rhythm):
    """The model's answers in a run that begins with the first of the cases."""
    config = engine.config
    answers = Answers(
        mtu_max=config.mtu_max,
        features=config.features,
        ufo_order=config.ufo_order,
        ufo_buffer=ufo_buffer(config),
        frag_seed=rhythm["frag_seed"],
    )
    return list(map(answers, cases))


def blocks(seed, count, width):
    """Random cases in blocks, each with its own arguments for a run, and what to say of a failure."""
    dice = random.Random(seed)
    shape = {"width": width, "user_width": OPTIONS[width].get("user_width", 0)}
    for start in range(0, count, BLOCK):
        rhythm = {"source_idle": dice.choice(RHYTHMS), "sink_stall": dice.choice(RHYTHMS), "shy": dice.random() < 0.1}
        rhythm |= {"seed": dice.getrandbits(32), "frag_seed": dice.getrandbits(32)}
        yield (
            list(requests(seed, min(BLOCK, count - start), **shape, start=start)),
            rhythm,
            f"requests({seed}, ..., **{shape}, start={start})",
        )


def compare(cases, answers, frames, where, complete=True):
    """Wire frames against the answers to the cases, in order; if not ``complete``, the end may be missing."""
    expected = [(index, frame) for index, (segments, _) in enumerate(answers) for frame in segments]
    for number, (came, (index, frame)) in enumerate(zip(frames, expected, strict=False)):
        if came != frame:
            text = f"wire frame {number}, of request {index} ({cases[index].note}) of {where}"
            raise AssertionError(f"{text}\n{difference(frame, came)}")
    assert len(frames) <= len(expected), f"{len(frames) - len(expected)} wire frames more than expected, {where}"
    if complete:
        assert len(frames) == len(expected), f"{len(expected) - len(frames)} wire frames are missing at the end, {where}"


def compare_drops(answers, dropped, where):
    expected = Counter(reason for _, reason in answers if reason)
    assert dropped == expected, f"dropped {dropped}, expected {dict(expected)}, {where}"


def compare_run(cases, answers, result, where):
    """All of a run without resets: frames, user bits, drops and strobes."""
    compare(cases, answers, result.frames, where)
    compare_drops(answers, result.dropped, where)
    if result.users:
        assert result.users == [case.user for case, (frames, _) in zip(cases, answers, strict=True) for _ in frames], where
    assert result.strobes["stat_frame"] == len(cases) and result.strobes["stat_segment"] == len(result.frames), where


@pytest.mark.parametrize("width", WIDTHS, scope="module")
def test_ten_thousand_random_requests_agree_with_the_model(engine, width, seed):
    for cases, rhythm, where in blocks(seed, COUNT, width):
        compare_run(cases, answered(engine, cases, rhythm), engine.run(drawn(cases), **rhythm), f"{where} {rhythm}")


@pytest.mark.parametrize("width", WIDTHS, scope="module")
def test_a_reset_in_mid_frame_loses_what_is_in_flight_and_nothing_after_it(engine, width, seed):
    dice = random.Random(seed)
    for cases, rhythm, where in blocks(seed, 2 * BLOCK, width):
        asked = drawn(cases)
        clocks = engine.run(asked, **rhythm).clocks
        resets = sorted(dice.sample(range(clocks), 50))
        result = engine.run(asked, reset_at=resets, **rhythm)
        assert len(result.resets) > 25
        epochs = [Reset(0, 0, 0), *result.resets, Reset(clocks, len(cases), len(result.frames))]
        for before, after in pairwise(epochs):
            given = cases[before.request : after.request]
            came = result.frames[before.frame : after.frame]
            after_it = f"after the reset at clock {before.clock}, {where} {rhythm}"
            compare(given, answered(engine, given, rhythm), came, after_it, complete=after is epochs[-1])


@pytest.mark.parametrize("width", WIDTHS, scope="module")
def test_a_beat_with_broken_keep_drops_its_frame_and_no_other(engine, width, seed):
    """What left before the broken beat is the beginning of the right answer; every other frame is as if nothing had been."""
    dice = random.Random(seed)
    lanes = width // 8
    full = (1 << lanes) - 1
    for cases, rhythm, where in blocks(seed, 2 * BLOCK, width):
        answers = answered(engine, cases, rhythm)
        asked = drawn(cases)
        # Whether a broken frame takes an identification depends on where it breaks, so none that would is broken.
        candidates = [index for index, case in enumerate(cases) if case.vnet_hdr[1] != UFO]
        broken = set(dice.sample(candidates, len(cases) // 10))
        for index in broken:
            last = -(-len(cases[index].frame) // lanes) - 1
            at = dice.randint(0, last)
            wrong = (0, full - 1, full ^ 2, 0b101) if at == last else (0, full - 1, full >> 1, 1)
            asked[index] = as_request(cases[index], keep={at: dice.choice(wrong)})
        result = engine.run(asked, origins=True, **rhythm)
        came = [[] for _ in cases]
        for origin, frame in zip(result.origin, result.frames, strict=True):
            came[origin].append(frame)
        expected = Counter()
        for index, (segments, reason) in enumerate(answers):
            note = f"request {index} ({cases[index].note}) of {where} {rhythm}"
            if index in broken:
                assert came[index] == segments[: len(came[index])], note
                assert len(came[index]) < max(1, len(segments)) or reason, f"{note} left whole in spite of its broken beat"
            else:
                compare([cases[index]], [answers[index]], came[index], note)
                expected[reason] += reason is not None
        assert all(result.dropped.get(reason, 0) >= count for reason, count in expected.items() if reason), where
        assert sum(result.dropped.values()) == sum(expected.values()) + len(broken), f"one drop a frame, {where} {rhythm}"


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS, scope="module")
def test_a_hundred_thousand_random_requests_agree_with_the_model(engine, width, seed):
    for cases, rhythm, where in blocks(f"long {seed}", 10 * COUNT, width):
        compare_run(cases, answered(engine, cases, rhythm), engine.run(drawn(cases), **rhythm), f"{where} {rhythm}")
