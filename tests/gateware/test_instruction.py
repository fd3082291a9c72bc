"""The header processor's assembler, and what can be said of its program without running it."""

import re
import sys
from pathlib import Path

import pytest
from amaranth import Shape
from support import geometry

from offcut.tx.layouts import Field, Geometry
from offcut.tx.parser.instruction import (
    ADDRESS_BITS,
    PATCH_LAST,
    REGISTERS,
    Act,
    Assembler,
    Control,
    Count,
    Emit,
    Jump,
    Op,
    Patch,
    Plan,
    Sum,
    X,
    instruction_layout,
)
from offcut.tx.parser.microcode import assemble

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from _synth.options import configurations  # noqa: E402

BLOCK_RAM_BITS = 72
WIDTHS = [32, 64, 512]


def assembler(values=("GSO", "FRAME_LEN"), sums=("ip", "l4", "tunnel")):
    return Assembler(values, sums, geometry(64).tag)


def assembled(a):
    a.label("trap")
    return a.program()


def decoded(program):
    return [instruction_layout().from_bits(word) for word in program.words]


def test_an_instruction_is_as_wide_as_a_block_ram():
    assert instruction_layout().size <= BLOCK_RAM_BITS


def test_names_get_numbers_as_they_come_up():
    """Registers, words of the request, flags and conditions each for themselves; a label is an address, also before it is there."""
    a = assembler()
    a.label("start")
    a.do(r="0 + FRAME_LEN", store="END", set="FIRST")
    a.do(r="0 + GSO", store="SIZE", set="SECOND")
    a.do(goto="start", when="asked")
    a.do(r="R - END", clear="FIRST", goto="end", unless="zero")
    a.do(r="AT - SIZE", goto="end", when="asked")
    a.label("end")
    a.do(r="OUT + 0x1234", goto="link", unless="negative")
    program = assembled(a)
    first, second, third, fourth, fifth, sixth = decoded(program)
    assert program.registers == ["END", "SIZE"] and program.values == ["FRAME_LEN", "GSO"] and program.flags == ["FIRST", "SECOND"]
    assert program.labels == {"start": 0, "end": 5, "trap": 6} and program.trap == 6
    assert (first.immediate, second.immediate) == (REGISTERS, REGISTERS + 1)
    assert (first.store, first.register, second.register, third.store) == (1, 0, 1, 0)
    assert (fourth.x, fourth.op, fourth.immediate, fourth.y_is_immediate) == (X.R, Op.SUB, 0, 0)
    assert (fifth.x, fifth.immediate) == (X.AT, 1)
    assert (sixth.x, sixth.op, sixth.immediate, sixth.y_is_immediate) == (X.OUT, Op.ADD, 0x1234, 1)
    assert (first.act, first.argument, second.argument) == (Act.SET, 0, 1)
    assert (fourth.act, fourth.argument) == (Act.CLEAR, 0)
    conditions = program.late + program.early
    assert set(conditions) == {"always", "zero", "negative", "asked"} and {"zero", "negative"} <= set(program.late)
    assert [conditions[each.condition] for each in (first, third, fourth, sixth)] == ["always", "asked", "zero", "negative"]
    assert [each.jump for each in (first, third, fourth, sixth)] == [Jump.UNLESS, Jump.IF, Jump.UNLESS, Jump.LINK_UNLESS]
    assert (third.target, fourth.target) == (0, 5)


def test_a_line_becomes_the_bits_that_it_names():
    a = assembler()
    a.do(copy=1, need=1, tag=Field.LENGTH, sums="ip= -l4", of=Sum.R, r="0 - R", patch=Patch.LENGTH, last=1)
    a.do(repeat=1, take=1, emit=Emit.R, sums="l4=? -tunnel", count=Count.IHL)
    a.do(linked="trap", goto="link")
    a.do(plan=Plan.HEADER_END)
    a.do(drop=3)
    a.do(control=Control.DONE)
    first, second, *others = decoded(assembled(a))
    assert (first.take, first.need, first.repeat, first.emit, first.tag) == (1, 1, 0, Emit.H, geometry(64).tag(Field.LENGTH))
    assert (first.x, first.op, first.immediate, first.y_is_immediate) == (X.R, Op.RSUB, 0, 1)
    assert (first.act, first.argument) == (Act.PATCH, Patch.LENGTH | PATCH_LAST)
    assert (second.take, second.need, second.repeat, second.emit) == (1, 1, 1, Emit.R)
    named = {name: [int(each.sums[name]) for each in (first, second)] for name, _ in instruction_layout()["sums"].shape}
    assert {name for name, (bit, _) in named.items() if bit} == {"ip", "ip_begins", "l4", "minus", "of"}
    assert {name for name, (_, bit) in named.items() if bit} == {"l4", "l4_begins", "partial", "tunnel", "tunnel_minus"}
    expected = [(Act.CONTROL, Control.LINK), (Act.PLAN, Plan.HEADER_END), (Act.DROP, 3), (Act.CONTROL, Control.DONE)]
    assert [(each.act, each.argument) for each in others] == expected


