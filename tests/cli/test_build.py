"""`offcut build` writes folders for boards, and runs their tools."""

import os
import subprocess

import pytest

from offcut.boards import folder
from offcut.boards.catalogue import BOARDS
from offcut.boards.readme import folder_readme
from offcut.boards.toolchains import TOOLCHAINS

FILES = {
    "vivado": {"offcut_veth.v", "offcut_veth.xdc", "offcut_veth.tcl", "offcut.dtso", "bit2bin.py", "README.md", "build.sh"},
    "openxc7": {"offcut_veth.v", "offcut_veth.xdc", "offcut.dtso", "bit2bin.py", "README.md", "build.sh"},
}


@pytest.fixture
def without_gateware(monkeypatch):
    """Elaborating takes long, and tests of whole designs do it: here a plan has pins and nothing else."""

    def plan(board, config, design, toolchain, coherent):
        pins = 'set_property LOC R14 [get_ports "led_0__io"]\nset_property IOSTANDARD "LVCMOS33" [get_ports "led_0__io\\[0]"]\n'
        clock = "create_clock -name fclk0 -period 6.400 [get_pins x]\n"
        return {
            "offcut_veth.v": "/* one */\n/* two */\nmodule offcut_veth;\nendmodule\n",
            "offcut_veth.xdc": pins + clock,
            "offcut_veth.tcl": "quit\n",
        }

    monkeypatch.setattr(folder, "_plan", plan)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of programs that note how they were called, alone on PATH but for the shell's own."""
    programs = tmp_path / "programs"
    programs.mkdir()

    def add(name, status=0):
        script = programs / name
        last = 'for last; do :; done; case "$*" in *output_file*) : > "$last";; esac'
        script.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n{last}\nexit {status}\n')
        script.chmod(0o755)

    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return add


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_a_folder_holds_everything_and_says_what_to_run(offcut, tmp_path, without_gateware, toolchain):
    outcome = offcut("build", "--board", "arty-z7-20", "--toolchain", toolchain, "-o", tmp_path / "new" / "folder")
    made = tmp_path / "new" / "folder"
    assert outcome.status == 0 and {path.name for path in made.iterdir()} == FILES[toolchain]
    assert f"sh {made}/build.sh" in outcome.out and f"{made}/README.md" in outcome.out
    subprocess.run(["sh", "-n", made / "build.sh"], check=True)
    constraints = (made / "offcut_veth.xdc").read_text()
    assert ("create_clock" in constraints) == (toolchain == "vivado") and "LOC R14" in constraints
    assert "--board arty-z7-20 --design veth" in (made / "offcut_veth.v").read_text()
    assert not [path for path in made.iterdir() if str(tmp_path) in path.read_text()]


def test_without_o_the_folder_is_named_after_board_and_design(offcut, tmp_path, without_gateware, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert offcut("build", "--board", "pynq-z2").status == 0
    assert (tmp_path / "build" / "pynq-z2-veth" / "build.sh").exists()


@pytest.mark.parametrize(("toolchain", "missing"), [("vivado", "vivado"), ("openxc7", "nextpnr-xilinx and bbasm")])
def test_a_missing_tool_is_named_with_its_remedy_before_anything_is_written(offcut, tmp_path, tools, without_gateware, toolchain, missing):
    for name in ("yosys", "fasm2frames", "xc7frames2bit"):
        tools(name)
    outcome = offcut("build", "--board", "ebaz4205", "--toolchain", toolchain, "--build", "-o", tmp_path / "folder")
    assert outcome.status == 1 and outcome.err.count("\n") == 1
    assert outcome.err.startswith(f"offcut: --build needs {missing} on PATH: install ")
    assert not (tmp_path / "folder").exists()


def test_a_tool_that_fails_fails_the_command(offcut, tmp_path, tools, without_gateware):
    tools("vivado", status=3)
    outcome = offcut("build", "--board", "ebaz4205", "--build", "-o", tmp_path / "folder")
    assert outcome.status == 1 and f"{tmp_path}/folder/build.sh failed with status 3" in outcome.err
    assert (tmp_path / "calls").read_text().startswith("vivado -mode batch")


def test_the_open_tools_are_run_in_order_for_the_board_s_part(offcut, tmp_path, tools, without_gateware, monkeypatch):
    for name in TOOLCHAINS["openxc7"].programs:
        tools(name)
    monkeypatch.setenv("CHIPDB", str(tmp_path / "chip.bin"))
    (tmp_path / "chip.bin").touch()
    outcome = offcut("build", "--board", "ebaz4205", "--toolchain", "openxc7", "--build", "-o", tmp_path / "folder")
    assert outcome.status == 1, "an empty file is no bitstream, and bit2bin says so"
    calls = [line.split()[0] for line in (tmp_path / "calls").read_text().splitlines()]
    assert calls == ["yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit"]
    assert "--part xc7z010clg400-1" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "atari"], "invalid choice: 'atari'"),
        (["--board", "ebaz4205", "--mtu-max", 100], "mtu_max must lie between 1522 and 9216 bytes, not 100"),
        (["--board", "ebaz4205", "--features", "tx-warp"], "There is no feature 'tx-warp'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(offcut, arguments, words):
    outcome = offcut("build", *arguments)
    assert outcome.status == 1 and words in outcome.err and outcome.err.count("\n") == 1


def test_a_missing_package_is_named_with_its_extra(offcut, tmp_path, monkeypatch):
    def plan(*_):
        raise ModuleNotFoundError("No module named 'amaranth_boards'", name="amaranth_boards")

    monkeypatch.setattr(folder, "_plan", plan)
    outcome = offcut("build", "--board", "ebaz4205", "-o", tmp_path / "folder")
    assert outcome.status == 1 and "pip install 'offcut[boards]'" in outcome.err
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_what_ethtool_will_print_follows_the_engine(board):
    text = folder_readme(board, "veth", "vivado", board.config, False)
    assert "tx-tcp6-segmentation: on" in text and "tx-udp-segmentation: on" in text
    assert "udp-fragmentation-offload: on" not in text
