"""Everything around the network device: clock, memory behind AXI4, a driver, frames both ways, and who watches the rules."""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from virtio_driver import CachedMemory, NetDriver

from .agents import pauses
from .bench import CLOCK_NS
from .virtio_designs import RULES

__all__ = ["VirtioBench"]

PATIENCE = 4_000
"""Clocks in which nothing moves on the bus, after which a bench gives up."""

PAGE = 4096
WIRE_CLOCK_NS = 6.4
"""Of a wire side with a clock of its own."""


class Target:
    """The memory as the bus sees it, with pauses of its own."""

    def __init__(self, memory, dut, rng):
        self.memory, self._dut, self._rng = memory, dut, rng
        self.latency = 0
        self.broken = set()
        """Pages that answer with an error."""
        self.lowest = memory.base
        """Of all addresses that were asked for."""

    async def _wait(self):
        if self.latency and self._rng.random() < 0.1:
            await ClockCycles(self._dut.clk, self._rng.randint(1, self.latency))

    async def read(self, address, length):
        await self._wait()
        self.lowest = min(self.lowest, address)
        if address // PAGE in self.broken:
            raise ValueError("a page without memory")
        return self.memory.bus_read(address, length)

    async def write(self, address, data):
        await self._wait()
        self.lowest = min(self.lowest, address)
        if address // PAGE in self.broken:
            raise ValueError("a page without memory")
        self.memory.bus_write(address, data)


class VirtioBench:
    """A network device with a driver in front of it.

    Parameters
    ----------
    dut : cocotb handle
    seed : int
    stall : str
        Of :data:`bench.agents.PATTERNS`: how the memory and the streams pause.
    memory : Memory, optional
    driver : dict
        Options of :class:`virtio_driver.NetDriver`.
    """

    def __init__(self, dut, *, seed, stall="seldom", memory=None, latency=30, **driver):
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        for name in ("s_axil", "m_axi", "tx", "rx", "wire"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.ERROR)
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)
        self.dut = dut
        self.rng = random.Random(seed)
        self.memory = CachedMemory() if memory is None else memory
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.target = Target(self.memory, dut, self.rng)
        self.target.latency = latency
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self.target)
        self.out = "wire" if hasattr(dut, "wire_tdata") else "tx"
        if hasattr(dut, "wire_clk"):
            wire = dut.wire_clk, dut.wire_rst
            cocotb.start_soon(Clock(dut.wire_clk, WIRE_CLOCK_NS, unit="ns").start())
        else:
            wire = dut.clk, dut.rst
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, self.out), *wire)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "rx"), *wire)
        self.configure(**driver)
        self.pause(stall)
        for name, value in {"mac": 0x563412005452, "mtu": 1500, "link": 1, "window_base": 0, "window_size": 0}.items():
            getattr(dut, name).value = value
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

    def configure(self, **options):
        """Another driver: options of :class:`virtio_driver.NetDriver`. It has to start anew."""
        self.driver = NetDriver(self.read, self.write, self.memory, seed=self.rng.random(), **options)

    def check(self):
        """Fail if a rule of AXI4 was broken."""
        broken = int(self.dut.watch_broken.value)
        assert not broken, "; ".join(rule for bit, rule in enumerate(RULES) if broken >> bit & 1)

    @property
    def moved(self):
        """Grows with every beat on the bus."""
        return int(self.dut.watch_moved.value)

    @property
    def under_way(self):
        """Transactions that have been shown and not been answered."""
        return int(self.dut.watch_reads.value) + int(self.dut.watch_writes.value)

    def pause(self, stall):
        """Stall the memory and the streams by another pattern from now on."""
        seed = self.rng.random()
        read, write = self.slave.read_if, self.slave.write_if
        agents = {
            "ar": read.ar_channel,
            "r": read.r_channel,
            "aw": write.aw_channel,
            "w": write.w_channel,
            "b": write.b_channel,
            "sink": self.sink,
            "source": self.source,
        }
        for name, agent in agents.items():
            agent.set_pause_generator(pauses(stall, f"{name} {seed}"))

    async def read(self, offset):
        return int.from_bytes((await self.master.read(offset, 4)).data, "little")

    async def write(self, offset, value):
        await self.master.write(offset, value.to_bytes(4, "little"))

    async def reset(self, clocks=4):
        """The whole design's reset."""
        resets = [self.dut.rst, *([self.dut.wire_rst] if hasattr(self.dut, "wire_rst") else [])]
        for line in resets:
            line.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.sink.clear()
        self.source.clear()
        for line in resets:
            line.value = 0
        await ClockCycles(self.dut.clk, 2)

    def frames_out(self):
        """What has left, as ``(bytes, tuser of the first beat)``."""
        frames = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait(compact=False)
            data = bytes(byte for byte, kept in zip(frame.tdata, frame.tkeep, strict=True) if kept)
            user = int(frame.tuser[0]) if hasattr(self.sink.bus, "tuser") else None
            frames.append((data, user))
        return frames

    async def arrive(self, frame):
        """A frame comes from the wire."""
        await self.source.send(AxiStreamFrame(frame))

    async def service_interrupts(self):
        """Serve interrupts for ever, as a kernel would."""
        while True:
            while not int(self.dut.irq.value):
                await RisingEdge(self.dut.irq)
            await self.driver.interrupted()

    async def until(self, condition, what="it", patience=PATIENCE):
        """Wait until a condition holds; fail if the bus and the streams stand still meanwhile."""
        moved, still = self.moved, 0
        while not condition():
            await ClockCycles(self.dut.clk, 50)
            self.check()
            still = 0 if self.moved != moved else still + 50
            moved = self.moved
            assert still < patience, f"{what} did not happen, and nothing moves any more"
