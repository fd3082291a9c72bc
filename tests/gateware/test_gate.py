"""The gate: what leaves, what does not, and why."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, simulate

from offcut.tx.gate import Gate
from offcut.tx.layouts import Drop

BAD_KEEP, LENGTH_MISMATCH, TOO_LONG = (
    {"spoils": 1, "drop": int(reason)} for reason in (Drop.BAD_KEEP, Drop.LENGTH_MISMATCH, Drop.TOO_LONG)
)
OUTPUTS = ("write", "side_write", "commit", "side_commit", "discard", "push")


def word(**fields):
    return {"write": 1, "first": 1, "last": 1, "segment_first": 1, "payload_last": 1, "frame_last": 1} | fields


def fields(word):
    """Of a word: all but its plan."""
    return {name: value for name, value in word.items() if name != "plan"}


def pass_words(words, dice=None, pauses=0.0, reset_behind=None, width=64, **settings):
    """What the gate says of each word, as a dict; ``entry`` and ``drop`` are None where there is none."""
    dut, reset, said = Gate(geometry(width, **settings)), Signal(), []

    async def bench(ctx):
        for number, payload in enumerate(words):
            while pauses and dice.random() < pauses:
                ctx.set(dut.i.payload, fields(word(**BAD_KEEP)))
                assert not any(ctx.get(getattr(dut, name)) for name in OUTPUTS)
                assert not ctx.get(dut.drop.valid)
                assert not ctx.get(dut.entry.valid)
                await ctx.tick()
            ctx.set(dut.i.payload, fields(payload))
            ctx.set(dut.plan, payload.get("plan", {}))
            ctx.set(dut.i.valid, 1)
            answer = {name: ctx.get(getattr(dut, name)) for name in OUTPUTS}
            answer["first"] = ctx.get(dut.first)
            answer["drop"] = Drop(ctx.get(dut.drop.payload)) if ctx.get(dut.drop.valid) else None
            answer["entry"] = plain(ctx.get(dut.entry.payload)) if ctx.get(dut.entry.valid) else None
            answer["run"] = tuple(ctx.get(getattr(dut, name)) for name in ("count", "full_row", "full_lane"))
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
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
    assert [said[output] for output in OUTPUTS] == [good, False, good, False, not good, good]
    assert (said["entry"] is not None) == good


def test_a_spoilt_frame_is_discarded_to_its_end_and_counted_once():
    """The first reason is the one that is told; the frame behind it is as good as new."""
    frame = [word(last=0, frame_last=0), word(**BAD_KEEP, last=0, frame_last=0), word(**TOO_LONG, frame_last=0), word(), word()]
    said = pass_words(frame)
    assert [each["write"] for each in said] == [1, 0, 0, 0, 1]
    assert [each["discard"] for each in said] == [0, 1, 1, 1, 0]
    assert [each["commit"] for each in said] == [0, 0, 0, 0, 1]
    assert [each["push"] for each in said] == [0, 0, 0, 0, 1]
    assert [each["drop"] for each in said] == [None, None, None, Drop.BAD_KEEP, None]
    assert [each["entry"] is not None for each in said] == [0, 0, 0, 0, 1]


def test_segments_that_have_left_stand_and_the_rest_makes_one_void_entry():
    """The void entry frees the header's slot, and nothing else."""
    plan = {"cut": 1, "headed": 1, "slot": 2}
    said = pass_words([
        word(plan=plan, frame_last=0),
        word(plan=plan, frame_last=0, segment_first=0, **LENGTH_MISMATCH),
        word(plan=plan, segment_first=0),
    ])
    assert [each["commit"] for each in said] == [1, 0, 0]
    assert said[1]["entry"] is None
    assert (said[0]["entry"]["void"], said[2]["entry"]["void"]) == (0, 1)
    assert [each["entry"]["release"] for each in said if each["entry"]] == [0, 1]
    assert (said[2]["entry"]["slot"], said[2]["entry"]["headed"]) == (2, 1)
    assert said[2]["drop"] == Drop.LENGTH_MISMATCH


def test_a_dropped_frame_without_a_slot_makes_no_entry():
    """One with a tag to insert has a slot although it is not cut."""
    without, with_slot = pass_words([word(plan={"cut": 0, "headed": headed}, **TOO_LONG) for headed in (0, 1)])
    assert without["entry"] is None
    assert (with_slot["entry"]["void"], with_slot["entry"]["release"]) == (1, 1)


def test_a_fault_behind_the_last_segment_is_counted_and_frees_nothing_twice():
    plan = {"cut": 1, "headed": 1, "slot": 1}
    said = pass_words([word(plan=plan), word(plan=plan, write=0, behind=1, **BAD_KEEP), word(plan=plan)])
    assert [each["drop"] for each in said] == [None, Drop.BAD_KEEP, None]
    assert [each["entry"] is not None for each in said] == [True, False, True]
    assert [each["commit"] for each in said] == [1, 0, 1]


