"""Take frames from AXI4-Stream, hold them to the input contract, and decode what they ask for."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .headers import Tcp
from .layouts import Drop, Kind

__all__ = ["Ingress"]

GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 1, 3, 4, 5
DEFAULT_MTU = 1500


class Ingress(wiring.Component):
    """Checks every beat, counts its bytes, and cuts a frame off where it breaks the contract.

    Latency 1 clock for rows, 2 for requests; a beat a clock while ``room`` is 1. A beat whose ``tkeep`` breaks the contract leaves as an
    empty row with its fault; one in which ``tlast`` and frame_len disagree is cut off there. The rest of the frame is swallowed.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream.Signature(geometry.axis))
    room : In(1)
        Registered: 1 while three more rows and as many requests can be taken.
    cfg_auto, cfg_mtu : In
        Sampled with a frame's first beat.
    rows : Out(stream.Signature(geometry.row, always_ready=True))
    requests : Out(stream.Signature(geometry.request, always_ready=True))
        ``row`` counts the rows since reset, so it is the address of the frame's first row in a store that they fill in order.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(geometry.axis)),
            "room": In(1),
            "cfg_auto": In(1),
            "cfg_mtu": In(16),
            "rows": Out(stream.Signature(geometry.row, always_ready=True)),
            "requests": Out(stream.Signature(geometry.request, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        beat = self.i.payload

        # --- A beat as it comes: is it contiguous, and how many bytes does it hold?
        keep = beat.keep
        holes = (keep[1:] & ~keep[:-1]).any() | ~keep[0]
        # In contiguous lanes the last byte stands where a 1 is followed by a 0.
        edge = keep & ~Cat(keep[1:], 0)
        last_lane = Signal(g.lane_bits)
        for bit in range(g.lane_bits):
            m.d.comb += last_lane[bit].eq(Cat(edge[lane] for lane in range(g.bus_bytes) if lane >> bit & 1).any())

        accept = self.i.valid & self.i.ready
        idle = Signal(init=1)
        m.d.comb += self.i.ready.eq(self.room)

        valid = Signal()
        first = Signal()
        last = Signal()
        sound = Signal()
        data = Signal(g.width)
        lane = Signal(g.lane_bits)
        user = Signal(160)
        cfg_auto = Signal()
        cfg_mtu = Signal(16)
        m.d.sync += valid.eq(accept)
        with m.If(accept):
            m.d.sync += [
                idle.eq(beat.last),
                first.eq(idle),
                last.eq(beat.last),
                sound.eq(~holes & (beat.last | keep[-1])),
                data.eq(beat.data),
                lane.eq(last_lane),
            ]
            with m.If(idle):
                m.d.sync += [user.eq(beat.user), cfg_auto.eq(self.cfg_auto), cfg_mtu.eq(self.cfg_mtu)]

        # --- The frame's length against frame_len, row by row: the byte that should be the last has a row and a lane.
        frame_len = user[112:132]
        told = frame_len != 0
        should_end = Signal(len(frame_len))
        m.d.comb += should_end.eq(frame_len - 1)
        index = Signal(len(frame_len) - g.lane_bits)
        end_here = should_end[g.lane_bits :] == index
        mismatch = told & ((last != end_here) | (last & (lane != should_end[: g.lane_bits])))
        fault = Mux(~sound, Drop.BAD_KEEP, Mux(mismatch, Drop.LENGTH_MISMATCH, Drop.NONE))
        faulty = ~sound | mismatch

        swallow = Signal()
        with m.If(valid):
            m.d.sync += [
                index.eq(Mux(last, 0, index + 1)),
                swallow.eq(~last & (swallow | faulty)),
            ]

        # Bytes count up to the place where tlast and frame_len first disagree.
        should_lane = should_end[: g.lane_bits]
        whole_lanes = Mux(told & end_here & (~last | (lane > should_lane)), should_lane, lane)
        row = self.rows.payload
        m.d.comb += [
            self.rows.valid.eq(valid & ~swallow),
            row.data.eq(data),
            row.end.last.eq(last | faulty),
            row.end.lane.eq(whole_lanes),
            row.end.empty.eq(~sound),
            row.end.fault.eq(fault),
        ]

        # --- The request, decoded from the first ten bytes of struct virtio_net_hdr.
        at = Signal(range(g.store_rows))
        with m.If(self.rows.valid):
            m.d.sync += at.eq(at + 1)

        flags, gso_type, size = user[0:8], user[8:16], user[32:48]
        csum_start, csum_offset = user[48:64], user[64:80]
        needs_csum = flags[0]
        base, tunnel = gso_type[:5], gso_type[5:7]
        exists = ((base == GSO_UDP) & (tunnel == 0)) | (((base == GSO_TCPV4) | (base == GSO_TCPV6) | (base == GSO_UDP_L4)) & ~tunnel.all())
        built = (base == GSO_TCPV4) & (tunnel == 0) & g.config.has("tx-tcp-segmentation")
        unfit = (size == 0) | size.all() | (needs_csum & (csum_offset != 2 * Tcp.CHECKSUM))
        request = self.requests.payload
        m.d.sync += [
            self.requests.valid.eq(valid & first),
            request.row.eq(at),
            request.drop.eq(Drop.NONE),
            request.walk.eq(0),
            request.needs_csum.eq(needs_csum),
            request.size.eq(size),
            request.csum_start.eq(csum_start),
            request.csum_low.eq(csum_start + csum_offset + 1),
            request.csum_swap.eq(csum_offset[0]),
            request.frame_len.eq(frame_len),
        ]
        with m.If(gso_type != 0):
            m.d.sync += request.kind.eq(Kind.SEGMENT)
            with m.If(~exists):
                m.d.sync += request.drop.eq(Drop.BAD_REQUEST)
            with m.Elif(~built):
                m.d.sync += request.drop.eq(Drop.DISABLED)
            with m.Elif(unfit):
                m.d.sync += request.drop.eq(Drop.BAD_REQUEST)
            with m.Else():
                m.d.sync += request.walk.eq(1)
        with m.Elif(needs_csum):
            m.d.sync += request.kind.eq(Kind.CHECKSUM)
            if not g.config.has("tx-checksum-ip-generic"):
                m.d.sync += request.drop.eq(Drop.DISABLED)
        with m.Elif(cfg_auto & ~user[:80].any()):
            m.d.sync += [
                request.kind.eq(Kind.AUTO),
                request.walk.eq(1),
                request.size.eq(Mux(cfg_mtu == 0, DEFAULT_MTU, cfg_mtu)),
            ]
        with m.Else():
            m.d.sync += request.kind.eq(Kind.PASS)

        return m
