"""Registers behind the processor's port."""

import gc
from collections import deque

import pytest
from axi_agents import LiteRegisters, Pauses, Surrounded, listen, speak

from offcut.boards.axi3_to_lite import Axi3ToLite

BASE = 0x43C0_0000
FIXED, INCR, WRAP = range(3)
OKAY, SLVERR, DECERR = 0, 2, 3
ADDRESS = "addr len size burst lock cache prot qos id"
SHARES = [0.0, 0.3, 0.8]


def request(address, beats=1, size=2, burst=INCR, identity=0):
    return {"addr": address, "len": beats - 1, "size": size, "burst": burst, "lock": 0, "cache": 0, "prot": 2, "qos": 0, "id": identity}


def addresses(address, beats, size, burst):
    """The addresses of a burst's beats, as IHI 0022, A3.4.1 gives them."""
    step = 1 << size
    aligned, span = address // step * step, step * beats
    for beat in range(beats):
        if burst == FIXED or beat == 0:
            yield address
        elif burst == INCR:
            yield aligned + beat * step
        else:
            yield address // span * span + (aligned + beat * step) % span


class Processor(Surrounded):
    """The bridge between a manager and two register files."""

    def __init__(self, dice, share, failing=()):
        super().__init__(Axi3ToLite(base=BASE, windows=2))
        pauses = Pauses(dice, share)
        self.reads, self.writes, self.beats = deque(), deque(), deque()
        self.answers, self.confirmations = [], []
        self.files = [LiteRegisters(window, pauses, failing) for window in self.dut.o]
        self.benches += [
            speak(self.dut.i, f"ar {ADDRESS}", self.reads, pauses),
            speak(self.dut.i, f"aw {ADDRESS}", self.writes, pauses),
            speak(self.dut.i, "w data strb last id", self.beats, pauses),
            listen(self.dut.i, "r data resp last id", self.answers.append, pauses),
            listen(self.dut.i, "b resp id", self.confirmations.append, pauses),
            *(bench for file in self.files for bench in file.benches),
        ]

    def read(self, *what, **how):
        self.reads.append(request(*what, **how))

    def write(self, data, *what, strobes=None, **how):
        asked = request(*what, **how)
        self.writes.append(asked)
        for number, word in enumerate(data):
            self.beats.append({
                "data": word,
                "strb": strobes[number] if strobes else 15,
                "last": int(number == len(data) - 1),
                "id": asked["id"],
            })


@pytest.mark.parametrize("share", SHARES)
def test_every_burst_reads_and_writes_the_registers_that_the_standard_says(dice, share):
    p = Processor(dice, share)
    expected = []
    for file in p.files:
        file.words = {word: dice.getrandbits(32) for word in range(1024)}

    async def bench(ctx):
        for _ in range(60):
            window, size, burst = dice.randrange(2), dice.randrange(3), dice.choice([FIXED, INCR, WRAP])
            beats = dice.choice([2, 4, 8, 16]) if burst == WRAP else dice.randint(1, 16)
            offset = dice.randrange(0, 4096 - 64) >> size << size if burst == WRAP else dice.randrange(0, 4096 - 64)
            where = list(addresses(offset, beats, size, burst))
            identity = dice.getrandbits(12)
            p.answers.clear()
            p.confirmations.clear()
            file = p.files[window]
            file.log.clear()
            if dice.random() < 0.5:
                p.read(BASE + 4096 * window + offset, beats, size, burst, identity)
                await p.until(ctx, lambda beats=beats: len(p.answers) >= beats)
                assert file.log == [("read", at) for at in where]
                expected[:] = [file.words[at >> 2] for at in where]
                last = [0] * (beats - 1) + [1]
                assert p.answers == [{"data": d, "resp": OKAY, "last": n, "id": identity} for d, n in zip(expected, last, strict=True)]
            else:
                strobes = [dice.getrandbits(4) for _ in where]
                p.write([dice.getrandbits(32) for _ in where], BASE + 4096 * window + offset, beats, size, burst, identity, strobes=strobes)
                await p.until(ctx, lambda: p.confirmations)
                assert file.log == [("write", at, strobe) for at, strobe in zip(where, strobes, strict=True)]
                assert p.confirmations == [{"resp": OKAY, "id": identity}]

    p.run(bench)


