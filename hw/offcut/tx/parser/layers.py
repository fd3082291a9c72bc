"""The header walk: one stage a layer, each of which looks at the chunks once its own offset is known."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.utils import ceil_log2

from ..headers import ETHERTYPE_IPV4, ETHERTYPE_VLAN, Ethernet, Ipv4, Tcp
from ..layouts import FIELD_BITS, Field
from .stage import Stage, halfword

__all__ = ["EthernetStage", "Ipv4Stage", "TransportOffset", "TransportPlace", "TransportStage"]

UNTAGGED = Ethernet.HEADER
TAGGED = Ethernet.HEADER + Ethernet.TAG

FIELDS = (
    (Field.TOTAL_LENGTH, Ipv4, Ipv4.TOTAL_LENGTH),
    (Field.IDENTIFICATION, Ipv4, Ipv4.IDENTIFICATION),
    (Field.SEQUENCE_HIGH, Tcp, Tcp.SEQUENCE_HIGH),
    (Field.SEQUENCE_LOW, Tcp, Tcp.SEQUENCE_LOW),
    (Field.FLAGS, Tcp, Tcp.FLAGS),
)
"""The fields that a segment's header gets anew, by layer and place. (Checksums are placed by position, in these
frames as in all others.)"""


class EthernetStage(Stage):
    """Finds the EtherType, behind at most one 802.1Q tag."""

    def __init__(self, geometry, layout):
        super().__init__(geometry, layout, facts={"tagged": 1, "ipv4": 1, "foreign": 1})

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload

        for place, tagged in ((Ethernet.TYPE, 0), (Ethernet.TYPE + Ethernet.TAG, 1)):
            index, lane = self.stands(place)
            ethertype = halfword(chunk.data, lane)
            ipv4 = ethertype == ETHERTYPE_IPV4
            vlan = (ethertype == ETHERTYPE_VLAN) & (not tagged)
            with m.If(self.i.valid & (chunk.index == index) & self.holds(lane) & (found.tagged == tagged)):
                m.d.sync += [found.ipv4.eq(ipv4), found.foreign.eq(~ipv4 & ~vlan)]
                if not tagged:
                    m.d.sync += found.tagged.eq(vlan)

        return m


class Ipv4Stage(Stage):
    """Finds the fields of the IPv4 header, at one of two places."""

    def __init__(self, geometry, layout):
        facts = {
            "version_ihl": 8,
            "version_seen": 1,
            "total_length": 16,
            "identification": 16,
            "fragment": 1,
            "protocol": 8,
            "protocol_seen": 1,
        }
        super().__init__(geometry, layout, facts=facts)

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload

        def field(offset, count=2):
            """Whether the field's first bytes stand in this chunk, and its value."""
            index, lane = self.stands(UNTAGGED + offset)
            tagged_index, tagged_lane = self.stands(TAGGED + offset)
            here = Mux(
                chunk.tagged,
                (chunk.index == tagged_index) & self.holds(tagged_lane, count),
                (chunk.index == index) & self.holds(lane, count),
            )
            value = Mux(chunk.tagged, halfword(chunk.data, tagged_lane), halfword(chunk.data, lane))
            return self.i.valid & chunk.ipv4 & here, value

        here, value = field(Ipv4.VERSION_IHL, 1)
        with m.If(here):
            m.d.sync += [found.version_ihl.eq(value[8:16]), found.version_seen.eq(1)]
        here, value = field(Ipv4.TOTAL_LENGTH)
        with m.If(here):
            m.d.sync += found.total_length.eq(value)
        here, value = field(Ipv4.IDENTIFICATION)
        with m.If(here):
            m.d.sync += found.identification.eq(value)
        here, value = field(Ipv4.FRAGMENT)
        with m.If(here):
            m.d.sync += found.fragment.eq(value[:14].any())
        here, value = field(Ipv4.PROTOCOL)
        with m.If(here):
            m.d.sync += [found.protocol.eq(value[:8]), found.protocol_seen.eq(1)]

        return m


class TransportOffset(Stage):
    """``l4``: where the transport header begins, in halfwords; valid once ``version_seen``."""

    def __init__(self, geometry, layout):
        super().__init__(geometry, layout, marks={"l4": 7})

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk = self.i.payload
        m.d.sync += self.o.payload.l4.eq(Mux(chunk.tagged, TAGGED, UNTAGGED) + (chunk.version_ihl[:4] << 1))
        return m