def test_a_sum_that_is_not_built_is_left_out():
    a = assembler(sums=("ip", "l4"))
    a.do(copy=1, sums="-tunnel= l4")
    (line,) = decoded(assembled(a))
    assert line.sums.l4 and not (line.sums.tunnel or line.sums.tunnel_begins or line.sums.tunnel_minus or line.sums.minus)


def stored_and_read(distance):
    def program(a):
        a.do(r="0 + 1", store="A")
        for _ in range(distance - 1):
            a.do()
        a.do(r="R + A")

    return program


def flag_and_asked(condition, distance):
    def program(a):
        a.do(set="IPV6")
        for _ in range(distance - 1):
            a.do()
        a.do(goto="trap", when=condition)

    return program


REFUSED = {
    "a register that the instruction before stores": (stored_and_read(1), "stored"),
    "a register that the one before that stores": (stored_and_read(2), "stored"),
    "a flag that the instruction before sets": (flag_and_asked("IPV6", 1), "set by the instruction before"),
    "a condition that follows from it": (flag_and_asked("on_tcp", 1), "set by the instruction before"),
    "an operand of 17 bits": (lambda a: a.do(r="R + 65536"), "does not fit"),
    "a label to link and another to go to": (lambda a: a.do(linked="trap", goto="here"), "one label"),
    "two acts": (lambda a: a.do(set="A", plan=Plan.HEADER_END), "One act"),
    "a link and another act": (lambda a: a.do(linked="trap", drop=1), "One act"),
    "two places of one name": (lambda a: [a.label("here") for _ in range(2)], "Two places"),
    "a sum that nobody knows": (lambda a: a.do(sums="l5"), "no sum"),
    "more instructions than fit": (lambda a: [a.do() for _ in range((1 << ADDRESS_BITS) + 1)], "do not fit"),
    "more registers than there are": (lambda a: [a.do(store=f"R{n}") for n in range(REGISTERS + 1)], "More names"),
    "more flags than there are": (lambda a: [a.do(set=f"F{n}") for n in range(33)], "More names"),
    "more conditions than there are": (lambda a: [a.do(goto="trap", when=f"c{n}") for n in range(64)], "More names"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_processor_cannot_do_is_refused(name):
    write, says = REFUSED[name]
    a = assembler()
    with pytest.raises(ValueError, match=says):
        write(a)
        assembled(a)


@pytest.mark.parametrize(
    "write", [stored_and_read(3), flag_and_asked("IPV6", 2), lambda a: [a.do() for _ in range(1 << ADDRESS_BITS)]], ids=range(3)
)
def test_what_it_just_can_is_not(write):
    a = assembler()
    write(a)
    assembled(a)


def reached(program):
    """The addresses that some frame can come to: from the start, by whichever way conditions and links may choose."""
    lines, always = decoded(program), (program.late + program.early).index("always")
    reach, ways = set(), [program.labels["start"], program.trap]
    while ways:
        at = ways.pop()
        if at in reach or at >= len(lines):
            assert at < len(lines), "the program runs out at its end"
            continue
        reach.add(at)
        line = lines[at]
        links = line.act == Act.CONTROL and line.argument == Control.LINK
        jumps = not (line.condition == always and line.jump in (Jump.UNLESS, Jump.LINK_UNLESS))
        surely = line.condition == always and line.jump in (Jump.IF, Jump.LINK_IF)
        if links or (jumps and line.jump in (Jump.IF, Jump.UNLESS)):
            ways.append(line.target)
        if not surely and not (line.act == Act.CONTROL and line.argument == Control.DONE):
            ways.append(at + 1)
    return reach


def idle(program):
    """The others, each by the label in front of it."""
    reach = reached(program)
    labels = sorted((address, name) for name, address in program.labels.items())
    return [max(label for label in labels if label[0] <= at)[1] for at in range(len(program.words)) if at not in reach]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_engine_has_a_program_that_fits_and_no_instruction_that_no_frame_can_come_to(width):
    """Of whatever features; it jumps only to what is there, and does not run out at its end."""
    for config in configurations(width):
        g = Geometry(config)
        program = assemble(g)
        assert len(program.words) <= 1 << ADDRESS_BITS
        # (Where nothing can be cut, nothing that is can be switched off; the word for that stays.)
        assert idle(program) == ([] if g.segments else ["udp"]), sorted(config.features)


def test_the_table_in_the_documents_names_every_part_with_its_bits():
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]+) \|", text, flags=re.MULTILINE)
    told = [each for names, bits in rows for each in zip(re.findall(r"\w+", names), map(int, bits.split(", ")), strict=True)]
    assert sorted(told) == sorted((name, Shape.cast(field.shape).width) for name, field in instruction_layout())
