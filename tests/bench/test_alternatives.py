"""What it costs to do without: skipped with the reason where it cannot be measured, and estimated as is said."""

import pytest

from _bench import alternatives
from _bench.alternatives import COLUMNS, LINUX, MODEL, MOVED, ZYNQ


class Kernel:
    """Answers at once."""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def ask(self, header, frame):
        return [frame]


@pytest.fixture
def quick(monkeypatch):
    """Nothing is measured: everything takes 0.3 CPU seconds a gigabit, 0.2 of them in the kernel; moving alone 0.05."""
    seconds = iter([0.2, 0.05, *[0.2] * 9])
    monkeypatch.setattr(alternatives, "_timed", lambda work, *counts: dict(zip(COLUMNS, (3000, 400, 0.3, next(seconds)), strict=True)))
    monkeypatch.setattr(
        alternatives, "_cocotb", lambda: dict(zip(COLUMNS, (0.1, None, 9000, None), strict=True)) | {"clocks a second": 10_000}
    )
    monkeypatch.setattr(alternatives, "KernelOracle", Kernel)
    monkeypatch.setattr(alternatives, "unavailable", lambda: None)
    monkeypatch.setattr(alternatives, "_mhz", lambda: 2668.0)


def test_the_estimate_takes_as_many_cycles_a_byte_as_here(quick):
    """0.15 seconds a gigabit at four times the clock are 0.6 seconds: 3.2 cycles a byte, 1.67 Gb/s, 6 cores for 10 Gb/s."""
    rows, skipped = alternatives.measure()
    assert not skipped
    assert rows[ZYNQ][COLUMNS[2]] == 0.6 and rows[ZYNQ][COLUMNS[0]] == 1670
    assert rows[ZYNQ]["cycles a byte"] == 3.2 and rows[ZYNQ]["such cores for 10 Gb/s"] == 6


def test_without_root_the_kernel_and_the_estimate_are_skipped_and_the_reason_is_told(quick, monkeypatch):
    monkeypatch.setattr(alternatives, "unavailable", lambda: "no new network namespace: Operation not permitted")
    rows, skipped = alternatives.measure()
    assert skipped.keys() == {LINUX, MOVED, ZYNQ} and not skipped.keys() & rows.keys()
    assert f"{LINUX}: skipped, no new network namespace: Operation not permitted" in alternatives.text(rows, skipped)


def test_a_machine_that_does_not_tell_its_clock_gives_no_estimate(quick, monkeypatch):
    monkeypatch.setattr(alternatives, "_mhz", lambda: None)
    rows, skipped = alternatives.measure()
    assert skipped.keys() == {ZYNQ} and LINUX in rows


def test_each_row_says_how_it_was_measured(quick):
    rows, _ = alternatives.measure()
    assert rows.keys() == alternatives.HOW.keys()
    lines = alternatives.markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows) and all(line.count("|") == len(COLUMNS) + 3 for line in lines)
    assert any(MODEL in line and "segment()" in line for line in lines)


def test_a_core_is_measured_by_its_own_time():
    row = alternatives._timed(lambda: sum(range(100_000)), 45)
    assert row[COLUMNS[0]] == pytest.approx(1000 / row[COLUMNS[2]], rel=0.02)
    assert row[COLUMNS[1]] == pytest.approx(45 / (row[COLUMNS[2]] * 64000 / 125_000_000), rel=0.02)
