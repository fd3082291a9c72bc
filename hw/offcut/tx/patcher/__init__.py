"""Work out what a segment's header says that its frame's does not.

Two patchers with one interface, of which an engine has one. A narrow bus takes a clock for each few bytes of a header, and there is time to work
its fields out one by one (:class:`SerialPatcher`). On a wide one a header is one row, so all are worked out at once
(:class:`ParallelPatcher`).
"""

from .interface import lookup_clock, sum_clock
from .parallel import ParallelPatcher
from .serial import SerialPatcher

__all__ = ["HeaderPatcher", "lookup_clock", "sum_clock"]


def HeaderPatcher(geometry):
    """The patcher of an engine of this geometry."""
    return SerialPatcher(geometry) if geometry.serial else ParallelPatcher(geometry)
