"""LUTs of the engines in the goals' table: as scripts/synth has recorded them, and one engine synthesised at once."""

from _synth import design, results
from _synth.keep import area_of
from offcut.config import DEFAULT_FEATURES, FEATURES, Config

__all__ = ["ENGINES", "GUARD", "guard", "recorded"]

ENGINES = {
    "TCP over IPv4 and checksums": {"features": frozenset({"tx-tcp-segmentation", "tx-checksum-ip-generic"})},
    "default": {"features": DEFAULT_FEATURES},
    "default, --mtu-max 1522": {"features": DEFAULT_FEATURES, "mtu_max": 1522},
    "every feature": {"features": frozenset(FEATURES)},
}
"""What each engine of the goals is built with, beside its width."""

GUARD = ("TCP over IPv4 and checksums", 64)
"""The engine that ``--quick`` synthesises: the smallest of the goals."""


def guard():
    """Counts of :data:`GUARD` in the gateware of today."""
    name, width = GUARD
    return area_of(design.to_rtlil(design.build(design.ENGINE, {}, Config(width=width, **ENGINES[name]))))["counts"]


def recorded(widths):
    """What scripts/synth has recorded: by figure (LUT, FF, RAMB36, MHz), engine and width the number, or None if it is stale; nothing if it never was."""
    found = {unit: {name: {} for name in ENGINES} for unit in ("LUT", "FF", "RAMB36", "MHz")}
    for name, built in ENGINES.items():
        for width in widths:
            engine = results.find(Config(width=width, **built))
            if engine["area"]:
                counts, stale = engine["area"]
                for unit in ("LUT", "FF"):
                    found[unit][name][width] = None if stale else counts[unit]
                found["RAMB36"][name][width] = None if stale else counts["RAMB36"] + counts["RAMB18"] / 2
            if engine["mhz"]:
                mhz, stale = engine["mhz"]
                found["MHz"][name][width] = None if stale else mhz
    return found
