"""``offcut build``: a design for a Zynq board, as a folder that its tools build."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from offcut.boards.catalogue import BOARDS, VIRTIO_FEATURES, Board
from offcut.boards.toolchains import DESIGNS, TOOLCHAINS
from offcut.cli.errors import CommandError
from offcut.cli.output import replacing
from offcut.config import DEFAULT_FEATURES, FEATURES, UFO_ORDERS, Config

__all__ = ["add_parser", "run"]

GROUPS = {"virtio": VIRTIO_FEATURES, "default": DEFAULT_FEATURES, "all": frozenset(FEATURES)}
"""What stands for several features."""

DESCRIPTION = """\
Write everything that puts a design on a Zynq board: Verilog with the
processing system in it (no block design), constraints, the tools' scripts, a
device tree overlay, and a README of what to run. With --build, run it.

designs:
  veth   two network devices, joined through an engine each way: needs no PHY
  core   one network device with AXI4-Stream ports for your MAC; a module to
         instantiate, synthesised by itself

Linux drives the devices with its own virtio_net."""

EPILOG = """\
examples:
  offcut build --board arty-z7-20
      write build/arty-z7-20-veth for Vivado
  offcut build --board ebaz4205 --toolchain openxc7 --build
      the same for open tools, and build the bitstream
  offcut build --board zybo-z7-20 --coherent
      through the caches: S_AXI_ACP, and dma-coherent in the overlay"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "build",
        help="write, or build, a design for a Zynq board",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--board", required=True, choices=BOARDS, metavar="NAME", help=f"one of {', '.join(BOARDS)}")
    parser.add_argument("--design", choices=DESIGNS, default="veth", help="what to build (default: veth)")
    parser.add_argument("--toolchain", choices=TOOLCHAINS, default="vivado", help="for whom (default: vivado)")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder to write to (default: build/BOARD-DESIGN)")
    parser.add_argument("--build", action="store_true", help="run the tools, too")
    parser.add_argument(
        "--coherent", action="store_true", help="reach memory through the caches, by S_AXI_ACP (default: past them, by S_AXI_HP)"
    )
    engine = parser.add_argument_group("the engines, 64 bits wide")
    engine.add_argument(
        "--features",
        metavar="NAME,NAME...",
        help="what is built in, by the names of `offcut features`; or `virtio`, what a virtio driver can ask for; `default`, all but "
        "tx-checksum-sctp; `all` (default: virtio, on an xc7z010 without tx-udp-fragmentation, which Linux has not asked for since 4.14)",
    )
    engine.add_argument(
        "--mtu-max", type=int, metavar="BYTES", help="longest frame, with Ethernet header (default: 1522 on an xc7z010, else 9216)"
    )
    engine.add_argument("--ufo-order", choices=UFO_ORDERS, default=UFO_ORDERS[0], help="as of `offcut verilog` (default: last)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    board = BOARDS[args.board]
    config = _config(args, board)
    folder = Path(args.output or Path("build") / f"{board.name}-{args.design}")
    if args.build:
        _programs(args.toolchain)
    try:
        from offcut.boards import folder as folders

        files = folders.files_of(
            board, config, args.design, args.toolchain, coherent=args.coherent, switches=_switches(args, config), progress=_tell
        )
    except ModuleNotFoundError as error:
        extra = "boards" if error.name == "amaranth_boards" else "gateware"
        raise CommandError(f"building for a board needs {error.name}; install it with: pip install 'offcut[{extra}]'") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make the folder {folder}: {error.strerror or error}") from None
    for name, text in files.items():
        with replacing(str(folder / name)) as file:
            file.write(text.encode())
    (folder / "build.sh").chmod(0o755)
    print(f"{folder}: {', '.join(files)}")
    if not args.build:
        print(f"To build it: sh {folder / 'build.sh'}; then go on as {folder / 'README.md'} says")
        return
    _tell(f"running {folder / 'build.sh'}; this takes many minutes, and shows what the tools say")
    done = subprocess.run(["sh", str(folder / "build.sh")], check=False)
    if done.returncode:
        raise CommandError(f"{folder / 'build.sh'} failed with status {done.returncode}; what the tools said stands above")
    print(f"Built. {folder / 'README.md'} tells how to boot it")


def _config(args: argparse.Namespace, board: Board) -> Config:
    features = board.config.features
    if args.features is not None:
        names = frozenset(filter(None, args.features.split(",")))
        features = (names - GROUPS.keys()).union(*(GROUPS[name] for name in names & GROUPS.keys()))
    mtu_max = board.config.mtu_max if args.mtu_max is None else args.mtu_max
    try:
        return Config(width=64, features=features, mtu_max=mtu_max, ufo_order=args.ufo_order)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _switches(args: argparse.Namespace, config: Config) -> str:
    """What makes this folder again."""
    chosen = [f"--board {args.board} --design {args.design} --toolchain {args.toolchain}", *(["--coherent"] if args.coherent else [])]
    chosen += [f"--features '{','.join(name for name in FEATURES if config.has(name))}' --mtu-max {config.mtu_max}"]
    return " ".join([*chosen, *(["--ufo-order first"] if config.ufo_order == "first" else [])])


def _programs(toolchain: str) -> None:
    """Do nothing if all that ``build.sh`` runs is there.

    Raises
    ------
    CommandError
        Otherwise; the message names what is missing and the remedy.
    """
    known = TOOLCHAINS[toolchain]
    missing = [name for name in known.programs if shutil.which(os.environ.get(name.upper(), name)) is None]
    if missing:
        raise CommandError(
            f"--build needs {' and '.join(missing)} on PATH: {known.remedy}; or leave --build out, and run build.sh where the tools are"
        )


def _tell(what: str) -> None:
    print(f"offcut: {what}", file=sys.stderr, flush=True)
