"""What scripts/synth has recorded, and whether it belongs to the gateware of today."""

import json
from functools import cache
from pathlib import Path

from offcut.config import Config

from . import design, options

__all__ = ["FILE", "configuration_of", "engine_fingerprint", "find", "is_stale", "key_of", "recorded"]

FILE = Path(__file__).resolve().parents[1] / "results" / "synth.json"

KEY = ("width", "features", "mtu_max", "ufo_order", "user_width")


def configuration_of(result):
    """The engine that a result was measured on."""
    return Config(**{name: result[name] for name in KEY})


def key_of(result):
    """By what a result is replaced by a later one."""
    return [result[name] for name in KEY]


def recorded():
    """The whole results of engines: area by block, and speed."""
    return json.loads(FILE.read_text()) if FILE.exists() else []


@cache
def engine_fingerprint(config):
    """What results of this engine belong to, in the gateware of today."""
    return design.fingerprint(design.to_rtlil(design.build(design.ENGINE, {}, config)))


def is_stale(result):
    """Whether a result, of either file, was measured on other gateware than today's."""
    return result["rtlil_sha256"] != engine_fingerprint(configuration_of(result))


def find(config):
    """What is recorded of an engine, in either file.

    Returns
    -------
    dict
        ``area``, counts by unit, and ``mhz``, each as ``(figure, is it stale)`` or None if it was not recorded. Where both files have an area,
        that which belongs to the gateware of today.
    """
    whole = [result for result in recorded() if configuration_of(result) == config]
    areas = [(result["area"]["total"], is_stale(result)) for result in whole]
    areas += [(row, is_stale(row)) for row in options.read() if configuration_of(row) == config]
    speeds = [(result["speed"]["mhz"], is_stale(result)) for result in whole]
    return {"area": min(areas, key=lambda area: area[1], default=None), "mhz": next(iter(speeds), None)}
