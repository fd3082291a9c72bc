"""Turn the fields that were found into lengths, and lengths into the few bits that a decision needs."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.utils import bits_for, ceil_log2

from ..headers import PROTOCOL_TCP, PROTOCOL_UDP, Tcp, Udp
from ..layouts import Kind
from .layers import TAGGED, UNTAGGED
from .stage import Stage

__all__ = ["CompareStage", "MeasureStage"]

IPV4_HEADER_WORDS = 5
TCP_HEADER_WORDS = 5


class MeasureStage(Stage):
    """Sums and differences, in bytes where they are not said to be in halfwords.

    ``l4_length`` is the declared length from the transport header on, ``ip_room`` frame_len less what stands before the IP header,
    ``left`` the halfwords of the headers from this chunk on.
    """

    def __init__(self, geometry, layout):
        marks = {
            "header_end": 7,
            "headers": 7,
            "left": signed(8),
            "l4_length": 16,
            "ip_short": 1,
            "ip_room": 20,
            "scratch": 1,
            "ip_whole": 1,
        }
        super().__init__(geometry, layout, marks=marks)

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload
        request = chunk.request

        ip_bytes_here = chunk.l4[: ceil_log2(self._lanes)] << 1  # if the IP header ends in this chunk
        ihl, data_offset = chunk.version_ihl[:4], chunk.flags[12:16]
        header_end = Signal(7)
        declared = Signal(range(-64, 1 << 16))
        nothing_told = (request.frame_len == 0) & (chunk.total_length == 0)
        m.d.comb += [
            header_end.eq(chunk.l4 + (data_offset << 1)),
            declared.eq(chunk.total_length - (ihl << 2)),
        ]
        m.d.sync += [
            found.header_end.eq(header_end),
            found.headers.eq((ihl + data_offset) << 1),
            found.left.eq(header_end - (chunk.index << ceil_log2(self._lanes))),
            found.l4_length.eq(declared),
            found.ip_whole.eq(chunk.l4_reached & ((chunk.l4_chunk != 0) | (chunk.count >= ip_bytes_here))),
            found.ip_short.eq(declared < 0),
            found.ip_room.eq(request.frame_len - (Mux(chunk.tagged, TAGGED, UNTAGGED) << 1)),
            # Whether the pseudo-header is summed from the addresses.
            found.scratch.eq((request.kind == Kind.AUTO) | ~request.needs_csum | nothing_told),
        ]
        return m


class CompareStage(Stage):
    """One bit for everything that a decision asks."""

    def __init__(self, geometry, layout):
        marks = {
            "contradicts": 1,  # what a segment request says
            "not_ipv4": 1,
            "header_whole": 1,
            "tcp_bad": 1,
            "tcp": 1,
            "udp": 1,
            "l4_fits": 1,  # a TCP or UDP header lies within the IP length
            "udp_fits": 1,  # and what the UDP length says
            "ip_empty": 1,
            "above_mtu": 1,
            "mtu_fits": 1,  # headers and at least one byte
            "whole_frame": 1,  # BIG TCP: total length 0, and the frame's own counts
            "in_header": geometry.parse_bits // 16,
        }
        super().__init__(geometry, layout, marks=marks)

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload
        request = chunk.request

        version, ihl = chunk.version_ihl[4:], chunk.version_ihl[:4]
        not_ipv4 = chunk.foreign | (chunk.version_seen & ((version != 4) | (ihl < IPV4_HEADER_WORDS)))
        elsewhere = chunk.version_seen & request.needs_csum & (request.csum_start != (chunk.l4 << 1))
        tcp, udp = chunk.protocol == PROTOCOL_TCP, chunk.protocol == PROTOCOL_UDP
        tcp_bad = chunk.flags_seen & (chunk.flags[12:16] < TCP_HEADER_WORDS)

        def at_least(value, least):
            """``value >= least`` for a small constant: any high bit, or few low ones."""
            low = bits_for(least)
            return value[low:].any() | (value[:low] >= least)

        udp_length = chunk.word2
        whole_frame = (chunk.total_length == 0) & (request.frame_len[16:] != 0) & (chunk.ip_room[16:] != 0)
        m.d.sync += [
            found.contradicts.eq(not_ipv4 | elsewhere | (chunk.protocol_seen & ~tcp) | tcp_bad),
            found.not_ipv4.eq(not_ipv4),
            found.header_whole.eq(chunk.flags_seen & (chunk.left <= chunk.count[1:])),
            found.tcp_bad.eq(tcp_bad),
            found.tcp.eq(tcp & ~chunk.fragment),
            found.udp.eq(udp & ~chunk.fragment),
            found.l4_fits.eq(Mux(tcp, at_least(chunk.l4_length, 2 * Tcp.HEADER), at_least(chunk.l4_length, 2 * Udp.HEADER))),
            found.udp_fits.eq(at_least(udp_length, 2 * Udp.HEADER) & (udp_length <= chunk.l4_length) & (chunk.word3 != 0)),
            found.ip_empty.eq(chunk.ip_short & ~whole_frame),
            found.above_mtu.eq((chunk.total_length > request.size) | whole_frame),
            found.mtu_fits.eq(request.size[8:].any() | (request.size[:8] > (chunk.headers << 1))),
            found.whole_frame.eq(whole_frame),
            found.in_header.eq(Cat(~chunk.flags_seen | (chunk.left > lane) for lane in range(self._lanes))),
        ]
        return m
