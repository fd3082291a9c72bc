"""``offcut segment``: cut the frames of a capture."""

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from offcut.cli import configuration, inputs
from offcut.cli.advice import advice, likelier_size
from offcut.cli.compare import check_against_model
from offcut.cli.engines import ENGINES, Model, Request, Result
from offcut.cli.errors import CommandError
from offcut.cli.output import STANDARD, replacing
from offcut.cli.picture import draw
from offcut.cli.records import VNET_HDR_BYTES, as_request, batches, distinct, no_terminal, opened, ticker
from offcut.cli.report import Report

if TYPE_CHECKING:
    pass

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Cut every frame of a pcap or pcapng capture that is longer than the MTU, and
complete every checksum, as a NIC with offloads on would. The wire frames go to
a pcap, each with the timestamp of the frame that it was cut from.

With --vnet-hdr, each record begins with the virtio_net_hdr in which its sender
asks for offloads, as PACKET_VNET_HDR sockets and TAP devices give it; just that
is done then. In UDP tunnels its last four bytes count too, so 24 bytes it must be.

IN and OUT may be -, for standard input and output; the counts then go to
standard error."""

EPILOG = """\
examples:
  offcut segment capture.pcapng -o wire.pcap --mtu 1500
      by the golden model
  offcut segment capture.pcapng -o wire.pcap --engine rtl --width 64 --check
      by the gateware, compiled; stops where the model differs
  offcut segment capture.pcapng -o wire.pcap --uso-size 1200
      UDP above the MTU leaves as datagrams of 1200 bytes, not as fragments
  offcut segment --vnet-hdr tap.pcap -o wire.pcap --json
      by each record's own request; the counts as JSON
  tcpdump -i eth0 -w - | offcut segment - -o - | tshark -r -
      between two programs"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "segment",
        help="cut the frames of a capture",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", help="capture to read")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="pcap to write")
    parser.add_argument("--engine", choices=ENGINES, default="model", help="the golden model, or the gateware (default: model)")
    parser.add_argument("--check", action="store_true", help="compare what the gateware sends with the model, byte by byte")
    parser.add_argument("--vnet-hdr", action="store_true", help="each record begins with a virtio_net_hdr")
    parser.add_argument(
        "--vnet-hdr-size",
        type=int,
        choices=VNET_HDR_BYTES,
        metavar="BYTES",
        help=f"its size: {', '.join(map(str, VNET_HDR_BYTES))} (default: 10)",
    )
    parser.add_argument("--picture", metavar="FILE.svg", help="draw the frame that was cut into most segments, and them")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    inputs.add_arguments(parser)
    configuration.add_engine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    extra = "rtl" if args.engine == "rtl" else "capture"
    try:  # not at the top: the other commands work without them
        from tqdm import tqdm

        from offcut.cli.capture import PcapWriter, read_capture
    except ModuleNotFoundError as error:
        raise CommandError(f"reading a capture needs {error.name}; install it with: pip install 'offcut[{extra}]'") from None

    config = configuration.config(args)
    told = inputs.inputs(args, config)
    if args.check and args.engine == "model":
        raise CommandError("--check compares the gateware with the model; add --engine rtl")
    if args.vnet_hdr_size and not args.vnet_hdr:
        raise CommandError(f"--vnet-hdr-size {args.vnet_hdr_size} says how long each record's virtio_net_hdr is; add --vnet-hdr")
    no_terminal(args.output, args.json)
    distinct(args.input, args.output, args.picture)
    name = "standard input" if args.input == STANDARD else args.input
    header_bytes = (args.vnet_hdr_size or VNET_HDR_BYTES[0]) if args.vnet_hdr else 0

    with ExitStack() as stack:
        source = stack.enter_context(opened(args.input))
        writer = PcapWriter(stack.enter_context(replacing(args.output)))
        picture = stack.enter_context(replacing(args.picture)) if args.picture else None
        progress = stack.enter_context(tqdm(desc=f"preparing the {args.engine} engine", unit=" frames", leave=False, disable=None))

        records = read_capture(source, name, ethernet=not args.vnet_hdr)
        first = next(records, None)  # a wrong file is found before an engine is built for it
        engine = ENGINES[args.engine](config, told)
        model = Model(config, told, engine.ufo_buffer)
        report = Report(args.engine, config.width if args.engine == "rtl" else None)
        likelier = None
        most = _Most()

        for batch in batches(first, records):
            if header_bytes and not report.frames_in:
                likelier = likelier_size([record.data for record in batch], header_bytes, VNET_HDR_BYTES)
            requests = [as_request(record, header_bytes, name) for record in batch]
            result = engine.run(requests, ticker(progress, "cutting", report.frames_in))
            if args.check:
                expected = model.run(requests, ticker(progress, "checking", report.frames_in))
                check_against_model(requests, result, expected, [record.number for record in batch])
            for origin, frame in zip(result.origins, result.frames, strict=True):
                writer.write(batch[origin].time_ns, frame)
            most.look(requests, result)
            report.add(requests, result)

        if picture:
            if len(most.segments) < 2:
                raise CommandError(f"no frame of {name} was cut, so there is nothing to draw; leave --picture out, or lower --mtu")
            picture.write(draw(most.frame, most.segments).encode())

    for line in advice(report, told, config, header_bytes, likelier):
        print(f"offcut: {line}", file=sys.stderr)
    if args.json:
        print(report.json())
        return
    shown = sys.stderr if STANDARD in (args.output, args.picture) else sys.stdout
    print(report.table(), file=shown)
    if args.check:
        print(f"\nEvery segment is the model's, byte for byte: {args.output}", file=shown)
    if args.picture:
        print(f"One super-frame and its {len(most.segments)} segments: {args.picture}", file=shown)


class _Most:
    """The frame that was cut into most segments, so far."""

    def __init__(self) -> None:
        self.frame = b""
        self.segments: list[bytes] = []

    def look(self, requests: list[Request], result: Result) -> None:
        cut: dict[int, list[bytes]] = {}
        for origin, frame in zip(result.origins, result.frames, strict=True):
            cut.setdefault(origin, []).append(frame)
        for origin, segments in cut.items():
            if len(segments) > len(self.segments):
                self.frame, self.segments = requests[origin].frame, segments
