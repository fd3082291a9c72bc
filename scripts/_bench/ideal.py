"""The ideal schedule: the earliest clocks in which any engine could send, against which a mixed run is measured.

It has no pipeline, and no limit but these:

- The source offers a beat in every clock, from clock 0 on, each request right behind the one before.
- A wire frame may leave from the clock after the one in which it became whole, for a checksum stands before the data that it covers. A segment is whole
  with the last byte of its payload. The last segment of a request, and a frame that is not cut, are whole with the request's last byte, since only then
  its length is known to be what was told. The fragment with the UDP header leaves behind the others, whole with the request's last byte.
- Wire frames leave in the model's order, a beat a clock, none pausing once it has begun.
- It holds what has come and not left: of a wire frame the bytes of the request that are in it, or those of it that are still to leave, whichever are
  fewer. It takes a beat while it holds fewer than ``room`` bytes. What is repeated from a header, and what is dropped, is not held.
- Of wire frames it holds any number; or, so that a mixed run tells what a short queue costs, it takes a beat while fewer than ``frames`` have all come and
  not all left.
- In one clock, the wire's beat leaves before the room for the source's beat is looked at.

So the ideal may beat an engine by what its pipelines are deep, but once: between the first beat out and the last, a depth that is the same for all costs
nothing. What :func:`efficiency` tells is the share of those clocks that had to be.
"""

import math
from dataclasses import dataclass
from itertools import islice

from offcut_model.plans import Cut, Tagged
from offcut_model.segment import _plan  # the one thing the model does not say in public: which bytes a wire frame is made of

__all__ = ["Demand", "Schedule", "Unit", "demand", "efficiency", "room", "schedule"]


@dataclass(frozen=True)
class Unit:
    """A wire frame of ``wire`` bytes, made of bytes ``begin`` to ``end`` of its request; whole when the first ``whole`` bytes of that have come."""

    wire: int
    begin: int
    end: int
    whole: int


@dataclass(frozen=True)
class Demand:
    """A request of ``size`` bytes, and what leaves of it, in this order: nothing, if it is dropped."""

    size: int
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Schedule:
    """The clocks of the first and the last beat, of each request that came and of each wire frame that left."""

    spans_in: tuple[tuple[int, int], ...]
    spans_out: tuple[tuple[int, int], ...]

    @property
    def clocks(self):
        """From the first beat that left to the last, both included."""
        return self.spans_out[-1][1] - self.spans_out[0][0] + 1


def room(mtu_max):
    """Bytes that the ideal holds for an engine whose wire frames have up to ``mtu_max``: two of them, as the engine's own buffer."""
    return 2 * mtu_max


def schedule(demands, bus_bytes, room, frames=math.inf):
    """The ideal schedule of requests, in order, on a bus of ``bus_bytes``, that holds ``room`` bytes and ``frames`` wire frames.

    Raises
    ------
    ValueError
        If a wire frame can never become whole, as the room is too small for it.
    """
    units = [(number, unit) for number, demand in enumerate(demands) for unit in demand.units]
    spans_in, spans_out = [], []
    arrived = [[0] * len(demand.units) for demand in demands]
    by_place = [sorted(range(len(demand.units)), key=lambda index, units=demand.units: units[index].begin) for demand in demands]
    places = [index for demand in demands for index in range(len(demand.units))]
    number = given = complete = 0  # the request being taken, how much of it has come, and how many units have all that they are made of
    head = left = 0  # the wire frame that is next or being sent, and how much of it has left
    held = came = clock = first_in = first_out = 0  # bytes held, and wire frames that have all come
    while number < len(demands) or head < len(units):
        moved = False
        if head < len(units):
            request, unit = units[head]
            if request < number or (request == number and given >= unit.whole):
                if not left:
                    first_out = clock
                here = arrived[request][places[head]]
                before = min(here, unit.wire - left)
                left = min(left + bus_bytes, unit.wire)
                held += min(here, unit.wire - left) - before
                moved = True
                if left == unit.wire:
                    spans_out.append((first_out, clock))
                    head, left = head + 1, 0
        if number < len(demands) and held < room and came - head < frames:
            now = demands[number]
            if not given:
                first_in = clock
            after = min(given + bus_bytes, now.size)
            for index in islice(by_place[number], complete, None):
                unit = now.units[index]
                if unit.begin >= after:
                    break
                here = arrived[number][index]
                now_here = here + min(after, unit.end) - max(given, unit.begin)
                held += min(now_here, unit.wire) - min(here, unit.wire)
                arrived[number][index] = now_here
                complete += unit.end <= after
                came += unit.end <= after
            given = after
            moved = True
            if given == now.size:
                spans_in.append((first_in, clock))
                number, given, complete = number + 1, 0, 0
        if not moved:
            raise ValueError(f"A wire frame of request {units[head][0]} does not fit into {room} bytes")
        clock += 1
    return Schedule(tuple(spans_in), tuple(spans_out))


def efficiency(ideal, first_out, last_out):
    """The clocks of the ideal schedule, by those that an engine took from its first beat out to its last: 1 is as good as can be."""
    return ideal.clocks / (last_out - first_out + 1)


def demand(frame, request, options, frames):
    """What a request asks of the ideal.

    Parameters
    ----------
    frame : bytes
    request : offcut_model.VirtioNetHdr
    options : offcut_model.Options
    frames : list of bytes
        What leaves of it, by the model: nothing if it is dropped, and some of the first segments if that came to light behind them.
    """
    size = len(frame)
    if not frames:
        return Demand(size, ())
    told = options.told(size)
    plan = _plan(frame[:told] if told else frame, request, options, told)
    plan = plan.plan if isinstance(plan, Tagged) else plan
    if not isinstance(plan, Cut):
        return Demand(size, (Unit(len(frames[0]), 0, size, size),))
    last = size if plan.end is None else min(plan.end, size)
    count = max(1, -(-(last - plan.payload) // plan.size))
    order = [*range(1, count), 0] if plan.ufo_order == "last" else range(count)
    units = []
    for index, wire in zip(order, map(len, frames), strict=False):
        begin = plan.payload + index * plan.size if index else 0
        end = min(plan.payload + (index + 1) * plan.size, last)
        waits = index == count - 1 or (plan.ufo_order == "last" and index == 0) or plan.ufo_order == "first"
        units.append(Unit(wire, begin, end, size if waits else end))
    return Demand(size, tuple(units))
