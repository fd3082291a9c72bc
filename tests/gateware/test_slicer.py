"""The slicer: which bytes of the rows make each word, against the same cut made on the frame's bytes."""

import pytest
from amaranth import Module
from amaranth.hdl import Signal
from amaranth.lib import wiring
from frames import plan_numbers
from support import geometry, pulse, row_end, simulate

from offcut.tx.layouts import Drop
from offcut.tx.plans import PlanStore
from offcut.tx.slicer import Slicer

HEADERS = range(34, 214, 2)  # bytes as the header comes
MOVES = [0, 0, 0, 4, 8, 12, -4, -8]  # bytes by which it leaves longer
TAG_AT, TAGGED = 12, 16  # the header of a frame that is not cut and gets a tag, as it comes and as it leaves


NAMES = (
    *("number", "at", "same", "shift", "low", "high", "write", "row", "first", "last", "segment_first", "segment_second"),
    *("payload_last", "frame_last", "behind", "closing", "fault"),
)
"""Of a step."""


def whole_plan(size):
    """The plan of a frame that leaves as it came: its words are its rows."""
    return {"cut": 0, "shift": size - 1, "until": 2 * size - 1}


def cut_plan(g, header_end, gso_size, longer=0, **fields):
    return plan_numbers(g, header_end, header_end + longer, gso_size) | fields


class Frame:
    """A frame of ``length`` bytes, its rows, and the units that must be made of it."""

    def __init__(self, g, length, plan, header_end=0, gso_size=None, fault=0, empty=False):
        size = g.bus_bytes
        self.g, self.length, self.fault, self.header_end, self.gso_size = g, length, fault, header_end, gso_size
        self.plan = (
            whole_plan(size)
            | plan
            | {"swallow": int(bool(plan.get("drop"))), "limit_first": int(bool(plan.get("limit")) and plan["end"] < size)}
        )
        self.rows = []
        for at in range(0, length, size):
            last = at + size >= length and not empty
            self.rows.append((at, row_end(min(size, length - at), last=last, fault=fault if last else 0)))
        if empty:
            self.rows.append((len(self.rows) * size, row_end(0, last=True, fault=fault)))

    def with_fault(self, fault):
        return Frame(self.g, self.length, self.plan, self.header_end, self.gso_size, fault=fault)

    @property
    def limited(self):
        return bool(self.plan.get("limit")) and self.plan["end"] + 1 < self.length

    @property
    def closes(self):
        return bool(self.plan.get("ufo"))

    def units(self):
        """(first, behind last) byte of each unit."""
        begin = self.header_end
        end = min(self.length, self.plan["end"] + 1) if self.plan.get("limit") else self.length
        size = self.gso_size if self.plan.get("cut") else max(1, end - begin)
        return [(at, min(end, at + size)) for at in range(begin, end, size)] or [(begin, begin)]


def with_plans(g):
    """A slicer with its plans."""
    m = Module()
    m.submodules.plans = plans = PlanStore(g, margin=1)
    m.submodules.dut = dut = Slicer(g)
    wiring.connect(m, plans.opening, dut.plan)
    m.d.comb += [
        dut.slicing.eq(plans.slicing),
        dut.number.eq(plans.number),
        plans.ranging_at.eq(dut.ranging_at),
        dut.ranging.eq(plans.ranging),
        plans.done.eq(dut.finished),
    ]
    return m, plans, dut


