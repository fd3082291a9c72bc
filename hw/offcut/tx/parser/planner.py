"""Turn a verdict into numbers: what the slicer does, and what the patcher needs."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts import REACH_MAX, Drop, Kind
from ..ones import fold
from .headers import PROTOCOL_TCP, PROTOCOL_UDP, Ethernet, Tcp, Udp
from .judge import verdict_layout

__all__ = ["Planner"]


class Planner(wiring.Component):
    """A chain of adders, 6 clocks long, a plan a clock.

    Members
    -------
    i : In(stream.Signature(verdict_layout(...), always_ready=True))
    sum_ip, sum_addresses, sum_l4 : In
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
            "sum_addresses": In(18),
            "sum_l4": In(24),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "record": Out(geometry.record),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        verdict = self.i.payload
        found, request = verdict.found, verdict.found.request

        def later(value, name):
            """The value a clock later."""
            signal = Signal.like(value, name=name)
            m.d.sync += signal.eq(value)
            return signal

        # --- Everything that needs no sum, carried along while the sums are made.
        auto = request.kind == Kind.AUTO
        l3 = Mux(found.tagged, 2 * (Ethernet.HEADER + Ethernet.TAG), 2 * Ethernet.HEADER)
        l4 = found.l4 << 1
        header_len = Mux(verdict.cut, found.header_end << 1, 0)
        size = Signal(16)
        m.d.comb += size.eq(request.size - Mux(auto, found.headers << 1, 0))

        plans = [Signal(g.plan, name=f"plan_{clock}") for clock in range(1, 7)]
        records = [Signal(g.record, name=f"record_{clock}") for clock in range(1, 7)]
        valids = [Signal(name=f"valid_{clock}") for clock in range(1, 7)]
        m.d.sync += valids[0].eq(self.i.valid)
        for clock in range(1, 6):
            m.d.sync += [plans[clock].eq(plans[clock - 1]), records[clock].eq(records[clock - 1]), valids[clock].eq(valids[clock - 1])]
        m.d.comb += [self.plan.valid.eq(valids[-1]), self.plan.payload.eq(plans[-1]), self.record.eq(records[-1])]

        ip_last = Signal(18)  # position of the last byte that the IP header counts
        udp_last = Signal(18)
        m.d.comb += [ip_last.eq(l3 + found.total_length - 1), udp_last.eq(l4 + found.word2 - 1)]

        def clamp(position):
            return Mux(position > REACH_MAX, REACH_MAX, position)

        plan = plans[0]
        m.d.sync += [
            plan.drop.eq(verdict.drop),
            plan.cut.eq(verdict.cut),
            plan.slot.eq(verdict.slot),
            plan.header_len.eq(header_len),
            plan.limit.eq(verdict.cut & auto & ~found.whole_frame),
            Cat(plan.end_lane, plan.end_row).eq(ip_last),
            plan.strict.eq(~auto),
            plan.ip.eq(verdict.ip),
            plan.ip_tagged.eq(found.tagged),
            plan.csum_swap.eq(0),
        ]
        with m.If(auto):
            m.d.sync += [
                plan.csum.eq(verdict.l4),
                plan.csum_pos.eq(l4 + 2 * Mux(found.tcp, Tcp.CHECKSUM, Udp.CHECKSUM)),
                plan.sum_first.eq(l4),
                plan.sum_last.eq(clamp(Mux(found.tcp, ip_last, udp_last))),
                plan.reach.eq(Mux(verdict.ip, clamp(ip_last + 1), 0)),
            ]
        with m.Elif(request.kind == Kind.PASS):
            m.d.sync += [plan.csum.eq(0), plan.reach.eq(0)]
        with m.Else():
            m.d.sync += [
                plan.csum.eq(request.needs_csum),
                plan.csum_pos.eq(request.csum_pos),
                plan.csum_swap.eq(request.csum_swap & ~verdict.cut),
                plan.sum_first.eq(request.csum_start),
                plan.sum_last.eq(REACH_MAX + 3),
                plan.reach.eq(Mux(verdict.cut, 0, request.csum_pos + 2)),
            ]
            with m.If(verdict.cut):
                m.d.sync += plan.csum_pos.eq(l4 + 2 * Tcp.CHECKSUM)

        record = records[0]
        m.d.sync += [
            record.seq.eq(Cat(found.word3, found.word2)),
            record.identification.eq(found.identification),
            record.flags.eq(found.flags),
            record.header_len.eq(header_len),
            record.tagged.eq(found.tagged),
        ]

        # --- Where a full segment ends as it leaves, and how far the next one is shifted against it.
        size_1 = later(size, "size_1")
        last_byte = Signal(17)
        m.d.sync += last_byte.eq(plans[0].header_len + size_1 - 1)
        head_lane, step_lane = plans[0].header_len[: g.lane_bits], size_1[: g.lane_bits]
        plan = plans[1]
        m.d.sync += [
            plan.step_lane.eq(step_lane),
            plan.step_row.less.eq((head_lane == 0) & (step_lane == 0)),
            plan.step_row.more.eq((head_lane + step_lane) > g.bus_bytes),
        ]
        m.d.sync += Cat(plans[2].last_lane, plans[2].last_row).eq(last_byte)

        # --- Sums. Clock 1: what takes the place of the length inside a partial sum, or a pseudo-header from scratch.
        # (one's complement: to take something out is to add its inverse)
        frame_len = request.frame_len
        scratch = auto | ~request.needs_csum | ((frame_len == 0) & (found.total_length == 0))
        out = Signal(17)
        field = Mux(found.tcp | ~auto, found.csum, found.word3)
        with m.If(~scratch & (frame_len != 0)):
            m.d.comb += out.eq((0xFFFF ^ frame_len[:16]) + (0xFFFF ^ frame_len[16:]))
        with m.Elif(~scratch):
            m.d.comb += out.eq((0xFFFF ^ found.total_length) + (0xFFFF ^ l3))
        with m.Elif(verdict.cut):
            m.d.comb += out.eq((0xFFFF ^ field) + (0xFFFF ^ l4))
        with m.Else():
            m.d.comb += out.eq((0xFFFF ^ field) + Mux(found.tcp, found.l4_length, found.word2))
        out_1 = later(out, "out_1")
        # A segment's length reaches the patcher as the index of its last byte: the 1 is added here.
        extra = Mux(scratch, Mux(found.tcp | ~auto, PROTOCOL_TCP, PROTOCOL_UDP), 0) + verdict.cut
        extra_1 = later(extra, "extra_1")
        scratch_1 = later(scratch, "scratch_1")
        ip_rest_1 = Signal(17)
        m.d.sync += ip_rest_1.eq(Mux(verdict.cut, 0, found.total_length + found.identification))

        # Clock 2
        out_2 = later(out_1 + extra_1, "out_2")
        scratch_2 = later(scratch_1, "scratch_2")
        ip_rest_2 = later(ip_rest_1, "ip_rest_2")

        # Clock 3: the header's own sums have arrived.
        out_3 = later(out_2, "out_3")
        scratch_3 = later(scratch_2, "scratch_3")
        addresses_3 = later(fold(self.sum_addresses), "addresses_3")
        ip_3 = later(fold(self.sum_ip) + ip_rest_2, "ip_3")
        l4_3 = later(fold(self.sum_l4), "l4_3")

        # Clock 4
        out_4 = later(out_3 + Mux(scratch_3, addresses_3, 0), "out_4")
        ip_4 = later(ip_3 + addresses_3, "ip_4")
        base_4 = later(fold(l4_3)[:16], "base_4")

        # Clocks 5 and 6: folded twice. The first leaves at most 0x1000E, so the second leaves no carry.
        out_5 = later(fold(out_4), "out_5")
        ip_5 = later(fold(ip_4), "ip_5")
        base_5 = later(out_4 + Mux(plans[3].cut, base_4, 0), "base_5")
        ip_6 = fold(ip_5)[:16]
        m.d.sync += [
            plans[5].base.eq(Mux(plans[4].cut | ~plans[4].strict, fold(base_5), 0)),
            plans[5].ip_csum.eq(~ip_6),
            records[5].pseudo.eq(fold(out_5)),
            records[5].ip_sum.eq(ip_6),
        ]
        return m