def test_a_frame_that_was_dropped_is_not_counted_again_for_a_fault_behind_its_last_segment():
    plan = {"cut": 1, "headed": 1}
    said = pass_words([word(plan=plan, **TOO_LONG), word(plan=plan, write=0, behind=1, **BAD_KEEP), word(plan=plan, **BAD_KEEP)])
    assert [each["drop"] for each in said] == [Drop.TOO_LONG, None, Drop.BAD_KEEP]
    assert [each["entry"] is not None for each in said] == [True, False, True]


def test_an_entry_says_what_its_unit_needs(dice):
    g = geometry(64)
    words = []
    for _ in range(40):
        plan = {name: dice.getrandbits(1) for name in ("csum", "csum_swap", "ip", "cut", "headed")}
        plan |= {"header_len": dice.randrange(256), "slot": dice.randrange(4), "ip_low": dice.randrange(256)}
        plan |= {"csum_low": dice.getrandbits(17), "ip_sum": dice.getrandbits(16), "user": dice.getrandbits(5)}
        flags = {name: dice.getrandbits(1) for name in ("segment_first", "payload_last", "frame_last", "short")}
        words.append(word(plan=plan, row=dice.randrange(3), last_lane=dice.randrange(g.bus_bytes), **flags))
    for sent, said in zip(words, pass_words(words, user_width=5), strict=True):
        plan, entry = sent["plan"], said["entry"]
        reached = plan["cut"] or not sent["short"]
        same = ("header_len", "slot", "csum_low", "csum_swap", "ip_low", "ip_sum", "cut", "headed", "user")
        assert {name: entry[name] for name in same} == {name: plan[name] for name in same}
        assert (entry["csum"], entry["ip"]) == (plan["csum"] and reached, plan["ip"] and reached)
        assert (entry["first"], entry["last"], entry["release"]) == (sent["segment_first"], sent["payload_last"], sent["frame_last"])
        assert (entry["void"], entry["summed"], entry["side"]) == (0, 1, 0)
        assert (entry["last_row"], entry["last_lane"], entry["single"]) == (sent["row"], sent["last_lane"], sent["row"] == 0)
        assert said["first"]


DATAGRAM = {"cut": 1, "headed": 1, "ufo": 1, "csum": 1, "csum_low": 41, "slot": 3, "header_len": 34}


def datagram(rows, *, lane=7, **fields):
    """The words of a datagram whose fragments have as many words each, and the closing step."""
    words = []
    for number, count in enumerate(rows):
        for row in range(count):
            last = row == count - 1
            ends = last and number == len(rows) - 1
            words.append(
                word(
                    first=int(row == 0),
                    last=int(last),
                    segment_first=int(number == 0),
                    segment_second=int(number == 1),
                    payload_last=int(ends),
                    frame_last=0,
                    row=4 + row,
                    last_lane=(number if ends else lane) if last else 7,
                    plan=DATAGRAM,
                )
            )
    closing = word(write=0, first=0, segment_first=int(len(rows) == 1), payload_last=0, closing=1, row=99, plan=DATAGRAM)
    return [each | fields for each in [*words, closing]]


def test_the_first_fragment_waits_beside_and_its_entry_follows_those_of_the_others():
    said = pass_words(datagram([2, 2, 1]))
    assert [each["side_write"] for each in said] == [1, 1, 0, 0, 0, 0]
    assert [each["write"] for each in said] == [0, 0, 1, 1, 1, 0]
    assert [each["commit"] for each in said] == [0, 0, 0, 1, 1, 0]
    assert [each["side_commit"] for each in said] == [0, 0, 0, 0, 0, 1]
    assert [each["push"] for each in said] == [0, 0, 0, 0, 0, 1]
    assert [each["first"] for each in said] == [1, 0, 0, 0, 0, 0]
    entries = [each["entry"] for each in said if each["entry"]]
    told = ("side", "first", "last", "release", "summed", "csum", "last_row", "last_lane")
    assert [tuple(entry[name] for name in told) for entry in entries] == [
        (0, 1, 0, 0, 0, 0, 5, 7),
        (0, 0, 1, 0, 0, 0, 4, 2),
        (1, 0, 0, 1, 1, 1, 5, 7),
    ]


def test_a_datagram_of_one_fragment_leaves_from_beside_alone():
    said = pass_words(datagram([2]))
    assert [each["side_write"] for each in said] == [1, 1, 0]
    assert [each["side_commit"] for each in said] == [0, 0, 1]
    assert not any(each["write"] or each["commit"] for each in said)
    (entry,) = (each["entry"] for each in said if each["entry"])
    assert (entry["side"], entry["first"], entry["last"], entry["last_row"], entry["last_lane"]) == (1, 1, 1, 5, 0)


