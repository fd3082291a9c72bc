"""Wheel and editable install: what is in them, and that they work in a virtual environment that has nothing else."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from offcut import __version__

ROOT = Path(__file__).parents[2]
KINDS = ["wheel", "editable"]

USE_MODEL = """
import sys
before = set(sys.modules)
from offcut_model import Options, VirtioNetHdr, checksum, segment
foreign = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names - {"offcut_model"}
assert not foreign, foreign
assert checksum(bytes.fromhex("4500007a3c5240004006" "0000" "c0a80a08c0a80a02")) == 0x68D1
frame = bytes.fromhex("020000000002020000000001" "0800" "4500006400000000" "40060000" "0a0000010a000002") + bytes(12) + b"\\x50\\x10" + bytes(66)
assert [len(part) for part in segment(frame, VirtioNetHdr(gso_type=1, gso_size=40))] == [94, 74]
"""


def build(kind, folder):
    """Build the distribution file of a kind into ``folder``, with the tools that are installed."""
    code = f"import sys, hatchling.build as build; build.build_{kind}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, check=True)
    (file,) = folder.glob("*.whl")
    return file


class Bare:
    """A virtual environment with one distribution in it."""

    def __init__(self, folder, file):
        self.bin = folder / "bin"
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--no-index", file], check=True)  # without the registry: so nothing is needed from it

    def run(self, program, *arguments):
        """What the program did, in an environment that leads nowhere else."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run([self.bin / program, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def file(kind, tmp_path_factory):
    return build("wheel" if kind == "wheel" else "editable", tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def bare(file, tmp_path_factory):
    return Bare(tmp_path_factory.mktemp("bare"), file)


def test_the_model_imports_and_works_with_the_standard_library_alone(bare):
    ran = bare.run("python", "-c", USE_MODEL)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_is_imported_from_where_it_should_be(bare, kind):
    ran = bare.run("python", "-c", "import offcut, offcut_model; print(offcut.__file__); print(offcut_model.__file__)")
    homes = (ROOT / "hw", ROOT / "sim") if kind == "editable" else (bare.folder, bare.folder)
    for path, home in zip(ran.stdout.split(), homes, strict=True):
        assert Path(path).is_relative_to(home)


@pytest.fixture
def with_capture(bare):
    """Give the environment what the extra `capture` names, by links to what these tests run with."""
    (site,) = bare.folder.glob("lib/python*/site-packages")
    links = [site / name for name in ("scapy", "tqdm")]
    for link in links:
        link.symlink_to(Path(importlib.util.find_spec(link.name).origin).parent)
    yield
    for link in links:
        link.unlink()


def test_the_command_cuts_a_capture_by_the_model(bare, with_capture):
    ran = bare.run("offcut", "segment", ROOT / "tests" / "data" / "bulk.pcap", "-o", "wire.pcap")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (bare.folder / "wire.pcap").stat().st_size == (ROOT / "tests" / "data" / "bulk.wire.pcap").stat().st_size


CAPTURE = ROOT / "tests" / "data" / "bulk.pcap"
NEEDS = {
    "verilog": (["verilog"], "needs amaranth; install it with: pip install 'offcut[gateware]'"),
    "model": (["segment", CAPTURE], "needs tqdm; install it with: pip install 'offcut[capture]'"),
    "rtl": (["segment", CAPTURE, "--engine", "rtl"], "needs tqdm; install it with: pip install 'offcut[rtl]'"),
}


@pytest.mark.parametrize("command, words", NEEDS.values(), ids=NEEDS)
def test_what_needs_an_extra_says_which(bare, command, words):
    ran = bare.run("offcut", *command, "-o", "out")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1 and words in ran.stderr
    assert not (bare.folder / "out").exists()


def test_the_rtl_engine_says_what_it_needs_where_captures_can_be_read(bare, with_capture):
    ran = bare.run("offcut", "segment", CAPTURE, "--engine", "rtl", "-o", "out")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1 and "amaranth" in ran.stderr and "pip install 'offcut[rtl]'" in ran.stderr
    assert not (bare.folder / "out").exists()


@pytest.mark.parametrize("command", [["--help"], ["segment", "--help"], ["--version"], ["features"]], ids=" ".join)
def test_help_needs_no_extra(bare, command):
    ran = bare.run("offcut", *command)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_version_is_written_once(bare):
    ran = bare.run("python", "-c", "import importlib.metadata; print(importlib.metadata.version('offcut'))")
    assert ran.stdout.strip() == __version__ == bare.run("offcut", "--version").stdout.split()[1]


def test_the_wheel_holds_two_packages_the_harness_source_and_the_type_marker(tmp_path):
    names = zipfile.ZipFile(build("wheel", tmp_path)).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"offcut", "offcut_model", f"offcut-{__version__}.dist-info"}
    assert "offcut_model/py.typed" in names
    assert "offcut/rtl/harness.cpp" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name]
