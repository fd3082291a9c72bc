"""The engines whose area is compared: each feature alone, and together."""

import json
from pathlib import Path

from offcut import costs
from offcut.config import DEFAULT_FEATURES, FEATURES, Config

__all__ = ["FILE", "configurations", "key", "read", "table", "write"]

FILE = Path(costs.__file__).with_name(costs.FILE)

ENGINES = {
    "nothing": {"features": frozenset()},
    **{name: {"features": frozenset({name})} for name in FEATURES},
    "TCP over IPv4 and checksums": {"features": frozenset({"tx-tcp-segmentation", "tx-checksum-ip-generic"})},
    "default": {"features": DEFAULT_FEATURES},
    "default, `--ufo-order first`": {"features": DEFAULT_FEATURES, "ufo_order": "first"},
    "default, `--mtu-max 1522`": {"features": DEFAULT_FEATURES, "mtu_max": 1522},
    "default and SCTP": {"features": frozenset(FEATURES)},
}
"""What each row of the table is built with, beside its width."""


def configurations(width):
    """The engines of one bus width."""
    return [Config(width=width, **options) for options in ENGINES.values()]


def key(config):
    """What a configuration is called in the file."""
    return {
        "width": config.width,
        "features": [name for name in FEATURES if config.has(name)],
        "mtu_max": config.mtu_max,
        "ufo_order": config.ufo_order,
        "user_width": config.user_width,
    }


def read():
    """The recorded rows: :func:`key`, ``rtlil_sha256``, ``yosys`` (its version), and counts by unit."""
    return json.loads(FILE.read_text()) if FILE.exists() else []


def write(rows):
    """Record rows in place of those of the same engines."""
    names = tuple(key(Config()))
    fresh = [[row[name] for name in names] for row in rows]
    merged = [row for row in read() if [row[name] for name in names] not in fresh] + rows
    merged.sort(key=lambda row: json.dumps([row[name] for name in names]))
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in merged) + "\n]\n")


def table(rows):
    """Recorded rows as a Markdown table: a line an engine, LUTs, flip-flops and block RAM at each width."""
    widths = sorted({row["width"] for row in rows})
    found = {json.dumps({name: row[name] for name in key(Config())}): row for row in rows}
    lines = [f"| built in | {' | '.join(f'{width} bits: LUT | FF | RAMB36' for width in widths)} |", f"|---|{'---:|' * 3 * len(widths)}"]
    for name, options in ENGINES.items():
        cells = []
        for width in widths:
            row = found.get(json.dumps(key(Config(width=width, **options))))
            cells += [f"{row['LUT']:,}", f"{row['FF']:,}", f"{row['RAMB36'] + row['RAMB18'] / 2:g}"] if row else [""] * 3
        if any(cells):
            lines.append(f"| {f'`{name}` alone' if name in FEATURES else name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
