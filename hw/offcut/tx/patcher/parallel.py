"""The patcher of a wide bus: all fields of a unit's header at once."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring

from ..layouts import Field
from ..ones import add
from ..parser.instruction import Patch
from .interface import ID_15_BITS, ID_FIXED, ports

__all__ = ["ParallelPatcher"]


def kind_is_built(g, kind):
    """Whether some frame has it."""
    return g.segments and (Field[kind.name] in g.fields if kind.name in Field.__members__ else g.tcp)


class ParallelPatcher(wiring.Component):
    """One unit a clock.

    ::

        clock      0        1            2               3              4
                 begin   running    one's complement   ...         + payload sum
                  │      seq, id    partial sums        │               │
                  └─────────┴───────────┴────────── values            csum

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

        m.d.comb += self.ready.eq(1)
        patch = self.patch.payload

        def kept(name, kind, value):
            """What the frame in the entry's slot has been given."""
            m.submodules[name] = ram = memory.Memory(shape=len(value), depth=g.slots, init=[])
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.patch.valid & (patch.kind == kind)),
                write.addr.eq(self.slot),
                write.data.eq(value),
                read.addr.eq(entry.slot),
            ]
            return read.data

        there = patch.shape().members
        given = {
            kind: kept(f"given_{kind.name.lower()}", kind, patch.data) if kind_is_built(g, kind) else C(0, 16)
            for kind in Patch
            if kind != Patch.CONSTANTS
        }
        extras = [name for name in there if name not in {"index", "kind", "last", "data"}]
        if g.segments:
            constants = kept("constants", Patch.CONSTANTS, Cat(patch.data, *(patch[name] for name in extras)))
        constant, place = {name: C(0) for name in ("udp", "ipv6", "ufo", "id_mode", "tunnel_udp", "inner_ipv6")}, 16
        for name in extras:
            constant[name] = constants[place : place + len(patch[name])]
            place += len(patch[name])
        size = constants[:16] if g.segments else C(0, 16)

        begun = [Signal(name=f"begun_{clock}") for clock in range(1, 4)]
        m.d.sync += [later.eq(now) for now, later in zip([self.begin, *begun], begun, strict=False)]

        def at_begin(value, name):
            """The value a clock later, held from unit to unit."""
            signal = Signal.like(value, name=name)
            with m.If(self.begin):
                m.d.sync += signal.eq(value)
            return signal

        # --- Clock 1: lengths, and the fields that run on from segment to segment.
        frame_last = Signal(16)  # index of the frame's last byte as it leaves
        m.d.comb += frame_last.eq((entry.last_row << g.lane_bits) | entry.last_lane)
        udp, ipv6, ufo = constant["udp"], constant["ipv6"], entry.ufo if g.ufo else C(0)
        cut, summed = at_begin(entry.cut, "cut"), at_begin(entry.summed, "summed")
        frame_len = at_begin((frame_last + 1)[:16], "frame_len")
        ip_sum = at_begin(Mux(entry.cut, given[Patch.IP_CSUM], entry.ip_sum), "ip_sum")
        mangle = at_begin(~entry.cut | udp, "mangle")  # a checksum of 0 leaves as 0xFFFF

        def lengths(kind):
            return at_begin((frame_last + given[kind] + 1)[:16], kind.name.lower())

        def running_on(name, first, following):
            """A field that counts on from the unit before."""
            value = Signal(len(first), name=name)
            with m.If(self.begin):
                m.d.sync += value.eq(Mux(entry.first, first, following(value)))
            return value

        def count(identification):
            following = (identification + 1)[:16]
            top = Mux(constant["id_mode"] == ID_15_BITS, identification[15], following[15])
            return Mux((constant["id_mode"] == ID_FIXED) | ufo, identification, Cat(following[:15], top))

        early = {}
        if g.segments:
            early["length"] = lengths(Patch.LENGTH)
            early["identification"] = running_on("identification", given[Patch.IDENTIFICATION], count)
        if g.tunnel:
            early["inner_length"] = lengths(Patch.INNER_LENGTH)
            early["inner_identification"] = running_on("inner_identification", given[Patch.INNER_IDENTIFICATION], count)
        if g.udp_tunnel and g.tunnel:
            early["tunnel_length"] = lengths(Patch.TUNNEL_LENGTH)
        seq, flags, is_udp = C(0, 32), C(0, 16), at_begin(udp, "is_udp")
        if g.tcp:
            seq = running_on("seq", Cat(given[Patch.LOW], given[Patch.HIGH]), lambda seq: (seq + size)[:32])
            middle = Mux(entry.last, given[Patch.FLAGS_LAST], given[Patch.FLAGS_MIDDLE])
            flags = Mux(entry.first, Mux(entry.last, given[Patch.FLAGS_ONLY], given[Patch.FLAGS]), middle)
            early["high"], early["low"] = seq[16:], seq[:16]
            early["flags"] = flags = at_begin(flags, "flags")
        if g.uso:
            udp_length = lengths(Patch.LOW)
            early["low"] = Mux(is_udp, udp_length, seq[:16])
        fragment = C(0, 16)
        if g.ufo:
            # (The fragment that leaves last is the datagram's first.)
            units = size[3:]
            offset = running_on("offset", units if g.first_last else C(0, 13), lambda offset: (offset + units)[:13])
            side = at_begin(entry.side, "side") if g.first_last else C(0)
            is_ufo, is_ipv6, more = at_begin(ufo, "is_ufo"), at_begin(ipv6, "is_ipv6"), at_begin(~entry.last, "more")
            here = Mux(side, 0, offset)
            early["fragment"] = Mux(is_ipv6, Cat(more, C(0, 2), here), Cat(here, more, C(0, 2)))
            fragment = Mux(is_ufo, early["fragment"], 0)

        # --- Clock 2: partial sums of them.
        two = {}

        def partial(name, a, b):
            two[name] = Signal(16, name=f"{name}_2")
            with m.If(begun[0]):
                m.d.sync += two[name].eq(add(a, b))

        def kept(value, name):
            signal = Signal.like(value, name=name)
            with m.If(begun[0]):
                m.d.sync += signal.eq(value)
            return signal

        cut_2, mangle_2, summed_2 = kept(cut, "cut_2"), kept(mangle, "mangle_2"), kept(summed, "summed_2")
        zero = C(0, 16)
        partial("ip", ip_sum, Mux(cut, early["length"], 0) if g.segments else zero)
        partial("id", Mux(cut, early["identification"], 0) if g.segments else zero, Mux(cut, fragment, 0))
        partial("seq", seq[16:], seq[:16])
        # (The UDP length counts twice: in its field and in the pseudo-header.)
        partial("rest", Mux(is_udp, frame_len, flags), frame_len)
        if g.tunnel:
            partial("inner_ip", at_begin(given[Patch.INNER_IP_CSUM], "inner_ip_sum"), early["inner_length"])
            inner_id_2 = kept(early["inner_identification"], "inner_id_2")
        if g.tunnel_csum:
            tunnel_udp, inner_ipv6 = at_begin(constant["tunnel_udp"], "tunnel_udp"), at_begin(constant["inner_ipv6"], "inner_ipv6")
            # How often the length counts: once for each header in the sum that has it, once for the pseudo-header, less the inner one's.
            once = Mux(tunnel_udp, frame_len, Mux(inner_ipv6, 0, ~frame_len))
            partial("tunnel", once, Mux(tunnel_udp & inner_ipv6, frame_len, 0))
            tunnel_sum_2, mangle_tunnel_2 = (
                kept(at_begin(given[Patch.TUNNEL_CSUM], "tunnel_sum"), "tunnel_sum_2"),
                kept(tunnel_udp, "mangle_tunnel_2"),
            )
        ufo_2 = kept(is_ufo, "ufo_2") if g.ufo else C(0)
        early_2 = {name: kept(value, f"{name}_2") for name, value in early.items() if Field[name.upper()] in g.fields}

        # --- Clock 3: every field is in a register.
        three = {}

        def third(name, value):
            three[name] = Signal(16, name=f"{name}_3")
            with m.If(begun[1]):
                m.d.sync += three[name].eq(value)

        for name, value in early_2.items():
            third(name, value)
        third("ip_csum", ~add(two["ip"], two["id"]))
        if g.tunnel:
            third("inner_ip_csum", ~add(two["inner_ip"], inner_id_2))
        if g.tunnel_csum:
            # (What is added is below 0xFFFF where a zero is mangled: then the sum's zero shows as 0, and inverted as 0xFFFF.)
            third("tunnel_csum", ~add(tunnel_sum_2, two["tunnel"], mangle_tunnel_2))
        sum_3 = Signal(16)
        mangle_3 = Signal()
        take_3 = Signal()
        udp_3 = kept(is_udp, "udp_2")
        with m.If(begun[1]):
            m.d.sync += [
                sum_3.eq(Mux(cut_2 & ~ufo_2, Mux(udp_3, two["rest"], add(two["seq"], two["rest"])), 0)),
                mangle_3.eq(mangle_2),
                take_3.eq(summed_2),
            ]

        # --- Clock 4: the payload's sum, which is below 0xFFFF. Zero shows as 0xFFFF and inverts to 0, or the other way round.
        m.d.comb += self.take_sum.eq(begun[2] & take_3)
        if g.sctp:
            crc_2, crc_3 = kept(at_begin(entry.crc, "crc"), "crc_2"), Signal()
            with m.If(begun[1]):
                m.d.sync += crc_3.eq(crc_2)
            m.d.comb += self.take_crc.eq(begun[2] & crc_3)
        with m.If(begun[2]):
            m.d.sync += self.csum.eq(~add(sum_3, self.sum, mangle_3))

        # --- Clock 3, and a row later for the next row: by tag, for each halfword.
        for lane in range(g.width // 16):
            with m.Switch(self.tags[lane]):
                for name, value in three.items():
                    with m.Case(g.tag(Field[name.upper()])):
                        m.d.comb += self.values[lane].eq(value)
        return m
