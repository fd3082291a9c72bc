"""Everything around the veth design: clock, a processor, memory, and a driver for each of the two devices."""

import logging
import random
from collections import Counter

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from traffic import requests
from virtio_driver import CachedMemory, Memory, NetDriver

from .axi3 import Memory3, Processor
from .bench import CLOCK_NS, settings
from .scoreboard import Answers, Scoreboard
from .virtio_designs import RULES

__all__ = ["KINDS", "REGISTERS_AT", "Side", "VethBench"]

REGISTERS_AT = (0x43C0_0000, 0x43C0_1000)
"""As the overlay tells Linux."""

MEMORY_AT = (0x0200_0000, 0x0A00_0000)
MEMORY_BYTES = 1 << 22

FRAGMENT_SEEDS = (0x9E37_79B9, 0x7F4A_7C15)
"""Of the engines' identifications of IPv6 fragments, as docs and constants say: written here anew."""

KINDS = ("pass", "csum", "tso", "tso6", "uso", "ufo", "csum-zero", "csum-anywhere", "segment-zero-sum", "segment-refused", "tiny", "noise")
"""Of :mod:`traffic`: what a virtio driver can ask for, and what it should not."""

PATIENCE = 6_000
"""Clocks in which nothing moves on any memory port, after which a bench gives up."""

QUIET_CLOCKS = 1_000
"""More than any pause of memory, and than a frame takes through an engine."""

HEADER_PADDING = bytes(2)
"""What a ``virtio_net_hdr`` of 12 bytes has behind its request: num_buffers."""


class Wire(Scoreboard):
    """One direction: its frames, and what may be lost of them by a reset at either end."""

    def __init__(self):
        super().__init__()
        self._gap = False
        self.lost = 0

    @property
    def waiting(self):
        """Frames that have not come yet."""
        return len(self._expected)

    def forget(self):
        """What has not come never will: its sender was reset."""
        self.lost += len(self._expected)
        self._expected.clear()

    def gap(self):
        """Whole frames may be lost before the next one that comes: its receiver was reset."""
        self._gap = True

    def receive(self, frame, user=0):
        if self._gap:
            places = [place for place, (_, expected, _) in enumerate(self._expected) if expected == frame]
            assert places, f"Behind a reset a frame of {len(frame)} bytes came that nobody sent: {frame[:64].hex()}"
            for _ in range(places[0]):
                self._expected.popleft()
            self.lost += places[0]
            self._gap = False
        super().receive(frame, user)


class Side:
    """One device with its driver, and what the other one's driver sends to it.

    Attributes
    ----------
    wire : Wire
        Of the frames that this side receives.
    sent : int
        Requests that its driver has queued since it started.
    cut : collections.Counter
        Wire frames that its requests became, by kind.
    irqs, spurious : int
        Interrupts that were served, and those of them in which the device had nothing to say.
    """

    def __init__(self, bench, number, memory):
        self.bench, self.number, self.memory = bench, number, memory
        self.irq = getattr(bench.dut, f"irq_{number}")
        self.cut = Counter()
        self.irqs = self.spurious = 0
        self.anew()
        self._serving = None
        self._kinds = 0
        self.configure()

    def anew(self):
        """The design has been reset: nothing of what was sent comes, and the engine counts from 0."""
        engine = settings()["engine"]
        self.wire, self.sent = Wire(), 0
        self.answers = Answers(
            mtu_max=engine["mtu_max"],
            features=frozenset(engine["features"]),
            ufo_order=engine["ufo_order"],
            frag_seed=FRAGMENT_SEEDS[self.number],
        )

    def configure(self, **options):
        """Another driver: options of :class:`virtio_driver.NetDriver`. It has to start anew."""
        self.driver = NetDriver(self.read, self.write, self.memory, seed=self.bench.rng.random(), **options)

    async def read(self, offset):
        (value,), resp = await self.bench.processor.read(REGISTERS_AT[self.number] + offset)
        assert resp == 0, f"device {self.number} answers a read of {offset:#x} with {resp}"
        return value

    async def write(self, offset, value):
        resp = await self.bench.processor.write(REGISTERS_AT[self.number] + offset, value)
        assert resp == 0, f"device {self.number} answers a write of {offset:#x} with {resp}"

    async def start(self, *, fill=True):
        """From anything to a device that runs, its interrupts served."""
        self.stop_serving()
        await self.driver.start(fill=fill)
        self.sent = 0
        self.serve()

    def serve(self):
        """Have interrupts served from now on."""
        self._serving = cocotb.start_soon(self._serve())

    def stop_serving(self):
        """Leave interrupts alone."""
        if self._serving:
            self._serving.cancel()
            self._serving = None

    async def _serve(self):
        while True:
            while not int(self.irq.value):
                await RisingEdge(self.irq)
            status = await self.driver.interrupted()
            self.irqs += 1
            self.spurious += status == 0

    def draw(self, count, kinds=KINDS, **options):
        """Requests, each kind in its turn."""
        for _ in range(count):
            number = self._kinds
            self._kinds += 1
            kind = kinds[number % len(kinds)]
            options = {"size": "small", "mtu_max": settings()["engine"]["mtu_max"], "jumbo": 0, **options}
            (case,) = requests(f"{settings()['seed']} {self.number}", 1, kinds=(kind,), start=number, **options)
            yield case.by_virtio()

    async def send(self, cases):
        """Send requests as fast as the ring takes them, and expect their wire frames on the other side."""
        other = self.bench.sides[1 - self.number]
        for case in cases:
            frames, reason = self.answers(case)
            other.wire.expect(f"{case.note} from device {self.number}", frames, reason)
            self.cut[case.kind] += len(frames)
            while not self.driver.queue(case.frame, case.vnet_hdr + HEADER_PADDING):
                await self.driver.flush()
                back = self.driver.sent_back
                await self.bench.until(lambda back=back: self.driver.sent_back > back, f"a completion of device {self.number}")
            self.sent += 1
            if self.bench.rng.random() < 0.7:
                await self.driver.flush()
        await self.driver.flush()

    def look(self):
        """Compare what was received since."""
        for frame in self.driver.received:
            self.wire.receive(frame)
        self.driver.received.clear()

    def settled(self):
        """Whether all that was sent has been given back, and all that must come has come."""
        self.look()
        return self.driver.sent_back == self.sent and not self.wire.waiting


