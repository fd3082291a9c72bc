"""The header feed: the rows of a frame become halfwords, as fast as they are there."""

import pytest
from amaranth import Module, Signal
from frames import rows_of
from support import geometry, pulse, row_end, simulate

from offcut.tx.layouts import Drop
from offcut.tx.parser.feed import HeaderFeed
from offcut.tx.rows import RowStore

WIDTHS = [32, 64, 512]
FIRST_AFTER = 4  # clocks from `begin` to the first halfword


class Bench:
    """A feed on a row store, which a source fills and which is emptied behind the reader."""

    def __init__(self, g):
        self.g = g
        self.top = m = Module()
        m.submodules.feed = self.feed = feed = HeaderFeed(g)
        m.submodules.rows = self.rows = rows = RowStore(g)
        m.d.comb += [feed.there.eq(feed.at != rows.written), rows.parse_at.eq(feed.at), feed.row.eq(rows.parse)]

    def run(self, frames, *, reads=None, dice=None, pauses=0.0, stalls=0.0):
        """What is read of each frame, and the clock of each halfword.

        Parameters
        ----------
        frames : list of list of rows
        reads : list of int, optional
            Halfwords after which the reader goes on to the next frame; all, if there is none.
        pauses, stalls : float
            How often the source, and the reader, waits.
        """
        feed, store, written, done = self.feed, self.rows, [0], [0]
        seen, clocks, faults = [], [], []

        def waits(often):
            return often and dice.random() < often

        async def source(ctx):
            for row in (row for rows in frames for row in rows):
                while not ctx.get(store.room) or waits(pauses):
                    await ctx.tick()
                ctx.set(store.i.payload, row)
                await pulse(ctx, store.i.valid)
                written[0] += 1

        async def slicer(ctx):
            for _ in range(sum(map(len, frames))):
                while True:
                    ctx.set(store.ends.ready, done[0] > 0)
                    _, _, valid, ready = await ctx.tick().sample(store.ends.valid, store.ends.ready)
                    if valid and ready:
                        break
                done[0] -= 1

        async def reader(ctx):
            first, clock = 0, 0
            for number, rows in enumerate(frames):
                while written[0] <= first:
                    await ctx.tick()
                ctx.set(feed.first, first % self.g.store_rows)
                await pulse(ctx, feed.begin)
                clock, got, when = 1, [], []
                while reads is None or len(got) < reads[number]:
                    take = ctx.get(feed.here) and not waits(stalls)
                    ctx.set(feed.take, take)
                    _, _, here, data, two, ended, fault = await ctx.tick().sample(feed.here, feed.data, feed.two, feed.ended, feed.fault)
                    if take:
                        got.append(data)
                        when.append(clock)
                    clock += 1
                    if ended and not two and (take or not here):
                        faults.append(fault)
                        break
                ctx.set(feed.take, 0)
                seen.append(got)
                clocks.append(when)
                first += len(rows)
                done[0] += len(rows)

        simulate(self.top, source, slicer, reader, clocks=60_000)
        return seen, clocks, faults


def halfwords(octets):
    """Those that are whole."""
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets) - 1, 2)]


def broken(g, octets):
    """Whole rows, then one that broke the contract."""
    rows = rows_of(g, octets)
    assert len(octets) % g.bus_bytes == 0
    rows[-1]["end"] = row_end(g.bus_bytes, last=False)
    return [*rows, {"data": 0xBAD, "end": row_end(0, last=True, fault=Drop.BAD_KEEP) | {"lane": g.bus_bytes - 1}}]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.7, 0.0), (0.0, 0.6), (0.4, 0.4)])
def test_a_frame_that_ends_at_any_byte_gives_its_whole_halfwords_and_says_that_it_ends(dice, width, pauses, stalls):
    """One after the other, more than once around the store; an odd last byte is none."""
    g = geometry(width)
    frames = [dice.randbytes(length) for length in range(1, 3 * g.bus_bytes + 2)] * {32: 14, 64: 4, 512: 1}[width]
    rows = [rows_of(g, frame, dice.choice([Drop.NONE, Drop.LENGTH_MISMATCH])) for frame in frames]
    assert sum(map(len, rows)) > 2 * g.store_rows
    seen, _, faults = Bench(g).run(rows, dice=dice, pauses=pauses, stalls=stalls)
    assert seen == [halfwords(frame) for frame in frames]
    assert faults == [int(each[-1]["end"]["fault"]) for each in rows]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_broken_row_has_no_halfwords_and_tells_its_fault(dice, width):
    g = geometry(width)
    frames = [dice.randbytes(count * g.bus_bytes) for count in (1, 2, 3)]
    rows = [broken(g, frame) for frame in frames] + [rows_of(g, b"", Drop.BAD_KEEP)]
    seen, _, faults = Bench(g).run(rows)
    assert seen == [halfwords(frame) for frame in [*frames, b""]]
    assert faults == [Drop.BAD_KEEP] * 4


@pytest.mark.parametrize("width", WIDTHS)
def test_there_is_a_halfword_in_every_clock(dice, width):
    """Where the rows are there."""
    g = geometry(width)
    rows = rows_of(g, dice.randbytes(160))
    seen, clocks, _ = Bench(g).run([rows_of(g, b"before"), rows_of(g, bytes(3 * 160)), rows], reads=[3, 0, 80])
    assert len(seen[-1]) == 80 and clocks[-1] == list(range(FIRST_AFTER, FIRST_AFTER + 80))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_a_frame_may_begin_while_another_is_read(dice, width, stalls):
    """After any number of its halfwords nothing of it is left."""
    g = geometry(width)
    frames = [dice.randbytes(dice.randint(1, 4 * g.bus_bytes)) for _ in range(40)]
    reads = [dice.randint(0, len(frame) // 2) for frame in frames]
    seen, _, _ = Bench(g).run([rows_of(g, frame) for frame in frames], reads=reads, dice=dice, pauses=0.1, stalls=stalls)
    assert seen == [halfwords(frame)[:count] for frame, count in zip(frames, reads, strict=True)]


def test_after_a_reset_in_mid_frame_the_next_frame_is_read_from_its_beginning(dice):
    g = geometry(64)
    bench, reset = Bench(g), Signal()
    old, new, got = dice.randbytes(64), dice.randbytes(40), []

    async def script(ctx):
        for clocks in range(1, 12):
            for octets, ends in ((old, False), (new, True)):
                for row in rows_of(g, octets):
                    ctx.set(bench.rows.i.payload, row)
                    await pulse(ctx, bench.rows.i.valid)
                ctx.set(bench.feed.first, 0)
                await pulse(ctx, bench.feed.begin)
                got.clear()
                for _ in range(40 if ends else clocks):
                    ctx.set(bench.feed.take, ctx.get(bench.feed.here))
                    _, _, here, data = await ctx.tick().sample(bench.feed.here, bench.feed.data)
                    got.extend([data] if here else [])
                ctx.set(bench.feed.take, 0)
                await pulse(ctx, reset)
            assert got == halfwords(new)

    simulate(bench.top, script, reset=reset)
