"""A processing system's AXI3 ports for cocotb: a processor that reads and writes registers, and memory that answers when it likes.

Both hold the other side to IHI 0022 where that is not done in the simulated design (:class:`bench.virtio_designs.AxiWatch`).
"""

import random
from collections import deque

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import Event, RisingEdge

from .agents import pauses

__all__ = ["DECERR", "Memory3", "Processor"]

DECERR = 3
INCR = 1
WORD_BYTES = 4
BEAT_BYTES = 8
LAST_AT, ID_AT = 72, 73
"""In a beat of write data: behind the data and their strobes."""

MOST_WAITING = 8
"""Requests of each direction that memory takes before it has answered."""


class Processor:
    """M_AXI_GP0: accesses of several programs at once, each with an ID of its own; write data may come before their address, or long after it.

    Parameters
    ----------
    dut : cocotb handle
    prefix : str
        Of the port.
    seed : str
    stall : str
        Of :data:`bench.agents.PATTERNS`.
    """

    def __init__(self, dut, prefix, *, seed, stall):
        self._port = {name: getattr(dut, f"{prefix}_{name}") for name in self._names()}
        self._edge = RisingEdge(dut.clk)
        self._rng = random.Random(f"processor {seed}")
        self._queues = {channel: Queue() for channel in ("ar", "aw", "w")}
        self._owed = {"r": deque(), "b": deque()}
        self._woken = {"r": Event(), "b": Event()}
        self._stall, self._seed = stall, seed
        for name, handle in self._port.items():
            if name.endswith("valid") and name[0] in "aw":
                handle.value = 0
        self._port["rready"].value = self._port["bready"].value = 0
        for channel in self._queues:
            cocotb.start_soon(self._speak(channel))
        for channel in self._owed:
            cocotb.start_soon(self._listen(channel))

    @staticmethod
    def _names():
        address = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "valid", "ready")
        yield from (f"{channel}{name}" for channel in ("ar", "aw") for name in address)
        yield from (f"w{name}" for name in ("id", "data", "strb", "last", "valid", "ready"))
        yield from (f"b{name}" for name in ("id", "resp", "valid", "ready"))
        yield from (f"r{name}" for name in ("id", "data", "resp", "last", "valid", "ready"))

    async def read(self, address, size=WORD_BYTES, beats=1):
        """A burst of ``beats`` of ``size`` bytes; returns their values, and the worst answer."""
        request = self._request(address, size, beats)
        answer = self._owe("r", request["id"], beats)
        self._queues["ar"].put_nowait(request)
        await answer["done"].wait()
        values = []
        for number, (data, _) in enumerate(answer["beats"]):
            lane = (address + number * size) % WORD_BYTES
            values.append(data >> 8 * lane & (1 << 8 * size) - 1)
        return values, max(resp for _, resp in answer["beats"])

    async def write(self, address, value, size=WORD_BYTES):
        """One beat of ``size`` bytes; returns the answer."""
        request = self._request(address, size, 1)
        lane = address % WORD_BYTES
        beat = {"id": request["id"], "data": value << 8 * lane, "strb": (1 << size) - 1 << lane, "last": 1}
        answer = self._owe("b", request["id"], 1)
        self._queues["aw"].put_nowait(request)
        self._queues["w"].put_nowait(beat)
        await answer["done"].wait()
        return answer["beats"][0][1]

    @property
    def idle(self):
        """Whether everything has been answered."""
        return not any(self._owed.values())

    def _request(self, address, size, beats):
        return {
            "id": self._rng.getrandbits(12), "addr": address, "len": beats - 1, "size": size.bit_length() - 1,
            "burst": INCR, "lock": 0, "cache": 0, "prot": 0, "qos": 0,
        }  # fmt: skip

    def _owe(self, channel, identity, beats):
        answer = {"id": identity, "left": beats, "beats": [], "done": Event()}
        self._owed[channel].append(answer)
        self._woken[channel].set()
        return answer

    async def _speak(self, channel):
        queue, port = self._queues[channel], self._port
        stalls = pauses(self._stall, f"{channel} {self._seed}")
        valid, ready = port[f"{channel}valid"], port[f"{channel}ready"]
        while True:
            payload = await queue.get()
            await self._edge
            while next(stalls):
                await self._edge
            for name, value in payload.items():
                port[f"{channel}{name}"].value = value
            valid.value = 1
            await self._edge
            while not int(ready.value):
                await self._edge
            valid.value = 0

    async def _listen(self, channel):
        owed, port = self._owed[channel], self._port
        stalls = pauses(self._stall, f"{channel} {self._seed}")
        valid, ready = port[f"{channel}valid"], port[f"{channel}ready"]
        names = ("id", "resp") if channel == "b" else ("id", "resp", "data", "last")
        willing, waiting = False, None
        while True:
            if not owed:
                ready.value = willing = False
                self._woken[channel].clear()
                await self._woken[channel].wait()
            await self._edge
            if int(valid.value):
                beat = {name: int(port[f"{channel}{name}"].value) for name in names}
                assert waiting in (None, beat), f"{channel}: changed while it waited: {waiting} became {beat}"
                waiting = None if willing else beat
                if willing:
                    self._hear(channel, beat)
            else:
                assert waiting is None, f"{channel}: withdrawn while it waited: {waiting}"
            willing = not next(stalls)
            ready.value = willing

    def _hear(self, channel, beat):
        assert self._owed[channel], f"{channel}: an answer to nothing: {beat}"
        answer = self._owed[channel][0]  # the bridge serves one after the other
        assert beat["id"] == answer["id"], f"{channel}: an answer for {beat['id']}, and not for {answer['id']}"
        answer["beats"].append((beat.get("data", 0), beat["resp"]))
        answer["left"] -= 1
        assert beat.get("last", 1) == (answer["left"] == 0), f"{channel}: last is on the wrong beat"
        if answer["left"] == 0:
            self._owed[channel].popleft()
            answer["done"].set()