class VethBench:
    """The design between a processor and two memories, or one port into both.

    Parameters
    ----------
    dut : cocotb handle
    stall : str
        Of :data:`bench.agents.PATTERNS`.
    latency : int
        Most clocks until memory answers.
    """

    def __init__(self, dut, *, stall="seldom", latency=60):
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.dut = dut
        seed = settings()["seed"]
        self.rng = random.Random(seed)
        self.coherent = settings()["coherent"]
        kind = Memory if self.coherent else CachedMemory
        memories = [kind(base, MEMORY_BYTES) for base in MEMORY_AT]
        ports = [memories] if self.coherent else [[memory] for memory in memories]
        self.memories = [
            Memory3(dut, f"memory_{n}", owned, seed=f"{seed} {n}", stall=stall, latency=latency) for n, owned in enumerate(ports)
        ]
        self.processor = Processor(dut, "registers", seed=seed, stall=stall)
        self.sides = [Side(self, number, memory) for number, memory in enumerate(memories)]
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

    def pause(self, stall, latency=60):
        """Stall memory by another pattern from now on."""
        for memory in self.memories:
            memory.pause(stall, latency)

    async def reset(self, clocks=4):
        """The whole design's reset, while the processor waits for nothing; memory forgets what it was asked."""
        while not self.processor.idle:
            await ClockCycles(self.dut.clk, 1)
        self.dut.rst.value = 1
        for memory in self.memories:
            memory.held = True
            memory.clear()
        await ClockCycles(self.dut.clk, clocks)
        self.dut.rst.value = 0
        for memory in self.memories:
            memory.held = False
        for side in self.sides:
            side.anew()
        await ClockCycles(self.dut.clk, 2)

    def _watched(self, name):
        return [int(getattr(self.dut, f"watch_{n}_{name}").value) for n in range(len(self.memories))]

    @property
    def moved(self):
        """Grows with every beat on a memory port."""
        return sum(self._watched("moved"))

    def under_way(self, number):
        """Transactions that have been shown on a device's memory port and not been answered."""
        number = 0 if self.coherent else number
        return self._watched("reads")[number] + self._watched("writes")[number]

    def check(self):
        """Fail if a rule of AXI was broken, or an interrupt came from nowhere."""
        for number, broken in enumerate(self._watched("broken")):
            assert not broken, f"memory port {number}: " + "; ".join(rule for bit, rule in enumerate(RULES) if broken >> bit & 1)
        for side in self.sides:
            assert not side.spurious, f"IRQ line {side.number} was raised, and device {side.number} has nothing to say"

    async def until(self, condition, what="it", patience=PATIENCE):
        """Wait until a condition holds; fail if no memory port moves meanwhile."""
        moved, still = self.moved, 0
        while not condition():
            await ClockCycles(self.dut.clk, 50)
            self.check()
            still = 0 if self.moved != moved else still + 50
            moved = self.moved
            assert still < patience, f"{what} did not happen, and nothing moves any more"

    async def quiet(self):
        """Until nothing moves on any memory port: whatever was on its way has come, or never will."""
        moved, still = self.moved, 0
        while still < QUIET_CLOCKS:
            await ClockCycles(self.dut.clk, 50)
            still = 0 if self.moved != moved else still + 50
            moved = self.moved

    async def settle(self):
        """Until both sides have what must come, and nothing more comes."""
        await self.until(lambda: all(side.settled() for side in self.sides), "the last frame")
        await self.quiet()
        for side in self.sides:
            side.driver.poll()
            side.look()
            side.wire.finish()
        self.check()
