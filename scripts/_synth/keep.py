"""Results kept under build/synth by design and tool version, so that asking again costs nothing."""

import fcntl
import json
from pathlib import Path

from . import area, design, tools

__all__ = ["BUILD", "area_of", "folder_of", "kept"]

BUILD = Path(__file__).resolve().parents[2] / "build" / "synth"


def kept(folder, name, again, measure):
    """The JSON value called ``name`` in ``folder``: read if it is there, else measured and written. Two runs at once measure it once."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.result"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if again or not file.exists():
            file.write_text(json.dumps(measure()))
        return json.loads(file.read_text())


def folder_of(rtlil, kind, *recipe):
    """Where results of one design, made in one way by one version of the tools, are kept."""
    way = json.dumps([*recipe, *map(tools.version, tools.PROGRAMS)])
    return BUILD / f"{design.fingerprint(rtlil)[:16]}-{kind}-{design.fingerprint(way)[:8]}"


def area_of(rtlil, again=False):
    """Cells by type and counts of a design, flattened, as :func:`.area.measure_whole` gives them."""
    folder = folder_of(rtlil, "whole", area.RECIPE)
    return kept(folder, "whole", again, lambda: area.measure_whole(rtlil, folder))
