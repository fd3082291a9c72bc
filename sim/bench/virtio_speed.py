"""What a frame costs in the network device, measured, as docs/virtio.md tells it."""

import json

from offcut.config import Config
from offcut.virtio import VirtioNet

from .simulate import BUILD, run
from .virtio_designs import Watched, as_verilog

__all__ = ["measure", "table"]

RUN = "virtio-speed"
LANES = 8


def measure():
    """Clocks a frame by its bytes, for both ways: ``{"sent": {"60": 43.0, ...}, "received": ...}``."""
    tests = ["a_stream_of_large_frames_keeps_the_bus_busy"]
    run(
        "bench.virtio_net",
        verilog=as_verilog(Watched(VirtioNet(Config())), "virtio_net"),
        top="virtio_net",
        tests=tests,
        settings={"seed": 1},
        name=RUN,
    )
    return json.loads((BUILD / "runs" / RUN / "speed.json").read_text())


def table():
    """The figures as Markdown."""
    lines = ["| frames | bytes | clocks each | beats a clock |", "|---|---:|---:|---:|"]
    for way, clocks in measure().items():
        lines += [f"| {way} | {int(size):,} | {each:,.0f} | {-(-int(size) // LANES) / each:.2f} |" for size, each in clocks.items()]
    return "\n".join(lines) + "\n"
