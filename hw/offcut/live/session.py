"""A running live NIC: namespaces, devices and the engine between them, and the programs that use it."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from offcut.config import Config
from offcut.live.counters import Counters
from offcut.live.ledger import MARK, Ledger, clear_stale, end_processes
from offcut.live.model import ModelEngine
from offcut.live.network import HOST, PEER, End, LiveError, add_namespace, delete_namespace, inside, set_up
from offcut.live.tap import Tap

__all__ = ["ENGINES", "Engine", "Session", "Settings"]

ETHERNET_BYTES = 14
MTU = (576, 9000)
CAPTURES = {"host": "host.pcap", "peer": "peer.pcap", "request": "request.pcap"}
"""What ``pcap`` writes: each side as its device saw it, and the host's frames with their requests."""

SERVER_SECONDS = 5.0
"""For a server to begin to listen."""


class Engine(Protocol):
    """What stands between the devices."""

    def counters(self) -> Counters: ...

    def failure(self) -> str: ...

    def stop(self) -> None: ...


Start = Callable[..., Engine]
"""Starts an engine, given the devices and what the wire does; see :class:`offcut.live.compiled.CompiledEngine`."""


def _rtl(config: Config, tuned: bool) -> Start:
    try:
        from offcut.live.compiled import CompiledEngine, prepare
        from offcut.rtl import BuildError
    except ModuleNotFoundError as error:
        raise LiveError(f"the gateware needs {error.name}; install it with: pip install 'offcut[rtl]'") from None
    try:
        prepare(config, tuned=tuned)
    except BuildError as error:
        raise LiveError(f"the gateware cannot be compiled: {error}") from None
    return partial(CompiledEngine, config, tuned=tuned)


def _model(config: Config, tuned: bool) -> Start:
    return partial(ModelEngine, config)


ENGINES: dict[str, Callable[[Config, bool], Start]] = {"rtl": _rtl, "model": _model}
"""What can stand between the devices. The gateware is compiled the first time, by a profile of itself if ``tuned``."""


@dataclass(frozen=True)
class Settings:
    """A live NIC to be.

    Parameters
    ----------
    config : offcut.config.Config
    engine : str
        One of :data:`ENGINES`.
    mtu : int
        Of both devices, in bytes.
    name : str
        The namespaces are this with ``-host`` and ``-peer``.
    loss, reorder : float
        Probability for each frame on the wire, both ways.
    seed : int
        Of these.
    pcap : path, optional
        A directory for captures; it is made.
    tuned : bool
        Compile the gateware by a profile of itself: it takes three times as long, and runs a fifth faster.
    """

    config: Config = field(default_factory=Config)
    engine: str = "rtl"
    mtu: int = 1500
    name: str = "offcut"
    loss: float = 0.0
    reorder: float = 0.0
    seed: int = 0
    pcap: Path | None = None
    tuned: bool = True

    def __post_init__(self) -> None:
        least, greatest = MTU
        greatest = min(greatest, self.config.mtu_max - ETHERNET_BYTES)
        if not least <= self.mtu <= greatest:
            raise ValueError(f"The MTU must lie between {least} and {greatest} bytes, not be {self.mtu}")
        for name in ("loss", "reorder"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be a probability below 1, not {getattr(self, name)}")
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"A name must consist of letters, digits, - and _, not be {self.name!r}")


