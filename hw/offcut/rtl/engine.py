"""Run frames through a compiled engine and say what came out, in how many clocks."""

import ctypes
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from offcut import verilog
from offcut.config import Config
from offcut.rtl.build import engine_verilog, shared_library

__all__ = ["ContractViolation", "Engine", "Hang", "Request", "Reset", "Result", "Span"]

BATCH_BYTES = 4 << 20
"""Input handed to the harness at once: what bounds the memory of a long run."""

QUIET_CLOCKS = 2000
"""Clocks without a beat, with the sink ready, after which an engine is empty or hangs: far more than any of its pipelines is deep."""

DROP = "stat_drop_"

Rhythm = float | tuple[int, int]
"""When a side of the bus pauses: with a probability below 1 in each clock, or in turn (clocks that it runs, clocks that it pauses)."""


class ContractViolation(AssertionError):
    """The engine broke a rule of AXI4-Stream or of Offcut's output contract; the message has the clock and the rule."""


class Hang(RuntimeError):
    """The engine stopped: it takes no input, or ends no frame, though the sink is ready."""


@dataclass(frozen=True)
class Request:
    """A frame for the engine, with what is asked of it.

    A ``frame_len`` that is not the frame's length makes ``tlast`` come early or late; ``keep`` breaks the contract of ``tkeep``.

    Parameters
    ----------
    frame : bytes
        From the Ethernet header on, without FCS.
    vnet_hdr : bytes
        The request: a ``virtio_net_hdr`` of 10, 12, 20 or 24 bytes, or none for all zeroes.
    frame_len : int, optional
        What is claimed in tuser, below 2**20: None for the truth, 0 for unknown.
    auto, mtu : optional
        ``cfg_auto`` and ``cfg_mtu`` with this frame, if not the run's.
    keep : mapping of int to int
        ``tkeep`` in place of the right one, by the number of the beat in the frame.
    """

    frame: bytes
    vnet_hdr: bytes = b""
    frame_len: int | None = None
    auto: bool | None = None
    mtu: int | None = None
    keep: Mapping[int, int] = field(default_factory=dict)

    def tuser(self) -> int:
        """The 160 bits of ``s_axis_tuser``.

        Raises
        ------
        ValueError
            If the header has no known length, or ``frame_len`` does not fit its field.
        """
        header = bytes(self.vnet_hdr)
        if len(header) not in (0, 10, 12, 20, 24):
            raise ValueError(f"A virtio_net_hdr has 10, 12, 20 or 24 bytes, not {len(header)}")
        frame_len = len(self.frame) if self.frame_len is None else self.frame_len
        if not 0 <= frame_len < 1 << 20:
            raise ValueError(f"frame_len must lie below {1 << 20} bytes, not be {frame_len}")
        return int.from_bytes(header[:10].ljust(10, b"\0") + header[20:24].ljust(4, b"\0"), "little") | frame_len << 112


class Span(NamedTuple):
    """The clocks in which a frame's first and last beat were taken."""

    first: int
    last: int


class Reset(NamedTuple):
    """A reset in mid-run. What the requests before ``request`` had not sent by then, beyond the wire frames before ``frame``, is lost."""

    clock: int
    request: int
    """Index of the first request given after it."""
    frame: int
    """Index of the first wire frame that ended after it."""


@dataclass
class Result:
    """What one run gave.

    Attributes
    ----------
    frames : list of bytes
        The wire frames, in order; empty if the run delivered them elsewhere.
    origin : list of int, optional
        For each wire frame the index of its request, if asked for.
    frames_in, frames_out, bytes_in, bytes_out : int
    beats_in, beats : int
        Beats taken by the engine, and from it.
    clocks : int
        From the first beat offered to the last wire beat taken, both included; 0 if nothing came out.
    strobes : dict of str to int
        Clocks in which each ``stat_`` port was 1.
    resets : list of Reset
    spans_in, spans_out : list of Span, optional
        For each request and each wire frame, if asked for.
    """

    frames: list[bytes] = field(default_factory=list)
    origin: list[int] | None = None
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    beats_in: int = 0
    beats: int = 0
    clocks: int = 0
    strobes: dict[str, int] = field(default_factory=dict)
    resets: list[Reset] = field(default_factory=list)
    spans_in: list[Span] | None = None
    spans_out: list[Span] | None = None

    @property
    def dropped(self) -> dict[str, int]:
        """Frames dropped, by reason; only reasons that occurred."""
        return {name.removeprefix(DROP): n for name, n in self.strobes.items() if n and name.startswith(DROP)}


