"""The guest machine: QEMU without KVM, one processor, memory that it shares, and the serial console over which it takes commands."""

import functools
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from guest.clock import tsc_khz
from guest.errors import GuestError, Unavailable
from guest.initramfs import initramfs, kernel_image
from guest.packages import packages

__all__ = ["Console", "Network", "command", "known_features"]

QEMU = "qemu-system-x86_64"
MEMORY = "256M"
PATIENCE_SECONDS = 180.0
MARK = b"\x1e"
"""Begins the line behind a command's output, which tells its status."""

OPTIONS = (
    *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
    *("-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", MEMORY),
    *("-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on", "-machine", "microvm,memory-backend=memory"),
    *("-global", "virtio-mmio.force-legacy=false"),
)

KERNEL_PARAMETERS = (
    *("console=ttyS0", "loglevel=3", "reboot=t", "panic=-1"),
    *("tsc=reliable", "lpj=1000000"),  # with the TSC's speed, for a machine that has no other clock to measure it by
)

SWITCHES = {
    "CSUM": "csum",
    "HOST_TSO4": "host_tso4",
    "HOST_TSO6": "host_tso6",
    "HOST_ECN": "host_ecn",
    "HOST_UFO": "host_ufo",
    "MRG_RXBUF": "mrg_rxbuf",
    "STATUS": "status",
    "EVENT_IDX": "event_idx",
    "INDIRECT_DESC": "indirect_desc",
    "ACCESS_PLATFORM": "iommu_platform",
}
"""By what name QEMU lets a feature through. USO is not among them: it has known that since 8.2, and passes it to no vhost-user device (10.0)."""

DEVICE = {
    **dict.fromkeys(SWITCHES.values(), "on"),
    **dict.fromkeys(
        ("guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "guest_uso4", "guest_uso6", "guest_announce"), "off"
    ),
    **dict.fromkeys(("ctrl_vq", "ctrl_rx", "ctrl_vlan", "ctrl_rx_extra", "ctrl_mac_addr", "ctrl_guest_offloads", "queue_reset"), "off"),
}
"""What QEMU shows the guest of the device, as far as this QEMU knows it; of these, what the device behind it offers."""


class Network:
    """Of the guest's interface: MAC, addresses with their prefix (no IPv6 if empty), MTU, and the socket of its back end."""

    def __init__(self, *, mac: str, ipv4: str, ipv6: str, mtu: int, socket: Path) -> None:
        self.mac, self.ipv4, self.ipv6, self.mtu, self.socket = mac, ipv4, ipv6, mtu, socket


def command(folder: Path, network: Network, *, shell: bool) -> list[str]:
    """The command that starts the machine, with its console on standard input and output.

    Parameters
    ----------
    folder : path
        For the archive with its files, which is written.
    network : Network
    shell : bool
        Whether a person is to have a shell in the guest.

    Raises
    ------
    Unavailable
        If there is no QEMU here, or nothing to boot.
    """
    if shutil.which(QEMU) is None:
        raise Unavailable(f"the guest needs {QEMU}; install it (Debian: qemu-system-x86)")
    made_of = packages()
    archive = folder / "initramfs"
    archive.write_bytes(initramfs(made_of))
    environment = [f"OFFCUT_IPV4={network.ipv4}", *([f"OFFCUT_IPV6={network.ipv6}"] if network.ipv6 else [])]
    environment += ["OFFCUT_SHELL=1"] if shell else []
    device = {"mac": network.mac, "host_mtu": str(network.mtu), **{name: value for name, value in DEVICE.items() if name in _properties()}}
    return [
        *(QEMU, *OPTIONS),
        *("-kernel", str(kernel_image(made_of)), "-initrd", str(archive)),
        *("-append", " ".join([*KERNEL_PARAMETERS, f"tsc_early_khz={tsc_khz()}", *environment])),
        *("-chardev", f"stdio,id=console,signal={'off' if shell else 'on'}", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=rings,path={network.socket}", "-netdev", "vhost-user,id=net,chardev=rings"),
        *("-device", ",".join(["virtio-net-device,netdev=net", *(f"{name}={value}" for name, value in device.items())])),
    ]


def known_features() -> frozenset[str]:
    """The features that this QEMU passes on to a device that offers all."""
    properties = _properties()
    return frozenset({"MAC", "MTU", "VERSION_1", *(name for name, switch in SWITCHES.items() if switch in properties)})


@functools.cache
def _properties() -> set[str]:
    """What this QEMU can be told of a network device."""
    told = subprocess.run([QEMU, "-device", "virtio-net-device,help"], capture_output=True, text=True, check=True).stdout
    return {line.split("=")[0].strip() for line in told.splitlines() if "=" in line}


class Console:
    """Talks to the guest's ``init`` through the machine's serial line.

    Parameters
    ----------
    process : subprocess.Popen
        The machine, with pipes to its standard input and output.
    watch : callable
        Called while waiting: raises an exception if there is nothing to wait for any more.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", watch: Callable[[], None]) -> None:
        assert process.stdin and process.stdout
        self._process, self._watch = process, watch
        self._in, self._out = process.stdin, process.stdout
        self._seen = b""

    def wait_until_ready(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Until the guest has booted."""
        self._answer(seconds)

    def run(self, line: str, seconds: float = PATIENCE_SECONDS) -> str:
        """What a shell command printed in the guest. It must succeed."""
        self._in.write(line.encode() + b"\n")
        self._in.flush()
        printed, status = self._answer(seconds)
        if status != "0":
            raise GuestError(f"in the guest, `{line}` ended with {status}: {printed.strip()}")
        return printed

    def _answer(self, seconds: float) -> tuple[str, str]:
        """What is printed before the next mark, and what stands behind that."""
        deadline = time.monotonic() + seconds
        while not (MARK in self._seen and self._seen.endswith(b"\n")):
            ready, _, _ = select.select([self._out], [], [], 0.1)
            data = os.read(self._out.fileno(), 1 << 16) if ready else None
            if data == b"":
                raise GuestError(f"the guest has ended ({self._process.wait()}); it printed: {self._tail()}")
            self._seen += data or b""
            self._watch()
            if time.monotonic() > deadline:
                raise GuestError(f"the guest does not answer within {seconds:.0f} s; it printed: {self._tail()}")
        printed, _, said = self._seen.rpartition(MARK)
        self._seen = b""
        return printed.decode(errors="replace"), said.decode(errors="replace").strip()

    def _tail(self) -> str:
        return self._seen[-2000:].decode(errors="replace")