def test_with_the_first_fragment_first_all_are_one_unit_and_one_run():
    said = pass_words([*datagram([2, 2, 2, 1]), word(), *datagram([3])], ufo_order="first")
    assert [each["write"] for each in said] == [1] * 7 + [0, 1] + [1] * 3 + [0]
    assert [each["commit"] for each in said] == [0] * 7 + [1, 1] + [0] * 3 + [1]
    assert [each["push"] for each in said] == [each["commit"] for each in said]
    assert not any(each["side_write"] for each in said)
    entries = [(each["entry"], each["run"]) for each in said if each["entry"]]
    assert [run[0] for _, run in entries] == [3, 0, 0]
    (run, (_, full_row, full_lane)), _, (alone, _) = entries
    assert (full_row, full_lane) == (5, 7)
    told = ("first", "last", "release", "summed", "csum", "last_row", "last_lane")
    assert tuple(run[name] for name in told) == (1, 1, 1, 1, 1, 4, 3)
    assert tuple(alone[name] for name in told) == (1, 1, 1, 1, 1, 6, 0)


def test_a_datagram_that_would_fill_the_buffer_is_dropped_and_the_next_one_is_not():
    """It can leave no sooner than it is whole."""
    settings = {"width": 512, "ufo_order": "first", "mtu_max": 1522}
    most = geometry(**settings).datagram_words
    said = pass_words([*datagram([most // 8 + 1] * 8), *datagram([2, 2])], **settings)
    assert [each["write"] for each in said[most - 1 : most + 1]] == [1, 0]
    assert not any(each["write"] for each in said[most:-5])
    assert [each["drop"] for each in said if each["drop"] is not None] == [Drop.TOO_BIG]
    assert [each["entry"]["void"] for each in said if each["entry"]] == [1, 0]
    assert said[-1]["run"] == (1, 5, 7)


def random_frame(dice):
    """The words of a frame of any kind, which some word may spoil."""
    kind = dice.randrange(3)
    rows = [dice.randint(1, 3)] * dice.randint(0, 4) + [dice.randint(1, 3)]
    if kind == 0:
        words = datagram(rows)
    else:
        rows = rows if kind == 1 else rows[:1]
        plan = {"cut": int(kind == 1), "headed": dice.choice([1, int(kind == 1)])}
        ends = [(count, number == len(rows) - 1) for number, count in enumerate(rows)]
        words = [
            word(
                first=int(row == 0),
                last=int(row == count - 1),
                segment_first=int(number == 0),
                segment_second=int(number == 1),
                payload_last=int(final and row == count - 1),
                frame_last=int(final and row == count - 1),
                row=row,
                plan=plan,
            )
            for number, (count, final) in enumerate(ends)
            for row in range(count)
        ]
    if dice.random() < 0.4:
        words[dice.randrange(len(words))] |= dice.choice([BAD_KEEP, TOO_LONG, LENGTH_MISMATCH])
    return words


@pytest.mark.parametrize("order", ["last", "first"])
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_whole_units_are_kept_and_nothing_of_any_other(dice, order, pauses):
    """What a buffer holds in the end, and the entries, for frames of all kinds back to back."""
    frames = [random_frame(dice) for _ in range(60)]
    kept, beside, voids, drops, pushed, runs, number = [], [], 0, [], 0, [], 0
    for words in frames:
        fragments = bool(words[0]["plan"].get("ufo"))
        waiting, unit, first = [], [], []  # fragments of a datagram, words of a unit, and those of the first fragment
        for place, each in enumerate(words):
            if each.get("spoils"):
                drops.append(each["drop"])
                voids += each["plan"]["headed"]
                break
            if each["write"]:
                unit.append(number + place)
            if fragments and each.get("closing"):
                pushed += 1
                kept += waiting
                beside += first
                runs.append(sum(other["last"] for other in words) - 2)  # but the last fragment, and the closing step
            elif each["last"]:
                if not fragments:
                    pushed += 1
                    kept += unit
                elif order == "first":
                    waiting += unit
                elif each["segment_first"]:
                    first = unit
                else:
                    kept += unit
                unit = []
        number += len(words)
    said = pass_words([each for words in frames for each in words], dice, pauses, ufo_order=order)
    assert committed(said, "write", "commit") == kept
    assert committed(said, "side_write", "side_commit") == (beside if order == "last" else [])
    assert [each["drop"] for each in said if each["drop"] is not None] == drops
    assert sum(each["push"] for each in said) == pushed
    entries = [each["entry"] for each in said if each["entry"]]
    assert sum(entry["void"] for entry in entries) == voids
    if order == "first":
        counted = [each["run"][0] for each in said if each["entry"]]
        assert [count for count in counted if count] == [count for count in runs if count]
    assert sum(entry["release"] and entry["headed"] for entry in entries) == sum(words[0]["plan"]["headed"] for words in frames)
    assert sum(entry["summed"] and not entry["void"] for entry in entries) == pushed


def committed(said, write, commit):
    """The numbers of the words that a buffer keeps."""
    held, pending = [], []
    for number, each in enumerate(said):
        if each["discard"]:
            pending = []
            continue
        pending += [number] if each[write] else []
        if each[commit]:
            held, pending = held + pending, []
    return held


def test_after_a_reset_a_frame_is_no_longer_spoilt():
    said = pass_words([word(**BAD_KEEP, last=0, frame_last=0), word()], reset_behind=0)
    assert (said[1]["commit"], said[1]["drop"]) == (1, None)
