"""``offcut features``: what an engine can be built with."""

import argparse

from offcut.cli import configuration
from offcut.config import FEATURES

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
List the features of an engine as `ethtool -k` would: on if the engine that the
switches describe is built with it, off if not. A request for what is off is dropped."""

EPILOG = """\
example:
  offcut features --features tx-checksum-ip-generic"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "features",
        help="list what an engine can be built with",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    configuration.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    config = configuration.config(args)
    width = max(map(len, FEATURES)) + 1
    for name, what in FEATURES.items():
        print(f"{name + ':':<{width}} {'on' if name in config.features else 'off':<3}  {what}")
