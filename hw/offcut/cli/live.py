"""``offcut live``: a network interface whose frames the engine cuts."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from offcut.cli import configuration
from offcut.cli.errors import CommandError, reason
from offcut.cli.signals import Terminated
from offcut.live import ENGINES, LiveError, Session, Settings
from offcut.live.network import HOST, IPV6_MTU, PEER
from offcut.live.report import Report, status_line

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Make a live NIC: two network namespaces, and between them the engine. In the
first, a network interface offers Linux all offloads that the engine has, so
that real programs hand it super-frames; the wire frames arrive in the second,
whose interface has no offload at all. Needs root.

Everything is removed at the end: by Ctrl-C, when the command of --run has
ended, or, after a kill, at the next start."""

EPILOG = """\
In the commands, {peer}, {peer6}, {host} and {host6} stand for the addresses.

examples:
  sudo offcut live
      until Ctrl-C, with counters; tells how to enter either side
  sudo offcut live --peer-run 'iperf3 -s -1' --run 'iperf3 -c {peer}'
      a benchmark through 64-bit gateware
  sudo offcut live --engine model --loss 0.01 --pcap captures --run 'ssh {peer6}'
      by the golden model, over a bad wire, with captures of both sides"""

TICK_SECONDS = 0.05
STATUS_SECONDS = 1.0


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "live",
        help="a network interface whose frames the engine cuts",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", choices=ENGINES, default="rtl", help="the gateware, or the golden model (default: rtl)")
    parser.add_argument("--mtu", type=int, default=1500, metavar="BYTES", help="longest IP packet on the wire (default: 1500)")
    parser.add_argument("--run", dest="command", metavar="CMD", help="run a command on the host's side, then end with a summary")
    parser.add_argument(
        "--peer-run", dest="servers", action="append", default=[], metavar="CMD", help="first start a server on the peer's side"
    )
    parser.add_argument(
        "--pcap", type=Path, metavar="DIR", help="write captures: host.pcap, peer.pcap, and request.pcap with virtio_net_hdr"
    )
    parser.add_argument("--loss", type=float, default=0.0, metavar="P", help="lose this share of the wire's frames, both ways (0 to 1)")
    parser.add_argument("--reorder", type=float, default=0.0, metavar="P", help="let this share of them arrive late (0 to 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of both (default: 0)")
    parser.add_argument("--name", default="offcut", help="of the namespaces: NAME-host and NAME-peer (default: offcut)")
    parser.add_argument(
        "--untuned", action="store_true", help="compile the gateware once, without a profile of itself: a third of the time, a fifth slower"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON; what the commands print goes to standard error")
    configuration.add_engine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    try:
        settings = Settings(
            config=configuration.config(args),
            engine=args.engine,
            mtu=args.mtu,
            name=args.name,
            loss=args.loss,
            reorder=args.reorder,
            seed=args.seed,
            pcap=args.pcap,
            tuned=not args.untuned,
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    try:
        status = _live(settings, args)
    except Terminated:
        raise KeyboardInterrupt from None  # a request to end is as good as Ctrl-C
    except LiveError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"a live NIC cannot be made here: {error.filename or ''} {reason(error)}") from None
    if status:
        raise CommandError(f"the command ended with status {status}: {args.command}")


def _live(settings: Settings, args: argparse.Namespace) -> int:
    """Returns the status of the command, 0 if there was none."""
    if settings.engine == "rtl":
        _tell(f"preparing the gateware, {settings.config.width} bits wide (the first time it is compiled, which takes a minute or two)")
    with Session(settings) as session:
        for name in session.cleared:
            _tell(f"cleared away what the live NIC {name!r} left when it was killed")
        _tell(_introduction(session))
        output = sys.stderr if args.json else None
        for server in args.servers:
            session.start_server(PEER, _filled_in(server), stdout=output)
        begun = time.monotonic()
        status = 0
        if args.command is None:
            _watch(session)
        else:
            status = _finish(session, session.start(HOST, _filled_in(args.command), stdout=output))
        report = Report(
            session.counters(),
            session.statistics(HOST),
            session.statistics(PEER),
            seconds=time.monotonic() - begun,
            engine=settings.engine,
            width=settings.config.width if settings.engine == "rtl" else None,
            mtu=settings.mtu,
        )
    print(report.json() if args.json else "\n" + report.table())
    return status


def _introduction(session: Session) -> str:
    ipv6 = session.settings.mtu >= IPV6_MTU
    lines = []
    for end, what in ((HOST, f"offers {', '.join(session.offers) or 'nothing'}"), (PEER, "offers nothing")):
        addresses = f"{end.ipv4} and {end.ipv6}" if ipv6 else end.ipv4
        lines.append(f"{end.role}: {end.device} has {addresses}; it {what}")
        lines.append(f"      sudo ip netns exec {session.namespace(end)} bash")
    return "\n".join(lines)


def _filled_in(command: str) -> str:
    addresses = {"{host}": HOST.ipv4, "{host6}": HOST.ipv6, "{peer}": PEER.ipv4, "{peer6}": PEER.ipv6}
    for name, address in addresses.items():
        command = command.replace(name, address)
    return command


def _watch(session: Session) -> None:
    """Show counters until Ctrl-C."""
    start, end = ("\r\x1b[K", "") if sys.stderr.isatty() else ("", "\n")
    before, then = session.counters(), time.monotonic()
    try:
        _tell("Ctrl-C ends it")
        while True:
            time.sleep(STATUS_SECONDS)
            now, moment = session.counters(), time.monotonic()
            print(start + status_line(before, now, moment - then), end=end, file=sys.stderr, flush=True)
            before, then = now, moment
    except (KeyboardInterrupt, Terminated):
        print(file=sys.stderr)


def _finish(session: Session, process: "subprocess.Popen[bytes]") -> int:
    """Wait for the command, and for the engine to fail."""
    while process.poll() is None:
        session.counters()
        time.sleep(TICK_SECONDS)
    return process.returncode


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
