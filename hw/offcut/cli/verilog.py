"""``offcut verilog``: the engine as one Verilog file."""

import argparse

from offcut.cli import configuration
from offcut.cli.errors import CommandError
from offcut.cli.output import replacing
from offcut.ip.layouts import REQUESTS

__all__ = ["add_parser", "add_requests", "run"]

DESCRIPTION = """\
Write the engine as one self-contained Verilog file with the top module
offcut_tx: AXI4-Stream in (s_axis_*, the request on tuser) and out (m_axis_*).
With --top core the top module is offcut_core: settings, identification and
64-bit counters are AXI4-Lite registers (s_axil_*), which docs/registers.md
lists."""

TOPS = ("tx", "core")

EPILOG = """\
examples:
  offcut verilog -o offcut_tx.v
      64 bits, everything built in but the CRC32c of SCTP
  offcut verilog --width 512 --mtu-max 1522 -o offcut_tx.v
      512 bits; buffers for frames of at most 1522 bytes
  offcut verilog --features tx-checksum-ip-generic -o offcut_tx.v
      checksums alone
  offcut verilog --top core -o offcut_core.v
      the same engine with registers
  offcut verilog --user-width 16 --ufo-order first -o offcut_tx.v
      16 bits of your own beside each frame; UDP fragments in Linux's order"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "verilog",
        help="write the engine as one Verilog file",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.v", help="file to write; - for standard output")
    parser.add_argument(
        "--top", choices=TOPS, default=TOPS[0], help="the engine with its settings as ports, or as AXI4-Lite registers (default: tx)"
    )
    add_requests(parser)
    configuration.add_user_width(configuration.add_engine(parser))
    parser.set_defaults(run=run)


def add_requests(parser: argparse.ArgumentParser) -> None:
    """The switch that chooses where requests come from."""
    parser.add_argument(
        "--requests",
        choices=REQUESTS,
        default=REQUESTS[0],
        help="of the core, where each frame's request comes from: beside it on tuser, on AXI DMA's control stream, or in a virtio_net_hdr of 10, "
        "12, 20 or 24 bytes in front of the frame (default: tuser)",
    )


def run(args: argparse.Namespace) -> None:
    config = configuration.config(args)
    try:
        from offcut.verilog import CORE, generate
    except ModuleNotFoundError as error:
        raise CommandError(f"writing Verilog needs {error.name}; install it with: pip install 'offcut[gateware]'") from None
    if args.top == "tx":
        if args.requests != REQUESTS[0]:
            raise CommandError(f"--requests {args.requests} needs --top core")
        text = generate(config)
    else:
        try:
            text = generate(config, CORE, args.requests)
        except ValueError as error:
            raise CommandError(str(error)) from None
    with replacing(args.output) as file:
        file.write(text.encode())
