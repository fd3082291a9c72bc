"""The goals' table says what is met, by how much a goal is missed, and where there is no figure."""

import pytest

from _bench import goals, record
from _bench.area import ENGINES
from _bench.goals import Goal, verdict
from _synth import options, results
from offcut.config import Config

MOST = Goal("clocks", "latency", "cut", {64: 16, 512: 20})
LEAST = Goal("MHz", "MHz", "default", {64: 210, 512: 165}, more=True, digits=1)
SHARE = Goal("beats a clock", "beats", "x", {64: 1.0}, more=True, digits=3)


@pytest.mark.parametrize(
    ("goal", "values", "says"),
    [
        (MOST, {64: 16, 512: 20}, "met"),
        (MOST, {64: 16, 128: 99, 512: 20}, "met"),
        (MOST, {64: 17, 512: 20}, "missed by 1 at 64"),
        (MOST, {64: 43, 512: 44}, "missed by 27 at 64, 24 at 512"),
        (MOST, {64: 17}, "missed by 1 at 64; not measured at 512"),
        (MOST, {64: 1, 512: None}, "stale at 512"),
        (MOST, {64: None, 512: None}, "stale"),
        (MOST, {}, "not measured"),
        (LEAST, {64: 210, 512: 170}, "met"),
        (SHARE, {64: 0.9999}, "missed by 0.001 at 64"),
        (SHARE, {64: 1.0}, "met"),
        (LEAST, {64: 209.5, 512: 170}, "missed by 0.5 at 64"),
    ],
)
def test_a_verdict_is_told_with_the_distance(goal, values, says):
    assert verdict(goal, values) == says


def test_the_table_has_a_line_for_each_goal_and_a_column_for_each_width():
    figures = {"latency": {"cut": {64: 43, 512: 20}}, "LUT": {"default": {64: None}}}
    head, *rows = goals.rows(figures, (64, 512))
    assert head == ["what", "goal", "64 bits", "512 bits", ""]
    assert len(rows) == len(goals.GOALS)
    assert ["latency, clocks: cut", "at most 16 at 64, 20 at 512", "43", "20", "missed by 27 at 64"] in rows
    assert ["LUT: default", "at most 3,000 at 64, 10,000 at 512", "stale", "", "stale at 64; not measured at 512"] in rows
    assert ["of the ideal schedule: all kinds, small frames", "at least 1.000", "", "", "not measured"] in rows


def test_what_is_nearly_reached_does_not_look_reached():
    figures = {"beats": {"TSO, gso_size 536": {64: 0.99995}}, "small": {"60 bytes, no request": {64: 8.002}}}
    rows = list(goals.rows(figures, (64,)))
    assert ["beats a clock: TSO, gso_size 536", "at least 1.000", "0.999", "missed by 0.001 at 64"] in rows
    assert ["clocks a frame: 60 bytes, no request", "at most ceil(60 / bytes)", "8.002", "missed by 0.002 at 64"] in rows


def test_the_same_goals_are_told_to_programs():
    found = list(goals.listed({"latency": {"cut": {64: 43, 128: 5, 512: 20}}}, (64, 512)))
    assert len(found) == len(goals.GOALS)
    (cut,) = [goal for goal in found if goal["what"] == "latency, clocks: cut"]
    assert cut["limits"] == {64: 16, 512: 20} and cut["figures"] == {64: 43, 512: 20} and cut["verdict"] == "missed by 27 at 64"


def test_a_table_of_one_width_has_the_goals_of_that_width_alone():
    rows = list(goals.rows({}, (512,)))
    assert ["latency, clocks: cut", "at most 20", "", "not measured"] in rows
    assert not any(row[0].startswith("RAMB36") for row in rows), "there is no such goal at 512 bits"
    assert list(goals.rows({}, (512,), measured_only=True)) == rows[:1]


def test_every_goal_names_a_figure_that_is_committed_or_an_engine_that_can_be():
    committed = record.load()
    for goal in goals.GOALS:
        recorded = goal.group in ("LUT", "RAMB36", "MHz") and goal.name in ENGINES
        assert recorded or goal.name in committed[goal.group] or goal.name.endswith("--cut-through"), goal.what


def test_committed_area_and_speed_are_those_that_synth_has_recorded():
    """Where scripts/bench was not run again after scripts/synth, the page would say something else than the README."""
    committed = record.load()
    for name, built in ENGINES.items():
        for width, mhz in committed["MHz"][name].items():
            if mhz is not None:
                config = Config(width=width, **built)
                assert mhz in [result["speed"]["mhz"] for result in results.recorded() if results.configuration_of(result) == config]
        for width, lut in committed["LUT"][name].items():
            if lut is not None and lut != committed["guard"].get(name, {}).get(width):
                config = Config(width=width, **built)
                whole = [result["area"]["total"] for result in results.recorded() if results.configuration_of(result) == config]
                alone = [row for row in options.read() if results.configuration_of(row) == config]
                assert lut in [counts["LUT"] for counts in [*whole, *alone]]


def test_what_belongs_to_other_gateware_is_stale_and_what_belongs_to_todays_is_not(monkeypatch):
    config = Config(width=64, features=frozenset())
    key = options.key(config)
    counts = {"LUT": 1, "FF": 2, "RAMB36": 3, "RAMB18": 0}
    today = {**key, "rtlil_sha256": results.engine_fingerprint(config), **counts}
    other = {**key, "rtlil_sha256": "0", "area": {"total": {**counts, "LUT": 9}}, "speed": {"mhz": 100}}
    monkeypatch.setattr(results, "recorded", lambda: [other])
    monkeypatch.setattr(options, "read", lambda: [])
    assert results.find(config) == {"area": (other["area"]["total"], True), "mhz": (100, True)}
    monkeypatch.setattr(options, "read", lambda: [today])
    assert results.find(config) == {"area": (today, False), "mhz": (100, True)}
    assert results.find(Config(width=32, features=frozenset())) == {"area": None, "mhz": None}
