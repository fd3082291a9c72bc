"""Frames between two clocks that know nothing of each other."""

import gc

import pytest
from amaranth.hdl import ClockDomain, Module, ResetSignal, Signal
from amaranth.sim import Simulator

from offcut.boards.frame_fifo import FrameFifo

CLOCKS = [(7.0, 6.4), (7.0, 40.0), (40.0, 7.0), (7.0, 6.999)]  # of the writing and the reading side, in ns
FRAME_BYTES = 200


class Crossing:
    """A FIFO between domains ``a`` and ``b``, a source and a sink."""

    def __init__(self, dice, clocks, *, lossy=False, pauses=(0.0, 0.0), **settings):
        self.dice, self.pauses, self.lossy = dice, pauses, lossy
        self.fifo = FrameFifo(frame_bytes=FRAME_BYTES, i_domain="a", o_domain="b", lossy=lossy, **settings)
        self.resets = {"a": Signal(), "b": Signal()}
        top = Module()
        for domain, reset in self.resets.items():
            top.domains += ClockDomain(domain)
            top.d.comb += ResetSignal(domain).eq(reset)
        top.submodules.fifo = self.fifo
        self.sim = Simulator(top)
        for domain, period in zip("ab", clocks, strict=True):
            self.sim.add_clock(period * 1e-9, domain=domain, phase=dice.random() * period * 1e-9)
        self.seen, self.aborted, self.dropped, self.parts = [], [], 0, b""
        self.watching = True

    def run(self, bench):
        self.sim.add_testbench(self._sink, background=True)
        self.sim.add_testbench(self._count, background=True)
        self.sim.add_testbench(bench)
        self.sim.run()

    async def _count(self, ctx):
        async for _, _, dropped in ctx.tick("a").sample(self.fifo.dropped):
            self.dropped += dropped

    async def _sink(self, ctx):
        o = self.fifo.o
        waiting = None
        while True:
            ready = self.dice.random() >= self.pauses[1]
            ctx.set(o.tready, ready)
            _, reset, *beat = await ctx.tick("b").sample(o.tvalid, o.tdata, o.tkeep, o.tlast, o.tuser)
            if reset:
                waiting, self.parts = None, b""
                continue
            valid, data, keep, last, bad = map(int, beat)
            assert waiting is None or beat == waiting, "withdrawn or changed while it waited"
            assert valid or not self.parts, "a frame pauses"
            waiting = beat if valid and not ready else None
            if valid and ready:
                assert keep in {(1 << n) - 1 for n in range(1, 9)} and (last or keep == 255)
                self.parts += data.to_bytes(8, "little")[: keep.bit_length()]
                if last:
                    (self.aborted if bad else self.seen).append(self.parts)
                    self.parts = b""

    def frame(self, length=None):
        return self.dice.randbytes(length or self.dice.choice([1, 7, 8, 9, 60, FRAME_BYTES, self.dice.randint(1, FRAME_BYTES)]))

    async def send(self, ctx, frame, *, bad=False, beats=None):
        """One frame; its first ``beats`` alone, if that is given."""
        i = self.fifo.i
        words = [frame[at : at + 8] for at in range(0, len(frame), 8)]
        for number, word in enumerate(words[:beats]):
            while self.dice.random() < self.pauses[0]:
                await ctx.tick("a")
            last = number == len(words) - 1
            for signal, value in (
                (i.tdata, int.from_bytes(word, "little")),
                (i.tkeep, (1 << len(word)) - 1),
                (i.tlast, last),
                (i.tuser, bad and last),
            ):
                ctx.set(signal, value)
            ctx.set(i.tvalid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick("a").sample(i.tready)
                assert taken or not self.lossy
            ctx.set(i.tvalid, 0)

    async def until(self, ctx, condition, clocks=30_000):
        for _ in range(clocks):
            if condition():
                return
            await ctx.tick("a")
        raise AssertionError("frames are missing")


@pytest.mark.parametrize("pauses", [(0.0, 0.0), (0.5, 0.0), (0.3, 0.3)])
@pytest.mark.parametrize("clocks", CLOCKS)
def test_frames_arrive_whole_in_order_and_without_a_pause(dice, clocks, pauses):
    c = Crossing(dice, clocks, pauses=pauses)
    frames = [c.frame() for _ in range(40)]

    async def bench(ctx):
        for frame in frames:
            await c.send(ctx, frame)
        await c.until(ctx, lambda: len(c.seen) == len(frames))

    c.run(bench)
    assert (c.seen, c.aborted, c.dropped) == (frames, [], 0)


@pytest.mark.parametrize("clocks", CLOCKS)
def test_many_frames_of_one_word_are_not_lost_when_the_reader_stands_still(dice, clocks):
    c = Crossing(dice, clocks, pauses=(0.0, 0.97))
    frames = [c.frame(dice.randint(1, 8)) for _ in range(80)]

    async def bench(ctx):
        for frame in frames:
            await c.send(ctx, frame)
        await c.until(ctx, lambda: len(c.seen) == len(frames))

    c.run(bench)
    assert c.seen == frames


@pytest.mark.parametrize("clocks", CLOCKS)
def test_a_frame_with_a_bad_check_sequence_is_dropped_alone(dice, clocks):
    c = Crossing(dice, clocks, lossy=True, words=2048)
    frames = [(c.frame(), dice.random() < 0.4) for _ in range(30)]

    async def bench(ctx):
        for _ in range(200):
            await ctx.tick("a")
        for frame, bad in frames:
            await c.send(ctx, frame, bad=bad)
            for _ in range(dice.randrange(200)):
                await ctx.tick("a")
        good = [frame for frame, bad in frames if not bad]
        await c.until(ctx, lambda: len(c.seen) >= len(good))
        assert c.seen == good
        assert c.dropped == len(frames) - len(good)

    c.run(bench)


@pytest.mark.parametrize("clocks", CLOCKS)
def test_a_source_that_cannot_wait_loses_whole_frames_and_each_is_told(dice, clocks):
    writing, reading = clocks
    c = Crossing(dice, clocks, lossy=True, pauses=(0.0, 1 - min(1, reading / writing) / 2))  # the reader takes half of what comes, or less
    frames = [bytes([number]) + c.frame() for number in range(60)]

    async def bench(ctx):
        for _ in range(200):
            await ctx.tick("a")
        for frame in frames:
            await c.send(ctx, frame[:FRAME_BYTES])
        await c.until(ctx, lambda: len(c.seen) + c.dropped == len(frames))

    c.run(bench)
    assert 0 < len(c.seen) < len(frames)
    rest = iter(frames)
    assert all(any(frame[:FRAME_BYTES] == seen for frame in rest) for seen in c.seen), (
        "a frame that arrived is none that was sent, or out of order"
    )


def test_a_frame_that_is_longer_than_allowed_is_dropped_and_the_next_is_untouched(dice):
    c = Crossing(dice, (7.0, 6.4), lossy=True)
    long, next_one = dice.randbytes(FRAME_BYTES + 1), c.frame()

    async def bench(ctx):
        for _ in range(50):
            await ctx.tick("a")
        await c.send(ctx, long)
        for _ in range(100):
            await ctx.tick("a")
        await c.send(ctx, next_one)
        await c.until(ctx, lambda: c.seen)

    c.run(bench)
    assert (c.seen, c.dropped) == ([next_one], 1)


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("clocks", CLOCKS)
def test_a_reset_of_the_writer_spoils_the_frame_that_is_leaving_and_the_next_ones_are_whole(dice, clocks, lossy):
    c = Crossing(dice, clocks, lossy=lossy, pauses=(0.0, 0.3), words=256)
    for_later = []

    async def bench(ctx):
        for attempt in range(12):
            for _ in range(dice.randrange(3)):
                await c.send(ctx, c.frame())
            await c.send(ctx, c.frame(FRAME_BYTES), beats=dice.randrange(25))
            for _ in range(dice.randrange(60)):
                await ctx.tick("a")
            ctx.set(c.resets["a"], 1)
            for _ in range(4):
                await ctx.tick("a" if clocks[0] > clocks[1] else "b")
            ctx.set(c.resets["a"], 0)
            before = len(c.seen)
            if lossy:
                for _ in range(150):
                    await ctx.tick("a")
            frames = [bytes([attempt]) + c.frame()[:-1] for _ in range(4)]
            for frame in frames:
                await c.send(ctx, frame)
            await c.until(ctx, lambda before=before, frames=frames: c.seen[-len(frames) :] == frames)
            for_later.extend(frames)

    c.run(bench)
    assert all(frame in c.seen for frame in for_later)


@pytest.mark.parametrize("clocks", CLOCKS)
def test_a_reset_of_the_reader_loses_the_frame_that_was_leaving_and_no_other(dice, clocks):
    c = Crossing(dice, clocks, pauses=(0.0, 0.5), words=512)
    lost = 0
    sent = []

    async def bench(ctx):
        nonlocal lost
        for attempt in range(10):
            frames = [bytes([attempt, number]) + c.frame() for number in range(6)]
            frames = [frame[:FRAME_BYTES] for frame in frames]
            sent.extend(frames)
            for frame in frames:
                await c.send(ctx, frame)
            for _ in range(dice.randrange(20)):
                await ctx.tick("b")
            ctx.set(c.resets["b"], 1)
            await ctx.tick("b")
            ctx.set(c.resets["b"], 0)
            for _ in range(600):
                await ctx.tick("b")
            assert frames[-1] in c.seen or sum(frame not in c.seen for frame in frames) == 1
        lost = len(sent) - len(c.seen)

    c.run(bench)
    assert 0 < lost <= 10
    assert c.seen == [frame for frame in sent if frame in set(c.seen)]
    assert not c.aborted


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # what was refused is never used
def test_a_store_that_holds_no_frame_is_refused():
    with pytest.raises(ValueError, match="200 bytes does not fit into 24 words of 8") as refusal:
        FrameFifo(frame_bytes=200, i_domain="a", o_domain="b", words=24)
    del refusal
    gc.collect()
