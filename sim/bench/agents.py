"""Drivers of the two streams: cocotbext-axi's, taught the parts of Offcut's contract that AXI4-Stream does not know."""

import random

from cocotb.types import LogicArray
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

__all__ = ["CFG", "PATTERNS", "RequestSource", "WireSink", "pauses"]

CFG = {
    "cfg_auto": lambda case: case.auto,
    "cfg_mtu": lambda case: case.mtu,
    "cfg_disable": lambda case: case.disable,
    "cfg_tcp_clear_first": lambda case: case.tcp_clear[0],
    "cfg_tcp_clear_middle": lambda case: case.tcp_clear[1],
    "cfg_tcp_clear_last": lambda case: case.tcp_clear[2],
    "cfg_id_mode": lambda case: case.id_mode,
    "cfg_uso_size": lambda case: case.uso_size,
}
"""The configuration inputs that are sampled with a frame's first beat, and what a case says for each."""


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
    """``s_axis_tuser`` and the inputs of :data:`CFG` that there are as one signal, tuser lowest, for they are all sampled with a frame's first beat."""

    def __init__(self, dut):
        self._cfg = {name: read for name, read in CFG.items() if hasattr(dut, name)}
        self._parts = [dut.s_axis_tuser, *(getattr(dut, name) for name in self._cfg)]

    def of(self, case):
        """What the signal is with a case."""
        value, shift = case.tuser, len(self._parts[0])
        for part, read in zip(self._parts[1:], self._cfg.values(), strict=True):
            value |= read(case) << shift
            shift += len(part)
        return value

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
        sidebands = [self.bus.tuser.of(case)] * lanes
        for _ in range(lanes, length, lanes):
            sidebands += [self._rng.getrandbits(len(self.bus.tuser))] * lanes
        keep = [*(keep or [1] * length), *[0] * padding]
        await self.send(AxiStreamFrame(case.frame + noise(padding), tkeep=keep, tuser=sidebands))


class WireSink(AxiStreamSink):
    """Receives wire frames as the bytes of the lanes that were kept."""

    def __init__(self, dut, clock, reset):
        super().__init__(AxiStreamBus.from_prefix(dut, "m_axis"), clock, reset)

    def take(self):
        """The frames that are whole, oldest first, each as ``(bytes, user bits)``; no user bits are 0."""
        frames = []
        while not self.empty():
            frame = self.recv_nowait(compact=False)
            data = bytes(byte for byte, kept in zip(frame.tdata, frame.tkeep, strict=True) if kept)
            frames.append((data, int(frame.tuser[0]) if hasattr(self.bus, "tuser") else 0))
        return frames
