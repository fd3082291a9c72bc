"""The Verilog generator."""

import os
import subprocess
import sys
from functools import cache

import pytest
from standin import StandIn

from offcut import __version__, verilog
from offcut.config import FEATURES, WIDTHS, Config
from offcut.rtl.build import lint

generated = cache(verilog.generate)

REASONS = (
    *("bad_keep", "truncated", "header_too_long", "too_long", "too_big"),
    *("bad_request", "bad_header", "disabled", "length_mismatch"),
)

CONFIGS = [
    *(Config(width=width) for width in WIDTHS),
    *(Config(features=frozenset(FEATURES) - {name}) for name in FEATURES),
    Config(features=frozenset()),
    Config(mtu_max=1522),
]


def interface(width):
    """The ports of interfaces.md: name, direction, bits."""
    return [
        ("clk", "input", 1),
        ("rst", "input", 1),
        ("s_axis_tdata", "input", width),
        ("s_axis_tkeep", "input", width // 8),
        ("s_axis_tvalid", "input", 1),
        ("s_axis_tready", "output", 1),
        ("s_axis_tlast", "input", 1),
        ("s_axis_tuser", "input", 160),
        ("m_axis_tdata", "output", width),
        ("m_axis_tkeep", "output", width // 8),
        ("m_axis_tvalid", "output", 1),
        ("m_axis_tready", "input", 1),
        ("m_axis_tlast", "output", 1),
        ("cfg_auto", "input", 1),
        ("cfg_mtu", "input", 16),
        ("stat_frame", "output", 1),
        ("stat_segment", "output", 1),
        *((f"stat_drop_{reason}", "output", 1) for reason in REASONS),
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_top_module_has_the_ports_of_the_interface_and_no_other(width):
    ports = verilog.ports(generated(Config(width=width))).values()
    assert sorted((port.name, port.direction, port.width) for port in ports) == sorted(interface(width))


@pytest.mark.parametrize("config", CONFIGS, ids=verilog.switches)
def test_verilator_finds_nothing_to_say(config):
    assert lint(generated(config)) == ""


def test_the_same_configuration_gives_the_same_text_in_every_process():
    program = "from offcut import verilog; from offcut.config import Config; print(verilog.generate(Config(width=32)), end='')"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert len({run.stdout for run in runs}) == 1


def test_the_header_names_the_version_and_the_switches_and_no_place():
    config = Config(width=128, mtu_max=2000)
    text = generated(config)
    assert f"Offcut {__version__}" in text and f"offcut verilog {verilog.switches(config)}" in text
    assert os.path.expanduser("~") + os.sep not in text and os.getcwd() not in text and ".py" not in text


def test_lint_speaks_up_where_there_is_something_to_say():
    text = verilog.convert(StandIn(64), name=verilog.TOP).replace("input [63:0] s_axis_tdata;", "input [62:0] s_axis_tdata;")
    assert "s_axis_tdata" in lint(text)


def test_a_memory_powers_up_by_a_loop_not_by_a_line_a_word():
    text = verilog.convert(StandIn(64), name=verilog.TOP)
    assert "store_word <= 2047" in text and len(text.splitlines()) < 1000


def test_a_module_that_is_not_there_has_no_ports():
    with pytest.raises(ValueError, match="no module 'offcut_rx'"):
        verilog.ports(verilog.convert(StandIn(64), name=verilog.TOP), "offcut_rx")
