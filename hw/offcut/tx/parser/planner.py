"""Turn a verdict into numbers: what the slicer does, and what the patcher needs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..headers import PROTOCOL_TCP, PROTOCOL_UDP, Ethernet, Tcp, Udp
from ..layouts import POSITION_BITS, Kind
from ..ones import fold
from .judge import verdict_layout

__all__ = ["Planner"]

CLOCKS = 5


class Planner(wiring.Component):
    """A chain of adders, 5 clocks long, a plan a clock.

    Members
    -------
    i : In(stream.Signature(verdict_layout(...), always_ready=True))
    sum_ip, sum_l4 : In
        The header's sums, valid two clocks after the verdict.
    plan : Out(stream.Signature(geometry.plan, always_ready=True))
    record : Out(geometry.record)
        Valid with the plan of a frame that is cut.
    """

    def __init__(self, geometry, layout):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(verdict_layout(geometry, layout), always_ready=True)),
            "sum_ip": In(24),
            "sum_l4": In(24),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "record": Out(geometry.record),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        verdict = self.i.payload
        found, request = verdict.found, verdict.found.request
        auto = request.kind == Kind.AUTO
        asked = request.kind == Kind.CHECKSUM

        # plans[n] is what is known of a plan after n + 1 clocks.
        plans = [Signal(g.plan, name=f"plan_{clock}") for clock in range(1, CLOCKS + 1)]
        records = [Signal(g.record, name=f"record_{clock}") for clock in range(1, CLOCKS + 1)]
        valids = [Signal(name=f"valid_{clock}") for clock in range(1, CLOCKS + 1)]
        m.d.sync += valids[0].eq(self.i.valid)
        for clock in range(1, CLOCKS):
            m.d.sync += [plans[clock].eq(plans[clock - 1]), records[clock].eq(records[clock - 1]), valids[clock].eq(valids[clock - 1])]
        m.d.comb += [self.plan.valid.eq(valids[-1]), self.plan.payload.eq(plans[-1]), self.record.eq(records[-1])]

        def later(value, name):
            """The value a clock later."""
            signal = Signal.like(value, name=name)
            m.d.sync += signal.eq(value)
            return signal

        # --- Clock 1: places.
        l3 = Mux(found.tagged, 2 * (Ethernet.HEADER + Ethernet.TAG), 2 * Ethernet.HEADER)
        l4 = found.l4 << 1
        header_len = Mux(verdict.cut, found.header_end << 1, 0)
        ip_last = Signal(POSITION_BITS)  # the last byte that the IP header counts
        m.d.comb += ip_last.eq(l3 + found.total_length - 1)

        plan = plans[0]
        m.d.sync += [
            plan.drop.eq(verdict.drop),
            plan.swallow.eq(verdict.drop != 0),
            plan.cut.eq(verdict.cut),
            plan.slot.eq(verdict.slot),
            plan.auto.eq(auto),
            plan.header_len.eq(header_len),
            plan.limit.eq(verdict.cut & auto & ~found.whole_frame),
            plan.end.eq(Mux(auto, ip_last, request.csum_low)),
            plan.sum_first.eq(Mux(auto, l4, request.csum_start)),
            plan.sum_last.eq(Mux(found.tcp, l3, l4) + Mux(found.tcp, found.total_length, found.word2) - 1),
            plan.csum.eq(Mux(auto, verdict.l4, request.needs_csum)),
            plan.csum_low.eq(Mux(asked, request.csum_low, l4 + 2 * Mux(found.tcp | ~auto, Tcp.CHECKSUM, Udp.CHECKSUM) + 1)),
            plan.csum_swap.eq(asked & request.csum_swap),
            plan.ip.eq(verdict.ip),
            plan.ip_tagged.eq(found.tagged),
        ]
        record = records[0]
        m.d.sync += [
            record.seq.eq(Cat(found.word3, found.word2)),
            record.identification.eq(found.identification),
            record.flags.eq(found.flags),
            record.header_len.eq(header_len),
            record.tagged.eq(found.tagged),
        ]

        # --- Clock 2: where a full segment ends as it leaves. (In auto size is the MTU, so it counts from the IP header.)
        before_1 = later(Mux(auto, l3, found.header_end << 1), "before_1")
        size_1 = later(request.size, "size_1")
        last_byte = Signal(17)
        m.d.sync += last_byte.eq(before_1 + size_1 - 1)
        m.d.sync += [
            Cat(plans[2].last_lane, plans[2].last_row).eq(last_byte),
            plans[2].single.eq(plans[1].cut & (last_byte >> g.lane_bits == plans[1].header_len >> g.lane_bits)),
            plans[2].headed.eq(plans[1].header_len >> g.lane_bits != 0),
            plans[2].limit_first.eq(plans[1].limit & (plans[1].end >> g.lane_bits == 0)),
        ]
        # Clock 3: how far the next segment is shifted against it.
        head_lane = plans[1].header_len[: g.lane_bits]
        step_lane = Signal(g.lane_bits)
        m.d.comb += step_lane.eq(last_byte[: g.lane_bits] + 1 - head_lane)
        m.d.sync += [
            plans[2].step_lane.eq(step_lane),
            plans[2].step_row.less.eq((head_lane == 0) & (step_lane == 0)),
            plans[2].step_row.more.eq((head_lane + step_lane) > g.bus_bytes),
        ]

        # --- The sum to begin with. In one's complement, to take something out is to add its inverse.
        # A length stands in the partial sum that came with the request; each segment's own takes its place. Counted from the frame's
        # first byte, the patcher adds the index of its last one: the 1 that is missing is added here.
        frame_len, length = request.frame_len, Mux(found.tcp, found.l4_length, found.word2)
        field = Mux(found.tcp, found.csum, found.word3)
        out, into, extra = Signal(16), Signal(16), Signal(6)
        with m.If(~verdict.cut):  # a pseudo-header for a frame that auto completes; what stood in the field goes
            m.d.comb += [out.eq(field), into.eq(length), extra.eq(Mux(found.tcp, PROTOCOL_TCP, PROTOCOL_UDP))]
        with m.Elif(found.scratch):  # ... for segments
            m.d.comb += [out.eq(l4), extra.eq(PROTOCOL_TCP + 1)]
        with m.Elif(frame_len != 0):  # frame_len - l4 was in it, and index + 1 - l4 belongs there
            m.d.comb += [out.eq(frame_len[:16]), into.eq(0xFFFF ^ frame_len[16:]), extra.eq(1)]
        with m.Else():  # total_length - ihl was in it
            m.d.comb += [out.eq(found.total_length), into.eq(0xFFFF ^ l3), extra.eq(1)]
        sum_1 = later((0xFFFF ^ out) + into, "sum_1")
        extra_1 = later(extra, "extra_1")
        sum_2 = later(sum_1 + extra_1, "sum_2")
        # Clock 3: the header's own sums have arrived.
        sum_3 = later(sum_2 + self.sum_l4, "sum_3")
        ip_3 = later(fold(self.sum_ip), "ip_3")
        # Clock 4: folded; what is left in bit 16 does no harm to the base, and to the other it is added once more.
        base_4 = later(fold(sum_3), "base_4")
        ip_4 = later(fold(ip_3)[:16], "ip_4")
        m.d.sync += [
            plans[4].base.eq(Mux(plans[3].cut | plans[3].auto, base_4, 0)),
            plans[4].ip_sum.eq(ip_4),
            records[4].ip_sum.eq(ip_4),
        ]
        return m