class Memory3:
    """S_AXI_HP or S_AXI_ACP: takes requests and answers them after any time, those of different IDs and directions in any order.

    Parameters
    ----------
    dut : cocotb handle
    prefix : str
        Of the port, with what :class:`bench.veth_designs.WatchedVeth` adds to it.
    memories : list of virtio_driver.Memory
        By the device's number, which is the ID without its lowest bit.
    seed : str
    stall : str
        Of :data:`bench.agents.PATTERNS`.
    latency : int
        Most clocks from a request to its answer.
    """

    def __init__(self, dut, prefix, memories, *, seed, stall, latency):
        names = "seen busy ar aw w arready awready wready rid rdata rresp rlast rvalid bid bresp bvalid".split()
        self._port = {name: getattr(dut, f"{prefix}_{name}") for name in names}
        self._edge, self._memories = RisingEdge(dut.clk), memories
        self._rng = random.Random(f"memory {seed}")
        self.pause(stall, latency)
        self.held = False
        self.clear()
        cocotb.start_soon(self._run())

    def clear(self):
        """Forget everything that has been asked: the design is being reset. Nothing is taken while ``held`` is True."""
        self._reads, self._requests, self._beats, self._written = deque(), deque(), [], deque()
        self._words = deque()  # of the burst that is being answered
        self._driven = dict.fromkeys(("arready", "awready", "wready", "rvalid", "bvalid"), 0)
        for name in self._driven:
            self._port[name].value = 0

    def _idle(self):
        waiting = self._reads or self._requests or self._beats or self._written or self._words
        return not waiting and not self._driven["rvalid"] and not self._driven["bvalid"] and not int(self._port["busy"].value)

    def _drive(self, name, value):
        if self._driven[name] != value:
            self._driven[name] = value
            self._port[name].value = value

    def pause(self, stall, latency):
        """Pause by another pattern from now on."""
        self._latency = latency
        self._stalls = {name: pauses(stall, f"{name} {self._rng.random()}") for name in ("ar", "aw", "w", "r", "b")}

    def _when(self, now):
        return now + (self._rng.randint(1, self._latency) if self._latency and self._rng.random() < 0.3 else 0)

    def _at(self, address, identity):
        """The memory of the device that asks."""
        memory = self._memories[identity >> 1]
        assert memory.base <= address < memory.base + memory.size, f"ID {identity:#x} asks for {address:#x}, where its driver has nothing"
        return memory

    def _next(self, queue, now):
        """Take one of the requests that may be answered: the oldest of its ID."""
        seen, ready = set(), []
        for index, (identity, when, *_) in enumerate(queue):
            if identity not in seen and when <= now:
                ready.append(index)
            seen.add(identity)
        if not ready:
            return None
        index = self._rng.choice(ready)
        chosen = queue[index]
        del queue[index]
        return chosen

    async def _run(self):
        busy = self._port["busy"]
        now = 0
        while True:
            if self._idle():
                await RisingEdge(busy)
            await self._edge
            now += 1
            if not self.held:
                self._take(now)
                self._answer_reads(now)
                self._answer_writes(now)

    def _take(self, now):
        """What was taken in this clock, and whether more is taken in the next one."""
        port, driven, stalls = self._port, self._driven, self._stalls
        seen = self._seen = int(port["seen"].value)
        if seen & 1 and driven["arready"]:
            request = int(port["ar"].value)
            self._reads.append((request >> 36, self._when(now), request & 0xFFFF_FFFF, (request >> 32 & 15) + 1))
        if seen & 2 and driven["awready"]:
            request = int(port["aw"].value)
            self._requests.append((request >> 36, request & 0xFFFF_FFFF, (request >> 32 & 15) + 1))
        if seen & 4 and driven["wready"]:
            self._beats.append(int(port["w"].value))
        whole = bool(self._beats) and self._beats[-1] >> LAST_AT & 1
        if whole and self._requests:
            self._written.append(self._store(self._requests.popleft(), self._beats, now))
            self._beats, whole = [], False
        self._drive("arready", int(len(self._reads) < MOST_WAITING and not next(stalls["ar"])))
        self._drive("awready", int(len(self._requests) + len(self._written) < MOST_WAITING and not next(stalls["aw"])))
        self._drive("wready", int(not whole and not next(stalls["w"])))

    def _answer_reads(self, now):
        port, words = self._port, self._words
        if self._driven["rvalid"] and self._seen & 8:
            words.popleft()
            self._drive("rvalid", 0)
        if not words and (chosen := self._next(self._reads, now)):
            identity, _, address, count = chosen
            data = self._at(address, identity).bus_read(address, count * BEAT_BYTES)
            words.extend((data[BEAT_BYTES * n :][:BEAT_BYTES], n + 1 == count) for n in range(count))
            port["rid"].value = identity
        if not self._driven["rvalid"] and words and not next(self._stalls["r"]):
            data, last = words[0]
            port["rdata"].value = int.from_bytes(data, "little")
            port["rlast"].value = last
            port["rresp"].value = 0
            self._drive("rvalid", 1)

    def _answer_writes(self, now):
        port = self._port
        if self._driven["bvalid"] and self._seen & 16:
            self._drive("bvalid", 0)
        if not self._driven["bvalid"] and self._written and not next(self._stalls["b"]) and (chosen := self._next(self._written, now)):
            port["bid"].value = chosen[0]
            port["bresp"].value = 0
            self._drive("bvalid", 1)

    def _store(self, request, beats, now):
        identity, address, count = request
        assert len(beats) == count, f"{len(beats)} beats of data for a burst of {count}"
        memory = self._at(address, identity)
        for number, beat in enumerate(beats):
            assert beat >> ID_AT == identity, f"data of ID {beat >> ID_AT:#x} for a request of {identity:#x}"
            strobes, data = beat >> 64 & 0xFF, (beat & (1 << 64) - 1).to_bytes(8, "little")
            lane = 0
            while lane < BEAT_BYTES:
                run = lane
                while run < BEAT_BYTES and strobes >> run & 1:
                    run += 1
                if run > lane:
                    memory.bus_write(address + BEAT_BYTES * number + lane, data[lane:run])
                lane = max(run, lane + 1)
        return identity, self._when(now)
