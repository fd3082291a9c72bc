"""From the beginnings of frames to plans: what each frame is, and what is to be done with it.

::

    requests ─▶ PlanRegister ─▶ plans
        │            ▲
        └──▶ HeaderProcessor ─▶ header RAM, patcher
                     ▲
                 row store
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..patcher.interface import header_write_layout, patch_layout
from .plan import PlanRegister
from .processor import HeaderProcessor

__all__ = ["UNDER_WAY", "HeaderParser"]

UNDER_WAY = 2
"""Plans that can still come once there is no room."""


class HeaderParser(wiring.Component):
    """A plan for every request, in order.

    Throughput: a frame a clock where nothing is to be walked, else as many clocks as its program takes. A frame begins when its plan and its
    header have room.

    Members
    -------
    requests : In(stream.Signature(geometry.request))
    written, parse_at, parse : In, Out, In
        The row store's write address and read port.
    header : Out(stream.Signature(header_write_layout(geometry), always_ready=True))
    patch : Out(stream.Signature(patch_layout(geometry), always_ready=True))
        How the patcher makes the fields of the frame that is walked.
    slot : Out
        Whose header and fields these are.
    plan : Out(stream.Signature(geometry.plan, always_ready=True))
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
            "patch": Out(stream.Signature(patch_layout(geometry), always_ready=True)),
            "slot": Out(range(geometry.slots)),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "room": In(1),
            "released": In(1),
            "fragment_id": In(32),
            "fragmented": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        m.submodules.processor = processor = HeaderProcessor(g)
        m.submodules.register = register = PlanRegister(g)
        wiring.connect(m, processor.header, wiring.flipped(self.header))
        wiring.connect(m, processor.patch, wiring.flipped(self.patch))

        # --- One frame at a time; one that is not walked is through in a clock.
        coming = self.requests.payload
        request, busy = Signal(g.request), Signal()
        free, spare = Signal(range(g.slots + 1), init=g.slots), Signal()
        begins, done = Signal(), Signal()
        m.d.comb += [
            self.requests.ready.eq(~busy & self.room & (~coming.walk | spare)),
            begins.eq(self.requests.valid & self.requests.ready),
        ]
        with m.If(begins):
            m.d.sync += [request.eq(coming), busy.eq(coming.walk)]
        with m.If(processor.done):
            m.d.sync += busy.eq(0)
        walked = Signal()
        m.d.sync += [
            done.eq(processor.done | (begins & ~coming.walk)),
            walked.eq(processor.done),
            processor.begin.eq(begins & coming.walk),
        ]
        m.d.comb += [
            processor.request.eq(request),
            processor.there.eq(processor.parse_at != self.written),
            processor.parse.eq(self.parse),
            self.parse_at.eq(processor.parse_at),
            processor.fragment_id.eq(self.fragment_id),
            self.fragmented.eq(processor.numbered),
            register.load.eq(begins),
            register.request.eq(coming),
            register.write.eq(processor.plan),
            register.size.eq(processor.size),
            register.value.eq(processor.result),
            register.walked.eq(walked),
            register.ip_sum.eq(processor.ip_sum),
            register.l4_sum.eq(processor.l4_sum),
            register.flags.eq(processor.flags),
            register.drop.eq(processor.drop),
            register.slot.eq(self.slot),
            self.plan.valid.eq(done),
            self.plan.payload.eq(register.plan),
        ]

        # --- Header slots: one is set aside for every frame that may need one.
        # (One begins in a clock of its own, so a clock late is early enough to know that there is one.)
        m.d.sync += spare.eq(free != 0)
        headed, spared = Signal(), Signal()
        m.d.comb += [headed.eq(done & register.plan.headed), spared.eq(done & walked & ~register.plan.headed)]
        with m.If(headed):
            m.d.sync += self.slot.eq(self.slot + 1)
        with m.Switch(Cat(begins & coming.walk, spared, self.released)):
            for more, changes in {-1: ("001",), 1: ("010", "100", "111"), 2: ("110",)}.items():
                with m.Case(*changes):
                    m.d.sync += free.eq(free + more)
        return m
