"""`offcut ip` writes the block and the block design."""

import pytest

from offcut import verilog
from offcut.rtl.build import lint

SMALL = ("--features", "tx-checksum-ip-generic")


def test_the_folder_holds_what_vivado_needs_and_the_same_command_writes_the_same(offcut, tmp_path):
    folder = tmp_path / "made" / "here"
    first = offcut("ip", "--board", "arty-z7-20", "--requests", "vnet12", *SMALL, "-o", folder)
    assert (first.status, first.err) == (0, "") and f"vivado -mode batch -source {folder}/block_design.tcl" in first.out
    written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    core = "ip/offcut_core"
    assert written.keys() == {
        "block_design.tcl",
        "offcut_regs.h",
        f"{core}/component.xml",
        f"{core}/hdl/offcut_core.v",
        f"{core}/xgui/offcut_core.tcl",
    }
    assert lint(written[f"{core}/hdl/offcut_core.v"].decode(), verilog.CORE) == ""
    assert not any(str(tmp_path).encode() in content for content in written.values()), "no place of this machine"
    assert offcut("ip", "--board", "arty-z7-20", "--requests", "vnet12", *SMALL, "-o", folder).status == 0
    assert written == {name: (folder / name).read_bytes() for name in written}


REFUSED = {
    "a board": (["--board", "de10", "-o", "out"], "invalid choice: 'de10'"),
    "no room for user bits": (
        ["--board", "pynq-z1", "-o", "out", "--requests", "vnet10", "--user-width", "1"],
        "have room for 0 user bits, not 1",
    ),
    "no folder": (["--board", "pynq-z1"], "the following arguments are required: -o/--output"),
}


@pytest.mark.parametrize("arguments, sentence", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_line(offcut, arguments, sentence):
    outcome = offcut("ip", *arguments)
    assert outcome.status == 1 and sentence in outcome.err and outcome.err.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_named(offcut, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = offcut("ip", "--board", "pynq-z1", *SMALL, "-o", tmp_path / "file" / "below")
    assert outcome.status == 1 and outcome.err.startswith(f"offcut: cannot make {tmp_path}/file/below")


def test_the_core_is_written_as_verilog_and_its_adapters_need_it(offcut, tmp_path):
    outcome = offcut("verilog", "--top", "core", "--requests", "control", *SMALL, "-o", tmp_path / "core.v")
    assert outcome == (0, "", "")
    text = (tmp_path / "core.v").read_text()
    assert "module offcut_core(" in text and "offcut verilog --top core --requests control " in text
    outcome = offcut("verilog", "--requests", "control", "-o", tmp_path / "tx.v")
    assert (outcome.status, outcome.err) == (1, "offcut: --requests control needs --top core\n")
    assert offcut("verilog", "--top", "core", "--requests", "vnet24", "--user-width", "4", "-o", tmp_path / "x.v").status == 1


@pytest.mark.parametrize("words", [["--board", "--requests", "--width", "--xsd", "ebaz4205", "DIR", "examples:"]])
def test_help_teaches_with_examples(offcut, words):
    outcome = offcut("ip", "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert all(word in outcome.out for word in words)
