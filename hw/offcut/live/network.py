"""Network namespaces, and how the two ends of a live NIC are set up in them."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offcut.live.tap import Tap, open_tap

__all__ = ["HOST", "IPV6_MTU", "PEER", "End", "LiveError", "add_namespace", "delete_namespace", "inside", "namespace_path", "set_up"]

CLONE_NEWNET = 0x4000_0000
NAMESPACES = Path("/run/netns")

QUEUE_FRAMES = 16384
"""Frames that wait in a TAP for us to read them. It drops what comes beyond; TCP's windows, below, end long before that."""

SOCKET_BYTES = 1 << 20
"""The largest buffer that TCP gives itself. A TAP takes all that it is handed at once, so nothing but its window holds TCP back."""

IPV6_MTU = 1280
"""The least that IPv6 runs over (RFC 8200)."""

SYSCTLS = {
    "net/ipv4/tcp_rmem": f"4096 131072 {SOCKET_BYTES}",
    "net/ipv4/tcp_wmem": f"4096 65536 {SOCKET_BYTES}",
    "net/ipv4/tcp_no_metrics_save": "1",  # each connection starts as if it were the first
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv6/conf/default/accept_dad": "0",  # addresses can be used at once
    "net/ipv6/conf/default/accept_ra": "0",
}

PATIENT = {
    "net/ipv4/tcp_early_retrans": "0",
    "net/ipv4/tcp_rto_min_us": "2000000",  # since 6.11
}
"""For a wire that loses nothing: on a busy machine, TCP's timers would take a slow simulation for a loss, and send again what is under way."""


class LiveError(Exception):
    """A live NIC cannot run here, or stopped running; the message is one line: what is wrong, and what helps."""


@dataclass(frozen=True)
class End:
    """One side: its device's name, and its addresses."""

    role: str
    device: str
    ipv4: str
    ipv6: str
    mac: str


HOST = End("host", "offcut0", "10.87.0.1", "fd0f:fc07::1", "02:0f:fc:07:00:01")
PEER = End("peer", "wire0", "10.87.0.2", "fd0f:fc07::2", "02:0f:fc:07:00:02")


def namespace_path(name: str) -> Path:
    return NAMESPACES / name


def add_namespace(name: str) -> None:
    _ip("netns", "add", name)


def delete_namespace(name: str) -> None:
    """Delete a namespace, if it is there; what is in it goes with it."""
    if namespace_path(name).exists():
        _ip("netns", "delete", name)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in ``namespace``: sockets and TAP devices made here stay there."""
    with open("/proc/thread-self/ns/net") as home, open(namespace_path(namespace)) as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def set_up(end: End, namespace: str, *, mtu: int, features: Collection[str] | None, patient: bool) -> Tap:
    """Make the device of one end in its namespace, with addresses, and bring it up.

    Parameters
    ----------
    end : End
    namespace : str
    mtu : int
        Bytes of the longest IP packet. Below :data:`IPV6_MTU` there is no IPv6.
    features : collection of str, optional
        What the device offers; see :func:`offcut.live.tap.open_tap`.
    patient : bool
        Whether TCP may take its time before it sends again what was not acknowledged.
    """
    with inside(namespace):
        for name, value in (SYSCTLS | (PATIENT if patient else {})).items():
            knob = Path("/proc/sys", name)
            if knob.exists():
                knob.write_text(value)
        try:
            tap = open_tap(end.device, features)
        except OSError as error:
            raise LiveError(f"no TAP device can be made ({error.strerror}); it needs /dev/net/tun: `modprobe tun`") from None
    try:
        _ip("-n", namespace, "link", "set", "dev", "lo", "up")
        _ip("-n", namespace, "link", "set", "dev", end.device, "address", end.mac, "mtu", str(mtu), "txqueuelen", str(QUEUE_FRAMES))
        _ip("-n", namespace, "link", "set", "dev", end.device, "up")
        _ip("-n", namespace, "address", "add", f"{end.ipv4}/24", "dev", end.device)
        if mtu >= IPV6_MTU and Path("/proc/sys/net/ipv6").exists():
            _ip("-n", namespace, "address", "add", f"{end.ipv6}/64", "dev", end.device, "nodad")
    except BaseException:
        os.close(tap.fd)
        raise
    return tap


def _enter(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET):
        raise LiveError(f"the network namespace cannot be entered: {os.strerror(ctypes.get_errno())}")


def _ip(*arguments: str) -> None:
    if shutil.which("ip") is None:
        raise LiveError("network namespaces are made with `ip`; install it (Debian: iproute2)")
    ran = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise LiveError(f"`ip {' '.join(arguments)}` failed: {' '.join(ran.stderr.split())}")