class TransportPlace(Stage):
    """How far this chunk is from the transport header: ``l4_chunk`` counts from the chunk in which it begins, up to 7, once ``l4_reached``."""

    def __init__(self, geometry, layout):
        super().__init__(geometry, layout, marks={"l4_reached": 1, "l4_chunk": 3})

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload

        begin = chunk.l4 >> ceil_log2(self._lanes)
        distance = Signal(range(-128, 128))
        m.d.comb += distance.eq(chunk.index - begin)
        m.d.sync += [
            found.l4_reached.eq(chunk.version_seen & (distance >= 0)),
            found.l4_chunk.eq(Mux(distance > 7, 7, distance)),
        ]
        return m


class TransportStage(Stage):
    """Finds the fields of the transport header, and says of each lane what it is.

    ``word2`` and ``word3`` hold TCP's sequence number, or UDP's length and checksum. A lane is marked as ``ip`` (of the IPv4 header, but
    for what follows), ``addresses``, ``own`` (total length and identification), ``l4`` (of the transport header, but for its checksum and
    for what differs from segment to segment) or ``l4_csum``. ``fields`` names what is rewritten in each segment (:data:`FIELDS`).
    """

    def __init__(self, geometry, layout):
        lanes = geometry.parse_bits // 16
        super().__init__(
            geometry,
            layout,
            facts={"word2": 16, "word3": 16, "word3_seen": 1, "flags": 16, "flags_seen": 1, "csum": 16, "csum_seen": 1},
            marks={
                "is_ip": lanes,
                "is_addresses": lanes,
                "is_own": lanes,
                "is_l4": lanes,
                "is_l4_csum": lanes,
                "fields": data.ArrayLayout(FIELD_BITS, lanes),
            },
        )

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload
        lanes = self._lanes
        l4_lane = chunk.l4[: ceil_log2(lanes)]
        # The IP header begins two bytes past a multiple of four, and is a multiple of four long: half the lanes are out of question.
        l4_lanes = {place % lanes for place in range(UNTAGGED, UNTAGGED + 2 * lanes, 2)}

        def ip_field(offset, lane):
            """Whether this lane holds a field of the IPv4 header."""
            places = [(tagged, *self.stands(begin + offset)) for tagged, begin in enumerate((UNTAGGED, TAGGED))]
            hits = [(chunk.tagged == tagged) & (chunk.index == index) for tagged, index, at in places if at == lane]
            return chunk.ipv4 & Cat(hits).any()

        def l4_field(offset, lane):
            """Whether this lane holds a field of the transport header."""
            places = [(begin, *self.stands(begin + offset)) for begin in l4_lanes]
            hits = [(l4_lane == begin) & (chunk.l4_chunk == distance) for begin, distance, at in places if at == lane]
            return chunk.l4_reached & Cat(hits).any()

        for name, offset in (("word2", Tcp.SEQUENCE_HIGH), ("word3", Tcp.SEQUENCE_LOW), ("flags", Tcp.FLAGS), ("csum", Tcp.CHECKSUM)):
            for lane in range(lanes):
                # The data offset is known from its one byte on.
                with m.If(self.i.valid & l4_field(offset, lane) & self.holds(lane, 1 if name == "flags" else 2)):
                    m.d.sync += found[name].eq(halfword(chunk.data, lane))
                    if name != "word2":
                        m.d.sync += found[f"{name}_seen"].eq(1)

        for lane in range(lanes):
            in_l4 = chunk.l4_reached & ((chunk.l4_chunk != 0) | (lane >= l4_lane))
            ip_begun = Signal(name=f"ip_begun_{lane}")
            for tagged, begin in enumerate((UNTAGGED, TAGGED)):
                index, at = self.stands(begin)
                with m.If(chunk.tagged == tagged):
                    m.d.comb += ip_begun.eq(chunk.ipv4 & ((chunk.index > index) | ((chunk.index == index) & (lane >= at))))
            addresses = Cat(ip_field(offset, lane) for offset in Ipv4.ADDRESSES).any()
            own = ip_field(Ipv4.TOTAL_LENGTH, lane) | ip_field(Ipv4.IDENTIFICATION, lane)
            l4_csum = l4_field(Tcp.CHECKSUM, lane)
            varying = l4_csum | Cat(l4_field(offset, lane) for offset in (Tcp.SEQUENCE_HIGH, Tcp.SEQUENCE_LOW, Tcp.FLAGS)).any()
            m.d.sync += [
                found.is_ip[lane].eq(ip_begun & ~in_l4 & ~addresses & ~own & ~ip_field(Ipv4.CHECKSUM, lane)),
                found.is_addresses[lane].eq(addresses),
                found.is_own[lane].eq(own),
                found.is_l4[lane].eq(in_l4 & ~varying),
                found.is_l4_csum[lane].eq(l4_csum),
                found.fields[lane].eq(Field.NONE),
            ]
            for field, layer, offset in FIELDS:
                with m.If((ip_field if layer is Ipv4 else l4_field)(offset, lane)):
                    m.d.sync += found.fields[lane].eq(field)

        return m