class Session:
    """A live NIC, from ``with`` to its end. Needs root, TAP devices and iproute2.

    On entering, what killed ones left behind is cleared away; its names are in ``cleared``. On leaving, everything that was made goes: processes,
    namespaces and, with those, devices.

    Raises
    ------
    LiveError
        If the machine cannot provide it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cleared: list[str] = []
        self.offers: tuple[str, ...] = ()
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Session":
        if os.geteuid():
            raise LiveError("a live NIC makes network namespaces and TAP devices; run it as root: `sudo offcut live`")
        self.cleared = clear_stale()
        start = ENGINES[self.settings.engine](self.settings.config, self.settings.tuned)
        with ExitStack() as stack:
            self._make(stack, start)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def namespace(self, end: End) -> str:
        return f"{self.settings.name}-{end.role}"

    def counters(self) -> Counters:
        """What the engine counted so far.

        Raises
        ------
        LiveError
            If the engine has stopped by itself.
        """
        assert self._engine is not None
        if failure := self._engine.failure():
            raise LiveError(f"the engine has failed: {failure}")
        return self._engine.counters()

    def start(self, end: End, command: str | list[str], **options: object) -> "subprocess.Popen[bytes]":
        """Start a program at one end, as ``subprocess.Popen`` does; a string goes to the shell. It ends with the session at the latest."""
        words = ["sh", "-c", command] if isinstance(command, str) else command
        environment = os.environ | {MARK: self.settings.name}
        inside = ["ip", "netns", "exec", self.namespace(end)]
        process = subprocess.Popen([*inside, *words], env=environment, **options)  # type: ignore[call-overload]
        self._started.append(process)
        return process  # type: ignore[no-any-return]

    def start_server(self, end: End, command: str | list[str], **options: object) -> "subprocess.Popen[bytes]":
        """Likewise, and wait until one more socket is open for others to talk to, or the program has ended, or some seconds have passed."""
        before = self._listeners(end)
        process = self.start(end, command, **options)
        deadline = time.monotonic() + SERVER_SECONDS
        while self._listeners(end) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return process

    def statistics(self, end: End) -> dict[str, int]:
        """The kernel's own counters at one end: those of ``/proc/net/snmp``, ``netstat`` and ``snmp6`` by their names there (``TcpInCsumErrors``),
        and the device's drops as ``DeviceTxDropped`` and ``DeviceRxDropped``."""
        with inside(self.namespace(end)):
            files = {name: Path("/proc/thread-self/net", name) for name in ("snmp", "netstat", "snmp6", "dev")}
            text = {name: path.read_text().splitlines() if path.exists() else [] for name, path in files.items()}
        found: dict[str, int] = {}
        for file in ("snmp", "netstat"):
            for names, values in zip(text[file][::2], text[file][1::2], strict=True):
                group, *columns = names.split()
                prefix = "" if group in ("TcpExt:", "IpExt:") else group[:-1]
                found |= {prefix + column: int(value) for column, value in zip(columns, values.split()[1:], strict=True)}
        found |= {name: int(value) for name, value in map(str.split, text["snmp6"])}
        for line in text["dev"]:
            device, _, values = line.partition(":")
            if device.strip() == end.device:
                numbers = [int(value) for value in values.split()]
                found |= {"DeviceRxDropped": numbers[3], "DeviceTxDropped": numbers[11]}
        return found

    def _make(self, stack: ExitStack, start: Start) -> None:
        settings = self.settings
        captures = {}
        if settings.pcap:
            settings.pcap.mkdir(parents=True, exist_ok=True)
            captures = {name: settings.pcap / file for name, file in CAPTURES.items()}
        namespaces = tuple(self.namespace(end) for end in (HOST, PEER))
        ledger = Ledger(settings.name, namespaces)
        stack.callback(ledger.close)
        for namespace in namespaces:
            stack.callback(delete_namespace, namespace)
            add_namespace(namespace)
        host = self._tap(stack, HOST)
        peer = self._tap(stack, PEER)
        self.offers = host.offers
        self._engine = start(
            host=host.fd,
            peer=peer.fd,
            header_bytes=host.header_bytes,
            loss=settings.loss,
            reorder=settings.reorder,
            seed=settings.seed,
            captures=captures,
        )
        stack.callback(self._engine.stop)
        stack.callback(self._end_processes, namespaces)

    def _end_processes(self, namespaces: tuple[str, ...]) -> None:
        for process in self._started:
            process.terminate()  # it may not have entered its namespace yet, where the next line looks
        end_processes(self.settings.name, namespaces)
        for process in self._started:
            process.kill()
            process.wait()

    def _tap(self, stack: ExitStack, end: End) -> Tap:
        features = self.settings.config.features if end is HOST else None
        patient = not self.settings.loss and not self.settings.reorder
        tap = set_up(end, self.namespace(end), mtu=self.settings.mtu, features=features, patient=patient)
        stack.callback(os.close, tap.fd)
        return tap

    def _listeners(self, end: End) -> int:
        """Sockets that listen (TCP) or are bound (UDP) at one end."""
        count = 0
        with inside(self.namespace(end)):
            for name in ("tcp", "tcp6", "udp", "udp6"):
                path = Path("/proc/thread-self/net", name)
                for line in path.read_text().splitlines()[1:] if path.exists() else []:
                    count += name.startswith("udp") or line.split()[3] == "0A"
        return count
