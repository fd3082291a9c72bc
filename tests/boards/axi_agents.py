"""AXI managers and subordinates for Amaranth's simulator: they pause at random, and hold the other side to the handshake's rules (IHI 0022, A3.2.1)."""

from collections import deque

from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

__all__ = ["LiteRegisters", "Memory", "Pauses", "Surrounded", "listen", "plain_fields", "speak"]


class Surrounded:
    """A design ``dut`` with a ``reset``, and the background ``benches`` that its agents add."""

    def __init__(self, dut):
        self.dut, self.reset, self.benches = dut, Signal(), []

    def run(self, bench):
        """Simulate until ``bench`` ends."""
        sim = Simulator(ResetInserter(self.reset)(self.dut))
        sim.add_clock(1e-8)
        for background in self.benches:
            sim.add_testbench(background, background=True)
        sim.add_testbench(bench)
        sim.run()

    async def until(self, ctx, condition, clocks=40_000):
        """Wait for a condition; gives the clocks that it took."""
        for clock in range(clocks):
            if condition():
                return clock
            await ctx.tick()
        raise AssertionError(f"{type(self.dut).__name__} hangs")


class Pauses:
    """Dice with which an agent pauses in a share of all clocks."""

    def __init__(self, dice, share):
        self.dice, self.share = dice, share

    def now(self):
        return self.share and self.dice.random() < self.share


def plain_fields(names):
    """Prefix and members of a channel: ``"ar addr len"`` gives ``("ar", ["addr", "len"])``."""
    prefix, *fields = names.split()
    return prefix, fields


def speak(port, channel, queue, pauses):
    """A background bench that offers what is appended to ``queue`` (dicts by field) on a channel ``"ar addr len ..."`` of ``port``."""
    prefix, fields = plain_fields(channel)
    valid, ready = getattr(port, prefix + "valid"), getattr(port, prefix + "ready")

    async def bench(ctx):
        while True:
            while not queue or pauses.now():
                await ctx.tick()
            for field in fields:
                ctx.set(getattr(port, prefix + field), queue[0][field])
            ctx.set(valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(ready)
            ctx.set(valid, 0)
            queue.popleft()

    return bench


def listen(port, channel, hear, pauses):
    """A background bench that takes what comes on a channel, and gives each payload, a dict by field, to ``hear``."""
    prefix, fields = plain_fields(channel)
    valid, ready = getattr(port, prefix + "valid"), getattr(port, prefix + "ready")

    async def bench(ctx):
        waiting = None
        while True:
            willing = not pauses.now()
            ctx.set(ready, willing)
            _, in_reset, is_valid, *values = await ctx.tick().sample(valid, *(getattr(port, prefix + field) for field in fields))
            payload = dict(zip(fields, map(int, values), strict=True)) if is_valid else None
            if in_reset:
                waiting = None
                continue
            assert waiting is None or payload == waiting, f"{prefix}: withdrawn or changed while it waited: {waiting} became {payload}"
            waiting = payload if payload and not willing else None
            if payload and willing:
                hear(payload)

    return bench


class LiteRegisters:
    """Registers behind AXI4-Lite: words by address, with every access on record, and a set of addresses that answer SLVERR."""

    def __init__(self, port, pauses, failing=()):
        self.words, self.log, self.failing = {}, [], set(failing)
        self._writes, self._data = deque(), deque()
        reads, confirmations = deque(), deque()
        self.benches = [
            listen(port, "ar addr prot", lambda request: self._read(request, reads), pauses),
            speak(port, "r data resp", reads, pauses),
            listen(port, "aw addr prot", lambda request: (self._writes.append(request), self._write(confirmations)), pauses),
            listen(port, "w data strb", lambda beat: (self._data.append(beat), self._write(confirmations)), pauses),
            speak(port, "b resp", confirmations, pauses),
        ]

    def _resp(self, address):
        return 2 if address in self.failing else 0

    def _read(self, request, answers):
        address = request["addr"]
        self.log.append(("read", address))
        answers.append({"data": self.words.get(address >> 2, 0), "resp": self._resp(address)})

    def _write(self, answers):
        if not (self._writes and self._data):
            return
        address, beat = self._writes.popleft()["addr"], self._data.popleft()
        self.log.append(("write", address, beat["strb"]))
        word = self.words.get(address >> 2, 0)
        for lane in range(4):
            if beat["strb"] >> lane & 1:
                word = word & ~(0xFF << 8 * lane) | beat["data"] & 0xFF << 8 * lane
        self.words[address >> 2] = word
        answers.append({"resp": self._resp(address)})


class Memory:
    """Memory behind AXI3: bytes by address; answers reads of different IDs in any order, and judges bursts."""

    def __init__(self, port, pauses, dice):
        self.bytes, self._dice, self.requests = {}, dice, []
        self._lanes = port.signature.data_width // 8
        self._pending_writes, self._beats = deque(), []
        self._reads, self._confirmations = deque(), deque()
        address = "addr len size burst cache prot id" + (" user" if port.signature.user_width else "")
        self.benches = [
            listen(port, f"ar {address}", self._read, pauses),
            speak(port, "r data resp last id", self._reads, pauses),
            listen(port, f"aw {address}", self._request, pauses),
            listen(port, "w data strb last id", self._beat, pauses),
            speak(port, "b resp id", self._confirmations, pauses),
        ]

    def _judge(self, request):
        self.requests.append(request)
        length = (request["len"] + 1) * self._lanes
        assert request["addr"] // 4096 == (request["addr"] + length - 1) // 4096, f"a burst crosses 4 KiB: {request}"

    def _read(self, request):
        self._judge(request)
        for beat in range(request["len"] + 1):
            at = request["addr"] + beat * self._lanes
            word = sum(self.bytes.get(at + lane, 0) << 8 * lane for lane in range(self._lanes))
            self._reads.append({"data": word, "resp": 0, "last": int(beat == request["len"]), "id": request["id"]})

    def _request(self, request):
        self._judge(request)
        self._pending_writes.append(request)
        self._serve()

    def _beat(self, beat):
        self._beats.append(beat)
        self._serve()

    def _serve(self):
        while self._pending_writes and any(beat["last"] for beat in self._beats):
            request = self._pending_writes.popleft()
            beats = [self._beats.pop(0) for _ in range(request["len"] + 1)]
            assert [beat["last"] for beat in beats] == [0] * request["len"] + [1], "wlast stands elsewhere than the length says"
            assert {beat["id"] for beat in beats} == {request["id"]}, "write data carry another ID than their request"
            for number, beat in enumerate(beats):
                for lane in range(self._lanes):
                    if beat["strb"] >> lane & 1:
                        self.bytes[request["addr"] + number * self._lanes + lane] = beat["data"] >> 8 * lane & 0xFF
            self._confirmations.append({"resp": 0, "id": request["id"]})
