"""Decide what becomes of a frame, once, at the first chunk that allows it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..layouts import Drop, Kind
from .stage import TAG_BITS

__all__ = ["Judge", "verdict_layout"]

CARRIED = (
    "tagged",
    "total_length",
    "identification",
    "l4",
    "header_end",
    "headers",
    "word2",
    "word3",
    "flags",
    "csum",
    "l4_length",
    "tcp",
    "whole_frame",
    "scratch",
    "request",
)


def verdict_layout(geometry, layout):
    """A decision, and of what the walk found that which the plan is made of."""
    return data.StructLayout({
        "drop": 4,
        "cut": 1,
        "slot": ceil_log2(geometry.slots),
        "ip": 1,
        "l4": 1,
        "found": data.StructLayout({name: layout[name].shape for name in CARRIED}),
    })


class Judge(wiring.Component):
    """One verdict a frame, in order, a clock after the chunk that decides it.

    A frame that is cut takes the header slot that the header RAM has been writing.

    Members
    -------
    i : In(stream.Signature(layout, always_ready=True))
    o : Out(stream.Signature(verdict_layout(geometry, layout), always_ready=True))
    slot : Out
        The slot that the next frame to be cut will have.
    spared : Out(1)
        A frame that was walked needs no slot.
    open : Out(1)
        The chunk belongs to a frame that may yet be cut, so that it belongs into the slot.
    decided, decided_tag : Out
    """

    def __init__(self, geometry, layout):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(layout, always_ready=True)),
            "o": Out(stream.Signature(verdict_layout(geometry, layout), always_ready=True)),
            "slot": Out(range(geometry.slots)),
            "spared": Out(1),
            "open": Out(1),
            "decided": Out(1),
            "decided_tag": Out(TAG_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._geometry.config
        chunk, verdict = self.i.payload, self.o.payload
        request = chunk.request

        settled = Signal()
        decide = Signal()
        drop = Signal(4)
        cut = Signal()
        ip = Signal()
        l4 = Signal()

        cuttable = chunk.tcp & chunk.above_mtu
        with m.If(request.drop != Drop.NONE):
            m.d.comb += [decide.eq(1), drop.eq(request.drop)]
        with m.Elif(request.kind == Kind.SEGMENT):
            m.d.comb += decide.eq(chunk.contradicts | chunk.header_whole | chunk.end)
            with m.If(chunk.contradicts):
                m.d.comb += drop.eq(Drop.BAD_HEADER)
            with m.Elif(chunk.header_whole):
                m.d.comb += cut.eq(1)
            with m.Else():
                m.d.comb += drop.eq(Mux(chunk.fault != 0, chunk.fault, Drop.TRUNCATED))
        with m.Elif(request.kind == Kind.AUTO):
            # A frame that ends before what is waited for does not reach what its IP length says: it will pass unchanged all the same.
            enough = Mux(
                cuttable,
                chunk.header_whole | chunk.tcp_bad,
                (~chunk.tcp | chunk.csum_seen) & (~chunk.udp | chunk.word3_seen),
            )
            m.d.comb += decide.eq(chunk.not_ipv4 | (chunk.ip_whole & (chunk.ip_empty | enough)) | chunk.end)
            with m.If(~chunk.not_ipv4 & chunk.ip_whole & ~chunk.ip_empty):
                with m.If(chunk.above_mtu):
                    able = cuttable & chunk.header_whole & ~chunk.tcp_bad & chunk.mtu_fits
                    m.d.comb += cut.eq(able & config.has("tx-tcp-segmentation"))
                    m.d.comb += drop.eq(Mux(cut, Drop.NONE, Drop.TOO_BIG))
                with m.Else():
                    able = chunk.l4_fits & (chunk.tcp | (chunk.udp & chunk.udp_fits))
                    m.d.comb += ip.eq(config.has("tx-checksum-ip-generic"))
                    m.d.comb += l4.eq(able & config.has("tx-checksum-ip-generic"))
        with m.Else():
            m.d.comb += decide.eq(1)

        pending = self.i.valid & (chunk.first | ~settled)
        now = pending & decide
        m.d.comb += [
            self.decided.eq(now),
            self.decided_tag.eq(chunk.tag),
            self.spared.eq(now & request.walk & ~cut),
            self.open.eq(pending & request.walk),
        ]
        with m.If(self.i.valid):
            m.d.sync += settled.eq(decide | (~chunk.first & settled))
        with m.If(now & cut):
            m.d.sync += self.slot.eq(self.slot + 1)

        m.d.sync += self.o.valid.eq(now)
        with m.If(now):
            m.d.sync += [
                verdict.drop.eq(drop),
                verdict.cut.eq(cut),
                verdict.slot.eq(self.slot),
                verdict.ip.eq(ip),
                verdict.l4.eq(l4),
                *(verdict.found[name].eq(chunk[name]) for name in CARRIED),
            ]
        return m
