"""What stands behind an IP header, by its protocol number (docs/semantics.md, the walk)."""

from amaranth import C, Cat, Module, Mux
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from ..headers import ExtensionHeader, Protocol
from ..layouts import Base, Kind

__all__ = ["Follows", "NextHeader"]


class Follows(enum.IntEnum):
    """What stands behind an IP header or an extension header."""

    NOTHING = 0
    EXTENSION = 1
    TCP = 2
    UDP = 3
    TUNNEL_UDP = 4
    GRE = 5
    IP = 6
    SCTP = 7


class NextHeader(wiring.Component):
    """A table, without a clock.

    Members
    -------
    protocol : In(8)
    request : In(geometry.request)
    ipv6, inner : In(1)
        Of the IP header: its family, and whether it is in a tunnel.
    routed : In(1)
        There was a routing header.
    elsewhere : In(1)
        In auto the transport header is not looked for: this is a fragment, or will be routed on.
    follows : Out(Follows)
    wrong, disabled : Out(1)
        For a segment request: it contradicts, or its feature is off.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "protocol": In(8),
            "request": In(geometry.request),
            "ipv6": In(1),
            "inner": In(1),
            "routed": In(1),
            "elsewhere": In(1),
            "follows": Out(Follows),
            "wrong": Out(1),
            "disabled": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g, request = self._geometry, self.request
        segment, auto = request.kind == Kind.SEGMENT, request.kind == Kind.AUTO
        is_tcp = (request.base == Base.TCP4) | (request.base == Base.TCP6) if g.uso or g.ufo else C(1)
        asks_ufo = segment & (request.base == Base.UFO) if g.ufo else C(0)
        wants_tunnel = request.tunnel & ~self.inner if g.udp_tunnel else C(0)
        is_extension = Cat(
            self.protocol == kind for kind in (ExtensionHeader.HOP_BY_HOP, ExtensionHeader.ROUTING, ExtensionHeader.DESTINATION)
        ).any()
        with m.If(self.ipv6 & is_extension):
            m.d.comb += [
                self.follows.eq(Follows.EXTENSION),
                self.wrong.eq(asks_ufo & self.routed & (self.protocol == ExtensionHeader.DESTINATION)),
            ]
        with m.Elif(~segment):
            with m.If(auto & ~self.elsewhere & (self.protocol == Protocol.TCP)):
                m.d.comb += self.follows.eq(Follows.TCP)
            with m.Elif(auto & ~self.elsewhere & (self.protocol == Protocol.UDP)):
                m.d.comb += self.follows.eq(Follows.UDP)
            with m.Elif(~auto & (self.protocol == Protocol.SCTP)):
                m.d.comb += self.follows.eq(Follows.SCTP)
        with m.Else():
            outside = ~self.inner & ~wants_tunnel & ~asks_ufo
            m.d.comb += self.wrong.eq(1)
            # (What a tunnel would need is asked for even where it is not built in: then it is disabled.)
            with m.Switch(self.protocol):
                with m.Case(Protocol.TCP):
                    m.d.comb += [
                        self.follows.eq(Follows.TCP),
                        self.wrong.eq(~(is_tcp & ~wants_tunnel & (self.ipv6 == (request.base == Base.TCP6)))),
                    ]
                with m.Case(Protocol.UDP):
                    m.d.comb += [
                        self.follows.eq(Mux(wants_tunnel, Follows.TUNNEL_UDP, Follows.UDP)),
                        self.wrong.eq(is_tcp & ~wants_tunnel),
                    ]
                with m.Case(Protocol.IPV4, Protocol.IPV6):
                    m.d.comb += [
                        self.follows.eq(Follows.IP),
                        self.wrong.eq(~outside),
                        self.disabled.eq(outside & ~Mux(self.ipv6, request.on.ipxip6 & g.ipxip6, request.on.ipxip4 & g.ipxip4)),
                    ]
                with m.Case(Protocol.GRE):
                    m.d.comb += [
                        self.follows.eq(Follows.GRE),
                        self.wrong.eq(~outside),
                        self.disabled.eq(outside & ~(request.on.gre & g.gre)),
                    ]
        return m
