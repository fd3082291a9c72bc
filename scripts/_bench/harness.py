"""How fast the compiled harness runs: CPU time, so that other work on the machine counts little."""

import statistics
import time

from offcut.config import Config
from offcut.rtl import Engine, Request

from .frames import SUPER_FRAME, tcp

__all__ = ["clocks_per_second"]

ROUNDS = 7
CLOCKS = 200_000
"""Of a round, about."""


def clocks_per_second(widths):
    """The median over some rounds, by width; a super-frame's packing and the unpacking of its segments in Python are part of it.

    The rounds go through all widths in turn, so that what slows the machine for a while slows them all.
    """
    asked = tcp(SUPER_FRAME, gso_size=1448, timestamps=True)
    request = Request(asked.frame, asked.packed())
    engines = {width: Engine(Config(width=width)) for width in widths}
    speeds = {width: [] for width in widths}
    for _ in range(ROUNDS):
        for width, engine in engines.items():
            begun = time.process_time()
            clocks = engine.run([request] * (CLOCKS * width // 8 // SUPER_FRAME + 1), garbage=False).clocks
            speeds[width].append(clocks / (time.process_time() - begun))
    return {width: round(statistics.median(each)) for width, each in speeds.items()}
