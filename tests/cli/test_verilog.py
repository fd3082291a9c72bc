"""`offcut verilog` writes the engine as one file."""

import pytest

from offcut import verilog
from offcut.config import Config
from offcut.rtl.build import engine_verilog


@pytest.mark.parametrize("width", [32, 512])
def test_the_file_holds_the_top_module_with_its_bus(offcut, tmp_path, monkeypatch, width):
    kept = engine_verilog(Config(width=width))  # the same text, kept from other tests: generating takes seconds
    monkeypatch.setattr(verilog, "generate", lambda config: kept)
    outcome = offcut("verilog", "--width", width, "-o", tmp_path / "offcut_tx.v")
    assert outcome == (0, "", "")
    text = (tmp_path / "offcut_tx.v").read_text()
    assert "module offcut_tx(" in text
    assert f"[{width - 1}:0] s_axis_tdata" in text


def test_a_folder_that_is_not_there_is_named(offcut, tmp_path):
    outcome = offcut("verilog", "-o", tmp_path / "missing" / "offcut_tx.v")
    assert outcome.status == 1
    assert outcome.err == f"offcut: cannot write {tmp_path}/missing/offcut_tx.v: no such file or directory\n"
