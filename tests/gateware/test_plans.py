"""The store of plans: each field where it is read, under the plan's number, for as long as it is read."""

from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.tx.plans import LATE, PlanStore

BASE_BITS = 17


def plan_of(number):
    """A plan that can be told from any other by each of its readers' fields."""
    return {"base": number % (1 << BASE_BITS), "skip": number % 32, "sum_first": number, "ip_sum": number, "header_len": number % 256}


def test_plans_are_taken_in_order_one_a_clock_from_the_clock_after_they_came():
    dut, taken = PlanStore(geometry(64), margin=1), []

    async def bench(ctx):
        ctx.set(dut.opening.ready, 1)
        ctx.set(dut.i.valid, 1)
        for number in range(100):
            ctx.set(dut.done, number > 4)
            ctx.set(dut.i.payload, plan_of(number))
            assert ctx.get(dut.opening.valid) == (number > 0)
            await ctx.tick()
            if number:
                taken.append((ctx.get(dut.number), ctx.get(dut.slicing.skip)))

    simulate(dut, bench)
    assert taken == [(number % 32, number % 32) for number in range(99)]


def test_a_plan_can_be_read_by_its_number_until_it_is_done(dice):
    """As many as have room, taken at any time; each reader looks at any that is not done."""
    g = geometry(64)
    margin = 5
    dut = PlanStore(g, margin=margin)
    came, taken, done = [], [], [0]

    async def bench(ctx):
        spent, takes = 0, False
        for _ in range(1500):
            room = ctx.get(dut.room)
            spent = 0 if room else spent + 1
            puts = spent < margin and len(came) < 300 and dice.random() < 0.8
            ends = len(taken) > done[0] and dice.random() < 0.4
            ctx.set(dut.i.valid, puts)
            ctx.set(dut.i.payload, plan_of(1000 + len(came)))
            ctx.set(dut.done, ends)
            ctx.set(dut.opening.ready, takes := dice.random() < 0.5)
            if done[0] < len(came):
                number = dice.randrange(done[0], len(came))
                for port in (dut.ranging_at, dut.leaving_at, dut.base_at):
                    ctx.set(port, number % g.queue_depth)
                assert ctx.get(dut.ranging.header_row) == (1000 + number) % 256 // 8
                assert ctx.get(dut.leaving.ip_sum) == 1000 + number
                assert ctx.get(dut.base) == 1000 + number
            if takes and ctx.get(dut.opening.valid):
                taken.append(len(taken))
            await ctx.tick()
            if done[0] < len(came):
                assert ctx.get(dut.judging.sum_first) == 1000 + number
            if taken:
                assert ctx.get(dut.number) == taken[-1] % g.queue_depth
            came.extend([None] if puts else [])
            done[0] += ends
            assert len(came) - done[0] <= g.queue_depth

    simulate(dut, bench)
    assert done[0] > 200


def test_room_is_there_while_so_many_more_fit():
    g = geometry(64)
    margin = 7
    dut = PlanStore(g, margin=margin)

    async def bench(ctx):
        await ctx.tick().repeat(3)
        held = 0
        ctx.set(dut.i.valid, 1)
        while ctx.get(dut.room):
            await ctx.tick()
            held += 1
        assert held <= g.queue_depth - margin + 1
        assert held >= g.queue_depth - margin - LATE

    simulate(dut, bench)


def test_what_follows_from_a_plan_is_kept_with_it():
    g = geometry(64)
    dut = PlanStore(g, margin=1)
    plan = {"shift": 5, "step_lane": 4, "last_row": 9, "header_len": 66, "skips": 0, "moved": 1, "end": 8 * 77 + 3, "csum": 1}

    async def bench(ctx):
        ctx.set(dut.i.payload, plan)
        await pulse(ctx, dut.i.valid)
        ctx.set(dut.opening.ready, 1)
        opening = plain(ctx.get(dut.opening.payload))
        await ctx.tick()
        assert (opening["next_shift"], opening["moves"], opening["passes"]) == (1, 1, 1)
        assert opening["limit_lane"] == 3
        assert ctx.get(dut.slicing.limit_row) == 77
        assert ctx.get(dut.slicing.span_less) == 0
        await ctx.tick()
        assert ctx.get(dut.judging.insists)

    simulate(dut, bench)


def test_after_a_reset_there_is_no_plan():
    dut, reset = PlanStore(geometry(64), margin=1), Signal()

    async def bench(ctx):
        ctx.set(dut.i.payload, plan_of(3))
        await pulse(ctx, dut.i.valid)
        assert ctx.get(dut.opening.valid)
        await pulse(ctx, reset)
        assert not ctx.get(dut.opening.valid)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.opening.valid)

    simulate(dut, bench, reset=reset)
