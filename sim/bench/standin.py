"""A small design with the ports of ``offcut_tx`` that passes frames on, and breaks a rule when told: it proves the bench."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FAULTS", "StandIn"]

FAULTS = ("none", "held", "stable", "contiguous", "full", "zero", "no pause", "one user", "a bit", "lost", "counted", "user")
"""Value by value of the ``fault`` input: the rule of :data:`bench.rules.RULES` that breaks, or what goes wrong in the frames."""

DEPTH_BEATS = 1024
USER_WIDTH = 5
CFG = {
    **{"cfg_auto": 1, "cfg_mtu": 16, "cfg_disable": 16, "cfg_id_mode": 2, "cfg_uso_size": 16, "cfg_frag_seed": 32},
    **{f"cfg_tcp_clear_{place}": 12 for place in ("first", "middle", "last")},
}


class StandIn(wiring.Component):
    """Stores a frame, then sends it as it came; lanes outside ``tkeep`` become 0.

    Parameters
    ----------
    width : int
        Bus width in bits.
    user_width : int
        User bits, which leave with the frame.

    Members
    -------
    s_axis_*, m_axis_*, cfg_*, stat_* : as of ``offcut_tx``
    fault : In(4)
        An index into :data:`FAULTS`.
    """

    def __init__(self, width, user_width=USER_WIDTH):
        self._beat = data.StructLayout({"data": width, "keep": width // 8, "last": 1, "user": user_width})
        super().__init__({
            **{
                f"s_axis_t{name}": In(bits)
                for name, bits in (("data", width), ("keep", width // 8), ("valid", 1), ("last", 1), ("user", 160 + user_width))
            },
            **{
                f"m_axis_t{name}": Out(bits)
                for name, bits in (("data", width), ("keep", width // 8), ("valid", 1), ("last", 1), ("user", user_width))
            },
            "s_axis_tready": Out(1),
            "m_axis_tready": In(1),
            **{name: In(bits) for name, bits in CFG.items()},
            "stat_frame": Out(1),
            "stat_segment": Out(1),
            "stat_drop_bad_request": Out(1),
            "fault": In(range(len(FAULTS))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = fifo.SyncFIFOBuffered(width=self._beat.size, depth=DEPTH_BEATS)
        lanes = self._beat["keep"].width
        told = {name: self.fault == number for number, name in enumerate(FAULTS)}

        came, began, user = Signal(self._beat), Signal(), Signal(self._beat["user"].width)
        with m.If(store.w_en & store.w_rdy):
            m.d.sync += [began.eq(~came.last), user.eq(came.user)]
        m.d.comb += [
            came.user.eq(Mux(began, user, self.s_axis_tuser[160:])),  # as it stood with the first beat
            came.keep.eq(self.s_axis_tkeep),
            came.last.eq(self.s_axis_tlast),
            *(came.data[8 * n : 8 * n + 8].eq(Mux(self.s_axis_tkeep[n], self.s_axis_tdata[8 * n : 8 * n + 8], 0)) for n in range(lanes)),
            store.w_data.eq(came),
            store.w_en.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(store.w_rdy),
        ]

        whole = Signal(range(DEPTH_BEATS + 1))  # frames that are wholly stored
        shown = data.View(self._beat, store.r_data)
        ready_to_send = store.r_rdy & (whole != 0)
        entered = store.w_en & store.w_rdy & came.last
        left = store.r_en & shown.last
        m.d.sync += whole.eq(whole + entered - left)

        waited = Signal()  # the beat shown was shown before
        inside = Signal()
        pause = Signal(2)
        lose = Signal()  # frames of one beat
        withhold = (told["held"] & waited & (pause == 0)) | (told["no pause"] & inside & ~waited & (pause == 0))
        m.d.comb += [
            lose.eq(told["lost"] & ready_to_send & shown.last & ~inside),
            self.m_axis_tvalid.eq(ready_to_send & ~withhold & ~lose),
            self.m_axis_tdata.eq(shown.data),
            self.m_axis_tkeep.eq(shown.keep),
            self.m_axis_tlast.eq(shown.last),
            self.m_axis_tuser.eq(shown.user),
            store.r_en.eq(self.m_axis_tvalid & self.m_axis_tready | lose),
            self.stat_frame.eq(entered),
            self.stat_segment.eq(left),
            self.stat_drop_bad_request.eq(left & told["counted"]),
        ]
        m.d.sync += [waited.eq(self.m_axis_tvalid & ~self.m_axis_tready), pause.eq(pause + 1)]
        with m.If(store.r_en):
            m.d.sync += inside.eq(~shown.last)

        with m.If(told["stable"] & waited):
            m.d.comb += self.m_axis_tdata.eq(~shown.data)
        with m.If(told["contiguous"] & shown.last):
            m.d.comb += self.m_axis_tkeep[0].eq(0)
        with m.If(told["full"] & ~shown.last):
            m.d.comb += self.m_axis_tkeep[-1].eq(0)
        with m.If(told["zero"] & ~shown.keep[-1]):
            m.d.comb += self.m_axis_tdata[-8:].eq(0x5A)
        with m.If(told["one user"] & inside):
            m.d.comb += self.m_axis_tuser.eq(~shown.user)
        with m.If(told["user"]):
            m.d.comb += self.m_axis_tuser.eq(~shown.user)
        with m.If(told["a bit"] & shown.last):
            m.d.comb += self.m_axis_tdata[0].eq(~shown.data[0])
        return m
