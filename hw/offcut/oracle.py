"""Let the running Linux kernel cut frames: what comes out is what its software GSO makes of a request.

Two TAP devices stand in a network namespace of their own. A frame written to the first with its ``virtio_net_hdr`` is redirected to the
second, which grants no offload, so the kernel has to do all of them before the frames can be read there. The namespace has no name and
no process: it lives as long as the two open devices, and is gone when they close, even if the process is killed.

UDP tunnels need Linux 6.17 or later: before, the header has no bits for them, and the kernel refuses such requests. The second device speaks no
``virtio_net_hdr``: a tunnel's frame that was not cut keeps its type inside the kernel, and a device that speaks it would refuse to show that frame.
"""

import ctypes
import errno
import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from offcut_model import VirtioNetHdr

__all__ = ["KernelOracle", "unavailable"]

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_TUNSETVNETLE = 0x400454DC
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000

_VNET_HDR_BYTES = 24
_IN, _OUT = "offcut0", "offcut1"
_MTU = 65521
"""The largest that a TAP device takes."""
_QUEUE = 131072
"""Wire frames that may wait: more than one request can make."""
_READ_BYTES = 1 << 20
_SETTLE_SECONDS = 60.0
"""Within which the kernel answers even where the machine has much else to do."""
_SHORT_OF_MEMORY_SECONDS = 0.05
"""Between two tries to hand over a frame for which the kernel finds no buffer."""

_SETUP = (
    f"ip link set dev {_IN} mtu {_MTU} addrgenmode none up",
    f"ip link set dev {_OUT} mtu {_MTU} txqueuelen {_QUEUE} addrgenmode none up",
    f"tc qdisc replace dev {_OUT} root noqueue",
    f"tc qdisc add dev {_IN} ingress",
    f"tc filter add dev {_IN} ingress protocol all u32 match u32 0 0 at -12 action mirred egress redirect dev {_OUT}",
)

_SENTINEL = bytes.fromhex("02 0ffc07 0001 02 0ffc07 0002 88b5")
"""Addresses and local experimental EtherType of the frame which ends each request's answer."""


class KernelOracle:
    """The kernel's own segments, request by request. A context manager; needs root, TAP devices and iproute2.

    Raises
    ------
    RuntimeError
        If the machine cannot provide it; the message says why.
    """

    def __init__(self) -> None:
        self._in = self._out = -1
        self._asked = 0
        self._buffer = bytearray(_READ_BYTES)
        self._failure: Exception | None = None
        # A network namespace belongs to a thread: the caller's own is never left.
        worker = threading.Thread(target=self._open)
        worker.start()
        worker.join()
        if self._failure is not None:
            self.close()
            raise RuntimeError(f"the kernel cannot be asked here: {_said(self._failure)}")

    def __enter__(self) -> "KernelOracle":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both devices; with them goes the namespace. May be called again."""
        for fd in (self._in, self._out):
            if fd >= 0:
                os.close(fd)
        self._in = self._out = -1

    def cut(self, requests: Iterable[tuple[VirtioNetHdr, bytes]]) -> list[list[bytes] | None]:
        """What the kernel sends for each request, as :meth:`ask` gives it."""
        return [self.ask(header.pack(_VNET_HDR_BYTES), frame) for header, frame in requests]

    def ask(self, header: bytes, frame: bytes) -> list[bytes] | None:
        """What the kernel sends for one request.

        Parameters
        ----------
        header : bytes
            A ``virtio_net_hdr`` of up to 24 bytes, little-endian. ``hdr_len``, which Linux holds against the frame, is taken as given.
        frame : bytes
            From its Ethernet header on.

        Returns
        -------
        list of bytes or None
            The wire frames in order, ``[]`` where the kernel drops, ``None`` where it refuses (EINVAL).
        """
        try:
            self._write(header.ljust(_VNET_HDR_BYTES, b"\0") + frame)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return None
        self._asked += 1
        sentinel = _SENTINEL + struct.pack("!Q", self._asked)
        self._write(bytes(_VNET_HDR_BYTES) + sentinel)
        frames = []
        while (seen := self._read()) != sentinel:
            frames.append(seen)
        return frames

    def _write(self, packet: bytes) -> None:
        """Hand a packet over. A kernel that has no buffer for it at the moment (ENOBUFS, ENOMEM) is asked again for a while."""
        until = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                os.write(self._in, packet)
                return
            except OSError as error:
                if error.errno not in (errno.ENOBUFS, errno.ENOMEM) or time.monotonic() > until:
                    raise
                time.sleep(_SHORT_OF_MEMORY_SECONDS)

    def _read(self) -> bytes:
        while True:
            try:
                return bytes(memoryview(self._buffer)[: os.readv(self._out, (self._buffer,))])
            except BlockingIOError:
                if not select.select([self._out], [], [], _SETTLE_SECONDS)[0]:
                    raise TimeoutError(f"The kernel has sent nothing for {_SETTLE_SECONDS:g} seconds") from None

    def _open(self) -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"no new network namespace: {os.strerror(ctypes.get_errno())}")
            # No neighbour discovery: only what was asked may come out.
            for scope in ("all", "default"):
                knob = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
                if knob.exists():
                    knob.write_text("1")
            self._in = _tap(_IN, _IFF_VNET_HDR)
            fcntl.ioctl(self._in, _TUNSETVNETHDRSZ, struct.pack("i", _VNET_HDR_BYTES))
            fcntl.ioctl(self._in, _TUNSETVNETLE, struct.pack("i", 1))
            self._out = _tap(_OUT)
            fcntl.ioctl(self._out, _TUNSETOFFLOAD, 0)
            for command in _SETUP:
                done = subprocess.run(command.split(), capture_output=True, text=True, timeout=_SETTLE_SECONDS)
                if done.returncode:
                    raise OSError(f"{command!r} failed: {done.stderr.strip()}")
        except (AttributeError, OSError, subprocess.SubprocessError) as error:  # only Linux has unshare
            self._failure = error


def unavailable() -> str | None:
    """Why the oracle cannot run on this machine, or None where it can."""
    try:
        KernelOracle().close()
    except RuntimeError as error:
        return str(error)
    return None


def _said(failure: Exception) -> str:
    """An error in the system's words."""
    if isinstance(failure, OSError) and failure.strerror:
        return f"{failure.filename}: {failure.strerror}" if failure.filename else failure.strerror
    return str(failure)


def _tap(name: str, flags: int = 0) -> int:
    """Make a TAP device in the calling thread's namespace; its file descriptor owns it."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | flags))
    except OSError:
        os.close(fd)
        raise
    os.set_blocking(fd, False)
    return fd
