"""Write down, field by field, how the headers of a frame's segments are made."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..layouts import Field
from .interface import FLAGS_CLEARED, ID_15_BITS, ID_FIXED, record_layout

__all__ = ["PLACES", "STEPS", "Program", "constants_layout", "word_layout"]

PLACES = ("first", "middle", "last", "only")
"""Of a segment in its frame: the TCP flags have a word for each."""

RUNNING = (Field.IDENTIFICATION, Field.INNER_IDENTIFICATION, Field.FRAGMENT, Field.LOW, Field.HIGH)
"""Fields that count on from unit to unit."""

STEPS = 16
"""Words that a program has at most."""

MORE_FRAGMENTS_IPV4 = 0x2000
MORE_FRAGMENTS_IPV6 = 0x0001


def word_layout(geometry):
    """One step of a program.

    ``runs`` says that the field counts on from unit to unit. ``data`` is what it is made of: the opposite of the place that a length counts
    from, the first value of what runs on, a sum, or the field itself.
    """
    return data.StructLayout({"field": geometry.field_bits, "last": 1, "runs": 1, "data": 16})


def constants_layout(geometry):
    """What is needed beside the words."""
    return data.StructLayout(
        {
            "size": 16,  # what the sequence number or the fragment offset moves on by, from unit to unit
            "id_fixed": 1,
            "id_15_bits": 1,
        }
        | {name: 1 for name in ("udp", "ipv6", "tunnel_udp", "inner_ipv6") if name in geometry.record.members}
    )


class Program(wiring.Component):
    """A word a clock from a record on, for each field that its frame has: in the order in which they stand in a header, but that
    the sequence number's lower half comes before the upper one, which takes its carry.

    Members
    -------
    record : In(stream.Signature(record_layout(geometry), always_ready=True))
        A record takes a clock and as many more as it has words, up to 14.
    write : Out(1)
    slot, at, word : Out
    begin : Out(1)
        ``constants`` are those of ``slot``.
    constants : Out(constants_layout(geometry))
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "record": In(stream.Signature(record_layout(geometry), always_ready=True)),
            "write": Out(1),
            "slot": Out(range(geometry.slots)),
            "at": Out(range(STEPS)),
            "word": Out(word_layout(geometry)),
            "begin": Out(1),
            "constants": Out(constants_layout(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        record = Signal(g.record)

        def of(name, width=1):
            return record[name] if name in g.record.members else C(0, width)

        def behind(name):
            """What a length adds to its unit's, which counts from 1, where the place that it counts from does from 0."""
            return 0xFFFF ^ of(name, 16)

        ipv6, udp, ufo, inner = of("ipv6"), of("udp"), of("ufo"), of("inner")
        inner_ipv4 = inner & ~of("inner_ipv6")
        step = Signal(range(STEPS))
        cleared = [C(FLAGS_CLEARED[place], 12) ^ of(f"clear_{place}", 12) for place in PLACES[:-1]]
        flags = of("flags", 16) & ~pick(cleared, step[: ceil_log2(len(PLACES))], 16)
        steps = {
            # Field: whether this record has it, whether it is the last, and what it is made of.
            Field.LENGTH: (1, 0, behind("length_behind")),
            Field.IDENTIFICATION: (~ipv6, 0, of("identification", 16)),
            Field.FRAGMENT: (ufo, ipv6, Mux(ipv6, MORE_FRAGMENTS_IPV6, MORE_FRAGMENTS_IPV4)),
            Field.IP_CSUM: (~ipv6, ufo, of("ip_sum", 16)),
            Field.TUNNEL_LENGTH: (of("tunnel_udp"), 0, behind("tunnel_behind")),
            Field.TUNNEL_CSUM: (of("tunnel_csum"), 0, of("tunnel_sum", 16)),
            Field.INNER_LENGTH: (inner, 0, behind("inner_length_behind")),
            Field.INNER_IDENTIFICATION: (inner_ipv4, 0, of("inner_identification", 16)),
            Field.INNER_IP_CSUM: (inner_ipv4, 0, of("inner_ip_sum", 16)),
            Field.LOW: (~ufo, udp, Mux(udp, behind("l4_behind"), of("seq", 32)[:16])),
            Field.HIGH: (~udp, 0, of("seq", 32)[16:]),
        }
        fields, (there, last, values) = list(steps), zip(*steps.values(), strict=True)

        # --- A step a clock, over those that are not there. The flags come last, in STEPS - 4 to STEPS - 1.
        first_flags = STEPS - len(PLACES)
        writing = Signal()
        ends = Signal()
        following = Signal.like(step)
        m.d.comb += following.eq(step + 1)
        with m.Switch(step):
            for number in range(len(fields)):
                with m.Case(number):
                    m.d.comb += following.eq(first_flags)
                    for later in reversed(range(number + 1, len(fields))):
                        if fields[later] in g.fields:
                            with m.If(there[later]):
                                m.d.comb += following.eq(later)
        with m.If(writing):
            m.d.sync += [step.eq(following), self.at.eq(self.at + 1), writing.eq(~ends)]
        with m.If(self.record.valid):
            m.d.sync += [
                writing.eq(1),
                step.eq(0),
                self.at.eq(0),
                self.slot.eq(self.record.payload.slot),
                record.eq(self.record.payload.record),
            ]

        in_flags = step >= first_flags
        m.d.comb += [
            self.write.eq(writing),
            ends.eq(Mux(in_flags, step == STEPS - 1, pick(last, step, 1))),
            self.word.last.eq(ends | in_flags),
            self.word.runs.eq(pick([field in RUNNING and (~udp if field == Field.LOW else 1) for field in fields], step, 1)),
            self.word.data.eq(pick([*values, *[0] * (first_flags - len(fields)), *[flags] * len(PLACES)], step, 16)),
            self.word.field.eq(
                pick([*(g.tag(field) for field in fields), *[0] * (first_flags - len(fields)), *[g.tag(Field.FLAGS)] * 4], step, 4)
            ),
        ]

        # --- What is needed beside them.
        size = record.size
        if g.ufo:
            size = Mux(record.ufo & ~ipv6, record.size >> 3, record.size)
        m.d.sync += self.begin.eq(self.record.valid)
        m.d.comb += [
            self.constants.size.eq(size),
            self.constants.id_fixed.eq((of("id_mode", 2) == ID_FIXED) | ufo),
            self.constants.id_15_bits.eq(of("id_mode", 2) == ID_15_BITS),
            *(self.constants[name].eq(of(name)) for name in ("udp", "ipv6", "tunnel_udp", "inner_ipv6") if name in g.record.members),
        ]
        return m


def pick(values, index, width):
    """One of some values by its number; 0 beyond them."""
    shape = data.ArrayLayout(width, 1 << len(index))
    wide = [Cat(value if isinstance(value, Value) else C(value, width), C(0, width))[:width] for value in values]
    return data.View(shape, Cat(*wide, C(0, shape.size))[: shape.size])[index]
