"""``offcut ip``: the core as a block for Vivado, with a block design for a board."""

import argparse
from pathlib import Path

from offcut.cli import configuration
from offcut.cli.errors import CommandError, reason
from offcut.cli.output import replacing
from offcut.cli.verilog import add_requests
from offcut.ip.boards import PARTS

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Write offcut_core as a block for Vivado: its Verilog, its description in IP-XACT
(IEEE 1685-2009) with every register, a C header of them, and a script that makes
a block design for a Zynq board: the processor, AXI DMA, and the core between what
the DMA sends and what it receives. Nothing of Vivado is needed to write it."""

EPILOG = """\
examples:
  offcut ip --board arty-z7-20 -o build/arty
      requests are zeroes: the core parses, once cfg_auto is set
  offcut ip --board pynq-z2 --requests control -o build/pynq
      requests in the application words of AXI DMA's descriptors
  offcut ip --board ebaz4205 --requests vnet12 --mtu-max 1522 -o build/ebaz
      requests in front of the frames; buffers that fit a small part
  vivado -mode batch -source build/arty/block_design.tcl -tclargs build"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "ip",
        help="write the core as a block for Vivado, with a block design",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--board", required=True, choices=PARTS, metavar="NAME", help=f"{', '.join(PARTS)}")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write into; it is made if it is not there")
    parser.add_argument(
        "--xsd", metavar="DIR", help="check the description against the standard's schema as well: a folder with its index.xsd (needs lxml)"
    )
    add_requests(parser)
    configuration.add_user_width(configuration.add_engine(parser))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    config = configuration.config(args)
    try:
        from offcut.ip import package
    except ModuleNotFoundError as error:
        raise CommandError(f"writing Verilog needs {error.name}; install it with: pip install 'offcut[gateware]'") from None
    try:
        files = package.files(args.board, config, args.requests)
        if args.xsd is not None:
            package.validate(files[package.COMPONENT], Path(args.xsd))
    except ValueError as error:
        raise CommandError(str(error)) from None
    folder = Path(args.output)
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"cannot make {path.parent}: {reason(error)}") from None
        with replacing(str(path)) as file:
            file.write(content)
    print(f"{folder}: {len(files)} files. With Vivado on PATH:\n  vivado -mode batch -source {folder / package.SCRIPT} -tclargs build")