def run(g, frames, dice=None, *, pauses=0.0, stalls=0.0):
    """The steps for these frames, each with ``bytes``: the (frame, place) of each byte of its word, as the aligner would pick them."""
    m, plans, dut = with_plans(g)
    rows = [(number, at, end) for number, frame in enumerate(frames) for at, end in frame.rows]
    steps, clocks, shown, popped = [], [], [0], [0]

    async def source(ctx):
        for number, (_, _, end) in enumerate(rows):
            while dice and dice.random() < pauses:
                await ctx.tick()
            ctx.set(dut.rows.payload, end)
            ctx.set(dut.rows.valid, 1)
            shown[0] = number + 1
            await ctx.tick().until(dut.rows.ready)
            ctx.set(dut.rows.valid, 0)
            popped[0] = number + 1

    async def planner(ctx):
        for frame in frames:
            while not ctx.get(plans.room) or (dice and dice.random() < pauses):
                await ctx.tick()
            ctx.set(plans.i.payload, frame.plan)
            ctx.set(plans.i.valid, 1)
            await ctx.tick()
            ctx.set(plans.i.valid, 0)

    async def sink(ctx):
        quiet, clock, before = 0, 0, 0
        head = older = None
        while quiet < 40:
            ctx.set(dut.room, not (dice and dice.random() < stalls))
            rows_before, shown_before = before, shown[0]
            before = popped[0]
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            clock += 1
            quiet = 0 if valid or popped[0] != before else quiet + 1
            if not valid:
                continue
            step = {name: payload[name] for name in NAMES}
            near = {(at % g.store_rows): at for at in range(rows_before - 6, rows_before + 6)}
            at = near[step["at"]]
            if not step["same"]:
                older = head
            head = at if at < shown_before else None
            lanes = range(step["low"], step["high"]) if step["write"] else ()
            step["bytes"] = [pick(older, head, lane + step["shift"] + 1) for lane in lanes]
            steps.append(step)
            clocks.append(clock)

    def pick(older, head, place):
        row = head if place >= g.bus_bytes else older
        assert row is not None, "a byte of a row that is not there"
        number, at, _ = rows[row]
        return number, at + place % g.bus_bytes

    simulate(m, planner, source, sink, clocks=60_000)
    assert popped[0] == len(rows)
    return steps, clocks


def is_header(step):
    """Whether it only makes rows pass, for the window."""
    return not step["write"] and not step["last"]


def check(g, frames, steps):
    """Every word holds the bytes that the plain cut gives, in the row and lanes in which they leave."""
    size = g.bus_bytes
    steps = [step for step in steps if not is_header(step)]
    for number, frame in enumerate(frames):
        units = frame.units()
        header_len = frame.plan.get("header_len", 0)
        for unit, (begin, end) in enumerate(units):
            where, final = (number, unit), unit == len(units) - 1
            length, got = header_len + end - begin, []
            while True:
                step = steps.pop(0)
                assert step["number"] == number % g.queue_depth, where
                assert step["first"] == (not got), where
                assert (step["segment_first"], step["segment_second"]) == (unit == 0, unit == 1), where
                row = header_len // size + len(got)
                if step["write"]:
                    assert step["row"] == row, where
                    assert step["low"] == (header_len % size if not got else 0)
                got.append(step)
                if step["last"]:
                    break
                assert step["high"] == size and not step["frame_last"] and not step["payload_last"] and not step["fault"]
            assert [place for step in got for place in step["bytes"]] == [(number, at) for at in range(begin, end)], where
            assert got[-1]["row"] * size + (got[-1]["high"] or size) == length
            assert got[-1]["payload_last"] == final
            assert got[-1]["frame_last"] == (final and not frame.closes)
            assert got[-1]["fault"] == (frame.fault if final and not frame.limited else 0)
            assert not got[-1]["behind"] and not got[-1]["closing"]
        if frame.closes:
            step = steps.pop(0)
            assert (step["closing"], step["write"], step["last"], step["frame_last"], step["fault"], step["behind"]) == (1, 0, 1, 1, 0, 0)
            assert not (step["first"] and step["segment_first"]), "a sum would begin anew"
        if frame.limited and frame.fault:
            step = steps.pop(0)
            assert (step["behind"], step["write"], step["frame_last"], step["fault"]) == (1, 0, 1, frame.fault)
    assert not steps


def random_frame(dice, g, *, limits=False):
    size = g.bus_bytes
    kind = dice.random()
    if kind < 0.15:
        return Frame(g, dice.randint(1, 6 * size), {"cut": 0})
    if kind < 0.25:
        return Frame(g, TAG_AT + dice.randint(0, 6 * size), plan_numbers(g, TAG_AT, TAGGED), TAG_AT)
    header_end, longer = dice.choice(HEADERS), dice.choice(MOVES)
    gso_size = dice.choice([dice.randint(1, 2 * size), dice.randint(1, 8 * size), size, 1, 2 * size, size - 1, size + 1])
    payload = dice.choice([dice.randint(0, 6 * gso_size), gso_size * dice.randint(1, 4), gso_size + 1])
    plan = cut_plan(g, header_end, gso_size, longer, ufo=int(payload > 0 and dice.random() < 0.3))
    if limits and payload > 1:
        within = dice.choice([dice.randint(1, payload + 4), payload - dice.randrange(min(payload, size))])
        plan |= {"limit": 1, "end": header_end + within - 1}
    return Frame(g, header_end + payload, plan, header_end, gso_size)


