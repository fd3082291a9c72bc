"""The header processor's instructions, and an assembler for them."""

from amaranth.lib import data, enum

from ..layouts import Field

__all__ = ["Act", "Assembler", "Control", "Count", "Emit", "Jump", "Op", "Patch", "Plan", "Program", "Sum", "X", "instruction_layout"]

ADDRESS_BITS = 9
IMMEDIATE_BITS = 16


class X(enum.IntEnum, shape=3):
    """The first operand."""

    ZERO = 0
    R = 1
    """The result of the instruction before."""
    H = 2
    """The halfword of the frame that is looked at."""
    AT = 3
    """Its place in the frame as it came, in bytes."""
    OUT = 4
    """Where it will stand in the header as it leaves."""


class Op(enum.IntEnum, shape=2):
    """What is done with the operands x and y."""

    ADD = 0
    SUB = 1
    """x - y"""
    RSUB = 2
    """y - x"""
    AND = 3


class Emit(enum.IntEnum, shape=2):
    """What is written into the header as it leaves."""

    NOTHING = 0
    H = 1
    R = 2
    POKE = 3
    """A field at place R, where something has been written before."""


class Sum(enum.IntEnum, shape=2):
    """What goes into the sums."""

    H = 0
    R = 1
    """The lower 16 bits."""
    R_HIGH = 2
    """Those above."""


class Jump(enum.IntEnum, shape=2):
    """Where the program goes on if a condition holds, and else with the next instruction."""

    IF = 0
    UNLESS = 1
    LINK_IF = 2
    LINK_UNLESS = 3


class Act(enum.IntEnum, shape=3):
    """What else an instruction does, with an argument of five bits."""

    NONE = 0
    PLAN = 1
    """A number of the plan becomes R."""
    SET = 2
    CLEAR = 3
    """A flag."""
    COUNT = 4
    PATCH = 5
    """A word of the patcher's program, with R or a sum in it: a :class:`Patch`, and 16 for the last one."""
    DROP = 6
    CONTROL = 7


class Plan(enum.IntEnum):
    """Numbers of the plan."""

    HEADER_LEN = 0
    HEADER_END = 1
    LAST = 2
    END = 3
    SUM_FIRST = 4
    SUM_LAST = 5
    CSUM_LOW = 6
    IP_LOW = 7


class Count(enum.IntEnum):
    """Which halfwords are counted. They can be asked for by the instruction after the next one."""

    IHL = 0
    """Those behind the first five words of an IPv4 header, whose length stands in H..."""
    DATA_OFFSET = 1
    """... of a TCP header, whose length stands in R..."""
    EXTENSION = 2
    """... behind the first word of an extension header, whose length stands in H."""
    R = 3
    """Those of R bytes."""


class Control(enum.IntEnum):
    DONE = 0
    """The plan is complete."""
    LINK = 1
    """Remember where to go on later."""
    PROTOCOL_LOW = 2
    PROTOCOL_HIGH = 3
    """What follows is told by a byte of H."""
    NUMBERED = 4
    """The frame takes an identification."""
    BACK = 5
    """The patcher's last word is written anew."""
    MARK = 6
    """The patcher's next word is written later..."""
    PATCH_MARK = 7
    """... now."""


TRAPPED = 15
"""As a drop's number: why the frame could not be read any further."""


class Patch(enum.IntEnum):
    """What a word is, for the patcher: one of the fields, or one of these. A checksum is patched with its sum, which takes four clocks from its
    last value on."""

    CONSTANTS = 0
    """R is the segment size. Who is given it is cut."""
    LENGTH = Field.LENGTH
    IDENTIFICATION = Field.IDENTIFICATION
    LOW = Field.LOW
    HIGH = Field.HIGH
    FLAGS = Field.FLAGS
    """Of the first segment."""
    IP_CSUM = Field.IP_CSUM
    FRAGMENT = Field.FRAGMENT
    INNER_LENGTH = Field.INNER_LENGTH
    INNER_IDENTIFICATION = Field.INNER_IDENTIFICATION
    INNER_IP_CSUM = Field.INNER_IP_CSUM
    TUNNEL_LENGTH = Field.TUNNEL_LENGTH
    TUNNEL_CSUM = Field.TUNNEL_CSUM
    FLAGS_MIDDLE = 13
    FLAGS_LAST = 14
    FLAGS_ONLY = 15


PATCH_LAST = 16


