"""From the beginnings of frames to plans: what each frame is, and what is to be done with it.

::

    requests ─▶ HeaderFeed ─▶ Walker ─▶ Verdict ─▶ Planner ─▶ plans
                    ▲           └─▶ Packer ─▶ header RAM
                row store
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .feed import HeaderFeed
from .packer import Packer, header_write_layout
from .planner import PLANNER_CLOCKS, Planner
from .verdict import Verdict
from .walker import Walker

__all__ = ["UNDER_WAY", "HeaderParser", "header_write_layout"]

UNDER_WAY = PLANNER_CLOCKS + 4
"""Plans that can be between the feed and the planner's end."""


class HeaderParser(wiring.Component):
    """A plan for every request, in order.

    Throughput: a frame a clock where nothing is to be walked, else a clock for each word of its header and three more. Latency from a
    header's last word to its plan: 9 clocks. A frame begins when its plan and its header have room.

    Members
    -------
    requests : In(stream.Signature(geometry.request))
    written, parse_at, parse : In, Out, In
        The row store's write address and read port.
    header : Out(stream.Signature(header_write_layout(geometry), always_ready=True))
    header_slot : Out
    plan : Out(stream.Signature(geometry.plan, always_ready=True))
    record : Out(geometry.record)
        Valid with a plan that cuts.
    room : In(1)
        As many plans have room as can be under way.
    released : In(1)
        A header slot has become free.
    fragment_id : In(32)
    fragmented : Out(1)
        It was used.
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
            "header_slot": Out(range(geometry.slots)),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "record": Out(geometry.record),
            "room": In(1),
            "released": In(1),
            "fragment_id": In(32),
            "fragmented": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        m.submodules.feed = feed = HeaderFeed(g)
        m.submodules.walker = walker = Walker(g)
        m.submodules.packer = packer = Packer(g)
        m.submodules.verdict = verdict = Verdict(g)
        m.submodules.planner = planner = Planner(g)
        wiring.connect(m, wiring.flipped(self.requests), feed.i)
        wiring.connect(m, feed.o, walker.i)
        wiring.connect(m, walker.header, packer.i)
        wiring.connect(m, packer.o, wiring.flipped(self.header))
        wiring.connect(m, planner.plan, wiring.flipped(self.plan))
        m.d.comb += [
            feed.written.eq(self.written),
            feed.row.eq(self.parse),
            self.parse_at.eq(feed.at),
            feed.decided.eq(walker.decided),
            packer.flush.eq(walker.flush),
            verdict.request.eq(walker.request),
            verdict.facts.eq(walker.facts),
            verdict.bare.eq(walker.bare),
            verdict.settle.eq(walker.settle),
            planner.valid.eq(verdict.valid),
            planner.verdict.eq(verdict.o),
            *(getattr(planner, name).eq(getattr(walker, name)) for name in ("ip_sum", "inner_ip_sum", "l4_sum", "tunnel_sum")),
            self.record.eq(planner.record),
            walker.fragment_id.eq(self.fragment_id),
            self.fragmented.eq(verdict.fragmented),
        ]
        # The packer is a clock behind, as the slot is.
        m.d.sync += self.header_slot.eq(planner.slot)

        # --- Header slots: one is set aside for every frame that may need one.
        free = Signal(range(g.slots + 1), init=g.slots)
        spared = Signal()
        m.d.sync += spared.eq(verdict.valid & ~verdict.bare & ~verdict.o.headed)
        with m.Switch(Cat(feed.begun, spared, self.released)):
            for more, changes in {-1: ("001",), 1: ("010", "100", "111"), 2: ("110",)}.items():
                with m.Case(*changes):
                    m.d.sync += free.eq(free + more)
        m.d.comb += [feed.slot_room.eq(free != 0), feed.room.eq(self.room)]
        return m
