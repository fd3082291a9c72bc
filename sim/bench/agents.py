"""Drivers of the two streams: cocotbext-axi's, taught the parts of Offcut's contract that AXI4-Stream does not know."""

import random

from cocotb.types import LogicArray
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

__all__ = ["PATTERNS", "RequestSource", "WireSink", "pauses"]

TUSER_BITS = 160


def pauses(pattern, seed):
    """Endless booleans for ``set_pause_generator``: True stalls the stream in that clock. ``pattern`` is a name in :data:`PATTERNS`."""
    rng = random.Random(f"{pattern}/{seed}")
    share, run = PATTERNS[pattern]
    while True:
        paused = rng.random() < share
        for _ in range(rng.randint(1, run)):
            yield paused


PATTERNS = {
    "never": (0, 1),
    "seldom": (0.05, 1),
    "coin": (0.5, 1),
    "mostly": (0.75, 2),
    "bursts": (0.5, 40),
}
"""Share of clocks paused, and the longest run of equal ones."""


class _Sidebands:
    """``s_axis_tuser`` and the cfg inputs as one signal, tuser lowest, for they are all sampled with a frame's first beat."""

    def __init__(self, dut):
        self._parts = [dut.s_axis_tuser, dut.cfg_auto, dut.cfg_mtu]

    def __len__(self):
        return sum(map(len, self._parts))

    @property
    def value(self):
        return LogicArray("".join(str(part.value) for part in reversed(self._parts)))

    @value.setter
    def value(self, value):
        for part in self._parts:
            part.value = value & (1 << len(part)) - 1
            value >>= len(part)

    def setimmediatevalue(self, value):
        for part in self._parts:
            part.value = LogicArray("X" * len(part))


class RequestSource(AxiStreamSource):
    """Sends requests: tuser and cfg hold with a frame's first beat, and are noise after it; so are the lanes that ``tkeep`` leaves out."""

    def __init__(self, dut, clock, reset, seed):
        bus = AxiStreamBus.from_prefix(dut, "s_axis")
        bus.tuser = _Sidebands(dut)
        self._rng = random.Random(f"source/{seed}")
        super().__init__(bus, clock, reset)

    async def send_case(self, case, keep=None):
        """Queue a request and wait until there is room behind it.

        Parameters
        ----------
        case : traffic.Case
        keep : list of int, optional
            One bit a byte, instead of all ones: a broken contract.
        """
        noise = self._rng.randbytes
        length, lanes = len(case.frame), self.byte_lanes
        padding = -length % lanes
        sidebands = [case.tuser | case.auto << TUSER_BITS | case.mtu << TUSER_BITS + 1] * lanes
        for _ in range(lanes, length, lanes):
            sidebands += [int.from_bytes(noise(len(self.bus.tuser) // 8), "little")] * lanes
        keep = [*(keep or [1] * length), *[0] * padding]
        await self.send(AxiStreamFrame(case.frame + noise(padding), tkeep=keep, tuser=sidebands))


class WireSink(AxiStreamSink):
    """Receives wire frames as the bytes of the lanes that were kept."""

    def __init__(self, dut, clock, reset):
        super().__init__(AxiStreamBus.from_prefix(dut, "m_axis"), clock, reset)

    def take(self):
        """The frames that are whole, as a list of bytes, oldest first."""
        frames = []
        while not self.empty():
            frame = self.recv_nowait(compact=False)
            frames.append(bytes(byte for byte, kept in zip(frame.tdata, frame.tkeep, strict=True) if kept))
        return frames
