"""From the beginnings of frames to plans: what each frame is, and what is to be done with it.

::

    requests ─▶ HeaderFeed ─▶ EthernetStage ─▶ Ipv4Stage ─▶ TransportOffset, -Place, -Stage ─▶ MeasureStage ─▶ CompareStage ─▶ Judge ─▶ Planner ─▶ plans
                    ▲                                                                                          │    └▶ HeaderSums ─────┘
                row store                                                                                      └▶ header RAM
"""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts import FIELD_BITS
from .feed import HeaderFeed
from .judge import Judge
from .layers import EthernetStage, Ipv4Stage, TransportOffset, TransportPlace, TransportStage
from .measure import CompareStage, MeasureStage
from .planner import Planner
from .stage import chunk_layout
from .sums import HeaderSums

__all__ = ["HeaderParser", "header_write_layout"]

WALK = (EthernetStage, Ipv4Stage, TransportOffset, TransportPlace, TransportStage, MeasureStage, CompareStage)
"""The header walk, in the order of the headers."""


def header_write_layout(geometry):
    """A chunk of a header on its way into the header RAM, a field's tag with each halfword. What lies behind the header counts for nothing."""
    return data.StructLayout({
        "slot": range(geometry.slots),
        "index": chunk_layout(geometry)["index"].shape,
        "data": geometry.parse_bits,
        "fields": data.ArrayLayout(FIELD_BITS, geometry.parse_bits // 16),
    })


class HeaderParser(wiring.Component):
    """A plan for every request, in order.

    Throughput: a frame a clock where nothing is to be walked, else a clock for each chunk until the frame ends or is decided. Latency from a header's last
    chunk to its plan: 15 clocks. It never stalls once a frame has begun: a frame begins when its plan and its header have room.

    Members
    -------
    requests : In(stream.Signature(geometry.request))
    written, parse_at, parse : In, Out, In
        The row store's write address and read port.
    header : Out(stream.Signature(header_write_layout(geometry), always_ready=True))
    plan : Out(stream.Signature(geometry.plan, always_ready=True))
    record : Out(geometry.record)
        Valid with a plan that cuts.
    room : In(1)
        As many plans have room as can be under way.
    released : In(1)
        A header slot has become free.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "requests": In(stream.Signature(geometry.request)),
            "written": In(address),
            "parse_at": Out(address),
            "parse": In(geometry.row),
            "header": Out(stream.Signature(header_write_layout(geometry), always_ready=True)),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "record": Out(geometry.record),
            "room": In(1),
            "released": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        m.submodules.feed = feed = HeaderFeed(g)
        wiring.connect(m, wiring.flipped(self.requests), feed.i)
        m.d.comb += [
            feed.written.eq(self.written),
            feed.row.eq(self.parse),
            self.parse_at.eq(feed.at),
        ]

        source, layout = feed.o, chunk_layout(g)
        for number, kind in enumerate(WALK, 1):
            m.submodules[f"walk_{number}"] = stage = kind(g, layout)
            wiring.connect(m, source, stage.i)
            source, layout = stage.o, stage.layout

        m.submodules.judge = judge = Judge(g, layout)
        m.submodules.sums = sums = HeaderSums(g, layout)
        m.submodules.planner = planner = Planner(g, layout)
        chunk = source.payload
        header = self.header.payload
        m.d.comb += [
            judge.i.valid.eq(source.valid),
            judge.i.payload.eq(chunk),
            sums.i.valid.eq(source.valid),
            sums.i.payload.eq(chunk),
            self.header.valid.eq(judge.open),
            header.slot.eq(judge.slot),
            header.index.eq(chunk.index),
            header.data.eq(chunk.data),
            header.fields.eq(chunk.fields),
            planner.sum_ip.eq(sums.ip),
            planner.sum_l4.eq(sums.l4),
            self.record.eq(planner.record),
        ]
        wiring.connect(m, judge.o, planner.i)
        wiring.connect(m, planner.plan, wiring.flipped(self.plan))

        # --- Header slots: one is set aside for every frame that may be cut.
        free = Signal(range(g.slots + 1), init=g.slots)
        m.d.sync += free.eq(free - feed.begun + judge.spared + self.released)
        m.d.comb += [
            feed.slot_room.eq(free != 0),
            feed.room.eq(self.room),
            feed.decided.eq(judge.decided),
            feed.decided_tag.eq(judge.decided_tag),
        ]
        return m
