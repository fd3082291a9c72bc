"""Take frames from AXI4-Stream, and hold them to the input contract."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import Drop
from .request import RequestDecoder

__all__ = ["Ingress"]


class Ingress(wiring.Component):
    """Checks every beat, counts its bytes, and cuts a frame off where it breaks the contract.

    Latency 1 clock for rows, 3 for requests; a beat a clock while ``room`` is 1. A beat whose ``tkeep`` breaks the contract leaves as an
    empty row with its fault; one in which ``tlast`` and frame_len disagree is cut off there. The rest of the frame is swallowed.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream.Signature(geometry.axis))
    room : In(1)
        Registered: 1 while three more rows and as many requests can be taken.
    settings : In(geometry.settings)
        The ``cfg`` ports, sampled with a frame's first beat.
    rows : Out(stream.Signature(geometry.row, always_ready=True))
    requests : Out(stream.Signature(geometry.request, always_ready=True))
        ``row`` counts the rows since reset, so it is the address of the frame's first row in a store that they fill in order.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(geometry.axis)),
            "room": In(1),
            "settings": In(geometry.settings),
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
        user = Signal.like(beat.user)
        settings = Signal(g.settings)
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
                m.d.sync += [user.eq(beat.user), settings.eq(self.settings)]

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

        # --- The request goes with the address of its first row.
        at = Signal(range(g.store_rows))
        with m.If(self.rows.valid):
            m.d.sync += at.eq(at + 1)
        m.submodules.decoder = decoder = RequestDecoder(g)
        m.d.comb += [
            decoder.valid.eq(valid & first),
            decoder.row.eq(at),
            decoder.user.eq(user),
            decoder.settings.eq(settings),
        ]
        wiring.connect(m, decoder.o, wiring.flipped(self.requests))

        return m
