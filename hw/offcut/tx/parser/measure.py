"""Turn the fields that were found into lengths, and lengths into the few bits that a decision needs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.utils import ceil_log2

from ..layouts import Kind
from .headers import PROTOCOL_TCP, PROTOCOL_UDP, Ipv4, Tcp, Udp
from .layers import TAGGED, UNTAGGED
from .stage import Stage

__all__ = ["CompareStage", "MeasureStage"]

IPV4_HEADER_WORDS = 5
TCP_HEADER_WORDS = 5


class MeasureStage(Stage):
    """Sums and differences. Offsets and lengths in halfwords, but for ``l4_length`` and ``ip_room`` in bytes.

    ``l4_length`` is the declared length from the transport header on, ``ip_room`` frame_len less what stands before the IP header.
    """

    def __init__(self, geometry, layout):
        marks = {"header_end": 7, "headers": 7, "seen": 8, "l4_length": 16, "ip_short": 1, "ip_room": 20}
        super().__init__(geometry, layout, marks=marks)

    def elaborate(self, platform):
        m = Module()
        self.carry(m)
        chunk, found = self.i.payload, self.o.payload

        ihl, data_offset = chunk.version_ihl[:4], chunk.flags[12:16]
        declared = Signal(range(-64, 1 << 16))
        m.d.comb += declared.eq(chunk.total_length - (ihl << 2))
        m.d.sync += [
            found.header_end.eq(chunk.l4 + (data_offset << 1)),
            found.headers.eq((ihl + data_offset) << 1),
            found.seen.eq((chunk.index << ceil_log2(self._lanes)) + (chunk.count >> 1)),
            found.l4_length.eq(declared),
            found.ip_short.eq(declared < 0),
            found.ip_room.eq(chunk.request.frame_len - (Mux(chunk.tagged, TAGGED, UNTAGGED) << 1)),
        ]
        return m


class CompareStage(Stage):
    """One bit for everything that a decision asks; and the chunk's lanes, cleared where they lie behind the headers."""

    def __init__(self, geometry, layout):
        lanes = geometry.parse_bits // 16
        marks = {
            "contradicts": 1,  # what a segment request says
            "not_ipv4": 1,
            "ip_whole": 1,
            "udp_whole": 1,
            "tcp_whole": 1,  # without its options
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
            "in_header": lanes,
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

        udp_length = chunk.word2
        whole_frame = (chunk.total_length == 0) & (request.frame_len[16:] != 0) & (chunk.ip_room[16:] != 0)
        m.d.sync += [
            found.contradicts.eq(not_ipv4 | elsewhere | (chunk.protocol_seen & ~tcp) | tcp_bad),
            found.not_ipv4.eq(not_ipv4),
            found.ip_whole.eq(chunk.version_seen & (chunk.seen >= chunk.l4)),
            found.udp_whole.eq(chunk.version_seen & (chunk.seen >= chunk.l4 + Udp.HEADER)),
            found.tcp_whole.eq(chunk.version_seen & (chunk.seen >= chunk.l4 + Tcp.HEADER)),
            found.header_whole.eq(chunk.flags_seen & (chunk.seen >= chunk.header_end)),
            found.tcp_bad.eq(tcp_bad),
            found.tcp.eq(tcp & ~chunk.fragment),
            found.udp.eq(udp & ~chunk.fragment),
            found.l4_fits.eq(chunk.l4_length >= 2 * Mux(tcp, Tcp.HEADER, Udp.HEADER)),
            found.udp_fits.eq((udp_length >= 2 * Udp.HEADER) & (udp_length <= chunk.l4_length) & (chunk.word3 != 0)),
            found.ip_empty.eq(chunk.ip_short & ~whole_frame),
            found.above_mtu.eq((chunk.total_length > request.size) | whole_frame),
            found.mtu_fits.eq(request.size > (chunk.headers << 1)),
            found.whole_frame.eq(whole_frame),
        ]

        left = Signal(range(-256, 256))  # halfwords of the headers from this chunk on
        m.d.comb += left.eq(chunk.header_end - (chunk.index << ceil_log2(self._lanes)))
        m.d.sync += found.in_header.eq(Cat(~chunk.flags_seen | (left > lane) for lane in range(self._lanes)))
        return m