def instruction_layout():
    """72 bits: what a block RAM has."""
    return data.StructLayout({
        "target": ADDRESS_BITS,
        "condition": 6,
        "jump": Jump,
        "need": 1,  # a word of four bytes must be there, and lie in the first 256; otherwise the program goes on at its trap
        "take": 1,  # the next halfword
        "repeat": 1,  # for as many halfwords as are counted, maybe none; every other one is the second of a word
        "emit": Emit,
        "tag": 4,
        "sums": data.StructLayout({
            "ip": 1,
            "l4": 1,
            "tunnel": 1,
            "ip_begins": 1,
            "l4_begins": 1,
            "tunnel_begins": 1,
            "partial": 1,  # l4 only if, or where it begins: begins only if, the frame's checksum began with a pseudo-header
            "minus": 1,
            "tunnel_minus": 1,
            "of": Sum,
        }),
        "x": X,
        "y_is_immediate": 1,
        "op": Op,
        "immediate": IMMEDIATE_BITS,  # or in its lowest bits which register or word of the request y is
        "store": 1,
        "register": 4,
        "act": Act,
        "argument": 5,
    })


class Program:
    """What an :class:`Assembler` has made.

    Attributes
    ----------
    words : list of int
    late, early, registers, values, flags : list of str
        In the order of their numbers. Late conditions are looked at with their instruction, early ones a clock before; they follow the late
        ones. Values are those words of the request that are operands; they follow the 16 registers.
    trap : int
        An address.
    labels : dict
    """

    def __init__(self, words, late, early, registers, values, flags, labels):
        self.words, self.late, self.early, self.registers, self.values, self.flags = words, late, early, registers, values, flags
        self.labels = labels
        self.trap = labels["trap"]


REGISTERS = 16
SUMS = ("ip", "l4", "tunnel")

LATE = (
    "zero",
    "negative",
    "start_wrong",
    "straight",
    "straight_tcp",
    "inner_straight",
    "out_long",
    "right_ipv4",
    "right_ipv6",
    "ethertype_ipv4",
    "ethertype_ipv6",
    "ethertype_ethernet",
    "ethertype_tag",
    "ipv4_sound",
    "ipv6_sound",
    "data_offset_sound",
    "is_tcp",
    "is_udp",
    "is_gre",
    "is_ipv4",
    "is_ipv6",
    "is_sctp",
    "is_hop_by_hop",
    "is_routing",
    "is_destination",
    "is_extension",
)
"""Conditions that the instruction before can still change. All others are of the request, or flags, or follow from some."""

FOLLOWS = {
    "INNER": ("INNER_IPV6",),
    "inner_bare": ("INNER", "INNER_IPV6", "TUNNEL_UDP"),
    "on_tcp": ("IPV6",),
    "on_ip_in_ip": ("IPV6",),
}
"""From which flags."""


