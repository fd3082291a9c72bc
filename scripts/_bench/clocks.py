"""What is counted in clocks, on the compiled gateware with its sink always ready and its source offering a beat in every clock.

Every run is checked against the golden model: a figure of wrong frames is none. Equal gateware gives equal figures, on any machine.
"""

import math
from dataclasses import fields

from bench.harness import as_request, ufo_buffer
from bench.scoreboard import Answers, options_of
from offcut.config import Config
from offcut.rtl import Engine, Request
from offcut_model import VirtioNetHdr
from traffic import requests

from . import ideal
from .frames import CHECKSUM, SUPER_FRAME, tcp, udp, vxlan

__all__ = ["GROUPS", "MIXED", "PANELS", "RUNS", "SEGMENT", "WrongFrames", "figures", "timeline"]

SEED = 1
SUPER_FRAMES, FRAMES, SMALL_FRAMES = 8, 300, 1000
SEGMENT = 1514
"""Bytes of the frames whose latency is measured: what fills an Ethernet MTU."""

RUNS = {
    "TSO, gso_size 536": (tcp(SUPER_FRAME, gso_size=536), SUPER_FRAMES),
    "TSO, gso_size 1448": (tcp(SUPER_FRAME, gso_size=1448, timestamps=True), SUPER_FRAMES),
    "TSO, gso_size 1460": (tcp(SUPER_FRAME, gso_size=1460), SUPER_FRAMES),
    "TSO, gso_size 8948": (tcp(SUPER_FRAME, gso_size=8948, timestamps=True), SUPER_FRAMES),
    "USO, gso_size 1472": (udp(SUPER_FRAME, 1472), SUPER_FRAMES),
    "TSO in VXLAN, gso_size 1410": (vxlan(SUPER_FRAME, 1410), SUPER_FRAMES),
    "TSO of three segments each": (tcp(54 + 3 * 1460, gso_size=1460), FRAMES),
    "1,514-byte frames, one checksum": (tcp(SEGMENT, request=CHECKSUM), FRAMES),
    "1,514-byte frames, no request": (tcp(SEGMENT), FRAMES),
}
"""Requests given again and again, back to back, by name: which, and how often."""

MIXED = {
    "all kinds, small frames": {"count": 1500, "size": "small", "jumbo": 0},
    "all kinds, small and large": {"count": 400, "size": "full", "jumbo": 0.01},
}
"""What sim/traffic draws for the mixed runs. Its weights make one request in four wrong on purpose."""

HELD_FRAMES = 32
FEW = f", of one that holds {HELD_FRAMES} wire frames"
"""The same runs by another ideal, which does not read further ahead than a queue of so many entries lets it."""

SMALL = {
    "60 bytes, no request": tcp(60),
    "60 bytes, one checksum": tcp(60, request=CHECKSUM),
    "60 bytes, parsed (auto)": tcp(60, auto=True),
    "60 bytes, segment request": tcp(60, gso_size=1448),
    "256 bytes, parsed (auto)": tcp(256, auto=True),
}
"""Frames whose clocks are counted, each behind an equal one."""

LATENCY = {
    "cut": tcp(SEGMENT + 1, gso_size=SEGMENT - 54),
    "cut, 100 bytes of payload": tcp(154 + 1, gso_size=100),
    "one checksum": tcp(SEGMENT, request=CHECKSUM),
    "no request": tcp(SEGMENT),
    "parsed (auto)": tcp(SEGMENT, auto=True),
}
"""Requests to an engine that is empty. Their last beat makes the first wire frame whole: that of a cut frame has a byte more, in the same beat."""

CUT_THROUGH = "no request, --cut-through"

SIZES = (60, 64, 65, 96, 128, 129, 192, 256, 257, 384, 512, 513, 768, 1024, 1025, 1514, 2048, 3072, 4096, 6144, 9014)
"""Bytes of wire frames for the curves."""

