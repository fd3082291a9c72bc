"""The golden model between the two devices, in one Python thread: the same ways as in ``rtl/live.cpp``, many times slower."""

import os
import random
import select
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from offcut.config import Config
from offcut.live.counters import Counters
from offcut_model import Options, Refused, VirtioNetHdr, segment

__all__ = ["ModelEngine"]

LONGEST_BYTES = 1 << 20
BURST = 16
REORDER_BEHIND = 4
REORDER_SECONDS = 0.002
LINK_TYPES = {"host": 1, "peer": 1, "request": 147}


class _Pcap:
    """A capture with nanoseconds, or nothing if there is no file."""

    def __init__(self, path: Path | None, link_type: int) -> None:
        self._file: IO[bytes] | None = path.open("wb") if path else None
        self.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_BYTES, link_type))

    def write(self, data: bytes) -> None:
        if self._file:
            self._file.write(data)

    def record(self, frame: bytes) -> None:
        if self._file:
            seconds, nanoseconds = divmod(time.time_ns(), 10**9)
            self._file.write(struct.pack("<4I", seconds, nanoseconds, len(frame), len(frame)) + frame)

    def close(self) -> None:
        if self._file:
            self._file.close()


class _Wire:
    """One direction of the wire: it loses frames, and lets some arrive late."""

    def __init__(self, loss: float, reorder: float, seed: int, deliver: Callable[[bytes], None], counters: Counters) -> None:
        self._loss, self._reorder = loss, reorder
        self._random = random.Random(seed)
        self._deliver = deliver
        self._counters = counters
        self._before = 0
        self.late: bytes | None = None

    def carry(self, frame: bytes) -> None:
        if self._loss and self._random.random() < self._loss:
            self._counters.lost += 1
            return
        if self._reorder and self.late is None and self._random.random() < self._reorder:
            self.late, self._before = frame, REORDER_BEHIND
            self._counters.reordered += 1
            return
        self._deliver(frame)
        if self.late is not None:
            self._before -= 1
            if not self._before:
                self.release()

    def release(self) -> None:
        if self.late is not None:
            frame, self.late = self.late, None
            self._deliver(frame)


class ModelEngine:
    """The golden model, running from now on until :meth:`stop`. Parameters as for :class:`offcut.live.compiled.CompiledEngine`."""

    def __init__(
        self,
        config: Config,
        *,
        host: int,
        peer: int,
        header_bytes: int,
        loss: float = 0.0,
        reorder: float = 0.0,
        seed: int = 0,
        captures: Mapping[str, Path] | None = None,
    ) -> None:
        self._options = Options(mtu_max=config.mtu_max, features=config.features, ufo_order=config.ufo_order)
        self._host, self._peer, self._header_bytes = host, peer, header_bytes
        for fd in (host, peer):
            os.set_blocking(fd, False)
        self._pcaps = {name: _Pcap((captures or {}).get(name), link_type) for name, link_type in LINK_TYPES.items()}
        self._counters = Counters()
        self._there = _Wire(loss, reorder, seed * 2, self._write_peer, self._counters)
        self._back = _Wire(loss, reorder, seed * 2 + 1, self._write_host, self._counters)
        self._failure = ""
        self._stopping, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._guarded)
        self._thread.start()

    def counters(self) -> Counters:
        """The sums since the start; after :meth:`stop`, those of the end."""
        return replace(self._counters, dropped=dict(self._counters.dropped))

    def failure(self) -> str:
        """Why it stopped by itself; empty while it runs."""
        return self._failure

    def stop(self) -> None:
        """End the thread and the captures. May be called again."""
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1
            self._thread.join()
            os.close(self._stopping)
            for pcap in self._pcaps.values():
                pcap.close()

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # whatever it is: told by failure()
            self._failure = f"the model: {error}"

    def _run(self) -> None:
        waits = select.poll()
        for fd in (self._host, self._peer, self._stopping):
            waits.register(fd, select.POLLIN)
        while True:
            self._counters.engine_seconds = time.thread_time()
            late = self._there.late is not None or self._back.late is not None
            ready = dict(waits.poll(REORDER_SECONDS * 1000 if late else None))
            if not ready:
                self._there.release()
                self._back.release()
            if self._stopping in ready:
                return
            for _ in range(BURST):
                if not self._carry_back() and not self._cut():
                    break

    def _carry_back(self) -> bool:
        """From the wire to the host. A receive engine will stand here."""
        frame = self._read(self._peer)
        if not frame:
            return False
        self._pcaps["peer"].record(frame)
        self._back.carry(frame)
        return True

    def _cut(self) -> bool:
        """From the host to the wire."""
        data = self._read(self._host)
        if not data:
            return False
        frame = data[self._header_bytes :]
        header = VirtioNetHdr.parse(data, self._header_bytes)
        self._pcaps["request"].record(data)
        self._pcaps["host"].record(frame)
        counters = self._counters
        counters.frames_in += 1
        counters.super_frames_in += header.gso_type != 0
        counters.bytes_in += len(frame)
        try:
            segments = segment(frame, header, self._options)
        except Refused as refused:
            counters.dropped[refused.reason] = counters.dropped.get(refused.reason, 0) + 1
            return True
        for wire_frame in segments:
            counters.frames_out += 1
            counters.bytes_out += len(wire_frame)
            self._there.carry(wire_frame)
        return True

    def _read(self, fd: int) -> bytes:
        """The next frame of a device; none if there is none now."""
        try:
            return os.read(fd, LONGEST_BYTES)
        except BlockingIOError:
            return b""

    def _write_peer(self, frame: bytes) -> None:
        self._pcaps["peer"].record(frame)
        self._write(self._peer, frame)

    def _write_host(self, frame: bytes) -> None:
        self._pcaps["host"].record(frame)
        self._counters.back_frames += 1
        self._counters.back_bytes += len(frame)
        self._write(self._host, bytes(self._header_bytes) + frame)

    def _write(self, fd: int, data: bytes) -> None:
        try:
            os.write(fd, data)
        except OSError:
            self._counters.unwritten += 1
