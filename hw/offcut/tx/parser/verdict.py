"""Decide what becomes of a frame."""

from amaranth import C, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..headers import TAG_BYTES
from ..layouts import DROP_BITS, HEADER_LEN_BITS, Base, Drop, Kind
from .facts import facts_layout

__all__ = ["Verdict", "verdict_layout"]

TCP_LEAST_BYTES = 20
UDP_BYTES = 8
USO_MOST_SEGMENTS_BITS = 7
"""``UDP_MAX_SEGMENTS`` is 128."""
TAG_AT = 12


def verdict_layout(geometry):
    """A decision, with the numbers of which the plan is made. What is meant by ``cut`` and the others stands at ``geometry.plan``."""
    return data.StructLayout({
        "drop": DROP_BITS,
        "cut": 1,
        "headed": 1,
        "moved": 1,
        "auto": 1,
        "limit": 1,
        "ip": 1,
        "csum": 1,
        "ufo": 1,
        "crc": 1,
        "size": 16,
        "header_end": HEADER_LEN_BITS,
        "header_out": HEADER_LEN_BITS,
        "added": 1,  # a VLAN tag, to a frame that is not cut
        "request": geometry.request,
        "facts": facts_layout(geometry),
    })


class Verdict(wiring.Component):
    """The order of judgement from the walk on (docs/semantics.md), and the choices of auto.

    Members
    -------
    request, facts, bare, settle : In
        From the walker: a frame is judged in its third clock of settling, or at once.
    fragmented : Out(1)
        The frame takes an identification.
    valid : Out(1)
    o : Out(verdict_layout(geometry))
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "request": In(geometry.request),
            "facts": In(facts_layout(geometry)),
            "bare": In(1),
            "settle": In(3),
            "fragmented": Out(1),
            "valid": Out(1),
            "o": Out(verdict_layout(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        request, facts, verdict = self.request, self.facts, self.o
        on = request.on
        segment, auto = request.kind == Kind.SEGMENT, request.kind == Kind.AUTO
        insert = request.insert if g.vlan else C(0)
        by_uso = Mux(segment, request.base == Base.USO, facts.udp & (request.csum_start != 0)) if g.uso else C(0)
        by_ufo = Mux(segment, request.base == Base.UFO, facts.udp & (request.csum_start == 0)) if g.ufo else C(0)
        told = request.frame_len != 0

        # --- Clock 1: the length of the outermost IP header and all that follows it, up to the payload.
        ip_bytes = Signal(HEADER_LEN_BITS)
        m.d.sync += ip_bytes.eq(facts.at - facts.l3)

        # --- Clock 2: the size of a segment, and where it does not come from the request whether there is one.
        mtu_left = Signal(signed(18))
        m.d.comb += mtu_left.eq(request.size - ip_bytes)
        size, size_good = Signal(16), Signal()
        m.d.sync += [size.eq(mtu_left), size_good.eq(mtu_left > 0)]
        with m.If(by_uso):
            m.d.sync += [size.eq(request.csum_start), size_good.eq((request.csum_start + ip_bytes) <= request.size)]
        with m.If(by_ufo):
            m.d.sync += [size.eq(mtu_left & ~7), size_good.eq(mtu_left >= 8)]
        with m.If(segment):
            m.d.sync += size.eq(request.size)
        udp_whole, udp_sound, tcp_sound, ip_empty = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            udp_whole.eq(facts.udp_length == facts.rest),
            udp_sound.eq((facts.udp_length >= UDP_BYTES) & (facts.udp_length <= facts.rest) & (facts.ipv6 | (facts.csum != 0))),
            tcp_sound.eq(facts.rest >= TCP_LEAST_BYTES),
            ip_empty.eq(facts.rest < 0),
        ]

        # --- Clock 3: the judgement.
        payload, fragments6 = facts.payload, segment & by_ufo & facts.ipv6
        header_long = facts.out > g.header_bytes
        known = Mux(auto, told, ~facts.no_end)
        fits = known & (payload <= size)
        too_many = ~facts.no_end & (payload > (size << USO_MOST_SEGMENTS_BITS))
        too_far = ~facts.no_end & payload[16:-1].any() & ~payload[-1]
        blind = facts.no_end & (by_ufo | (facts.inner if g.tunnel else C(0)))
        drop, cut, headed, ip, csum = Signal(DROP_BITS), Signal(), Signal(), Signal(), Signal()
        before = Signal(DROP_BITS)
        with m.If(self.bare):
            m.d.comb += before.eq(request.drop)
        with m.Elif(segment | (insert & facts.early)):
            m.d.comb += before.eq(facts.drop)
        with m.If(before != Drop.NONE):
            m.d.comb += drop.eq(before)
        with m.Elif(segment):
            with m.If(header_long):
                m.d.comb += drop.eq(Drop.HEADER_TOO_LONG)
            with m.Elif(blind):
                m.d.comb += drop.eq(Drop.BAD_HEADER)
            with m.Elif((by_uso & too_many) | (by_ufo & too_far)):
                m.d.comb += drop.eq(Drop.BAD_REQUEST)
            with m.Else():
                m.d.comb += [cut.eq(~fits), csum.eq(fits & request.needs_csum)]
        with m.Elif(auto):
            allowed = Signal()
            with m.If(facts.tcp):
                m.d.comb += allowed.eq(Mux(facts.ipv6, on.tcp6 if g.tcp6 else 0, on.tcp4 if g.tcp4 else 0))
            with m.If(by_uso):
                m.d.comb += allowed.eq(on.uso & udp_whole)
            with m.If(by_ufo):
                m.d.comb += allowed.eq(on.ufo & udp_whole & ~facts.ipv6 & (facts.fragment == 0))
            with m.If(~facts.ip_whole | (~facts.ipv6 & ip_empty)):
                pass
            with m.Elif(facts.above):
                with m.If(facts.l4_whole & allowed & size_good & ~header_long):
                    m.d.comb += cut.eq(~fits)
                with m.Else():
                    m.d.comb += drop.eq(Drop.TOO_BIG)
            with m.Else():
                m.d.comb += [
                    ip.eq(~facts.ipv6 & on.checksum),
                    csum.eq(facts.l4_whole & on.checksum & Mux(facts.tcp, tcp_sound, udp_sound)),
                ]
        with m.Else():
            m.d.comb += csum.eq(request.needs_csum)

        m.d.comb += [
            self.valid.eq(self.bare | self.settle[2]),
            self.fragmented.eq(self.settle[2] & fragments6 & (facts.drop == Drop.NONE) & ~header_long & ~blind),
            verdict.drop.eq(drop),
            verdict.cut.eq(cut),
            headed.eq(cut | (insert & (drop == Drop.NONE))),
            verdict.headed.eq(headed),
            verdict.moved.eq(headed & (insert | facts.shrunk | fragments6)),
            verdict.auto.eq(auto & (cut | ip | csum)),
            verdict.limit.eq(cut & auto & ~facts.big),
            verdict.ip.eq(ip),
            verdict.csum.eq(csum | (cut & ~(auto & facts.udp & ~facts.ipv6 & (facts.csum == 0)))),
            verdict.ufo.eq(cut & by_ufo),
            verdict.crc.eq(csum & (facts.sctp if g.sctp else C(0))),
            verdict.size.eq(size),
            verdict.added.eq(insert & ~cut),
            verdict.request.eq(request),
            verdict.facts.eq(facts),
        ]
        with m.If(cut):
            m.d.comb += [verdict.header_end.eq(facts.at), verdict.header_out.eq(facts.out)]
        with m.Elif(headed):
            m.d.comb += [verdict.header_end.eq(TAG_AT), verdict.header_out.eq(TAG_AT + TAG_BYTES)]
        return m
