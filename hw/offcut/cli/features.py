"""``offcut features``: what an engine can be built with, and what it costs."""

import argparse

from offcut.cli import configuration
from offcut.config import FEATURES, Config
from offcut.costs import luts

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
List the features of an engine as `ethtool -k` would: on if the engine that the
switches describe is built with it, off if it is switched off. A request for what
is off is dropped, counted as `disabled`.

Where it was measured, a feature's cost stands beside it: the 7-series LUTs that
an engine of this width takes more with it than with no feature at all. Features
share much, so together they take less than the sum."""

EPILOG = """\
examples:
  offcut features
  offcut features --width 512 --features tx-checksum-ip-generic"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "features",
        help="list what an engine can be built with, and what it costs",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = configuration.add_engine(parser)
    configuration.add_user_width(group)
    configuration.add_disable(group)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    config = configuration.config(args)
    disabled = configuration.disabled(args)
    total = luts(config)
    print(f"Features of an engine {config.width} bits wide{'' if total is None else f', {total:,} LUT in all'}:")
    rows = [(f"{name}:", _state(name, config, disabled), _cost(name, config), what) for name, what in FEATURES.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, state, cost, what in rows:
        cells = [f"{name:<{widths[0]}}", f"{state:<{widths[1]}}", f"{cost:>{widths[2]}}", what]
        print("  ".join(cell for cell in cells if cell))


def _state(name: str, config: Config, disabled: frozenset[str]) -> str:
    if not config.has(name):
        return "off [not built in]"
    return "off" if name in disabled else "on"


def _cost(name: str, config: Config) -> str:
    """What the feature alone adds to an engine that has none."""
    none, alone = (luts(Config(width=config.width, features=frozenset(features))) for features in ((), (name,)))
    return "" if none is None or alone is None else f"{alone - none:+,} LUT"
