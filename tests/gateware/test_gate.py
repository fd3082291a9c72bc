"""The gate: what leaves, what does not, and why."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.tx.gate import Gate
from offcut.tx.layouts import Drop

BAD_KEEP, LENGTH_MISMATCH, TOO_LONG = (
    {"spoils": 1, "drop": int(reason)} for reason in (Drop.BAD_KEEP, Drop.LENGTH_MISMATCH, Drop.TOO_LONG)
)
OUTPUTS = ("write", "commit", "discard", "summed")


def word(**fields):
    return {"write": 1, "first": 1, "last": 1, "segment_first": 1, "frame_last": 1} | fields


def pass_words(words, dice=None, pauses=0.0, reset_behind=None):
    """What the gate says of each word, as a dict; ``entry`` and ``drop`` are None where there is none."""
    dut, reset, said = Gate(geometry(64)), Signal(), []

    async def bench(ctx):
        for number, payload in enumerate(words):
            while pauses and dice.random() < pauses:
                ctx.set(dut.i.payload, word(**BAD_KEEP))
                assert not any(ctx.get(getattr(dut, name)) for name in OUTPUTS)
                assert not ctx.get(dut.drop.valid)
                await ctx.tick()
                assert not ctx.get(dut.entry.valid)
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            answer = {name: ctx.get(getattr(dut, name)) for name in OUTPUTS}
            answer["drop"] = Drop(ctx.get(dut.drop.payload)) if ctx.get(dut.drop.valid) else None
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            answer["entry"] = plain(ctx.get(dut.entry.payload)) if ctx.get(dut.entry.valid) else None
            said.append(answer)
            if number == reset_behind:
                await pulse(ctx, reset)

    simulate(dut, bench, reset=reset)
    return said


@pytest.mark.parametrize("reason", Drop)
@pytest.mark.parametrize("pauses", [0.0, 0.5])
def test_a_word_passes_or_is_dropped_for_its_reason(dice, reason, pauses):
    good = reason == Drop.NONE
    (said,) = pass_words([word(spoils=int(not good), drop=int(reason))], dice, pauses)
    assert said["drop"] == (None if good else reason)
    assert [said[output] for output in OUTPUTS] == [good, good, not good, good]
    assert (said["entry"] is not None) == good


def test_a_spoilt_frame_is_discarded_to_its_end_and_counted_once():
    """The first reason is the one that is told; the frame behind it is as good as new."""
    frame = [word(last=0, frame_last=0), word(**BAD_KEEP, last=0, frame_last=0), word(**TOO_LONG, frame_last=0), word(), word()]
    said = pass_words(frame)
    assert [each["write"] for each in said] == [1, 0, 0, 0, 1]
    assert [each["discard"] for each in said] == [0, 1, 1, 1, 0]
    assert [each["commit"] for each in said] == [0, 0, 0, 0, 1]
    assert [each["summed"] for each in said] == [0, 0, 0, 0, 1]
    assert [each["drop"] for each in said] == [None, None, None, Drop.BAD_KEEP, None]
    assert [each["entry"] is not None for each in said] == [0, 0, 0, 0, 1]


def test_segments_that_have_left_stand_and_the_rest_makes_one_void_entry():
    """The void entry frees the header's slot, and nothing else."""
    plan = {"cut": 1, "slot": 2}
    said = pass_words([
        word(plan=plan, frame_last=0),
        word(plan=plan, frame_last=0, segment_first=0, **LENGTH_MISMATCH),
        word(plan=plan, segment_first=0),
    ])
    assert [each["commit"] for each in said] == [1, 0, 0]
    assert said[1]["entry"] is None
    assert (said[0]["entry"]["void"], said[2]["entry"]["void"]) == (0, 1)
    assert (said[2]["entry"]["slot"], said[2]["entry"]["last"], said[2]["entry"]["cut"]) == (2, 1, 1)
    assert said[2]["drop"] == Drop.LENGTH_MISMATCH


def test_a_dropped_frame_without_a_slot_makes_no_entry():
    (said,) = pass_words([word(plan={"cut": 0}, **TOO_LONG)])
    assert said["entry"] is None


def test_a_fault_behind_the_last_segment_is_counted_and_frees_nothing_twice():
    plan = {"cut": 1, "slot": 1}
    said = pass_words([word(plan=plan), word(plan=plan, write=0, behind=1, **BAD_KEEP), word(plan=plan)])
    assert [each["drop"] for each in said] == [None, Drop.BAD_KEEP, None]
    assert [each["entry"] is not None for each in said] == [True, False, True]
    assert [each["commit"] for each in said] == [1, 0, 1]


def test_an_entry_says_what_its_unit_needs(dice):
    names = ("csum", "csum_swap", "ip", "ip_tagged", "cut")
    words = []
    for _ in range(40):
        plan = {name: dice.getrandbits(1) for name in names} | {"auto": 1, "header_len": dice.randrange(256), "slot": dice.randrange(4)}
        plan |= {"csum_low": dice.getrandbits(17), "ip_sum": dice.getrandbits(16)}
        words.append(
            word(
                plan=plan, row=dice.randrange(3), last_lane=dice.randrange(8), segment_first=dice.getrandbits(1), short=dice.getrandbits(1)
            )
        )
    for sent, said in zip(words, pass_words(words), strict=True):
        plan, entry = sent["plan"], said["entry"]
        reached = plan["cut"] or not sent["short"]
        same = ("header_len", "slot", "csum_low", "csum_swap", "ip_sum", "ip_tagged", "cut")
        assert {name: entry[name] for name in same} == {name: plan[name] for name in same}
        assert (entry["csum"], entry["ip"]) == (plan["csum"] and reached, plan["ip"] and reached)
        assert (entry["first"], entry["last"], entry["void"]) == (sent["segment_first"], 1, 0)
        assert (entry["last_row"], entry["last_lane"], entry["single"]) == (sent["row"], sent["last_lane"], sent["row"] == 0)


def test_after_a_reset_a_frame_is_no_longer_spoilt():
    said = pass_words([word(**BAD_KEEP, last=0, frame_last=0), word()], reset_behind=0)
    assert (said[1]["commit"], said[1]["drop"]) == (1, None)