@pytest.mark.parametrize("width", [32, 64, 128, 256])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.3, 0.3)])
def test_segments_hold_the_bytes_of_the_plain_cut(dice, width, pauses, stalls):
    g = geometry(width)
    frames = [random_frame(dice, g) for _ in range(36)]
    steps, _ = run(g, frames, dice, pauses=pauses, stalls=stalls)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64, 128])
def test_every_gso_size_fits_every_header(width):
    """Each remainder of both: among them windows that go a row back, that stay, and that go two rows on."""
    g = geometry(width)
    size = g.bus_bytes
    seen, frames = set(), []
    for header_end in range(54, 54 + size, 2):
        for gso_size in range(1, 2 * size + 1):
            plan = cut_plan(g, header_end, gso_size)
            seen.add(plan["step_row"]["less"] - plan["step_row"]["more"])
            frames.append(Frame(g, header_end + 2 * gso_size + 1, plan, header_end, gso_size))
    assert seen == {-1, 0, 1}
    steps, _ = run(g, frames)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64, 128])
def test_a_header_may_leave_longer_or_shorter_than_it_came(width):
    """Each place in a row as it came and as it leaves, and payloads that end in the first word, in its row or behind it."""
    g = geometry(width)
    size = g.bus_bytes
    frames = []
    for header_end in range(34, 34 + size, 2):
        for longer in range(-size, size + 1, 4):
            for payload in (0, 1, size - 1, 3 * size):
                gso_size = size + 3
                plan = cut_plan(g, header_end, gso_size, longer)
                frames.append(Frame(g, header_end + payload, plan, header_end, gso_size))
    steps, _ = run(g, frames)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64, 512])
def test_a_frame_with_a_tag_put_in_is_one_unit_of_any_length(width):
    """From one that ends with its addresses on."""
    g = geometry(width)
    lengths = range(TAG_AT, TAG_AT + 2 * g.bus_bytes + 1)
    frames = [Frame(g, length, plan_numbers(g, TAG_AT, TAGGED), TAG_AT) for length in lengths]
    steps, _ = run(g, frames)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64, 512])
def test_bytes_behind_the_limit_are_left_out(dice, width):
    g = geometry(width)
    frames = [random_frame(dice, g, limits=True) for _ in range(36)]
    steps, _ = run(g, frames, dice, pauses=0.2, stalls=0.2)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("limits", [False, True])
def test_the_fault_of_a_last_row_is_told_with_the_frames_last_unit_or_behind_it(dice, width, limits):
    g = geometry(width)
    frames = []
    for _ in range(40):
        frames.append(random_frame(dice, g, limits=limits).with_fault(dice.choice([0, Drop.BAD_KEEP, Drop.LENGTH_MISMATCH])))
    steps, _ = run(g, frames, dice, pauses=0.2, stalls=0.2)
    check(g, frames, steps)


