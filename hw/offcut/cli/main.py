"""Command line: the parser, and how every error leaves."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from offcut import __version__
from offcut.cli import build, features, ip, live, oracle, segment, verilog
from offcut.cli.errors import CommandError
from offcut.cli.signals import Terminated, terminable

__all__ = ["main"]

EPILOG = """\
examples:
  offcut segment capture.pcapng -o wire.pcap
      cut the super-frames of a capture at an MTU of 1500, as a NIC would
  offcut segment capture.pcapng -o wire.pcap --engine rtl --width 512 --check
      the same by the gateware, 512 bits wide, compared with the model
  offcut verilog --width 64 -o offcut_tx.v
      write the engine as one Verilog file

`offcut COMMAND --help` tells more."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see `{self.prog} --help`)")


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="offcut",
        description="A segmentation and checksum offload engine for FPGA NICs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"offcut {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in (segment, live, oracle, verilog, ip, build, features):
        module.add_parser(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it did what was asked, 1 with one line on standard error if it could not, 128 and more if a signal ended it.

    Parameters
    ----------
    arguments : sequence of str, optional
        In place of ``sys.argv[1:]``.
    """
    if sys.stdout is None:  # closed by the shell: there is nobody to tell
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    try:
        with terminable():
            args = parser().parse_args(arguments)
            args.run(args)
            sys.stdout.flush()
    except CommandError as error:
        print(f"offcut: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of standard output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # everything else that is read or written explains itself
        print(f"offcut: standard output cannot be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("offcut: interrupted", file=sys.stderr)
        return 130
    except Terminated as end:
        print("offcut: terminated", file=sys.stderr)
        return end.status
    return 0
