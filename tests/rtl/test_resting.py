"""Modules that rest: faster, and nobody can tell."""

import random
import re

import pytest

from bench.harness import as_request
from offcut import verilog
from offcut.config import Config
from offcut.rtl import Engine, build, resting
from traffic import requests

WIDTH = 64
RHYTHMS = ({}, {"source_idle": 0.5, "sink_stall": 0.5}, {"source_idle": (1, 60), "sink_stall": (7, 2)}, {"sink_stall": 0.9, "shy": True})
RESETS = 5


def test_every_clock_is_the_same_whether_modules_rest_or_not(seed, monkeypatch):
    engine = Engine(Config(width=WIDTH))
    monkeypatch.setattr(resting, "RESTING", frozenset())
    restless = Engine(Config(width=WIDTH))
    dice = random.Random(seed)
    for number, rhythm in enumerate(RHYTHMS):
        drawn = [as_request(case) for case in requests(seed, 400, width=WIDTH, start=400 * number)]
        for resets in ((), sorted(dice.sample(range(1, 20_000), RESETS))):
            options = rhythm | {"seed": dice.getrandbits(32), "frag_seed": dice.getrandbits(32), "reset_at": resets, "spans": True}
            assert engine.run(drawn, **options) == restless.run(drawn, **options), f"{rhythm}, resets {resets}, seed {seed}"


def test_every_module_that_may_rest_is_one_of_the_engine_and_rests():
    _, paths = resting.lay_to_rest(build.engine_verilog(Config(width=WIDTH)), verilog.TOP)
    assert {re.sub(r"\$\d+ $", " ", path.rpartition("\\")[2]).strip() for path in paths} == resting.RESTING


COUNTER = """\
module \\top.register (en, count, clk);
  input clk;
  input en;
  output [3:0] count;
  reg [3:0] count;
  wire [3:0] next;
  assign next = count + en;
  always @(posedge clk)
    count <= next ;
endmodule
module top(en, count, clk);
  input clk;
  input en;
  output [3:0] count;
  \\top.register  register (
    .clk(clk),
    .count(count),
    .en(en)
  );
endmodule
"""
OTHERS = {
    "a falling edge": ("@(posedge clk)", "@(negedge clk)"),
    "a process of another kind": ("    count <= next ;", "    if (en) count <= next ;"),
    "only wires": ("  always @(posedge clk)\n    count <= next ;\n", ""),
    "another name": ("register", "runner"),
    "a part with a clock that does not rest": (
        "  wire [3:0] next;\n",
        "  wire [3:0] next;\n  \\top.register.more  more (\n    .clk(clk)\n  );\n",
    ),
}


def test_a_module_of_registers_rests():
    text, paths = resting.lay_to_rest(COUNTER, "top")
    assert paths == ["top.\\register "] and "bench.clk_resting" in text


@pytest.mark.parametrize("what", OTHERS)
def test_a_module_keeps_the_clock_that_has(what):
    text = COUNTER.replace(*OTHERS[what])
    assert text != COUNTER and resting.lay_to_rest(text, "top") == (text, [])
