"""A monitor of the stream contract that Offcut gives on its wire side."""

import cocotb
from cocotb.triggers import RisingEdge

__all__ = ["RULES", "BrokenRule", "StreamRules"]

RULES = {
    "known": "no signal is X or Z where it means something",
    "held": "valid is not withdrawn before it was taken",
    "stable": "data, keep, last and user do not change while they wait",
    "contiguous": "keep begins in lane 0 and has no hole",
    "full": "every beat but a frame's last is full, and the last is not empty",
    "zero": "lanes that keep leaves out are 0",
    "one user": "user is the same on every beat of a frame",
    "no pause": "once a frame has begun, valid stays until its last beat was taken",
}


class BrokenRule(AssertionError):
    """A rule of :data:`RULES` was broken; its name is the first word of the message."""


class StreamRules:
    """Watches one AXI4-Stream, clock by clock, while reset is low.

    Attributes
    ----------
    broken : list of str
        What was seen to break, as ``rule: what is wrong, and when``. A simulation that goes on is worth more than one that stops at once:
        :meth:`check` raises.
    beats : int
        Beats taken.
    """

    def __init__(self, dut, prefix, clock, reset):
        self._signals = {name: getattr(dut, f"{prefix}_t{name}") for name in ("valid", "ready", "data", "keep", "last")}
        if hasattr(dut, f"{prefix}_tuser"):
            self._signals["user"] = getattr(dut, f"{prefix}_tuser")
        self._clock, self._reset = clock, reset
        self.broken = []
        self.beats = 0
        self.clocks = 0
        cocotb.start_soon(self._watch())

    def check(self):
        """Raise :class:`BrokenRule` if anything was broken."""
        if self.broken:
            raise BrokenRule("\n".join(self.broken[:8]))

    async def _watch(self):
        edge = RisingEdge(self._clock)
        valid, ready = self._signals["valid"], self._signals["ready"]
        waiting, inside = None, False  # the beat that was shown and not taken; the first beat of a frame that has begun
        while True:
            await edge
            self.clocks += 1
            if str(self._reset.value) != "0":
                waiting, inside = None, False
                continue
            handshake = str(valid.value) + str(ready.value)
            if not set(handshake) <= {"0", "1"}:
                self._break("known", f"valid and ready are {handshake}")
            elif handshake[0] == "0":
                if waiting is not None:
                    self._break("held", "valid fell before it was taken")
                elif inside:
                    self._break("no pause", "valid fell within a frame")
                waiting = None
            else:
                beat = self._beat()
                if waiting not in (None, beat):
                    self._break("stable", f"{waiting} became {beat}")
                if waiting is None and beat is not None:
                    self._judge(*beat)
                    if inside and inside[3] != beat[3]:
                        self._break("one user", f"user was {inside[3]:x} and is {beat[3]:x}")
                taken = handshake[1] == "1"
                self.beats += taken
                waiting = None if taken else beat
                if beat is not None:
                    inside = False if taken and beat[2] else inside or beat

    def _beat(self):
        try:
            beat = tuple(int(self._signals[name].value) for name in ("data", "keep", "last"))
            return *beat, int(self._signals["user"].value) if "user" in self._signals else 0
        except ValueError:
            self._break("known", "a bit of data, keep, last or user is not 0 or 1")
            return None

    def _judge(self, data, keep, last, user):
        lanes = len(self._signals["keep"])
        if keep & keep + 1:
            self._break("contiguous", f"keep is {keep:0{lanes}b}")
        elif keep == 0 or not last and keep != (1 << lanes) - 1:
            self._break("full", f"keep is {keep:0{lanes}b} on a beat that is {'' if last else 'not '}the last")
        kept = sum(0xFF << 8 * lane for lane in range(lanes) if keep >> lane & 1) if keep != (1 << lanes) - 1 else data
        if data & ~kept:
            self._break("zero", f"data is {data:0{2 * lanes}x} with keep {keep:0{lanes}b}")

    def _break(self, rule, what):
        self.broken.append(f"{rule}: {what}, in clock {self.clocks}")
