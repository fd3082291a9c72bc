"""`scripts/bench --quick` guards the committed figures: it is green on the gateware of today, and red as soon as a figure is worse."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from _bench import area, clocks, record
from offcut.config import WIDTHS

ROOT = Path(__file__).parents[2]
COMMITTED = record.load()

BETTER = {
    "beats": ("TSO, gso_size 1448", 1.0625),
    "mixed": ("all kinds, small frames", 1.0625),
    "small": ("60 bytes, one checksum", 7.5),
    "latency": ("one checksum", 1),
    "curves": ("segments, 1514 bytes", 8.5),
}
"""By group a figure, and what no engine 64 bits wide can reach."""


def quick(*options):
    """The exit status, and what is printed, of the part in clocks."""
    command = [sys.executable, ROOT / "scripts" / "bench", "--quick", "--clocks-only", *options]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


@pytest.mark.parametrize("widths", [(64, 256), pytest.param((64, 512), marks=pytest.mark.long)])
def test_no_figure_is_worse_than_the_committed_ones(widths):
    """At widths that tests/rtl compiles as well; the long campaign takes those that the script itself would."""
    status, said = quick("--width", ",".join(map(str, widths)))
    assert status == 0, said
    assert "latency, clocks: cut" in said and all(f"{width} bits" in said for width in widths)


def test_it_is_red_when_the_committed_figures_are_better_than_the_gateware_and_says_by_how_much(tmp_path):
    doctored = copy.deepcopy(COMMITTED)
    for group, (name, value) in BETTER.items():
        doctored[group][name][64] = value
    doctored["small"]["60 bytes, parsed (auto)"][64] = 1000
    doctored["latency"]["of a kind that is measured no more"] = {64: 20}
    (tmp_path / "bench.json").write_text(record.dump(doctored))
    status, said = quick("--width", "64", "--against", tmp_path / "bench.json", "--json", tmp_path / "now.json")
    now = json.loads((tmp_path / "now.json").read_text())["figures"]
    assert status == 1
    worse, better = said.split("worse:\n")[1].split("better: record them with scripts/bench --record")
    for group, (name, value) in BETTER.items():
        is_now = now[group][name]["64"]
        assert f"64 bits, {name}: {value:g} {record.UNITS[group]} committed, {is_now:g} now, {abs(is_now - value):.4g} " in worse
    assert "of a kind that is measured no more: 20" in worse
    assert "60 bytes, parsed (auto): 1000 clocks a frame committed" in better


@pytest.mark.long
def test_no_luts_have_come_in_either():
    ran = subprocess.run([sys.executable, ROOT / "scripts" / "bench", "--quick"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"LUT: {area.GUARD[0]}" in ran.stdout


def one(group, value, width=64):
    return {group: {"x": {width: value}}}


@pytest.mark.parametrize("group", record.DIRECTIONS)
def test_each_group_has_a_direction_in_which_it_is_worse(group):
    sign = 1 if record.DIRECTIONS[group] == "more" else -1
    assert record.compare(one(group, 10), one(group, 10)) == ([], [])
    (worse,), none = record.compare(one(group, 10), one(group, 10 + sign))
    assert not none and "10 now" in worse and record.UNITS[group] in worse
    none, (better,) = record.compare(one(group, 10), one(group, 10 - sign))
    assert not none and "10 now" in better


def test_widths_and_groups_that_were_not_measured_are_not_compared():
    committed = one("latency", 1, 32) | one("beats", 2)
    assert record.compare(one("latency", 10), committed) == ([], [])


def test_every_figure_in_clocks_is_committed_at_every_width():
    measured = {
        "beats": clocks.RUNS,
        "mixed": [f"{name}{ideal}" for name in clocks.MIXED for ideal in ("", clocks.FEW)],
        "mixed_beats": clocks.MIXED,
        "small": clocks.SMALL,
        "latency": clocks.LATENCY,
        "curves": [f"{panel}, {size} bytes" for panel in clocks.PANELS for size in clocks.SIZES],
    }
    assert measured.keys() == clocks.GROUPS.keys()
    for group, names in measured.items():
        assert set(names) <= COMMITTED[group].keys()
        assert all(COMMITTED[group][name].keys() == set(WIDTHS) for name in names)
    name, width = area.GUARD
    assert COMMITTED["guard"][name].keys() == {width}


def test_what_is_written_is_what_is_read(tmp_path):
    (tmp_path / "bench.json").write_text(record.dump(COMMITTED))
    assert record.load(tmp_path / "bench.json") == COMMITTED
    assert record.FILE.read_text() == record.dump(COMMITTED)


def test_recorded_groups_are_replaced_whole_and_the_others_stay():
    assert record.replaced(one("beats", 1) | one("LUT", 5), {"beats": {"y": {64: 2}}}) == {"beats": {"y": {64: 2}}} | one("LUT", 5)


@pytest.mark.parametrize(
    "options",
    [
        ("--quick", "--record"),
        ("--width", "48"),
        ("--width", "x"),
        ("--record", "--width", "64"),
        ("--quick", "--against", "/nowhere/bench.json"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_a_line(options):
    ran = subprocess.run([sys.executable, ROOT / "scripts" / "bench", *options], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.splitlines()[-1].startswith("scripts/bench: error: ")
