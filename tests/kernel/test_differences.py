"""The comparison with the kernel lets nothing pass that has no name; most of it is tried on recorded answers, so it needs no root."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.differences import DIFFERENCES, Disagreement, compare
from kernel.otherwise import OTHERWISE, compare_otherwise
from kernel.vectors import load, question
from offcut.oracle import KernelOracle, unavailable
from traffic import requests

VECTORS = load(Path(__file__).parents[1] / "model" / "kernel_vectors.json")
SENT = [vector for vector in VECTORS if compare(vector.header, vector.frame, vector.answer) in ("cut", "whole")]
IPV6_FRAGMENTS = [vector for vector in SENT if vector.header.gso_type == 3 and "IPv6" in vector.note and len(vector.answer) > 1]


@pytest.fixture(scope="module")
def kernel():
    why = unavailable()
    if why:
        pytest.skip(why)
    with KernelOracle() as oracle:
        yield lambda header, frame: oracle.ask(header.pack(24), frame)


def with_bit(frame, bit):
    changed = bytearray(frame)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


SPOILT = {
    "a bit is another": lambda dice, answer: [*answer[:-1], with_bit(answer[-1], dice.randrange(8 * len(answer[-1])))],
    "a byte is missing": lambda dice, answer: [answer[0][:-1], *answer[1:]],
    "a frame is missing": lambda dice, answer: answer[1:],
    "a frame is sent twice": lambda dice, answer: [answer[0], *answer],
}


@pytest.mark.parametrize("how", SPOILT)
def test_an_answer_that_is_spoilt_is_no_agreement(seed, how):
    dice = random.Random(seed)
    agreed = 0
    for vector in SENT:
        if vector in IPV6_FRAGMENTS:
            continue
        try:
            agreed += compare(vector.header, vector.frame, SPOILT[how](dice, vector.answer)) in ("cut", "whole")
        except Disagreement:
            pass
    assert agreed == 0


def test_fragments_in_another_order_disagree():
    for vector in SENT:
        if len(vector.answer) > 1 and vector.answer[0] != vector.answer[1]:
            with pytest.raises(Disagreement):
                compare(vector.header, vector.frame, vector.answer[::-1])


def test_the_identification_of_ipv6_fragments_is_free_but_one_for_all():
    assert IPV6_FRAGMENTS
    for vector in IPV6_FRAGMENTS:
        at = next(at for at in range(54, 200) if vector.answer[0][at : at + 8] == bytes((17, 0, 0, 1, 0, 0, 0, 0))) + 4
        others = [wire[:at] + b"\x12\x34\x56\x78" + wire[at + 4 :] for wire in vector.answer]
        assert compare(vector.header, vector.frame, others) == "cut"
        with pytest.raises(Disagreement):
            compare(vector.header, vector.frame, [vector.answer[0], *others[1:]])


def test_a_disagreement_shows_the_question_and_both_answers_where_they_differ():
    vector = next(vector for vector in SENT if len(vector.answer) > 2)
    spoilt = [*vector.answer[:2], with_bit(vector.answer[2], 8 * 20), *vector.answer[3:]]
    with pytest.raises(Disagreement, match="wire frame 2 differs from byte 20 on") as caught:
        compare(vector.header, vector.frame, spoilt, "the note")
    text = str(caught.value)
    assert text.startswith("the note\n") and "VirtioNetHdr(" in text
    model, kernel, mark = (
        re.search(f"^{line}.*$", text, re.MULTILINE)
        for line in ("model    [0-9a-f]{2} [0-9a-f]{2} ", "kernel   [0-9a-f]{2} [0-9a-f]{2} ", " +\\^\\^")
    )
    column = mark[0].index("^")
    assert model[0][9:column] == kernel[0][9:column] and model[0][column : column + 2] != kernel[0][column : column + 2]


def test_every_difference_says_why():
    for difference in DIFFERENCES:
        assert difference.__doc__.startswith(("On purpose: ", "Kernel's bug: ", "Kernel's limit: ", "The question cannot be asked: ")), (
            difference
        )


@pytest.mark.parametrize(("tags", "answer"), [(7, "cut"), (8, "too_many_tags"), (9, "too_many_tags")])
@pytest.mark.parametrize("tpid", [b"\x81\x00", b"\x88\xa8"], ids=["802.1Q", "802.1ad"])
def test_the_kernel_cuts_behind_seven_tags_and_no_more(kernel, tags, answer, tpid):
    vector = next(v for v in SENT if v.header.gso_type == 1 and v.header.flags & 1 and v.frame[12:14] == b"\x08\x00" and len(v.answer) > 1)
    frame = vector.frame[:12] + tags * (tpid + b"\x00\x07") + vector.frame[12:]
    header = replace(vector.header, csum_start=vector.header.csum_start + 4 * tags)
    assert compare(header, frame, kernel(header, frame)) == answer


def test_what_cannot_be_asked_agrees_when_asked_otherwise(kernel, seed):
    seen = dict.fromkeys(OTHERWISE, 0)
    for case in requests(seed, 1500, kinds=("gre", "ipip", "csum-anywhere", "tiny", "tso", "udp-tunnel"), jumbo=0, size="small"):
        header, frame = question(case)
        difference = compare(header, frame, kernel(header, frame), case.note)
        if difference in OTHERWISE:
            assert compare_otherwise(difference, header, frame, kernel, case.note) == "otherwise"
            seen[difference] += 1
    assert min(seen.values()) > 20, seen


def test_a_tunnel_whose_headers_are_wrong_is_found(kernel, seed, monkeypatch):
    header, frame = next(
        (header, frame)
        for header, frame in map(question, requests(seed, 100, kinds=("ipip",), jumbo=0, size="small"))
        if compare(header, frame, kernel(header, frame)) == "tunnel_that_a_tap_cannot_name"
    )
    from kernel import otherwise

    right = otherwise.answer_of
    monkeypatch.setattr(otherwise, "answer_of", lambda *asked: [with_bit(wire, 8 * 17) for wire in right(*asked)])
    with pytest.raises(Disagreement):
        compare_otherwise("tunnel_that_a_tap_cannot_name", header, frame, kernel)
