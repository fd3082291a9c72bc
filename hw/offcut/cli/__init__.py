"""The ``offcut`` command. Each subcommand is a module with ``add_parser(commands)`` and ``run(args)``."""

from offcut.cli.main import main

__all__ = ["main"]
