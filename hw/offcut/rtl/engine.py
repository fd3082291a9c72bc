"""Run frames through a compiled engine and say what came out, in how many clocks."""

import ctypes
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from offcut import verilog
from offcut.config import Config
from offcut.rtl.build import engine_verilog, shared_library
from offcut.rtl.request import CONFIGURATION, Packer, Request

__all__ = ["ContractViolation", "Engine", "Hang", "Reset", "Result", "Span"]

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
    users : list of int
        For each of them its ``m_axis_tuser``; empty if the engine has no user bits.
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
    users: list[int] = field(default_factory=list)
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
        ("frag_seed", ctypes.c_uint64),
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
        user_width = ports["m_axis_tuser"].width if "m_axis_tuser" in ports else 0
        if user_width != config.user_width:
            raise ValueError(f"The Verilog has {user_width} user bits, the configuration {config.user_width}")
        self.config = config
        self._trace = trace
        self._ports = ports
        self._stats = [name for name in ports if name.startswith("stat_")]
        self._library = _bind(shared_library(text, directory=build_dir, trace=trace))

    @property
    def ufo_buffer(self) -> tuple[int, int] | None:
        """:attr:`offcut_model.Options.ufo_buffer` of the engine: None unless its fragments wait for each other."""
        from offcut.tx.layouts import Geometry  # only here: a stand-in needs no gateware

        geometry = Geometry(self.config)
        return (geometry.bus_bytes, geometry.datagram_words) if geometry.runs else None

    def run(
        self,
        requests: Iterable[Request],
        *,
        auto: bool = False,
        mtu: int = 0,
        disable: frozenset[str] = frozenset(),
        tcp_clear_first: int = 0,
        tcp_clear_middle: int = 0,
        tcp_clear_last: int = 0,
        id_mode: int = 0,
        uso_size: int = 0,
        frag_seed: int = 0,
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
        auto, mtu, disable, tcp_clear_first, tcp_clear_middle, tcp_clear_last, id_mode, uso_size
            The ``cfg_`` inputs for requests that do not bring their own; ``disable`` is a set of feature names.
        frag_seed : int
            ``cfg_frag_seed``, 32 bits.
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
        for name, value, greatest in [("frag_seed", frag_seed, (1 << 32) - 1), *(("reset_at", clock, (1 << 63) - 1) for clock in reset_at)]:
            if not 0 <= value <= greatest:
                raise ValueError(f"{name} must lie between 0 and {greatest}, not be {value}")
        defaults = Request(
            b"",
            auto=auto,
            mtu=mtu,
            disable=disable,
            tcp_clear_first=tcp_clear_first,
            tcp_clear_middle=tcp_clear_middle,
            tcp_clear_last=tcp_clear_last,
            id_mode=id_mode,
            uso_size=uso_size,
        )
        packer = Packer(self._ports, self.config, defaults)
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
            frag_seed=frag_seed,
            reset_at=reset_array,
            resets=len(clocks),
            trace=None if trace is None else str(trace).encode(),
        )
        result = Result(spans_in=[] if spans else None, spans_out=[] if spans else None)
        harness = self._library.harness_new(settings)
        if not harness:
            raise RuntimeError("The harness could not start")
        summary, strobes, output = _Summary(), (ctypes.c_uint64 * len(self._stats))(), _Output()
        try:
            for batch, count, last in _batches(requests, packer, result):
                status = self._library.harness_run(harness, batch, count, last, summary, strobes, output)
                self._collect(output, deliver, result)
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
            inputs = {name: getattr(defaults, name) for name in CONFIGURATION}
            marked = self.run(_marked(requests), frag_seed=frag_seed, seed=seed, **inputs)
            result.origin = _told_apart(marked.frames, result.frames)
        return result

    def _collect(self, output: _Output, deliver: Callable[[bytes], None] | None, result: Result) -> None:
        """Sorts what one call of the harness gave into the result."""
        records = list(_records(output.frames_out_address, output.frames_out, 4))
        total = sum(record[0] for record in records)
        data = io.BytesIO(ctypes.string_at(output.bytes_out_address, total) if total else b"")
        take = result.frames.append if deliver is None else deliver
        for size, *_ in records:
            take(data.read(size))
        if self.config.user_width and deliver is None:
            result.users += (user for *_, user in records)
        result.frames_out += len(records)
        result.bytes_out += total
        if result.spans_in is not None and result.spans_out is not None:
            result.spans_in += map(Span._make, _records(output.frames_in_address, output.frames_in, 2))
            result.spans_out += (Span(first, last) for _, first, last, _ in records)


def _batches(requests: Iterable[Request], packer: Packer, result: Result) -> Iterator[tuple[bytes, int, bool]]:
    """The packed input: (bytes, frames in them, whether it is the end)."""
    parts: list[bytes] = []
    count = size = 0
    for request in requests:
        pieces = packer.pack(request)
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
