"""The model needs the standard library alone."""

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path

import offcut_model

PACKAGE = Path(offcut_model.__file__).parent

CUT_A_FRAME = """
import sys

before = set(sys.modules)  # a distribution's sitecustomize may have imported what it likes
from offcut_model import VirtioNetHdr, segment

frame = bytes.fromhex("0200000000010200000000020800" "4500000000014000400600000a0000010a000002" "9c400050000000010000000250100200" "00000000")
wire = segment(frame + bytes(3000), VirtioNetHdr(gso_type=1, gso_size=1000))
print([len(one) for one in wire])
strangers = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names) - {"offcut_model", "__main__"}
print(sorted(name for name in strangers if getattr(sys.modules[name], "__file__", None)))
"""


def test_a_bare_virtual_environment_cuts_a_frame(tmp_path):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        (python, "-W", "error", "-c", CUT_A_FRAME),
        env=clean | {"PYTHONPATH": str(PACKAGE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[1054, 1054, 1054]", "[]"]


def test_no_module_of_the_model_imports_anything_but_the_standard_library_and_the_model():
    modules = sorted(PACKAGE.rglob("*.py"))
    assert modules
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            else:
                continue
            for name in names:
                assert name.partition(".")[0] in sys.stdlib_module_names, f"{module.name} imports {name}"


def test_the_model_is_marked_as_typed():
    assert (PACKAGE / "py.typed").is_file()
