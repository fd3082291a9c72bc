"""The gateware between the two devices: compiled, with threads of its own (``rtl/live.cpp``)."""

import ctypes
from collections.abc import Mapping
from pathlib import Path

from offcut import verilog
from offcut.config import Config
from offcut.live.counters import Counters
from offcut.live.network import LiveError
from offcut.rtl import build

__all__ = ["CompiledEngine", "prepare"]

DROP = "stat_drop_"
MESSAGE_BYTES = 256


class _Settings(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("host", "peer")),
        *((name, ctypes.c_uint64) for name in ("header_bytes", "frame_limit")),
        *((name, ctypes.c_double) for name in ("loss", "reorder")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_char_p) for name in ("host_pcap", "peer_pcap", "request_pcap")),
    ]


_COUNTS = (
    *("frames_in", "super_frames_in", "bytes_in", "frames_out", "bytes_out", "back_frames", "back_bytes"),
    *("clocks", "beats_in", "beats_out", "lost", "reordered", "unwritten", "waiting_max"),
)
_TIMES = ("engine_cpu_ns", "io_cpu_ns", "host_cpu_ns")


class _Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (*_COUNTS, *_TIMES)]


class CompiledEngine:
    """The gateware of ``config``, running from now on until :meth:`stop`.

    Parameters
    ----------
    config : offcut.config.Config
    host, peer : int
        File descriptors of the two devices, or of anything that keeps frames apart. They stay open.
    header_bytes : int
        Of the virtio_net_hdr in front of each of the host's frames: 10, 12, 20 or 24.
    loss, reorder : float
        Probability for each frame on the wire, both ways.
    seed : int
        Of these, and of the registers' first values.
    captures : mapping of str to path
        pcap files to write: "host", "peer", "request" (with the virtio_net_hdr in front).
    dut : str, optional
        Verilog in place of the engine's own, with the same ports.

    Raises
    ------
    LiveError
        If it cannot start.
    offcut.rtl.BuildError
        If it cannot be compiled.
    """

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
        dut: str | None = None,
    ) -> None:
        text = build.engine_verilog(config) if dut is None else dut
        self._stats = [name for name in verilog.ports(text) if name.startswith("stat_")]
        self._library = _bind(build.shared_library(text, harness=build.LIVE))
        paths = {f"{name}_pcap": str(path).encode() for name, path in (captures or {}).items()}
        settings = _Settings(
            host=host,
            peer=peer,
            header_bytes=header_bytes,
            frame_limit=config.mtu_max,
            loss=loss,
            reorder=reorder,
            seed=seed & (1 << 64) - 1,
            **paths,
        )
        message = ctypes.create_string_buffer(MESSAGE_BYTES)
        self._live = self._library.live_start(settings, message, MESSAGE_BYTES)
        if not self._live:
            raise LiveError(message.value.decode())
        self._last = Counters()

    def counters(self) -> Counters:
        """The sums since the start; after :meth:`stop`, those of the end."""
        if self._live:
            counts, strobes = _Counters(), (ctypes.c_uint64 * len(self._stats))()
            self._library.live_counters(self._live, counts, strobes)
            dropped = {name.removeprefix(DROP): n for name, n in zip(self._stats, strobes, strict=True) if n and name.startswith(DROP)}
            self._last = Counters(
                **{name: getattr(counts, name) for name in _COUNTS},
                engine_seconds=counts.engine_cpu_ns / 1e9,
                io_seconds=counts.io_cpu_ns / 1e9,
                host_seconds=counts.host_cpu_ns / 1e9,
                dropped=dropped,
            )
        return self._last

    def failure(self) -> str:
        """Why it stopped by itself; empty while it runs."""
        return str(self._library.live_failure(self._live).decode()) if self._live else ""

    def stop(self) -> None:
        """End both threads and the captures. May be called again."""
        if self._live:
            self.counters()
            self._library.live_stop(self._live)
            self._live = None


def prepare(config: Config) -> None:
    """Compile the gateware of ``config``, unless that has been done: it takes a while."""
    build.shared_library(build.engine_verilog(config), harness=build.LIVE)


def _bind(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.live_start.argtypes = [ctypes.POINTER(_Settings), ctypes.c_char_p, ctypes.c_size_t]
    library.live_start.restype = ctypes.c_void_p
    library.live_counters.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.POINTER(ctypes.c_uint64)]
    library.live_counters.restype = None
    library.live_failure.argtypes = [ctypes.c_void_p]
    library.live_failure.restype = ctypes.c_char_p
    library.live_stop.argtypes = [ctypes.c_void_p]
    library.live_stop.restype = None
    return library
