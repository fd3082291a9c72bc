"""The Verilog generator."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from standin import StandIn

from offcut import __version__, verilog
from offcut.cli import configuration
from offcut.cli.main import parser
from offcut.config import DEFAULT_FEATURES, FEATURES, WIDTHS, Config
from offcut.rtl.build import engine_verilog, lint

REASONS = (
    *("bad_keep", "truncated", "header_too_long", "too_long", "too_big"),
    *("bad_request", "bad_header", "disabled", "length_mismatch"),
)

CSUM, TSO = "tx-checksum-ip-generic", "tx-tcp-segmentation"

CONFIGS = [
    *(Config(width=width) for width in WIDTHS),
    Config(features=()),
    Config(features={CSUM}),
    Config(features={"tx-udp-fragmentation"}, width=32),
    Config(features=DEFAULT_FEATURES - {CSUM}, width=32),
    Config(features=FEATURES, ufo_order="first", user_width=64, mtu_max=1522),
    pytest.param(Config(features={CSUM, TSO}), marks=pytest.mark.long),
    *(pytest.param(Config(features={name}), marks=pytest.mark.long) for name in FEATURES if name not in (CSUM, "tx-udp-fragmentation")),
]


def interface(width, user_width):
    """The ports of the interface: name, direction, bits."""
    return [
        ("clk", "input", 1),
        ("rst", "input", 1),
        ("s_axis_tdata", "input", width),
        ("s_axis_tkeep", "input", width // 8),
        ("s_axis_tvalid", "input", 1),
        ("s_axis_tready", "output", 1),
        ("s_axis_tlast", "input", 1),
        ("s_axis_tuser", "input", 160 + user_width),
        ("m_axis_tdata", "output", width),
        ("m_axis_tkeep", "output", width // 8),
        ("m_axis_tvalid", "output", 1),
        ("m_axis_tready", "input", 1),
        ("m_axis_tlast", "output", 1),
        *([("m_axis_tuser", "output", user_width)] if user_width else []),
        ("cfg_auto", "input", 1),
        ("cfg_mtu", "input", 16),
        ("cfg_disable", "input", 16),
        ("cfg_tcp_clear_first", "input", 12),
        ("cfg_tcp_clear_middle", "input", 12),
        ("cfg_tcp_clear_last", "input", 12),
        ("cfg_id_mode", "input", 2),
        ("cfg_uso_size", "input", 16),
        ("cfg_frag_seed", "input", 32),
        ("stat_frame", "output", 1),
        ("stat_segment", "output", 1),
        *((f"stat_drop_{reason}", "output", 1) for reason in REASONS),
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=verilog.switches)
def test_the_top_module_has_the_ports_of_the_interface_and_no_other_whatever_is_built_in(config):
    ports = verilog.ports(engine_verilog(config)).values()
    assert sorted((port.name, port.direction, port.width) for port in ports) == sorted(interface(config.width, config.user_width))


@pytest.mark.parametrize("config", CONFIGS, ids=verilog.switches)
def test_verilator_finds_nothing_to_say(config):
    assert lint(engine_verilog(config)) == ""


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
    config = Config(width=32, mtu_max=2000, features={CSUM}, ufo_order="first", user_width=5)
    text = verilog.generate(config)
    assert f"Offcut {__version__}" in text and f"offcut verilog {verilog.switches(config)}" in text
    assert os.path.expanduser("~") + os.sep not in text and os.getcwd() not in text and ".py" not in text


def test_lint_speaks_up_where_there_is_something_to_say():
    text = verilog.convert(StandIn(64), name=verilog.TOP).replace("input [63:0] s_axis_tdata;", "input [62:0] s_axis_tdata;")
    assert "s_axis_tdata" in lint(text)


def test_a_memory_powers_up_by_a_loop_not_by_a_line_a_word():
    text = verilog.convert(StandIn(64), name=verilog.TOP)
    assert "store_word <= 2047" in text and len(text.splitlines()) < 1000


class Hollow(wiring.Component):
    """A signal without bits beside one that has some."""

    def __init__(self):
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        none, some = Signal(0, name="nothing"), Signal(2, name="something")
        m.d.comb += none.eq(self.i)
        m.d.sync += [some.eq(some + self.i), self.o.eq(some[1] ^ none)]
        return m


def test_a_signal_without_bits_is_not_declared():
    text = verilog.convert(Hollow(), name="hollow")
    assert "something" in text and "nothing" not in text and "-1:" not in text


def test_a_module_that_is_not_there_has_no_ports():
    with pytest.raises(ValueError, match="no module 'offcut_rx'"):
        verilog.ports(verilog.convert(StandIn(64), name=verilog.TOP), "offcut_rx")


SWITCHES = {
    Config(): "--width 64 --features '{default}' --mtu-max 9216",
    Config(
        features={"tx-vlan-offload", "tx-checksum-ip-generic"}
    ): "--width 64 --features 'tx-checksum-ip-generic,tx-vlan-offload' --mtu-max 9216",
    Config(features=()): "--width 64 --features '' --mtu-max 9216",
    Config(ufo_order="first", user_width=7): "--width 64 --features '{default}' --mtu-max 9216 --ufo-order first --user-width 7",
}


@pytest.mark.parametrize("config", SWITCHES, ids=SWITCHES.get)
def test_the_switches_make_the_same_engine_again(config):
    default = ",".join(name for name in FEATURES if name in DEFAULT_FEATURES)
    assert verilog.switches(config) == SWITCHES[config].format(default=default)
    args = parser().parse_args(["verilog", "-o", "out.v", *shlex.split(verilog.switches(config))])
    assert configuration.config(args) == config


def test_a_configuration_that_cannot_be_is_refused_with_a_sentence():
    refused = {
        "Bus width must be one of 32, 64, 128, 256, 512 bits, not 40": {"width": 40},
        "mtu_max must lie between 1522 and 9216 bytes, not 9217": {"mtu_max": 9217},
        "ufo_order must be 'last' or 'first', not 'middle'": {"ufo_order": "middle"},
        "user_width must lie between 0 and 64 bits, not 65": {"user_width": 65},
        "user_width must lie between 0 and 64 bits, not -1": {"user_width": -1},
        "Features are a set of names, not the text 'tx-vlan-offload'": {"features": "tx-vlan-offload"},
        "There is no feature 'tso'; there are tx-checksum-ip-generic, ": {"features": {"tso"}},
    }
    for sentence, arguments in refused.items():
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
            Config(**arguments)


def test_features_have_bits_in_their_order():
    assert [Config.bit(name) for name in FEATURES] == list(range(15))
    assert [name for name in FEATURES if not Config().has(name)] == ["tx-checksum-sctp"]
    for method in (Config().has, Config.bit):
        with pytest.raises(ValueError, match="no feature 'tso'"):
            method("tso")
