"""What each feature costs in area, as ``scripts/synth --options`` has measured and recorded it. Pure Python."""

import json
from importlib import resources
from typing import Any

from offcut.config import Config

__all__ = ["FILE", "luts", "rows"]

FILE = "costs.json"
"""Beside this module: a list of ``{"width", "features", "mtu_max", "ufo_order", "user_width", "LUT", ...}``, areas on a 7-series."""


def luts(config: Config) -> int | None:
    """7-series LUTs of an engine, if they were measured."""
    for row in rows():
        if Config(**{name: row[name] for name in Config.__dataclass_fields__}) == config:
            return int(row["LUT"])
    return None


def rows() -> list[dict[str, Any]]:
    """What was recorded; nothing if nothing was."""
    file = resources.files("offcut").joinpath(FILE)
    return json.loads(file.read_text()) if file.is_file() else []
