"""``offcut_core`` as Verilog: lint-clean, and under cocotb against the model, through its registers."""

import functools

import pytest

from bench.simulate import run
from offcut import verilog
from offcut.axi import AxiLite
from offcut.config import FEATURES, Config
from offcut.core.registers import ADDR_WIDTH
from offcut.rtl.build import engine_verilog, lint

TESTS = (
    "a_driver_finds_out_what_the_core_is",
    "what_is_written_is_read_byte_by_byte_and_reserved_bits_stay_zero",
    "what_is_no_register_or_cannot_be_written_is_answered_with_an_error",
    "requests_agree_with_the_model_under_settings_that_were_written_and_counters_with_both",
    "settings_count_together_between_two_frames",
    "a_reset_by_register_breaks_no_frame_that_leaves_and_keeps_counters_and_settings",
)

LINTED = [
    Config(),
    *(pytest.param(Config(width=width), marks=pytest.mark.long) for width in (32, 512)),
    Config(features=FEATURES, ufo_order="first", user_width=64, mtu_max=1522),
]


@functools.cache
def core(config):
    return verilog.generate(config, verilog.CORE)


@pytest.mark.parametrize("config", LINTED, ids=verilog.switches)
def test_verilator_finds_nothing_to_say(config):
    assert lint(core(config), verilog.CORE) == ""


@pytest.mark.parametrize("config", LINTED, ids=verilog.switches)
def test_the_ports_are_the_engines_streams_and_axi4_lite(config):
    engine = verilog.ports(engine_verilog(config))
    streams = {name: port for name, port in engine.items() if not name.startswith(("cfg_", "stat_"))}
    found = verilog.ports(core(config), verilog.CORE)
    bus = {name: found.pop(name) for name in list(found) if name.startswith("s_axil_")}
    assert found == streams
    members = AxiLite(ADDR_WIDTH).members
    assert {name.removeprefix("s_axil_"): port.width for name, port in bus.items()} == {
        name: getattr(member.shape, "width", member.shape) for name, member in members.items()
    }
    inputs = {name for name, port in bus.items() if port.direction == "input"}
    assert inputs == {f"s_axil_{name}" for name, member in members.items() if member.flow.name == "Out"}


@pytest.mark.parametrize("width", [64, *(pytest.param(width, marks=pytest.mark.long) for width in (32, 512))])
def test_the_engine_through_its_registers(width, seed):
    run(
        "bench.offcut_core", verilog=core(Config(width=width)), top=verilog.CORE, tests=TESTS, settings={"seed": seed}, name=f"core-{width}"
    )


SMALL = frozenset({"tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-udp-segmentation"})
"""An engine that compiles fast: what the adapters do does not depend on it."""

ADAPTED = (
    "what_is_no_register_or_cannot_be_written_is_answered_with_an_error",
    "requests_agree_with_the_model_under_settings_that_were_written_and_counters_with_both",
    "a_reset_by_register_breaks_no_frame_that_leaves_and_keeps_counters_and_settings",
)


@pytest.mark.parametrize(
    "width, requests",
    [
        (64, "control"),
        pytest.param(128, "vnet12", marks=pytest.mark.long),
        *(pytest.param(width, f"vnet{count}", marks=pytest.mark.long) for width in (32, 64, 512) for count in (10, 20, 24)),
        pytest.param(512, "control", marks=pytest.mark.long),
    ],
)
def test_the_engine_through_its_adapters(width, requests, seed):
    tests = [*ADAPTED, *(["lengths_alone_make_the_core_cut_as_auto_does"] if requests == "control" else [])]
    text = verilog.generate(Config(width=width, features=SMALL), verilog.CORE, requests)
    assert lint(text, verilog.CORE) == ""
    settings = {"seed": seed, "requests": requests, "features": sorted(SMALL), "count": 90}
    run("bench.offcut_core", verilog=text, top=verilog.CORE, tests=tests, settings=settings, name=f"core-{width}-{requests}")


def test_a_top_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="The top module is offcut_tx or offcut_core, not offcut_rx"):
        verilog.generate(Config(), "offcut_rx")
