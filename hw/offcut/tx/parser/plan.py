"""The plan of a frame: as its request alone would have it, then as the program says."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .instruction import Plan
from .processor import R_BITS, outcome_layout

__all__ = ["PlanRegister"]

CRC_BYTES_BEHIND = 2
"""A CRC has four bytes: so many behind the two of a checksum."""


class PlanRegister(wiring.Component):
    """Holds the plan that is being made.

    Members
    -------
    load : In(1)
        A frame begins: the plan is that of its ``request``, should nothing become of it but one checksum.
    request : In(geometry.request)
    write, size : In
        Which number becomes ``value``; that is the segment size.
    value : In
    ip_sum, l4_sum, flags, drop, slot : In
        What the plan says beside them.
    plan : Out(geometry.plan)
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "load": In(1),
            "request": In(geometry.request),
            "write": In(data.StructLayout({target.name: 1 for target in Plan})),
            "size": In(1),
            "value": In(R_BITS),
            "walked": In(1),
            "ip_sum": In(16),
            "l4_sum": In(16),
            "flags": In(outcome_layout()),
            "drop": In(4),
            "slot": In(range(geometry.slots)),
            "plan": Out(geometry.plan),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        bits = g.lane_bits
        plan, request, value = self.plan, self.request, self.value

        header_end, window = Signal.like(plan.header_len), Signal(len(plan.header_len) + 1)
        end = Signal.like(plan.end)
        kept = {
            Plan.HEADER_LEN: (plan.header_len, 0),
            Plan.HEADER_END: (header_end, 0),
            Plan.LAST: (Cat(plan.last_lane, plan.last_row), None),
            Plan.END: (end, request.csum_low),
            Plan.SUM_FIRST: (plan.sum_first, request.csum_start),
            Plan.SUM_LAST: (plan.sum_last, None),
            Plan.CSUM_LOW: (plan.csum_low, request.csum_low),
            Plan.IP_LOW: (plan.ip_low, None),
        }
        for target, (register, default) in kept.items():
            with m.If(self.write[target.name]):
                m.d.sync += register.eq(value)
            if default is not None:
                with m.If(self.load):
                    m.d.sync += register.eq(default)
        swap, csum, refused = Signal(), Signal(), Signal(4)
        with m.If(self.load):
            m.d.sync += [swap.eq(request.csum_swap), csum.eq(request.needs_csum), refused.eq(request.drop)]
            if g.config.user_width:
                m.d.sync += plan.user.eq(request.user)

        with m.If(self.size):
            m.d.sync += plan.step_lane.eq(value)

        # --- What follows from these numbers.
        head_lane, last_lane = plan.header_len[:bits], plan.last_lane
        flags = {name: self.flags[name] & self.walked for name in self.flags.shape().members}
        drop = Mux(self.walked, self.drop, refused)
        step = Signal(bits + 1)
        full_end = Mux(plan.moved, plan.tail, Cat(last_lane, 1))
        m.d.comb += [
            plan.drop.eq(drop),
            plan.swallow.eq(drop != 0),
            plan.cut.eq(flags["CUT"]),
            plan.headed.eq(flags["HEADED"]),
            plan.moved.eq(flags["MOVED"] & flags["HEADED"]),
            plan.auto.eq(flags["AUTO"]),
            plan.limit.eq(flags["LIMIT"]),
            plan.csum.eq(flags["CSUM"] | (csum & ~self.walked)),
            plan.csum_swap.eq(swap & ~flags["CUT"]),
            plan.ip.eq(flags["IP"]),
            plan.ip_sum.eq(self.ip_sum),
            plan.base.eq(Mux(flags["CUT"] | flags["AUTO"], self.l4_sum, 0)),
            plan.slot.eq(self.slot),
            window.eq(header_end - head_lane + g.bus_bytes - 1),
            Cat(plan.shift, plan.skip).eq(window),
            plan.skips.eq(window[bits:] != 0),
            plan.tail.eq(last_lane + window[:bits] + 1),
            plan.single.eq(flags["CUT"] & (plan.last_row == plan.header_len >> bits)),
            plan.until.eq(Mux(plan.single, full_end, Cat(plan.shift, 1))),
            step.eq(head_lane + plan.step_lane),
            plan.step_row.less.eq(step == 0),
            plan.step_row.more.eq(step > g.bus_bytes),
            plan.end.eq(end + Mux(flags["CRC"], CRC_BYTES_BEHIND, 0) if g.sctp else end),
            plan.limit_first.eq(flags["LIMIT"] & (end >> bits == 0)),
        ]
        if g.ufo:
            m.d.comb += plan.ufo.eq(flags["UFO"] & flags["CUT"])
        if g.sctp:
            m.d.comb += plan.crc.eq(flags["CRC"])
        return m
