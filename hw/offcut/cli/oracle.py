"""``offcut oracle``: let the running Linux kernel cut the frames of a capture."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from offcut.cli.engines import Progress, Request, Result
from offcut.cli.errors import CommandError, reason
from offcut.cli.output import STANDARD, replacing
from offcut.cli.records import VNET_HDR_BYTES, as_request, batches, distinct, no_terminal, opened, ticker
from offcut.cli.report import Report

if TYPE_CHECKING:
    from offcut.oracle import KernelOracle

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Cut the frames of a capture as `offcut segment --vnet-hdr` does, but by the
running Linux kernel. Each record begins with the virtio_net_hdr that asks for
something; the kernel's own segments go to a pcap, each with the timestamp of the
frame that it was cut from. hdr_len is left out: the kernel would hold it against
the frame.

What the kernel does not take (EINVAL) is counted as refused; what it takes and
sends nothing for, as dropped. Wire frames may have any length.

It needs root, and ip and tc (iproute2); it works in a network namespace of its
own, and leaves nothing behind. UDP tunnels need Linux 6.17."""

EPILOG = """\
examples:
  sudo offcut oracle --vnet-hdr tap.pcap -o kernel.pcap
      what Linux makes of these requests
  offcut segment --vnet-hdr tap.pcap -o model.pcap && cmp kernel.pcap model.pcap
      whether the golden model makes the same"""

HDR_LEN = slice(2, 4)
SHOW_EVERY = 256


class Kernel:
    """The running kernel as an engine."""

    def __init__(self, oracle: "KernelOracle") -> None:
        self._oracle = oracle

    def run(self, requests: Sequence[Request], progress: Progress) -> Result:
        result = Result([], [])
        for index, request in enumerate(requests):
            if index % SHOW_EVERY == 0:
                progress(index)
            header = bytearray(request.vnet_hdr)
            header[HDR_LEN] = bytes(2)
            try:
                frames = self._oracle.ask(bytes(header), request.frame)
            except OSError as error:
                raise CommandError(f"the kernel does not take a frame of {len(request.frame)} bytes: {reason(error)}") from None
            if not frames:
                why = "refused" if frames is None else "dropped"
                result.dropped[why] = result.dropped.get(why, 0) + 1
                continue
            result.frames += frames
            result.origins += [index] * len(frames)
        return result


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "oracle",
        help="cut the frames of a capture by the running Linux kernel (root)",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", help="capture to read")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="pcap to write")
    parser.add_argument("--vnet-hdr", action="store_true", help="each record begins with a virtio_net_hdr; here that is always so")
    parser.add_argument(
        "--vnet-hdr-size",
        type=int,
        choices=VNET_HDR_BYTES,
        default=VNET_HDR_BYTES[0],
        metavar="BYTES",
        help=f"its size: {', '.join(map(str, VNET_HDR_BYTES))} (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    try:  # not at the top: the other commands work without them
        from tqdm import tqdm

        from offcut.cli.capture import PcapWriter, read_capture
    except ModuleNotFoundError as error:
        raise CommandError(f"reading a capture needs {error.name}; install it with: pip install 'offcut[capture]'") from None

    no_terminal(args.output, args.json)
    distinct(args.input, args.output)
    name = "standard input" if args.input == STANDARD else args.input

    with ExitStack() as stack:
        source = stack.enter_context(opened(args.input))
        records = read_capture(source, name, ethernet=False)
        first = next(records, None)  # a wrong file is found before anything is set up for it
        try:
            from offcut.oracle import KernelOracle  # not at the top: only Unix has what it is made of

            engine = Kernel(stack.enter_context(KernelOracle()))
        except (ImportError, RuntimeError) as error:
            raise CommandError(f"{error}; it needs Linux, root, /dev/net/tun, and ip and tc from iproute2") from None
        writer = PcapWriter(stack.enter_context(replacing(args.output)))
        progress = stack.enter_context(tqdm(unit=" frames", leave=False, disable=None))
        report = Report("kernel", None)

        for batch in batches(first, records):
            requests = [as_request(record, args.vnet_hdr_size, name) for record in batch]
            result = engine.run(requests, ticker(progress, "cutting", report.frames_in))
            for origin, frame in zip(result.origins, result.frames, strict=True):
                writer.write(batch[origin].time_ns, frame)
            report.add(requests, result)

    if args.json:
        print(report.json())
    else:
        print(report.table(), file=sys.stderr if args.output == STANDARD else sys.stdout)
