"""Turn a verdict into numbers: what the slicer does, and what the patcher needs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..headers import TAG_BYTES
from ..layouts import HEADER_LEN_BITS
from .verdict import verdict_layout

__all__ = ["PLANNER_CLOCKS", "Planner"]

PLANNER_CLOCKS = 6
CRC_BYTES_BEHIND = 2
"""A CRC has four bytes: so many behind the two of a checksum."""
TCP_CSUM_AT, UDP_CSUM_AT, IPV4_CSUM_AT = 16, 6, 10


class Planner(wiring.Component):
    """A chain of short adders, 6 clocks long, a plan a clock.

    Members
    -------
    valid, verdict : In
    ip_sum, inner_ip_sum, l4_sum, tunnel_sum : In(16)
        The walker's sums, complete five clocks after the verdict.
    plan : Out(stream.Signature(geometry.plan, always_ready=True))
    record : Out(geometry.record)
        Valid with the plan of a frame that is cut.
    slot : Out
        The next slot that is used; it is this frame's if it is ``headed``.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "valid": In(1),
            "verdict": In(verdict_layout(geometry)),
            "ip_sum": In(16),
            "inner_ip_sum": In(16),
            "l4_sum": In(16),
            "tunnel_sum": In(16),
            "plan": Out(stream.Signature(geometry.plan, always_ready=True)),
            "record": Out(geometry.record),
            "slot": Out(range(geometry.slots)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        verdict = self.verdict
        facts, request = verdict.facts, verdict.request
        bits, top = g.lane_bits, g.bus_bytes - 1

        # plans[n] is what is known of a plan after n + 1 clocks.
        plans = [Signal(g.plan, name=f"plan_{clock}") for clock in range(1, PLANNER_CLOCKS + 1)]
        records = [Signal(g.record, name=f"record_{clock}") for clock in range(1, PLANNER_CLOCKS + 1)]
        valids = [Signal(name=f"valid_{clock}") for clock in range(1, PLANNER_CLOCKS + 1)]
        m.d.sync += valids[0].eq(self.valid)
        for clock in range(1, PLANNER_CLOCKS):
            m.d.sync += [plans[clock].eq(plans[clock - 1]), records[clock].eq(records[clock - 1]), valids[clock].eq(valids[clock - 1])]
        m.d.comb += [self.plan.valid.eq(valids[-1]), self.plan.payload.eq(plans[-1]), self.record.eq(records[-1])]
        with m.If(self.valid & verdict.headed):
            m.d.sync += self.slot.eq(self.slot + 1)

        def later(value, name):
            """The value a clock later."""
            signal = Signal.like(value, name=name)
            m.d.sync += signal.eq(value)
            return signal

        # --- Clock 1: what stays as it is, and places.
        tcp, auto = facts.tcp, verdict.auto
        added = Mux(verdict.added, TAG_BYTES, 0)
        plan, record = plans[0], records[0]
        m.d.sync += [
            plan.drop.eq(verdict.drop),
            plan.swallow.eq(verdict.drop != 0),
            plan.cut.eq(verdict.cut),
            plan.headed.eq(verdict.headed),
            plan.slot.eq(self.slot),
            plan.auto.eq(auto),
            plan.header_len.eq(verdict.header_out),
            plan.moved.eq(verdict.moved),
            plan.limit.eq(verdict.limit),
            plan.end.eq(Mux(auto, facts.end - 1, request.csum_low) + added + Mux(verdict.crc, CRC_BYTES_BEHIND, 0)),
            plan.sum_first.eq(Mux(auto, facts.l4, request.csum_start) + added),
            plan.csum.eq(verdict.csum),
            plan.csum_swap.eq(~auto & ~verdict.cut & request.csum_swap),
            plan.ip.eq(verdict.ip),
            plan.ip_low.eq(facts.l3 + IPV4_CSUM_AT + 1 + added),
        ]
        csum_at = Mux(tcp, TCP_CSUM_AT + 1, UDP_CSUM_AT + 1)
        with m.If(verdict.cut):
            m.d.sync += plan.csum_low.eq(Mux(verdict.ufo, verdict.header_out, facts.behind + 1) + csum_at)
        with m.Elif(auto):
            m.d.sync += plan.csum_low.eq(facts.l4 + csum_at + added)
        with m.Else():
            m.d.sync += plan.csum_low.eq(request.csum_low + added)
        if g.ufo:
            m.d.sync += plan.ufo.eq(verdict.ufo)
        if g.sctp:
            m.d.sync += plan.crc.eq(verdict.crc)
        if g.config.user_width:
            m.d.sync += plan.user.eq(request.user)

        values = {
            "size": verdict.size,
            "ipv6": facts.ipv6,
            "length_behind": facts.length_behind,
            "identification": facts.identification,
            "udp": facts.udp,
            "l4_behind": facts.behind,
            "ufo": verdict.ufo,
        }
        if g.segments:
            values["id_mode"] = request.id_mode
        if g.tcp:
            values |= {name: facts[name] for name in ("seq", "flags")}
            values |= {name: request[name] for name in ("clear_first", "clear_middle", "clear_last")}
        if g.tunnel:
            values |= {name: facts[name] for name in ("inner", "inner_identification", "tunnel_udp", "tunnel_csum", "inner_ipv6")}
            values |= {"inner_length_behind": facts.inner_length_behind, "tunnel_behind": facts.tunnel_behind}
        m.d.sync += [record[name].eq(value) for name, value in values.items() if name in g.record.members]

        # --- Clock 2: where a full segment ends as it leaves, and the window of the first word of payload in the frame.
        header_end_1 = later(verdict.header_end, "header_end_1")
        size_1 = later(verdict.size, "size_1")
        tcp_1 = later(tcp, "tcp_1")
        before_udp_1 = later(Mux(tcp, 0, facts.l4 + Mux(verdict.added, TAG_BYTES - 1, -1))[:HEADER_LEN_BITS], "before_udp_1")
        udp_length_1 = later(facts.udp_length, "udp_length_1")
        last_byte, window = Signal(17), Signal(len(plan.header_len) + 1)
        head_lane = plans[0].header_len[:bits]
        m.d.sync += [
            last_byte.eq(plans[0].header_len + size_1 - 1),
            window.eq(header_end_1 - head_lane + top),
            plans[1].sum_last.eq(before_udp_1 + Mux(tcp_1, plans[0].end, udp_length_1)),
        ]

        # --- Clock 3: the same as rows and lanes, and how far the next segment is shifted against it.
        head_lane = plans[1].header_len[:bits]
        step_lane = Signal(bits)
        m.d.comb += step_lane.eq(last_byte[:bits] + 1 - head_lane)
        m.d.sync += [
            Cat(plans[2].last_lane, plans[2].last_row).eq(last_byte),
            plans[2].single.eq(plans[1].cut & (last_byte >> bits == plans[1].header_len >> bits)),
            plans[2].skip.eq(window >> bits),
            plans[2].shift.eq(window[:bits]),
            plans[2].tail.eq(last_byte[:bits] + window[:bits] + 1),
            plans[2].limit_first.eq(plans[1].limit & (plans[1].end >> bits == 0)),
            plans[2].step_lane.eq(step_lane),
            plans[2].step_row.less.eq((head_lane == 0) & (step_lane == 0)),
            plans[2].step_row.more.eq((head_lane + step_lane) > g.bus_bytes),
        ]

        # --- Clock 4: where the first word ends.
        full_end = Mux(plans[2].moved, plans[2].tail, Cat(plans[2].last_lane, 1))
        m.d.sync += [
            plans[3].skips.eq(plans[2].skip != 0),
            plans[3].until.eq(Mux(plans[2].single, full_end, Cat(plans[2].shift, 1))),
        ]

        # --- Clock 6: the sums.
        last = PLANNER_CLOCKS - 1
        m.d.sync += [
            *(records[last][name].eq(getattr(self, name)) for name in ("ip_sum", "inner_ip_sum", "tunnel_sum") if name in g.record.members),
            plans[last].ip_sum.eq(self.ip_sum),
            plans[last].base.eq(Mux(plans[last - 1].auto | plans[last - 1].cut, self.l4_sum, 0)),
        ]
        return m