@pytest.mark.parametrize("share", SHARES)
def test_reads_and_writes_that_come_together_are_all_served(dice, share):
    p = Processor(dice, share)

    async def bench(ctx):
        for number in range(20):
            p.read(BASE + 4 * number, identity=number)
            p.write([number], BASE + 4096 + 4 * number, identity=100 + number)
        await p.until(ctx, lambda: len(p.answers) == 20 and len(p.confirmations) == 20)

    p.run(bench)
    assert [answer["id"] for answer in p.answers] == list(range(20))
    assert [answer["id"] for answer in p.confirmations] == list(range(100, 120))
    assert [p.files[1].words[number] for number in range(20)] == list(range(20))


def test_a_waiting_write_is_not_starved_by_reads(dice):
    p = Processor(dice, 0.0)

    async def bench(ctx):
        for number in range(50):
            p.read(BASE + 4 * number)
        p.write([1], BASE)
        await p.until(ctx, lambda: p.confirmations)
        assert len(p.answers) < 5

    p.run(bench)


@pytest.mark.parametrize("address", [BASE + 2 * 4096, BASE - 4, 0x4000_0000, 0x7FFF_FFFC])
def test_outside_the_windows_the_answer_is_an_error_and_no_register_hears_of_it(dice, address):
    p = Processor(dice, 0.3)

    async def bench(ctx):
        p.read(address, 3, identity=7)
        p.write([1, 2], address, 2, identity=8)
        await p.until(ctx, lambda: len(p.answers) == 3 and p.confirmations)

    p.run(bench)
    assert p.answers == [{"data": 0, "resp": DECERR, "last": int(beat == 2), "id": 7} for beat in range(3)]
    assert p.confirmations == [{"resp": DECERR, "id": 8}]
    assert not [entry for file in p.files for entry in file.log]


def test_a_register_that_refuses_is_heard_in_its_beat_and_at_the_end_of_a_write(dice):
    p = Processor(dice, 0.3, failing={4})

    async def bench(ctx):
        p.read(BASE, 3)
        p.write([1, 2, 3], BASE, 3)
        p.write([1], BASE)
        await p.until(ctx, lambda: len(p.answers) == 3 and len(p.confirmations) == 2)

    p.run(bench)
    assert [answer["resp"] for answer in p.answers] == [OKAY, SLVERR, OKAY]
    assert [answer["resp"] for answer in p.confirmations] == [SLVERR, OKAY]


@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("clocks", range(12))
def test_after_a_reset_in_the_middle_it_serves_what_comes(dice, clocks, writing):
    p = Surrounded(Axi3ToLite(base=BASE, windows=2))
    dut = p.dut

    async def bench(ctx):
        """By hand: agents would remember what the reset has ended."""
        prefix = "aw" if writing else "ar"

        async def transaction(limit):
            ctx.set(dut.i.awaddr if writing else dut.i.araddr, BASE + 8)
            ctx.set(getattr(dut.i, prefix + "size"), 2)
            ctx.set(getattr(dut.i, prefix + "burst"), INCR)
            ctx.set(getattr(dut.i, prefix + "valid"), 1)
            ctx.set(dut.i.wvalid, writing)
            ctx.set(dut.i.wdata, 0x1234)
            lite = dut.o[0]
            for signal in (dut.i.rready, dut.i.bready, lite.arready, lite.awready, lite.wready, lite.rvalid, lite.bvalid):
                ctx.set(signal, 1)
            ctx.set(lite.rdata, 0x5678)
            for clock in range(limit):
                _, _, taken, beat, done, read, word = await ctx.tick().sample(
                    getattr(dut.i, prefix + "ready"), dut.i.wready, dut.i.bvalid, dut.i.rvalid, lite.wdata if writing else dut.i.rdata
                )
                if taken:
                    ctx.set(getattr(dut.i, prefix + "valid"), 0)
                if beat:
                    ctx.set(dut.i.wvalid, 0)
                if done if writing else read:
                    return clock, word
            return None

        await transaction(clocks)
        ctx.set(p.reset, 1)
        ctx.set(getattr(dut.i, prefix + "valid"), 0)
        ctx.set(dut.i.wvalid, 0)
        await ctx.tick()
        ctx.set(p.reset, 0)
        _, word = await transaction(20)
        assert word == (0x1234 if writing else 0x5678)

    p.run(bench)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"base": BASE, "windows": 0}, "at least 1 window, not 0"),
        ({"base": BASE + 4096, "windows": 2}, "multiple of 0x2000 within 32 bits, not at 0x43c01000"),
        ({"base": 1 << 32, "windows": 1}, "not at 0x100000000"),
    ],
)
@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_a_bridge_that_cannot_be_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        Axi3ToLite(**settings)
    del refusal
    gc.collect()
