"""Managers that share a memory port."""

import gc
from collections import deque

import pytest
from axi_agents import Memory, Pauses, Surrounded, listen, speak

from offcut.boards.memory_port import MemoryPort

SHARES = [0.0, 0.3, 0.8]
ADDRESS = "addr len size burst cache prot id"
PORTS = {"hp": {"managers": 1, "id_width": 6}, "acp": {"managers": 2, "id_width": 3, "cache": 0b1111, "user": 1}, "three": {"managers": 3}}
REGION = 1 << 16
"""Bytes of memory that each manager has for itself."""


class Managers(Surrounded):
    """A port with a memory behind it, and queues for what its managers ask."""

    def __init__(self, dice, share, **settings):
        super().__init__(MemoryPort(**settings))
        self.dice = dice
        pauses = Pauses(dice, share)
        self.memory = Memory(self.dut.o, pauses, dice)
        self.reads, self.writes, self.beats, self.answers, self.confirmations = ([] for _ in range(5))
        self.benches += self.memory.benches
        for port in self.dut.i:
            for queues in (self.reads, self.writes, self.beats):
                queues.append(deque())
            for lists in (self.answers, self.confirmations):
                lists.append([])
            self.benches += [
                speak(port, f"ar {ADDRESS}", self.reads[-1], pauses),
                speak(port, f"aw {ADDRESS}", self.writes[-1], pauses),
                speak(port, "w data strb last", self.beats[-1], pauses),
                listen(port, "r data resp last id", self.answers[-1].append, pauses),
                listen(port, "b resp id", self.confirmations[-1].append, pauses),
            ]

    def burst(self, manager, beats=None):
        """A burst within its manager's own memory that does not cross 4 KiB."""
        beats = beats or self.dice.randint(1, 16)
        at = REGION * manager + self.dice.randrange(16) * 4096 + self.dice.randrange(0, 4096 - 8 * beats + 1, 8)
        return {"addr": at, "len": beats - 1, "size": 3, "burst": 1, "cache": 0b0011, "prot": 2, "id": self.dice.getrandbits(1)}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("settings", PORTS.values(), ids=PORTS)
def test_each_manager_reads_what_is_there_and_writes_what_it_means(dice, share, settings):
    p = Managers(dice, share, **settings)
    count = settings["managers"]
    before = {at: dice.getrandbits(8) for at in range(REGION * count, REGION * count + 4096)}
    p.memory.bytes.update(before)
    written, asked, given = dict(before), [[] for _ in range(count)], [[] for _ in range(count)]
    for _ in range(40):
        manager = dice.randrange(count)
        burst = p.burst(manager)
        given[manager].append(burst["id"])
        p.writes[manager].append(burst)
        for beat in range(burst["len"] + 1):
            word = {"data": dice.getrandbits(64), "strb": dice.getrandbits(8), "last": int(beat == burst["len"])}
            p.beats[manager].append(word)
            for lane in range(8):
                if word["strb"] >> lane & 1:
                    written[burst["addr"] + 8 * beat + lane] = word["data"] >> 8 * lane & 0xFF
        # Reads at the same time, from memory that nobody writes.
        manager, burst = dice.randrange(count), p.burst(0)
        burst["addr"] = REGION * count + burst["addr"] % 4096
        p.reads[manager].append(burst)
        for beat in range(burst["len"] + 1):
            data = sum(before[burst["addr"] + 8 * beat + lane] << 8 * lane for lane in range(8))
            asked[manager].append({"data": data, "resp": 0, "last": int(beat == burst["len"]), "id": burst["id"]})

    async def bench(ctx):
        await p.until(ctx, lambda: sum(map(len, p.confirmations)) == 40 and sum(map(len, p.answers)) == sum(map(len, asked)))

    p.run(bench)
    assert p.answers == asked
    assert [[answer["id"] for answer in answers] for answers in p.confirmations] == given
    assert p.memory.bytes == written
    for request in p.memory.requests:
        assert request["cache"] == settings.get("cache", 0b0011)
        assert request.get("user", 0) == settings.get("user", 0)


def test_without_pauses_a_beat_passes_in_every_clock_either_way(dice):
    p = Managers(dice, 0.0, managers=2)
    for number in range(20):
        for manager in range(2):
            p.reads[manager].append(p.burst(manager, beats=16))
            p.writes[manager].append(p.burst(manager, beats=16))
            p.beats[manager] += [{"data": number, "strb": 255, "last": int(beat == 15)} for beat in range(16)]

    async def bench(ctx):
        clocks = await p.until(ctx, lambda: sum(map(len, p.confirmations)) == 40 and sum(map(len, p.answers)) == 640)
        assert clocks < 640 + 20

    p.run(bench)


def test_managers_are_served_in_turn(dice):
    p = Managers(dice, 0.0, managers=3)
    for manager in range(3):
        p.reads[manager] += [p.burst(manager, beats=1) for _ in range(30)]

    async def bench(ctx):
        await p.until(ctx, lambda: len(p.memory.requests) == 90)

    p.run(bench)
    served = [request["id"] >> 1 for request in p.memory.requests]
    assert all(set(served[at : at + 3]) == {0, 1, 2} for at in range(0, 60, 3))


@pytest.mark.parametrize("clocks", range(1, 40, 3))
def test_after_a_reset_in_the_middle_nothing_of_before_remains(dice, clocks):
    p = Surrounded(MemoryPort(managers=2))
    dut, seen = p.dut, []

    async def bench(ctx):
        first, second = dut.i
        ctx.set(dut.o.wready, 1)
        for manager in (first, second):
            for signal in (manager.awvalid, manager.arvalid, manager.wvalid):
                ctx.set(signal, 1)
            ctx.set(manager.awlen, 15)
        for _ in range(clocks):
            await ctx.tick()
        ctx.set(p.reset, 1)
        for manager in (first, second):
            for signal in (manager.awvalid, manager.arvalid, manager.wvalid):
                ctx.set(signal, 0)
        await ctx.tick()
        ctx.set(p.reset, 0)
        for _ in range(10):
            _, _, *valids = await ctx.tick().sample(dut.o.arvalid, dut.o.awvalid, dut.o.wvalid)
            assert not any(valids)
        # One write of the second manager, its data in the first clock already.
        for signal, value in (
            (second.awvalid, 1),
            (second.awaddr, 64),
            (second.awlen, 0),
            (second.wvalid, 1),
            (second.wdata, 77),
            (second.wlast, 1),
        ):
            ctx.set(signal, value)
        ctx.set(dut.o.awready, 1)
        for _ in range(20):
            _, _, aw, w, address, word, wid, took_aw, took_w = await ctx.tick().sample(
                dut.o.awvalid, dut.o.wvalid, dut.o.awaddr, dut.o.wdata, dut.o.wid, second.awready, second.wready
            )
            if took_aw:
                ctx.set(second.awvalid, 0)
            if took_w:
                ctx.set(second.wvalid, 0)
            seen.extend([("aw", address)] * aw + [("w", word, wid)] * w)

    p.run(bench)
    assert seen == [("aw", 64), ("w", 77, 2)]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"managers": 0}, "at least 1 manager, not 0"),
        ({"managers": 5, "id_width": 3}, "5 managers cannot be told apart by an ID of 3 bits"),
    ],
)
@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_a_port_that_cannot_be_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        MemoryPort(**settings)
    del refusal
    gc.collect()
