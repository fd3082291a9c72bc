"""``offcut_tx`` as Verilog, under cocotb, at every bus width: against the model and against scapy."""

import pytest

from bench.harness import ufo_buffer
from bench.simulate import have_icarus, run, without_power_up
from offcut.config import WIDTHS, Config
from offcut.rtl.build import engine_verilog
from offcut.verilog import TOP

REQUESTS = 300
REQUESTS_LONG = 10_000

DIRECTED = (
    "every_pattern_of_idle_and_backpressure_gives_the_same_frames",
    "frames_built_by_scapy_are_cut_as_scapy_would",
    "every_length_and_every_header_end_is_met",
    "every_flag_is_kept_or_cleared_by_its_segment",
    "a_broken_keep_drops_its_frame_and_no_other",
    "a_reset_in_mid_frame_leaves_no_trace",
)

OPTIONS = {
    32: {"user_width": 1},
    64: {},
    128: {"user_width": 33, "ufo_order": "first"},
    256: {"ufo_order": "first"},
    512: {"user_width": 64, "ufo_order": "first"},
}
"""What else each engine is built with."""

NARROW, WIDE = min(WIDTHS), max(WIDTHS)
EXTREMES_FIRST = [NARROW, WIDE, *(pytest.param(width, marks=pytest.mark.long) for width in WIDTHS if NARROW < width < WIDE)]
"""The long campaign alone runs those between: a model for cocotb takes a minute to compile. tests/rtl runs them all, tests/core 64 under cocotb, too."""


def engine(width):
    return engine_verilog(Config(width=width, **OPTIONS[width]))


def chosen(width, seed, **others):
    """The settings of a run on :func:`engine`."""
    config = Config(width=width, **OPTIONS[width])
    return {"seed": seed, "ufo_order": config.ufo_order, "ufo_buffer": ufo_buffer(config), "frag_seed": seed & 0xFFFF_FFFF, **others}


needs_icarus = pytest.mark.skipif(not have_icarus(), reason="Icarus Verilog is not installed")


@pytest.mark.parametrize("width", EXTREMES_FIRST)
def test_random_requests_agree_with_the_model(width, seed):
    settings = chosen(width, seed, count=REQUESTS)
    tests = ["random_requests_agree_with_the_model"]
    run("bench.offcut_tx", verilog=engine(width), top=TOP, tests=tests, settings=settings, name=f"random-{width}")


@pytest.mark.parametrize("width", EXTREMES_FIRST)
def test_directed_frames_stalls_resets_and_broken_keeps(width, seed):
    run("bench.offcut_tx", verilog=engine(width), top=TOP, tests=DIRECTED, settings=chosen(width, seed), name=f"directed-{width}")


@needs_icarus
@pytest.mark.parametrize("width", (NARROW, WIDE))
def test_nothing_is_unknown_after_reset_in_a_second_simulator(width, seed):
    verilog = without_power_up(engine(width))
    settings = chosen(width, seed, count=40)
    tests = ["every_output_is_known_after_reset"]
    run("bench.offcut_tx", verilog=verilog, top=TOP, tests=tests, simulator="icarus", settings=settings, name=f"known-{width}")


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("width", WIDTHS)
def test_many_random_requests_of_every_size_agree_with_the_model(width, seed):
    settings = chosen(width, seed, count=REQUESTS_LONG, size="full", jumbo=0.002)
    tests = ["random_requests_agree_with_the_model"]
    run("bench.offcut_tx", verilog=engine(width), top=TOP, tests=tests, settings=settings, name=f"random-long-{width}")
