"""Sum the halfwords of a header."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts import Kind
from .stage import halfword

__all__ = ["HeaderSums"]


class HeaderSums(wiring.Component):
    """Two sums over the chunks of a frame, 3 clocks behind them.

    ``ip`` is the IPv4 header's, without its checksum; in a frame that is cut without what differs from segment to segment either.
    ``l4`` is the part of the transport checksum that the header knows: its addresses where the pseudo-header is made from scratch; and
    in a frame that is cut, the transport header, again without what differs. Its checksum field counts unless it is made from scratch.

    They are plain sums, wide enough for every header: the carries are folded where the sums are used.

    Members
    -------
    i : In(stream.Signature(layout, always_ready=True))
    ip, l4 : Out(24)
    """

    def __init__(self, geometry, layout):
        self._lanes = geometry.parse_bits // 16
        super().__init__({
            "i": In(stream.Signature(layout, always_ready=True)),
            "ip": Out(24),
            "l4": Out(24),
        })

    def elaborate(self, platform):
        m = Module()
        chunk = self.i.payload

        valid = [Signal(name=f"valid_{clock}") for clock in range(2)]
        first = [Signal(name=f"first_{clock}") for clock in range(2)]
        m.d.sync += [
            valid[0].eq(self.i.valid),
            valid[1].eq(valid[0]),
            first[0].eq(chunk.first),
            first[1].eq(first[0]),
        ]
        cut = (chunk.request.kind == Kind.SEGMENT) | chunk.above_mtu

        def wanted(name, lane):
            if name == "ip":
                return chunk.is_ip[lane] | chunk.is_addresses[lane] | (chunk.is_own[lane] & ~cut)
            header = (chunk.is_l4[lane] & chunk.in_header[lane]) | (chunk.is_l4_csum[lane] & ~chunk.scratch)
            return (chunk.is_addresses[lane] & chunk.scratch) | (header & cut)

        for name, total in (("ip", self.ip), ("l4", self.l4)):
            lanes = [Signal(16, name=f"{name}_lane_{lane}") for lane in range(self._lanes)]
            for lane, register in enumerate(lanes):
                m.d.sync += register.eq(halfword(chunk.data, lane))
                with m.If(~wanted(name, lane)):
                    m.d.sync += register.eq(0)
            chunk_sum = Signal(18, name=f"{name}_chunk")
            m.d.sync += chunk_sum.eq(sum(lanes, Const(0)))
            with m.If(valid[1]):
                m.d.sync += total.eq(Mux(first[1], 0, total) + chunk_sum)

        return m
