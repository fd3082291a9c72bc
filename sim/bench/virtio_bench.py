"""Everything around the network device: clock, memory behind AXI4, a driver, frames both ways, and who watches the rules."""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from virtio_driver import CachedMemory, NetDriver

from .agents import pauses
from .bench import CLOCK_NS, settings

__all__ = ["AxiRules", "VirtioBench"]

PATIENCE = 4_000
"""Clocks in which nothing moves on the bus, after which a bench gives up."""

BUS_BYTES = 8
PAGE = 4096


class AxiRules:
    """Watches the manager's side of an AXI4 port: what IHI 0022 asks of it, clock by clock.

    Attributes
    ----------
    broken : list of str
    outside : callable
        Whether an address may not be issued; by default, none is forbidden.
    under_way : int
        Transactions that have been shown and not been answered.
    """

    CHANNELS = {
        "aw": ("awaddr", "awlen", "awsize", "awburst", "awcache", "awid"),
        "w": ("wdata", "wstrb", "wlast"),
        "ar": ("araddr", "arlen", "arsize", "arburst", "arcache", "arid"),
    }

    def __init__(self, dut, prefix="m_axi"):
        self._signals = {name: getattr(dut, f"{prefix}_{name}") for fields in self.CHANNELS.values() for name in fields}
        self._signals |= {name: getattr(dut, f"{prefix}_{name}") for name in (
            "awvalid", "awready", "wvalid", "wready", "arvalid", "arready", "rvalid", "rready", "rlast", "bvalid", "bready",
        )}  # fmt: skip
        self._dut = dut
        self.broken = []
        self.outside = lambda address: False
        self.reads = self.writes = 0
        self.clocks = 0
        self.moved = 0
        cocotb.start_soon(self._watch())

    @property
    def under_way(self):
        return self.reads + self.writes

    def check(self):
        if self.broken:
            raise AssertionError("\n".join(self.broken[:8]))

    def _value(self, name):
        return int(self._signals[name].value)

    async def _watch(self):
        edge = RisingEdge(self._dut.clk)
        waiting = dict.fromkeys(self.CHANNELS)
        bursts, beats = [], 0
        while True:
            await edge
            self.clocks += 1
            if int(self._dut.rst.value):
                waiting = dict.fromkeys(self.CHANNELS)
                bursts, beats = [], 0
                self.reads = self.writes = 0
                continue
            for channel, fields in self.CHANNELS.items():
                valid = self._value(f"{channel}valid")
                if not valid:
                    if waiting[channel] is not None:
                        self.broken.append(f"{channel}valid was withdrawn in clock {self.clocks}")
                    waiting[channel] = None
                    continue
                fresh = waiting[channel] is None
                shown = {name: self._value(name) for name in fields}
                if not fresh and waiting[channel] != shown:
                    self.broken.append(f"{channel} changed while it waited, in clock {self.clocks}")
                if fresh and channel != "w":
                    self._judge(shown[f"{channel}addr"], shown[f"{channel}len"], shown[f"{channel}burst"], shown[f"{channel}size"])
                    if channel == "ar":
                        self.reads += 1
                    else:
                        self.writes += 1
                        bursts.append(shown["awlen"] + 1)
                taken = self._value(f"{channel}ready")
                if channel == "w" and taken:
                    beats += 1
                    if not bursts:
                        self.broken.append("data without an address")
                    elif shown["wlast"] != (beats == bursts[0]):
                        self.broken.append(f"wlast is {shown['wlast']} on beat {beats} of {bursts[0]}")
                    if shown["wlast"] and bursts:
                        bursts.pop(0)
                        beats = 0
                waiting[channel] = None if taken else shown
            if self._value("rvalid") and self._value("rready"):
                self.moved += 1
                self.reads -= self._value("rlast")
            if self._value("bvalid") and self._value("bready"):
                self.moved += 1
                self.writes -= 1

    def _judge(self, address, length, burst, size):
        if address % PAGE + (length + 1) * BUS_BYTES > PAGE or length > 15 or burst != 1 or size != 3 or address % BUS_BYTES:
            self.broken.append(f"a burst of {length + 1} at {address:#x}")
        if self.outside(address):
            self.broken.append(f"{address:#x} is outside of what is allowed")


class Target:
    """The memory as the bus sees it, with pauses of its own."""

    def __init__(self, memory, dut, rng):
        self.memory, self._dut, self._rng = memory, dut, rng
        self.latency = 0
        self.broken = set()
        """Pages that answer with an error."""

    async def _wait(self):
        if self.latency and self._rng.random() < 0.1:
            await ClockCycles(self._dut.clk, self._rng.randint(1, self.latency))

    async def read(self, address, length):
        await self._wait()
        if address // PAGE in self.broken:
            raise ValueError("a page without memory")
        return self.memory.bus_read(address, length)

    async def write(self, address, data):
        await self._wait()
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
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, self.out), dut.clk, dut.rst)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "rx"), dut.clk, dut.rst)
        self.rules = AxiRules(dut)
        self.driver = NetDriver(self.read, self.write, self.memory, seed=seed, **driver)
        self.pause(stall)
        for name, value in {"mac": 0x563412005452, "mtu": 1500, "link": 1, "window_base": 0, "window_size": 0}.items():
            getattr(dut, name).value = value
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

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
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.sink.clear()
        self.source.clear()
        self.dut.rst.value = 0
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

    async def until(self, condition, what="it"):
        """Wait until a condition holds; fail if the bus and the streams stand still meanwhile."""
        moved, still = self.rules.moved, 0
        while not condition():
            await ClockCycles(self.dut.clk, 50)
            self.rules.check()
            still = 0 if self.rules.moved != moved else still + 50
            moved = self.rules.moved
            assert still < PATIENCE, f"{what} did not happen, and nothing moves any more"
