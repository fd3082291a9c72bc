"""Write down, field by field, how the headers of a frame's segments are made."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts import Field
from .interface import FLAGS_CLEARED, record_layout

__all__ = ["PLACES", "STEPS", "Program", "constants_layout", "word_layout"]

PLACES = ("first", "middle", "last", "only")
"""Of a segment in its frame: the TCP flags have a word for each."""

STEPS = 16
"""Words that a program has at most."""

MORE_FRAGMENTS_IPV4 = 0x2000
MORE_FRAGMENTS_IPV6 = 0x0001


def word_layout(geometry):
    """One step of a program.

    ``data`` is what the field is made of: the opposite of the place that a length counts from, the first value of what runs on, a sum, or
    the field itself.
    """
    return data.StructLayout({"field": geometry.field_bits, "last": 1, "data": 16})


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
        new = self.record.payload.record
        record = Signal(g.record)

        def has(name):
            return getattr(new, name) if name in g.record.members else C(0)

        def kept(name, width=16):
            return getattr(record, name) if name in g.record.members else C(0, width)

        def behind(name):
            return 0xFFFF ^ kept(name)

        ipv4, tcp, ufo = ~has("ipv6"), ~has("udp"), has("ufo")
        inner, inner_ipv4 = has("inner"), has("inner") & ~has("inner_ipv6")
        more = Mux(kept("ipv6", 1), MORE_FRAGMENTS_IPV6, MORE_FRAGMENTS_IPV4)
        low = Mux(kept("udp", 1), behind("l4_behind"), kept("seq", 32)[:16])
        kept_flags = kept("flags")
        flags = {
            name: kept_flags & ~Cat(C(FLAGS_CLEARED[name], 12) ^ kept(f"clear_{name}", 12), C(0, 4))
            if name in FLAGS_CLEARED
            else kept_flags
            for name in PLACES
        }
        # Field, whether a new record has it, whether it is the last, and what it is made of.
        steps = [
            (Field.LENGTH, C(1), 0, behind("length_behind")),
            (Field.IDENTIFICATION, ipv4, 0, kept("identification")),
            (Field.FRAGMENT, ufo, kept("ipv6", 1), more),
            (Field.IP_CSUM, ipv4, kept("ufo", 1), kept("ip_sum")),
            (Field.TUNNEL_LENGTH, has("tunnel_udp"), 0, behind("tunnel_behind")),
            (Field.TUNNEL_CSUM, has("tunnel_csum"), 0, kept("tunnel_sum")),
            (Field.INNER_LENGTH, inner, 0, behind("inner_length_behind")),
            (Field.INNER_IDENTIFICATION, inner_ipv4, 0, kept("inner_identification")),
            (Field.INNER_IP_CSUM, inner_ipv4, 0, kept("inner_ip_sum")),
            (Field.LOW, ~ufo, kept("udp", 1), low),
            (Field.HIGH, tcp, 0, kept("seq", 32)[16:]),
            *((Field.FLAGS, tcp, 1, flags[place]) for place in PLACES),
        ]
        steps = [step for step in steps if step[0] in g.fields]

        # --- The steps that are left; the first of them is written.
        left = Signal(len(steps))
        step = Signal(range(len(steps)))
        with m.If(left.any()):
            m.d.sync += [left.eq(left & (left - 1)), self.at.eq(self.at + 1)]
        for number in reversed(range(len(steps))):
            with m.If(left[number]):
                m.d.comb += step.eq(number)
        with m.If(self.record.valid):
            m.d.sync += [
                left.eq(Cat(built for _, built, _, _ in steps)),
                self.at.eq(0),
                self.slot.eq(self.record.payload.slot),
                record.eq(new),
            ]
        m.d.comb += self.write.eq(left.any())
        with m.Switch(step):
            for number, (field, _, last, value) in enumerate(steps):
                with m.Case(number):
                    m.d.comb += [self.word.field.eq(g.tag(field)), self.word.last.eq(last), self.word.data.eq(value)]

        # --- What is needed beside them.
        size = record.size
        if g.ufo:
            size = Mux(record.ufo & ~record.ipv6, record.size >> 3, record.size)
        id_mode = kept("id_mode", 2)
        m.d.sync += self.begin.eq(self.record.valid)
        m.d.comb += [
            self.constants.size.eq(size),
            self.constants.id_fixed.eq((id_mode == 1) | kept("ufo", 1)),
            self.constants.id_15_bits.eq(id_mode == 2),
            *(
                self.constants[name].eq(record[name])
                for name in self.constants.shape().members
                if name in g.record.members and name != "size"
            ),
        ]
        return m
