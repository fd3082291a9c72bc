"""A running guest, from ``with`` to its end: a network namespace for its peer, the device between them, and the machine."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from guest.backend import Backend
from guest.errors import GuestError, Unavailable
from guest.features import names
from guest.machine import Console, Network, command
from guest.rings import Counters, RingDevice
from guest.software import SoftwareDevice
from offcut.config import Config
from offcut.live.ledger import MARK, Ledger, clear_stale, end_processes
from offcut.live.network import HOST, IPV6_MTU, PEER, add_namespace, delete_namespace, inside, set_up

__all__ = ["DEVICES", "Session", "Settings"]

PREFIX4, PREFIX6 = 24, 64


def _gateware(settings: "Settings", wire: int) -> RingDevice:
    from guest.gateware import GatewareDevice

    return GatewareDevice(settings.config, wire, mac=bytes.fromhex(HOST.mac.replace(":", "")), mtu=settings.mtu)


def _model(settings: "Settings", wire: int) -> RingDevice:
    return SoftwareDevice(settings.config, wire)


DEVICES: dict[str, Callable[["Settings", int], RingDevice]] = {"rtl": _gateware, "model": _model}
"""What can serve the guest's rings."""


@dataclass(frozen=True)
class Settings:
    """A guest to be.

    Parameters
    ----------
    config : offcut.config.Config
        Of the engine.
    engine : str
        One of :data:`DEVICES`.
    mtu : int
        Of the guest's interface and its peer's, in bytes.
    name : str
        The peer's namespace is this with ``-peer``.
    shell : bool
        Whether a person is to have a shell in the guest, at this terminal.
    """

    config: Config = field(default_factory=Config)
    engine: str = "rtl"
    mtu: int = 1500
    name: str = "offcut-guest"
    shell: bool = False


class Session:
    """A guest and its peer. Needs root, TAP devices, iproute2 and QEMU.

    The guest has the addresses of :data:`offcut.live.network.HOST`, the namespace those of :data:`offcut.live.network.PEER`. On leaving, all that
    was made goes; after a kill, at the next start.

    Attributes
    ----------
    console : guest.machine.Console
        The booted guest, unless a person has its shell.
    device : guest.rings.RingDevice

    Raises
    ------
    Unavailable, offcut.live.network.LiveError
        If this machine cannot provide it.
    GuestError
        If the guest does not boot.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = ExitStack()

    def __enter__(self) -> "Session":
        if os.geteuid():
            raise Unavailable("a guest's peer lives in a network namespace with a TAP device; run it as root")
        clear_stale()
        with ExitStack() as stack:
            self._make(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def namespace(self) -> str:
        """The peer's."""
        return f"{self.settings.name}-{PEER.role}"

    def counters(self) -> Counters:
        self.watch()
        return self.device.counters()

    def accepted(self) -> frozenset[str]:
        """The features that the guest's driver has accepted, as far as the device is told of them."""
        return names(self._backend.accepted)

    def watch(self) -> None:
        """Raises GuestError if the device has stopped by itself."""
        if failure := self._backend.failure():
            raise GuestError(f"the device has failed: {failure}")
        if not self.settings.shell and (said := self._errors.read_text().strip()):
            raise GuestError(f"QEMU says: {said}")

    def statistics(self) -> dict[str, int]:
        """The peer kernel's own counters, by their names in ``/proc/net/snmp`` and ``snmp6``."""
        found: dict[str, int] = {}
        with inside(self.namespace):
            lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
            for names, values in zip(lines[::2], lines[1::2], strict=True):
                group, *columns = names.split()
                found |= {group[:-1] + column: int(value) for column, value in zip(columns, values.split()[1:], strict=True)}
            snmp6 = Path("/proc/thread-self/net/snmp6")
            found |= {name: int(value) for name, value in map(str.split, snmp6.read_text().splitlines() if snmp6.exists() else [])}
        return found

    def wait(self) -> int:
        """Until the guest has ended by itself; its status."""
        while True:
            try:
                return self._machine.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                self.watch()

    def _make(self, stack: ExitStack) -> None:
        settings = self.settings
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offcut-guest-")))
        ledger = Ledger(settings.name, (self.namespace,))
        stack.callback(ledger.close)
        stack.callback(delete_namespace, self.namespace)
        add_namespace(self.namespace)
        wire = set_up(PEER, self.namespace, mtu=settings.mtu, features=None, patient=True)
        stack.callback(os.close, wire.fd)
        self.device = DEVICES[settings.engine](settings, wire.fd)
        stack.callback(self.device.close)
        self._backend = Backend(folder / "rings", self.device)
        stack.callback(self._backend.close)
        ipv6 = f"{HOST.ipv6}/{PREFIX6}" if settings.mtu >= IPV6_MTU else ""
        network = Network(mac=HOST.mac, ipv4=f"{HOST.ipv4}/{PREFIX4}", ipv6=ipv6, mtu=settings.mtu, socket=folder / "rings")
        words = command(folder, network, shell=settings.shell)
        pipe = None if settings.shell else subprocess.PIPE
        self._errors = folder / "errors"
        errors = None if settings.shell else stack.enter_context(self._errors.open("wb"))
        in_namespace = ["ip", "netns", "exec", self.namespace]  # where the next start finds it, should we be killed
        self._machine = subprocess.Popen(
            [*in_namespace, *words], env=os.environ | {MARK: settings.name}, stdin=pipe, stdout=pipe, stderr=errors
        )
        stack.callback(self._end_machine)
        if not settings.shell:
            self.console = Console(self._machine, self.watch)
            self.console.wait_until_ready()

    def _end_machine(self) -> None:
        self._machine.terminate()
        end_processes(self.settings.name, (self.namespace,))
        self._machine.wait()
        for pipe in (self._machine.stdin, self._machine.stdout):
            if pipe:
                pipe.close()