class _Rhythm(ctypes.Structure):
    _fields_ = [("probability", ctypes.c_double), ("run", ctypes.c_uint64), ("pause", ctypes.c_uint64)]


class _Settings(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_uint64),
        ("source", _Rhythm),
        ("sink", _Rhythm),
        ("quiet_limit", ctypes.c_uint64),
        ("frame_limit", ctypes.c_uint64),
        ("shy", ctypes.c_uint64),
        ("garbage", ctypes.c_uint64),
        ("reset_at", ctypes.POINTER(ctypes.c_uint64)),
        ("resets", ctypes.c_uint64),
        ("trace", ctypes.c_char_p),
    ]


class _Summary(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("clock", "first_offer", "last_beat", "beats_in", "beats_out")]


class _Output(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("bytes_out_address", "frames_in", "frames_in_address", "frames_out", "frames_out_address"),
            *("resets", "resets_address", "message_address"),
        )
    ]


class Engine:
    """One configuration of the gateware, compiled (at its first use on a machine) and ready to run.

    Every run starts with noise in all registers and one clock of reset. Two runs with equal arguments are equal clock by clock.

    Parameters
    ----------
    config : offcut.config.Config
    build_dir : path, optional
        Where the compiled engine is kept; the user's cache directory unless given.
    dut : str, optional
        Verilog in place of the engine's own, with the same ports.
    trace : bool
        Compile for waveforms too, which is slower.

    Raises
    ------
    BuildError
        If a tool is missing or fails.
    """

    def __init__(self, config: Config, *, build_dir: str | Path | None = None, dut: str | None = None, trace: bool = False):
        text = engine_verilog(config, directory=build_dir) if dut is None else dut
        ports = verilog.ports(text)
        if ports["s_axis_tdata"].width != config.width:
            raise ValueError(f"The Verilog is {ports['s_axis_tdata'].width} bits wide, the configuration {config.width}")
        self.config = config
        self._trace = trace
        self._cfg = [name for name in ports if name.startswith("cfg_")]
        self._stats = [name for name in ports if name.startswith("stat_")]
        self._lanes = config.width // 8
        words = -(-ports["s_axis_tuser"].width // 32)
        self._tuser_bytes = words * 4
        head = f"<QQ{self._tuser_bytes}s{len(self._cfg)}I"
        self._head = struct.Struct(head + "x" * (-struct.calcsize(head) % 8))
        self._library = _bind(shared_library(text, directory=build_dir, trace=trace))

    def run(
        self,
        requests: Iterable[Request],
        *,
        auto: bool = False,
        mtu: int = 0,
        source_idle: Rhythm = 0.0,
        sink_stall: Rhythm = 0.0,
        shy: bool = False,
        seed: int = 0,
        reset_at: Sequence[int] = (),
        garbage: bool = True,
        origins: bool = False,
        spans: bool = False,
        deliver: Callable[[bytes], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
        trace: str | Path | None = None,
    ) -> Result:
        """Give every request to the engine, one after the other, and take what comes out until it is empty.

        Parameters
        ----------
        requests : iterable of Request
            Read as the run proceeds.
        auto, mtu
            ``cfg_auto`` and ``cfg_mtu``.
        source_idle, sink_stall : float or (int, int)
            When the source offers no beat, when the sink is not ready.
        shy : bool
            The sink is ready only when a beat waited in the clock before, as AXI4-Stream allows; shows an engine that waits for it.
        seed : int
            Of all that is random: pauses, noise, the registers' first values.
        reset_at : sequence of int
            Clocks, counted from the run's first, in which ``rst`` is 1. The frame being given is lost; the next follows.
        garbage : bool
            Noise wherever the contract says that nobody looks: unused lanes, tuser and cfg after a first beat, all while tvalid is 0.
        origins : bool
            Tell for each wire frame which request it came from. The output carries nothing that says so. So all is run once more, with a
            small frame that passes unchanged behind every request; both runs must give the same frames. All else is of the first run.
        spans : bool
            Tell when each frame began and ended.
        deliver : callable, optional
            Called with each wire frame as the run proceeds, in place of collecting them.
        progress : callable, optional
            Called now and then with the requests given and the clocks run so far.
        trace : path, optional
            A VCD file to write, in it the engine as ``offcut_tx``; only if compiled with ``trace``. A clock takes 6.4 ns.

        Raises
        ------
        ContractViolation
            If the engine breaks a rule of its output.
        Hang
            If it stops.
        ValueError
            If an argument is out of range.
        """
        if trace is not None and not self._trace:
            raise ValueError("Only an engine compiled with trace=True writes waveforms")
        if origins and (reset_at or deliver):
            raise ValueError("Origins are told only of a run without resets that collects its frames")
        if origins:
            requests = list(requests)
        clocks = sorted(reset_at)
        reset_array = (ctypes.c_uint64 * max(1, len(clocks)))(*clocks)
        settings = _Settings(
            seed=seed & (1 << 64) - 1,
            source=_rhythm(source_idle, "source_idle"),
            sink=_rhythm(sink_stall, "sink_stall"),
            quiet_limit=QUIET_CLOCKS,
            frame_limit=self.config.mtu_max,
            shy=shy,
            garbage=garbage,
            reset_at=reset_array,
            resets=len(clocks),
            trace=None if trace is None else str(trace).encode(),
        )
        result = Result(spans_in=[] if spans else None, spans_out=[] if spans else None)
        defaults = {"cfg_auto": int(auto), "cfg_mtu": mtu}
        harness = self._library.harness_new(settings)
        if not harness:
            raise RuntimeError("The harness could not start")
        summary, strobes, output = _Summary(), (ctypes.c_uint64 * len(self._stats))(), _Output()
        try:
            for batch, count, last in self._batches(requests, defaults, result):
                status = self._library.harness_run(harness, batch, count, last, summary, strobes, output)
                self._collect(output, result.frames.append if deliver is None else deliver, result)
                if status:
                    what = ctypes.string_at(output.message_address).decode()
                    raise _FAILURES[status](f"{what} (width {self.config.width}, seed {seed})")
                if progress is not None:
                    progress(result.frames_in, summary.clock)
            result.resets += map(Reset._make, _records(output.resets_address, output.resets, 3))
        finally:
            self._library.harness_delete(harness)
        result.beats_in, result.beats = summary.beats_in, summary.beats_out
        result.clocks = summary.last_beat - summary.first_offer + 1 if summary.beats_out else 0
        result.strobes = dict(zip(self._stats, strobes, strict=True))
        if origins:
            marked = self.run(_marked(requests), auto=auto, mtu=mtu, seed=seed)
            result.origin = _told_apart(marked.frames, result.frames)
        return result

    def _batches(self, requests: Iterable[Request], defaults: dict[str, int], result: Result) -> Iterator[tuple[bytes, int, bool]]:
        """The packed input: (bytes, frames in them, whether it is the end)."""
        parts: list[bytes] = []
        count = size = 0
        for request in requests:
            pieces = self._pack(request, defaults)
            result.frames_in += 1
            result.bytes_in += len(request.frame)
            parts += pieces
            count += 1
            size += sum(map(len, pieces))
            if size >= BATCH_BYTES:
                yield b"".join(parts), count, False
                parts.clear()
                count = size = 0
        yield b"".join(parts), count, True

    def _pack(self, request: Request, defaults: dict[str, int]) -> list[bytes]:
        """One request as harness.cpp reads it: head, frame, faults, each from a multiple of 8."""
        own = defaults
        if request.auto is not None or request.mtu is not None:
            auto = defaults["cfg_auto"] if request.auto is None else int(request.auto)
            own = {"cfg_auto": auto, "cfg_mtu": defaults["cfg_mtu"] if request.mtu is None else request.mtu}
        if not 0 <= own["cfg_mtu"] < 1 << 16:
            raise ValueError(f"The MTU must lie below 65536 bytes, not be {own['cfg_mtu']}")
        tuser = request.tuser().to_bytes(self._tuser_bytes, "little")
        head = self._head.pack(len(request.frame), len(request.keep), tuser, *(own.get(name, 0) for name in self._cfg))
        faults = b"".join(struct.pack("<QQ", beat, mask & (1 << self._lanes) - 1) for beat, mask in request.keep.items())
        return [head, request.frame, bytes(-len(request.frame) % 8), faults]

    def _collect(self, output: _Output, deliver: Callable[[bytes], None], result: Result) -> None:
        """Sorts what one call of the harness gave into the result."""
        records = list(_records(output.frames_out_address, output.frames_out, 3))
        total = sum(size for size, _, _ in records)
        data = io.BytesIO(ctypes.string_at(output.bytes_out_address, total) if total else b"")
        for size, _, _ in records:
            deliver(data.read(size))
        result.frames_out += len(records)
        result.bytes_out += total
        if result.spans_in is not None and result.spans_out is not None:
            result.spans_in += map(Span._make, _records(output.frames_in_address, output.frames_in, 2))
            result.spans_out += (Span(first, last) for _, first, last in records)


MARKER = bytes.fromhex("02 00 00 00 00 00 02 00 00 00 00 00 88b5") + b"Offcut: all before me is of the request "
PASSES = bytes([2, *bytes(9)])  # DATA_VALID asks for nothing, and is not all zeroes, which auto would take up


def _marker(index: int) -> bytes:
    return MARKER + index.to_bytes(8)


def _marked(requests: Iterable[Request]) -> Iterator[Request]:
    """The requests, each followed by a frame of its own that passes unchanged."""
    for index, request in enumerate(requests):
        yield request
        yield Request(_marker(index), PASSES)


def _told_apart(marked: Iterable[bytes], frames: Sequence[bytes]) -> list[int]:
    """The origins of ``frames``, from the same frames with markers among them."""
    origin: list[int] = []
    index = 0
    for frame in marked:
        if frame == _marker(index):
            index += 1
        elif len(origin) < len(frames) and frame == frames[len(origin)]:
            origin.append(index)
        else:
            raise ContractViolation(
                f"Wire frame {len(origin)}, of request {index}, is another one when small frames stand between the requests"
            )
    if len(origin) != len(frames):
        raise ContractViolation(f"{len(frames)} wire frames are only {len(origin)} when small frames stand between the requests")
    return origin


_FAILURES: dict[int, type[Exception]] = {1: ContractViolation, 2: Hang, 3: RuntimeError}


def _bind(path: Path) -> ctypes.CDLL:
    """The library, its functions with their types."""
    library = ctypes.CDLL(str(path))
    library.harness_new.argtypes = [ctypes.POINTER(_Settings)]
    library.harness_new.restype = ctypes.c_void_p
    library.harness_delete.argtypes = [ctypes.c_void_p]
    library.harness_delete.restype = None
    library.harness_run.argtypes = [
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_int),
        *(ctypes.POINTER(_Summary), ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(_Output)),
    ]
    library.harness_run.restype = ctypes.c_int
    return library


def _rhythm(value: Rhythm, name: str) -> _Rhythm:
    if isinstance(value, tuple):
        run, pause = value
        if run < 1 or pause < 0:
            raise ValueError(f"{name} must run for at least 1 clock and pause for at least 0, not {value}")
        return _Rhythm(0.0, run, pause)
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be a probability below 1, not {value}")
    return _Rhythm(value, 0, 0)


def _records(address: int, count: int, words: int) -> Iterator[tuple[int, ...]]:
    """``count`` structures of ``words`` 64-bit numbers at ``address``."""
    return struct.iter_unpack(f"<{words}Q", ctypes.string_at(address, count * words * 8) if count else b"")