class Assembler:
    """Collects instructions. Conditions, registers, values and flags get their numbers as they come up.

    Parameters
    ----------
    values : iterable of str
        Names that are words of the request; all other operands are registers.
    sums : iterable of str
        Those that are built in: the others are left out.
    tag : callable
        The number that stands for a field in the header RAM.
    """

    def __init__(self, values, sums, tag):
        self._tag = tag
        self._value_names = set(values)
        self._built = set(sums)
        self._lines = []
        self._stored = (None, None)  # by the two instructions before
        self._labels = {}
        self._conditions, self._registers, self._values, self._flags = ["always"], [], [], []
        self._sets = None  # by the instruction before

    def label(self, name):
        if name in self._labels:
            raise ValueError(f"Two places are called {name}")
        self._labels[name] = len(self._lines)

    def do(
        self,
        *,
        need=0,
        take=0,
        copy=0,
        repeat=0,
        emit=None,
        tag=Field.NONE,
        sums="",
        of=Sum.H,
        r=None,
        store=None,
        goto=None,
        when=None,
        unless=None,
        **act,
    ):
        """One instruction.

        Parameters
        ----------
        copy : bool
            Take the halfword and write it.
        sums : str
            Those that count it: ``ip``, ``-l4``, ``tunnel=`` (begins with it), ``l4?`` and ``l4=?`` (only in a frame with a partial checksum).
        r : str
            ``x op y``.
        goto, when, unless : str
            A label, or ``link`` for the one that was linked. A jump takes three clocks more.
        act
            One of ``plan=``, ``set=``, ``clear=``, ``count=``, ``patch=`` (with ``last=``), ``drop=``, ``control=``, ``linked=``.
        """
        line = {
            "need": need | repeat,
            "take": take | copy,
            "repeat": repeat,
            "emit": Emit.H if copy else emit or Emit.NOTHING,
            "tag": self._tag(tag),
        }
        line |= self._sums(sums, of) | self._arithmetic(r, store) | self._act(**act)
        if "linked" in act and goto not in (None, "link"):
            raise ValueError(f"An instruction has one label, not {act['linked']} to be linked and {goto} to go to")
        name = act.get("linked", goto)
        if goto or when or unless:
            to_link = goto == "link"
            condition = when or unless or "always"
            line["jump"] = [Jump.IF, Jump.UNLESS, Jump.LINK_IF, Jump.LINK_UNLESS][2 * to_link + (unless is not None)]
            if self._sets in (condition, *FOLLOWS.get(condition, ())):
                raise ValueError(f"{condition} is set by the instruction before: it can be asked for by the next one")
            line["condition"] = condition
            number(self._conditions, condition)
        else:
            line["jump"], line["condition"] = Jump.UNLESS, "always"
        self._sets = self._flags[line["argument"]] if line["act"] in (Act.SET, Act.CLEAR) else None
        line["target"] = None if name in (None, "link") else name
        self._lines.append(line)

    def _sums(self, text, of):
        line = {"of": of}
        for word in text.split():
            name = word.strip("-=?")
            if name not in SUMS:
                raise ValueError(f"There is no sum {name}")
            if name not in self._built:
                continue
            line[name] = 1
            if "=" in word:
                line[f"{name}_begins"] = 1
            if "?" in word:
                line["partial"] = 1
            if "-" in word:
                line["tunnel_minus" if name == "tunnel" else "minus"] = 1
        return line

    def _arithmetic(self, text, store):
        line = {"store": int(store is not None), "register": 0}
        busy, self._stored = self._stored, (*self._stored[1:], store)
        if store is not None:
            line["register"] = number(self._registers, store)
        left, operation, right = (text or "R + 0").split()
        if operation == "-" and right in X.__members__:
            left, right, op = right, left, Op.RSUB
        else:
            op = {"+": Op.ADD, "-": Op.SUB, "&": Op.AND}[operation]
        line |= {"x": X.ZERO if left == "0" else X[left], "op": op}
        if right[0].isdigit():
            value = int(right, 0)
            if value >> IMMEDIATE_BITS:
                raise ValueError(f"An operand of {value} does not fit {IMMEDIATE_BITS} bits")
            return line | {"y_is_immediate": 1, "immediate": value}
        if right in self._value_names:
            return line | {"immediate": REGISTERS + number(self._values, right)}
        if right in busy:
            raise ValueError(f"{right} is stored by one of the two instructions before: it can be read by the third")
        return line | {"immediate": number(self._registers, right)}

    def _act(self, *, plan=None, set=None, clear=None, count=None, patch=None, last=0, drop=None, control=None, linked=None):  # noqa: A002
        choices = [
            (Act.PLAN, plan),
            (Act.SET, None if set is None else number(self._flags, set)),
            (Act.CLEAR, None if clear is None else number(self._flags, clear)),
            (Act.COUNT, count),
            (Act.PATCH, None if patch is None else patch | (PATCH_LAST if last else 0)),
            (Act.DROP, drop),
            (Act.CONTROL, Control.LINK if linked else control),
        ]
        chosen = [(act, int(argument)) for act, argument in choices if argument is not None]
        if len(chosen) > 1:
            raise ValueError(f"One act an instruction, not {chosen}")
        act, argument = chosen[0] if chosen else (Act.NONE, 0)
        return {"act": act, "argument": argument}

    def program(self):
        """All of it.

        Returns
        -------
        Program
        """
        layout = instruction_layout()
        late = [name for name in self._conditions if name in LATE]
        early = [name for name in self._conditions if name not in LATE]
        if len(self._lines) > 1 << ADDRESS_BITS:
            raise ValueError(f"{len(self._lines)} instructions do not fit {1 << ADDRESS_BITS}")
        if len(self._registers) > REGISTERS or len(self._values) > REGISTERS or len(self._conditions) > 64 or len(self._flags) > 32:
            counts = [len(names) for names in (self._registers, self._values, self._conditions, self._flags)]
            raise ValueError(f"More names than there are numbers: {counts} registers, values, conditions and flags {self._conditions}")
        sums = layout["sums"].shape
        words = []
        for line in self._lines:
            plain = {name: value for name, value in line.items() if name in layout.members}
            plain["condition"] = [*late, *early].index(line["condition"])
            plain["target"] = self._labels[line["target"]] if line["target"] else 0
            plain["sums"] = {name: value for name, value in line.items() if name in sums.members}
            words.append(layout.const(plain).as_value().value)
        return Program(words, late, early, self._registers, self._values, self._flags, dict(self._labels))


def number(names, name):
    """The place of a name in a list, at whose end it is put if it is new."""
    if name not in names:
        names.append(name)
    return names.index(name)
