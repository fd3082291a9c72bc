"""The patcher of a narrow bus: one field a clock."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.utils import ceil_log2

from ..layouts import Field
from ..ones import add
from ..parser.instruction import Patch
from .interface import ID_15_BITS, ID_FIXED, STEPS, lookup_clock, patch_layout, ports

__all__ = ["SerialPatcher"]

PLACES = ("first", "middle", "last", "only")
"""Of a segment in its frame: the TCP flags have a word for each, in this order."""

RUNNING = (Patch.IDENTIFICATION, Patch.INNER_IDENTIFICATION, Patch.FRAGMENT, Patch.LOW, Patch.HIGH)
"""Fields that count on from unit to unit."""

LENGTHS = (Field.LENGTH, Field.TUNNEL_LENGTH, Field.INNER_LENGTH)
IDENTIFICATIONS = (Field.IDENTIFICATION, Field.INNER_IDENTIFICATION)
SUMS = (Field.IP_CSUM, Field.INNER_IP_CSUM, Field.TUNNEL_CSUM)


FIELDS = {kind: Field[kind.name] for kind in Patch if kind.name in Field.__members__} | dict.fromkeys(
    (Patch.FLAGS_MIDDLE, Patch.FLAGS_LAST, Patch.FLAGS_ONLY), Field.FLAGS
)
KINDS = ("udp", "ipv6", "tunnel_udp", "inner_ipv6")


def word_layout(geometry):
    """One step of a program. ``runs`` says that the field counts on from unit to unit."""
    return data.StructLayout({"field": geometry.tag_bits, "last": 1, "runs": 1, "data": 16})


def constants_layout(geometry):
    """What is needed beside the words: ``size`` is what the sequence number or the fragment offset moves on by, from unit to unit."""
    there = patch_layout(geometry).members
    return data.StructLayout({"size": 16, "id_fixed": 1, "id_15_bits": 1} | {name: 1 for name in KINDS if name in there})


class SerialPatcher(wiring.Component):
    """Goes through the program of a unit's frame, a field a clock, and looks the fields up as the header's rows pass.

    ::

        step n, clock   n            n + 1              n + 2               n + 3              n + 4
                      program ─▶ value + what ─▶ into the checksum ─▶ to the memory ─▶ can be looked up
                      or what      is added       that runs along      of the values
                      ran on

    One checksum is under way at a time: an IP header's runs from its length to its own field, the transport's from the sequence number
    to the payload's sum, which is the last step. A row of 8 bytes goes by in each clock. The fields of a header are so far apart that
    step n is never wanted before row n - 1 (the checksum that ends a unit: row n - 2), and a unit that is cut has as many rows as steps;
    if it has not (a tunnel's segment of a byte or two), ``ready`` makes the next wait. A unit that is not cut takes 3 clocks.

    Members
    -------
    See :func:`ports`.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__(ports(geometry))

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        entry = self.entry

        # --- The programs. A UDP length does not count on, and is the last field where it is one.
        patch = self.patch.payload
        field = Signal(g.tag_bits)
        with m.Switch(patch.kind):
            for kind in Patch:
                if kind in FIELDS:
                    with m.Case(kind):
                        m.d.comb += field.eq(g.tag(FIELDS[kind]))
        m.submodules.words = words = memory.Memory(shape=word_layout(g).size, depth=g.slots * STEPS, init=[])
        write = words.write_port()
        word = data.View(word_layout(g), write.data)
        m.d.comb += [
            write.en.eq(self.patch.valid & (patch.kind != Patch.CONSTANTS)),
            write.addr.eq(Cat(patch.index, self.slot)),
            word.field.eq(field),
            word.last.eq(patch.last),
            word.runs.eq(Cat(patch.kind == kind for kind in RUNNING).any() & ~((patch.kind == Patch.LOW) & patch.last)),
            word.data.eq(patch.data),
        ]
        # Where in the header each field stands.
        header = self.header.payload
        m.submodules.places = places = memory.Memory(shape=len(header.index), depth=g.slots << len(header.field), init=[])
        write = places.write_port()
        m.d.comb += [write.en.eq(self.header.valid), write.addr.eq(Cat(header.field, self.slot)), write.data.eq(header.index)]
        m.submodules.constants = kept = memory.Memory(shape=constants_layout(g).size, depth=g.slots, init=[])
        write = kept.write_port()
        constants = data.View(constants_layout(g), write.data)
        ufo = patch.ufo if g.ufo else C(0)
        m.d.comb += [
            write.en.eq(self.patch.valid & (patch.kind == Patch.CONSTANTS)),
            write.addr.eq(self.slot),
            constants.size.eq(Mux(ufo & ~patch.ipv6, patch.data >> 3, patch.data) if g.ufo else patch.data),
            constants.id_fixed.eq((patch.id_mode == ID_FIXED) | ufo),
            constants.id_15_bits.eq(patch.id_mode == ID_15_BITS),
            *(constants[name].eq(patch[name]) for name in KINDS if name in patch.shape().members),
        ]

        def at_begin(value, name):
            """The value a clock later, held from unit to unit."""
            signal = Signal.like(value, name=name)
            with m.If(self.begin):
                m.d.sync += signal.eq(value)
            return signal

        read = kept.read_port(domain="comb")
        m.d.comb += read.addr.eq(entry.slot)
        constants = data.View(constants_layout(g), at_begin(read.data, "constants"))
        udp, ipv6, tunnel_udp, inner_ipv6 = (constants[name] if name in constants.shape().members else C(0) for name in KINDS)
        m.d.comb += self.udp.eq(udp)
        ufo = at_begin(entry.ufo, "ufo") if g.ufo else C(0)
        cut, last = at_begin(entry.cut, "cut"), at_begin(entry.last, "last")
        summed = at_begin(entry.summed, "summed")
        side = entry.side if g.first_last else C(0)
        length = at_begin(((entry.last_row << g.lane_bits) + entry.last_lane + 1)[:16], "length")
        runs_on = at_begin(~entry.first & ~side, "runs_on")
        moves_on = at_begin(~side if g.first_last else ~entry.first, "moves_on")  # (What leaves first is a datagram's second fragment.)
        place = at_begin(
            Mux(entry.first, Mux(entry.last, PLACES.index("only"), PLACES.index("first")), Mux(entry.last, PLACES.index("last"), 1)),
            "place",
        )

        # --- Which step: a frame's program, then its payload's sum; or of a frame that is not cut the IP header's, a pause, the payload's.
        running = Signal()
        pausing = Signal()
        summing = Signal()
        at = Signal(range(STEPS))
        slot = Signal.like(entry.slot)
        m.submodules.state = state = memory.Memory(shape=16, depth=STEPS, init=[])
        into_state, from_state = state.write_port(), state.read_port(domain="comb")
        read = words.read_port(domain="comb")
        m.d.comb += [read.addr.eq(Cat(at, Mux(running, slot, entry.slot))), from_state.addr.eq(at)]
        word = data.View(word_layout(g), read.data)
        from_program = running | (self.begin & entry.cut)
        m.d.comb += [self.ready.eq(~(running | pausing | summing)), self.take_sum.eq(summing & summed)]
        m.d.sync += [pausing.eq(self.begin & ~entry.cut), summing.eq(pausing)]
        with m.If(self.begin):
            m.d.sync += slot.eq(entry.slot)
        with m.If(from_program):
            m.d.sync += [running.eq(~word.last), at.eq(at + 1)]
            if g.tcp:
                with m.If(word.field == g.tag(Field.HIGH)):
                    m.d.sync += at.eq(at + 1 + place)
            with m.If(word.last):
                m.d.sync += [at.eq(0), summing.eq(summed)]

        def of(step, *fields):
            """Whether a step is that of one of these fields."""
            return Cat(step == g.tag(field) for field in fields if field in g.fields).any()

        # --- The step's value, and what is added to it.
        step_1 = Signal(g.tag_bits)
        slot_1 = Signal.like(slot)
        ip_at = Signal.like(header.index)
        value_1 = Signal(16)
        at_1 = Signal.like(at)
        summing_1 = Signal()
        uncut_1 = Signal()
        adds_length = Signal()
        adds_size = Signal()
        adds_one = Signal()
        m.d.sync += [at_1.eq(at), step_1.eq(0), summing_1.eq(summing), uncut_1.eq(~cut), value_1.eq(entry.ip_sum)]
        m.d.sync += [adds_length.eq(0), adds_size.eq(0), adds_one.eq(0)]
        m.d.sync += [slot_1.eq(read.addr[-len(slot) :]), ip_at.eq(entry.ip_low[1:])]
        with m.If(self.begin & ~entry.cut):
            m.d.sync += [step_1.eq(g.tag(Field.IP_CSUM)), uncut_1.eq(1)]
        with m.If(from_program):
            m.d.sync += [
                step_1.eq(word.field),
                uncut_1.eq(0),
                value_1.eq(Mux(word.runs & runs_on, from_state.data, word.data)),
                adds_length.eq(of(word.field, *LENGTHS) | (of(word.field, Field.LOW) & udp)),
                adds_size.eq((of(word.field, Field.LOW) & ~udp & runs_on) | (of(word.field, Field.FRAGMENT) & moves_on)),
                adds_one.eq(of(word.field, *IDENTIFICATIONS) & runs_on & ~constants.id_fixed),
            ]
        with m.If(summing):
            m.d.sync += value_1.eq(self.sum)

        # --- The sum of both, and what a checksum begins with.
        step_2 = Signal.like(step_1)
        value_2 = Signal(16)
        at_2 = Signal.like(at)
        summing_2 = Signal()
        inverted_2 = Signal()
        begins_2 = Signal()
        mangle_2 = Signal()
        carry = Signal()
        base_2 = Signal(16)
        added = Mux(adds_length, length, 0) | Mux(adds_size, constants.size, 0)
        one = adds_one | (of(step_1, Field.HIGH) & carry)
        total = Signal(17)
        m.d.comb += total.eq(value_1 + added + one)
        m.d.sync += [
            step_2.eq(step_1),
            at_2.eq(at_1),
            value_2.eq(total),
            carry.eq(total[16]),
            summing_2.eq(summing_1),
            inverted_2.eq(of(step_1, *SUMS)),
        ]
        with m.If(of(step_1, *IDENTIFICATIONS) & constants.id_15_bits):
            m.d.sync += value_2[15].eq(value_1[15])
        if g.ufo:
            with m.If(of(step_1, Field.FRAGMENT) & last):  # no more fragments
                with m.If(ipv6):
                    m.d.sync += value_2[0].eq(0)
                with m.Else():
                    m.d.sync += value_2[13].eq(0)
        read = places.read_port(domain="comb")
        place_2 = Signal.like(header.index)
        m.d.comb += read.addr.eq(Cat(step_1, slot_1))
        m.d.sync += place_2.eq(Mux(uncut_1, ip_at, read.data))
        m.d.comb += [into_state.en.eq(1), into_state.addr.eq(at_2), into_state.data.eq(value_2)]

        # (In one's complement, to turn a value left by a bit is to double it.)
        twice = length.rotate_left(1)
        tunnel_csum = of(step_1, Field.TUNNEL_CSUM)
        uso = summing_1 & udp & ~ufo & ~uncut_1
        m.d.sync += [
            begins_2.eq(of(step_1, Field.LENGTH, Field.INNER_LENGTH, Field.LOW) | tunnel_csum | uncut_1 | (summing_1 & udp)),
            mangle_2.eq((summing_1 & (uncut_1 | udp)) | (tunnel_csum & tunnel_udp)),
            base_2.eq(0),
        ]
        with m.If(of(step_1, Field.LOW) | (tunnel_csum & tunnel_udp)):
            m.d.sync += base_2.eq(length)
        with m.If(uso | (tunnel_csum & tunnel_udp & inner_ipv6)):
            m.d.sync += base_2.eq(twice)
        with m.If(tunnel_csum & ~tunnel_udp & ~inner_ipv6):
            m.d.sync += base_2.eq(~length)

        # --- The checksum that runs along.
        checksum = Signal(16)
        step_3 = Signal.like(step_2)
        value_3 = Signal(16)
        inverted_3 = Signal()
        place_3 = Signal.like(place_2)
        summing_3 = Signal()
        m.d.sync += [
            checksum.eq(add(Mux(begins_2, base_2, checksum), value_2, mangle_2)),
            step_3.eq(step_2),
            value_3.eq(value_2),
            inverted_3.eq(inverted_2),
            place_3.eq(place_2),
            summing_3.eq(summing_2),
        ]

        # --- Where the fields are looked up: a memory for each lane, by row.
        lane_bits = ceil_log2(g.width // 16)
        for lane in range(g.width // 16):
            m.submodules[f"values_{lane}"] = values = memory.Memory(shape=16, depth=g.slot_rows, init=[])
            write, read = values.write_port(), values.read_port(domain="comb")
            m.d.comb += [
                write.en.eq((step_3 != 0) & (place_3[:lane_bits] == lane)),
                write.addr.eq(place_3[lane_bits:]),
                write.data.eq(Mux(inverted_3, ~checksum, value_3)),
                read.addr.eq(self.row),
                self.values[lane].eq(read.data),
            ]
        with m.If(summing_3):
            m.d.sync += self.csum.eq(~checksum)

        if g.sctp:
            crc = self.begin & entry.crc
            for clock in range(lookup_clock(g)):
                later = Signal(name=f"crc_{clock}")
                m.d.sync += later.eq(crc)
                crc = later
            m.d.comb += self.take_crc.eq(crc)
        return m
