"""Sum the halfwords of a header, by what they count for."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .stage import halfword

__all__ = ["HeaderSums"]


class HeaderSums(wiring.Component):
    """Three sums over the chunks of a frame, 3 clocks behind them: the IPv4 header's own, its addresses', the transport header's.

    They are plain sums, wide enough for every header: the carries are folded where the sums are used.

    Members
    -------
    i : In(stream.Signature(layout, always_ready=True))
    ip, addresses, l4 : Out
    """

    def __init__(self, geometry, layout):
        self._lanes = geometry.parse_bits // 16
        super().__init__({
            "i": In(stream.Signature(layout, always_ready=True)),
            "ip": Out(24),
            "addresses": Out(18),
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
        for name, mask, total in (
            ("ip", chunk.sum_ip, self.ip),
            ("addresses", chunk.sum_addresses, self.addresses),
            ("l4", chunk.sum_l4 & chunk.in_header, self.l4),
        ):
            lanes = [Signal(16, name=f"{name}_lane_{lane}") for lane in range(self._lanes)]
            for lane, register in enumerate(lanes):
                m.d.sync += register.eq(halfword(chunk.data, lane))
                with m.If(~mask[lane]):
                    m.d.sync += register.eq(0)
            chunk_sum = Signal(18, name=f"{name}_chunk")
            m.d.sync += chunk_sum.eq(sum(lanes, Const(0)))
            with m.If(valid[1]):
                m.d.sync += total.eq(Mux(first[1], 0, total) + chunk_sum)

        return m
