"""The bench itself: on a stand-in that is right it passes, on one that breaks a rule it says which."""

import re

import pytest

from bench.difference import difference
from bench.simulate import SimulationFailed, have_icarus, run, without_power_up
from bench.standin import StandIn
from offcut.verilog import convert

TOP = "stand_in"

needs_icarus = pytest.mark.skipif(not have_icarus(), reason="Icarus Verilog is not installed")
BENCHES = (("verilator", 64), pytest.param("icarus", 32, marks=needs_icarus), pytest.param("icarus", 512, marks=needs_icarus))


def stand_in(width):
    return convert(StandIn(width), name=TOP)


@pytest.mark.parametrize(("simulator", "width"), BENCHES)
def test_a_good_design_passes_and_every_fault_is_found(simulator, width, seed):
    tests = ["a_good_design_passes_under_every_pattern", "every_fault_is_found"]
    name = f"bench-{simulator}-{width}"
    run("bench.proofs", verilog=stand_in(width), top=TOP, tests=tests, simulator=simulator, settings={"seed": seed}, name=name)


@needs_icarus
def test_an_output_that_is_x_is_found(seed):
    verilog = without_power_up(stand_in(64))
    run(
        "bench.proofs",
        verilog=verilog,
        top=TOP,
        tests=["unknown_outputs_are_found"],
        simulator="icarus",
        settings={"seed": seed},
        name="bench-x",
    )


def test_nothing_keeps_a_power_up_value_without_power_up():
    before, after = stand_in(64), without_power_up(stand_in(64))
    assert re.search(r"^  reg .* = \d+'", before, flags=re.M) and "initial for" in before
    assert not re.search(r"^  reg .* = \d+'", after, flags=re.M) and "initial for" not in after


def test_a_cocotb_test_that_does_not_exist_is_no_success(seed):
    with pytest.raises(SimulationFailed):
        run("bench.proofs", verilog=stand_in(64), top=TOP, tests=["nothing"], settings={"seed": seed}, name="bench-nothing")


def test_a_difference_names_the_field():
    ip = bytes.fromhex("4500003c59e2400040064b7fc0a80a08c0a80a02")
    tcp = bytes.fromhex("8b201f905f9bfd3d00000000a002721094230000020405b40402080a0008a4df0000000001030307")
    frame = bytes.fromhex("3009f9202364000a350000c80800") + ip + tcp
    other = bytearray(frame)
    other[41] ^= 1
    assert "tcp seq [38:42]" in difference(frame, bytes(other))
    assert difference(frame, frame) == ""
    assert "bytes" in difference(frame, frame[:-1])