PANELS = {
    "frames with one checksum": lambda size: tcp(size, request=CHECKSUM),
    "segments": lambda size: tcp(54 + min(100, (SUPER_FRAME - 54) // (size - 54)) * (size - 54), gso_size=size - 54),
    "parsed frames (auto)": lambda size: tcp(size, auto=True, mtu=9000),
}
"""The curves: requests whose wire frames have this size."""

SWEEP_BYTES = 60_000
"""On the wire, for each point of a curve."""

GROUPS = {
    "beats": ("beats a clock, first to last", "more"),
    "mixed": ("of the ideal schedule", "more"),
    "mixed_beats": ("beats a clock, first to last", "more"),
    "small": ("clocks a frame", "less"),
    "latency": ("clocks from the last byte in to the first beat out", "less"),
    "curves": ("bytes a clock", "more"),
}
"""Groups of figures: their unit, and whether more or less of it is better."""


class WrongFrames(AssertionError):
    """What came out is not what the model says."""


def figures(width):
    """All figures of one bus width: by group and name, a number."""
    engine = Engine(Config(width=width))
    mixed = {name: _mixed(engine, **drawn) for name, drawn in MIXED.items()}
    return {
        "beats": {name: _beats(engine, asked, count) for name, (asked, count) in RUNS.items()},
        "mixed": {name: share for name, (share, *_) in mixed.items()} | {f"{name}{FEW}": share for name, (_, share, _) in mixed.items()},
        "mixed_beats": {name: beats for name, (*_, beats) in mixed.items()},
        "small": {name: _clocks_a_frame(engine, asked) for name, asked in SMALL.items()},
        "latency": {name: _latency(engine, asked) for name, asked in LATENCY.items()} | _cut_through(width),
        "curves": {f"{panel}, {size} bytes": _bytes_a_clock(engine, make(size)) for panel, make in PANELS.items() for size in SIZES},
    }


def timeline(width=64):
    """Two super-frames back to back, each cut into three: rows of (what, bytes, clock of the first beat, of the last), from the first beat in."""
    asked = tcp(54 + 2 * 1460 + 3, gso_size=1460)
    result = _run(Engine(Config(width=width)), asked, 2)
    start = result.spans_in[0].first
    for number, span in enumerate(result.spans_in, 1):
        yield f"in: super-frame {number}", len(asked.frame), span.first - start, span.last - start
    for number, (frame, span) in enumerate(zip(result.frames, result.spans_out, strict=True)):
        yield f"out: super-frame {number // 3 + 1}, segment {number % 3 + 1}", len(frame), span.first - start, span.last - start


def _run(engine, asked, count):
    """Give one request ``count`` times."""
    wire = asked.wire()
    result = engine.run([Request(asked.frame, asked.packed())] * count, auto=asked.auto, mtu=asked.mtu, spans=True)
    if result.frames != wire * count:
        raise WrongFrames(f"{engine.config.width} bits: {len(asked.frame)} bytes with {asked.request} do not leave as the model says")
    return result


def _beats(engine, asked, count):
    result = _run(engine, asked, count)
    return _down(result.beats / _span(result))


def _span(result):
    """Clocks from the first beat out to the last."""
    return result.spans_out[-1].last - result.spans_out[0].first + 1


def _mixed(engine, count, **drawn):
    """Share of the ideal schedule, that of one which holds :data:`HELD_FRAMES` wire frames at most, and beats a clock."""
    config = engine.config
    cases = list(requests(SEED, count, width=config.width, mtu_max=config.mtu_max, **drawn))
    built = {"mtu_max": config.mtu_max, "features": config.features, "ufo_order": config.ufo_order, "ufo_buffer": ufo_buffer(config)}
    answers = [frames for frames, _ in map(Answers(**built), cases)]
    result = engine.run(map(as_request, cases), spans=True)
    if result.frames != [frame for frames in answers for frame in frames]:
        raise WrongFrames(f"{config.width} bits: what was drawn does not leave as the model says")
    asked = (VirtioNetHdr.parse(case.vnet_hdr) for case in cases)
    demands = [
        ideal.demand(case.frame, request, options_of(case, **built), frames)
        for case, request, frames in zip(cases, asked, answers, strict=True)
    ]
    span = (result.spans_out[0].first, result.spans_out[-1].last)
    sizes = config.width // 8, ideal.room(config.mtu_max)
    any_number, some = (_down(ideal.efficiency(ideal.schedule(demands, *sizes, *frames), *span)) for frames in ((), (HELD_FRAMES,)))
    return any_number, some, _down(result.beats / _span(result))


def _clocks_a_frame(engine, asked):
    """In the second half of the run, when all that fills at its beginning is full."""
    ends = [span.last for span in _run(engine, asked, SMALL_FRAMES).spans_out]
    half = SMALL_FRAMES // 2
    return _up((ends[-1] - ends[half - 1]) / half)


def _latency(engine, asked):
    """From the clock in which the request's last beat was taken to that of the first beat out."""
    result = _run(engine, asked, 1)
    return result.spans_out[0].first - result.spans_in[0].last


def _cut_through(width):
    """The latency of a frame that does not wait to be whole, from its *first* beat in, once engines can be built so."""
    if "cut_through" not in [field.name for field in fields(Config)]:
        return {}
    result = _run(Engine(Config(width=width, cut_through=True)), tcp(SEGMENT), 1)
    return {CUT_THROUGH: result.spans_out[0].first - result.spans_in[0].first}


def _bytes_a_clock(engine, asked):
    wire = sum(map(len, asked.wire()))
    result = _run(engine, asked, -(-SWEEP_BYTES // wire))
    return _down(result.bytes_out / _span(result))


def _down(value, digits=4):
    """Rounded so that what more of is better never looks better than it is."""
    return math.floor(value * 10**digits + 1e-9) / 10**digits


def _up(value, digits=3):
    return math.ceil(value * 10**digits - 1e-9) / 10**digits