@pytest.mark.parametrize("width", [32, 64, 128])
def test_a_row_that_broke_the_contract_spoils_its_frame_once_and_adds_nothing(dice, width):
    """What came before it may have left in whole segments; the fault is told with the frame's end."""
    g = geometry(width)
    size = g.bus_bytes
    frames = []
    for _ in range(36):
        header_end, longer, gso_size = dice.choice(HEADERS), dice.choice(MOVES), dice.randint(1, 4 * size)
        rows = -(-header_end // size) + dice.randint(0, 8)
        cut = cut_plan(g, header_end, gso_size, longer, ufo=dice.getrandbits(1))
        plan, end = dice.choice([({"cut": 0}, 0), (plan_numbers(g, TAG_AT, TAGGED), TAG_AT), (cut, header_end), (cut, header_end)])
        frames.append(Frame(g, rows * size, plan, end, gso_size, fault=Drop.BAD_KEEP, empty=True))
    steps, _ = run(g, frames, dice, pauses=0.1, stalls=0.1)
    for number, frame in enumerate(frames):
        units, unit, faults = frame.units(), [], []
        while True:
            step = steps.pop(0)
            unit += step["bytes"]
            faults += [step["fault"]] if step["fault"] else []
            if step["last"] and not step["fault"] and not step["closing"]:
                begin, end = units.pop(0)
                assert unit == [(number, at) for at in range(begin, end)]
                unit = []
            if step["frame_last"]:
                break
        assert faults == [Drop.BAD_KEEP]
        assert len(units) <= 1, "a segment is missing"
    assert not steps


def test_a_frame_that_is_dropped_makes_one_step_and_writes_nothing(dice):
    g = geometry(64)
    frames = []
    for _ in range(40):
        good = random_frame(dice, g)
        reason = dice.choice([0, 0, Drop.BAD_HEADER, Drop.DISABLED])
        frames.append(Frame(g, good.length, good.plan | {"drop": reason}, good.header_end, good.gso_size))
    steps, _ = run(g, frames, dice, pauses=0.2, stalls=0.2)
    for number, frame in enumerate(frames):
        if frame.plan["drop"]:
            step = steps.pop(0)
            assert (step["write"], step["last"], step["frame_last"], step["behind"]) == (0, 1, 1, 0), number
            assert step["number"] == number % g.queue_depth
        else:
            while not steps.pop(0)["frame_last"]:
                pass
    assert not steps


@pytest.mark.parametrize("width", [32, 64, 512])
def test_there_is_a_word_in_every_clock_from_frame_to_frame(dice, width):
    """But for the rows of the headers, one a clock."""
    g = geometry(width)
    frames = [Frame(g, 1, {"cut": 0}), *(random_frame(dice, g) for _ in range(40))]
    steps, clocks = run(g, frames)
    header_clocks = sum(max(frame.plan.get("skip", 0), frame.plan.get("moved", 0)) for frame in frames)
    words = [clock for clock, step in zip(clocks, steps, strict=True) if not is_header(step)]
    assert words[-1] - words[0] == len(words) - 1 + header_clocks


def test_after_a_reset_in_mid_frame_the_next_frame_starts_anew():
    g = geometry(64)
    (m, plans, dut), reset, steps = with_plans(g), Signal(), []

    async def bench(ctx):
        ctx.set(dut.room, 1)
        ctx.set(plans.i.payload, cut_plan(g, 54, 5, 4))
        ctx.set(plans.i.valid, 1)
        ctx.set(dut.rows.payload, row_end(8, last=False))
        ctx.set(dut.rows.valid, 1)
        await ctx.tick()
        ctx.set(plans.i.valid, 0)
        await ctx.tick().repeat(14)
        ctx.set(dut.rows.valid, 0)
        await pulse(ctx, reset)
        ctx.set(plans.i.payload, whole_plan(g.bus_bytes))
        ctx.set(plans.i.valid, 1)
        await ctx.tick()
        ctx.set(plans.i.valid, 0)
        ctx.set(dut.rows.payload, row_end(3, last=True))
        ctx.set(dut.rows.valid, 1)
        await ctx.tick().until(dut.rows.ready)
        ctx.set(dut.rows.valid, 0)
        for _ in range(4):
            _, _, valid, step = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                steps.append((step.at, step.low, step.high, step.row, step.first, step.last, step.segment_first, step.frame_last))

    simulate(m, bench, reset=reset)
    assert steps == [(0, 0, 3, 0, 1, 1, 1, 1)]


def test_a_fault_behind_a_limit_in_the_same_row_spoils_no_unit():
    """Every place of the limit in the last two rows: also where its row was taken before the unit ends."""
    g = geometry(32)
    frames = [
        Frame(
            g,
            54 + payload,
            cut_plan(g, 54, gso_size, longer, limit=1, end=54 + payload - left_out - 1, ufo=int(gso_size == 8)),
            54,
            gso_size,
            fault=Drop.BAD_KEEP,
        )
        for gso_size, longer in ((3, 0), (5, 0), (7, 0), (8, 0), (5, 4), (8, 4))
        for payload in range(12, 18)
        for left_out in range(1, 6)
    ]
    steps, _ = run(g, frames)
    check(g, frames, steps)
