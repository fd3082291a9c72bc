"""What each feature costs in area, as ``scripts/synth --options`` has measured and recorded it. Pure Python."""

import json
from importlib import resources

from offcut.config import Config

__all__ = ["FILE", "luts"]

FILE = "costs.json"
"""Beside this module: a list of ``{"width", "features", "mtu_max", "ufo_order", "user_width", "LUT", ...}``, areas on a 7-series."""


def luts(config: Config) -> int | None:
    """7-series LUTs of an engine, if they were measured."""
    return _table().get(_key(config))


def _key(config: Config) -> tuple[object, ...]:
    return config.width, config.features, config.mtu_max, config.ufo_order, config.user_width


def _table() -> dict[tuple[object, ...], int]:
    file = resources.files("offcut").joinpath(FILE)
    rows = json.loads(file.read_text()) if file.is_file() else []
    return {(row["width"], frozenset(row["features"]), row["mtu_max"], row["ufo_order"], row["user_width"]): row["LUT"] for row in rows}
