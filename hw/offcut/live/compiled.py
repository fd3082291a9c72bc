"""The gateware between the two devices: compiled, with threads of its own (``rtl/live.cpp``)."""

import ctypes
from collections.abc import Mapping
from pathlib import Path

from offcut import verilog
from offcut.config import Config
from offcut.live.counters import Counters
from offcut.live.library import COUNTS, MESSAGE_BYTES, LibraryCounters, LibrarySettings, bind
from offcut.live.network import LiveError
from offcut.rtl import build

__all__ = ["CompiledEngine", "prepare"]

DROP = "stat_drop_"
TRAINING = Path(__file__).with_name("training.py")


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
    tuned : bool
        Compile it twice, the second time by what a run of the first showed: it is then a fifth faster.

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
        tuned: bool = False,
    ) -> None:
        text = build.engine_verilog(config) if dut is None else dut
        self._stats = [name for name in verilog.ports(text) if name.startswith("stat_")]
        self._library = bind(_compiled(text, tuned))
        paths = {f"{name}_pcap": str(path).encode() for name, path in (captures or {}).items()}
        settings = LibrarySettings(
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
            counts, strobes = LibraryCounters(), (ctypes.c_uint64 * len(self._stats))()
            self._library.live_counters(self._live, counts, strobes)
            dropped = {name.removeprefix(DROP): n for name, n in zip(self._stats, strobes, strict=True) if n and name.startswith(DROP)}
            self._last = Counters(
                **{name: getattr(counts, name) for name in COUNTS},
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


def prepare(config: Config, *, tuned: bool = False) -> None:
    """Compile the gateware of ``config``, unless that has been done: it takes a while."""
    _compiled(build.engine_verilog(config), tuned)


def _compiled(text: str, tuned: bool) -> Path:
    return build.shared_library(text, harness=build.LIVE, training=TRAINING if tuned else None)
