"""An engine's stand-in: its ports and its contract, none of its work. Frames go in whole, wait, and come out whole.

``cfg_mtu`` chooses what a frame meets: see :class:`Mode`. So one build serves every rule that can be broken.
"""

import enum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CFG", "STATS", "Mode", "StandIn"]

CFG = {
    "cfg_auto": 1,
    "cfg_mtu": 16,
    "cfg_disable": 16,
    "cfg_tcp_clear_first": 12,
    "cfg_tcp_clear_middle": 12,
    "cfg_tcp_clear_last": 12,
    "cfg_id_mode": 2,
    "cfg_uso_size": 16,
    "cfg_frag_seed": 32,
}

STATS = ("stat_frame", "stat_segment", "stat_drop_bad_keep", "stat_drop_bad_request", "stat_drop_bad_header")


class Mode(enum.IntEnum):
    """What the stand-in does to a frame. The wrongs apply to the frame's own wire frame."""

    PASS = 0
    ECHO_TUSER = 1  # the frame's bytes become tuser as it stood with the first beat
    RAW_TUSER = 2  # the frame's bytes become tuser as it stands with each beat
    ECHO_CFG = 3  # the frame's bytes become the cfg inputs as they stood with the first beat, in their order, without gaps
    SWALLOW = 4  # the frame is dropped as bad_request; it may be longer than what can be held
    HANG_IN = 5  # the input is not taken any more
    HANG_OUT = 6  # the output pauses for ever in mid-frame, while more comes in
    KEEP_HOLE = 7
    KEEP_SHORT = 8  # a beat before the last is not full
    KEEP_EMPTY = 9  # the last beat has no byte
    LANE_DIRTY = 10  # an unused lane of the last beat is not 0
    DATA_CHANGES = 11  # while the beat waits
    LAST_CHANGES = 12
    VALID_DROPS = 13  # while the beat waits
    GAP = 14  # between two beats of a frame
    NO_LAST = 15  # tlast never comes: the frame and the next are one
    VALID_AFTER_READY = 16  # tvalid waits for tready
    STALE = 17  # a register that reset does not reach shows in the data
    USER_CHANGES = 18  # while the beat waits
    USER_MIXED = 19  # from beat to beat


class StandIn(wiring.Component):
    """Store and forward, one frame at a time whole, input order kept; reports a source that breaks AXI4-Stream as ``bad_header``.

    Parameters
    ----------
    width : int
        Bus width in bits.
    depth : int
        Beats that it can hold; a frame must fit.
    user_width : int
        User bits, which leave with the frame.
    """

    def __init__(self, width, depth=2048, user_width=0):
        self._depth = depth
        self._user_width = user_width
        super().__init__({
            "s_axis_tdata": In(width),
            "s_axis_tkeep": In(width // 8),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "s_axis_tuser": In(160 + user_width),
            "m_axis_tdata": Out(width),
            "m_axis_tkeep": Out(width // 8),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            **({"m_axis_tuser": Out(user_width)} if user_width else {}),
            **{name: In(bits) for name, bits in CFG.items()},
            **{name: Out(1) for name in STATS},
        })

    def elaborate(self, platform):
        m = Module()
        lanes = len(self.s_axis_tkeep)
        width = len(self.s_axis_tdata)
        address = range(self._depth)

        # A beat in the store: data, keep, last, the frame's mode and its user bits.
        user_width = self._user_width
        m.submodules.store = store = memory.Memory(shape=width + lanes + 1 + 5 + user_width, depth=self._depth, init=[])
        write = store.write_port()
        read = store.read_port(domain="comb")

        # Input: whole frames are committed, broken ones rewound.
        fill, committed, taken = Signal(address), Signal(address), Signal(address)
        count, frames = Signal(range(self._depth + 1)), Signal(range(self._depth + 1))
        first, bad = Signal(init=1), Signal()
        mode_held, mode = Signal(5), Signal(5)
        inputs = Cat(self.s_axis_tuser, *(getattr(self, name) for name in CFG))
        sidebands_held, sidebands = Signal(len(inputs)), Signal(len(inputs))
        tuser, cfg = sidebands[: 160 + user_width], sidebands[160 + user_width :]
        slots = len(inputs) // width + 1
        slot = Signal(range(slots + 1))
        hung = Signal()
        m.d.comb += [
            mode.eq(Mux(first, self.cfg_mtu, mode_held)),
            sidebands.eq(Mux(first, inputs, sidebands_held)),
            self.s_axis_tready.eq(~hung & (count < self._depth - 1)),
        ]
        accept = Signal()
        m.d.comb += accept.eq(self.s_axis_tvalid & self.s_axis_tready)
        keep = self.s_axis_tkeep
        contiguous = (keep & (keep + 1)[:lanes]) == 0
        wrong = Signal()
        m.d.comb += wrong.eq(~contiguous | (keep == 0) | (~self.s_axis_tlast & ~keep.all()))
        swallow = bad | wrong | (mode == Mode.SWALLOW)

        data = Signal(width)
        m.d.comb += data.eq(Cat(Mux(keep[n], self.s_axis_tdata.word_select(n, 8), 0) for n in range(lanes)))
        stale = Signal(8, reset_less=True)
        m.d.sync += stale.eq(stale)
        with m.Switch(mode):
            with m.Case(Mode.ECHO_TUSER):
                m.d.comb += data.eq(tuser.word_select(slot, width))
            with m.Case(Mode.RAW_TUSER):
                m.d.comb += data.eq(self.s_axis_tuser)
            with m.Case(Mode.ECHO_CFG):
                m.d.comb += data.eq(cfg.word_select(slot, width))
            with m.Case(Mode.STALE):
                m.d.comb += data.eq(stale)
        m.d.comb += [
            write.addr.eq(fill),
            write.data.eq(Cat(data, keep, self.s_axis_tlast, mode, tuser[160:])),
            write.en.eq(accept & (mode != Mode.SWALLOW)),
        ]
        commit, leave = Signal(), Signal()
        m.d.comb += [
            commit.eq(accept & self.s_axis_tlast & ~swallow),
            self.stat_frame.eq(accept & self.s_axis_tlast),
            self.stat_drop_bad_keep.eq(accept & self.s_axis_tlast & (bad | wrong)),
            self.stat_drop_bad_request.eq(accept & self.s_axis_tlast & ~(bad | wrong) & (mode == Mode.SWALLOW)),
        ]
        with m.If(accept):
            m.d.sync += [first.eq(self.s_axis_tlast), mode_held.eq(mode), sidebands_held.eq(sidebands)]
            m.d.sync += [slot.eq(Mux(slot == slots, slot, slot + 1)), bad.eq(bad | wrong), fill.eq(fill + write.en)]
            m.d.sync += hung.eq(mode == Mode.HANG_IN)
            with m.If(self.s_axis_tlast):
                m.d.sync += [slot.eq(0), bad.eq(0)]
                with m.If(swallow):
                    m.d.sync += fill.eq(committed)
                with m.Else():
                    m.d.sync += committed.eq(fill + 1)

        # The source's own rules: what waits does not change, and is not withdrawn.
        offer = Cat(self.s_axis_tdata, self.s_axis_tkeep, self.s_axis_tlast, inputs)
        waiting, offered = Signal(), Signal(len(offer))
        m.d.sync += [waiting.eq(self.s_axis_tvalid & ~self.s_axis_tready), offered.eq(offer)]
        seed, started = Signal(32), Signal()  # a datagram may be planned at any time, so the seed holds throughout
        m.d.sync += [seed.eq(self.cfg_frag_seed), started.eq(1)]
        broken = waiting & (~self.s_axis_tvalid | (offered != offer)) | started & (seed != self.cfg_frag_seed)
        m.d.comb += self.stat_drop_bad_header.eq(broken)

        # Output: a frame is shown once it is whole. `beat` counts its beats, `age` the clocks that a beat waits.
        beat, age = Signal(16), Signal(8)
        out_data, out_keep = Signal(width), Signal(lanes)
        out_last, out_mode, out_user, user_shown = Signal(), Signal(5), Signal(user_width), Signal(user_width)
        m.d.comb += [
            read.addr.eq(taken),
            Cat(out_data, out_keep, out_last, out_mode, out_user).eq(read.data),
            user_shown.eq(out_user),
            self.m_axis_tvalid.eq(frames != 0),
            self.m_axis_tdata.eq(out_data),
            self.m_axis_tkeep.eq(out_keep),
            self.m_axis_tlast.eq(out_last),
        ]
        if user_width:
            m.d.comb += self.m_axis_tuser.eq(user_shown)
        with m.If(frames != 0):
            with m.Switch(out_mode):
                with m.Case(Mode.HANG_OUT, Mode.GAP):
                    with m.If((beat == 1) & ((out_mode == Mode.HANG_OUT) | (age == 0))):
                        m.d.comb += self.m_axis_tvalid.eq(0)
                with m.Case(Mode.KEEP_HOLE):
                    m.d.comb += self.m_axis_tkeep.eq(out_keep & ~2)
                with m.Case(Mode.KEEP_SHORT):
                    m.d.comb += self.m_axis_tkeep.eq(1)
                with m.Case(Mode.KEEP_EMPTY):
                    with m.If(out_last):
                        m.d.comb += self.m_axis_tkeep.eq(0)
                with m.Case(Mode.LANE_DIRTY):
                    m.d.comb += self.m_axis_tdata.eq(out_data | 1 << (width - 1))
                with m.Case(Mode.DATA_CHANGES):
                    m.d.comb += self.m_axis_tdata.eq(out_data ^ age[0])
                with m.Case(Mode.USER_CHANGES):
                    m.d.comb += user_shown.eq(out_user ^ age[0])
                with m.Case(Mode.USER_MIXED):
                    m.d.comb += user_shown.eq(out_user ^ beat[0])
                with m.Case(Mode.LAST_CHANGES):
                    m.d.comb += self.m_axis_tlast.eq(out_last & ~age[0])
                with m.Case(Mode.VALID_DROPS):
                    m.d.comb += self.m_axis_tvalid.eq(age != 1)
                with m.Case(Mode.NO_LAST):
                    m.d.comb += self.m_axis_tlast.eq(0)
                with m.Case(Mode.VALID_AFTER_READY):
                    m.d.comb += self.m_axis_tvalid.eq(self.m_axis_tready)
        pop = Signal()
        m.d.comb += [
            pop.eq(self.m_axis_tvalid & self.m_axis_tready),
            leave.eq(pop & out_last),
            self.stat_segment.eq(leave),
        ]
        with m.If((frames != 0) & ~pop):
            m.d.sync += age.eq(age + 1)
        with m.If(pop):
            m.d.sync += [taken.eq(taken + 1), beat.eq(Mux(out_last, 0, beat + 1)), age.eq(0)]
        m.d.sync += frames.eq(frames + commit - leave)
        # Rewinding gives back the beats of a swallowed frame, so the level is computed from the pointers.
        m.d.comb += count.eq((fill - taken)[: len(fill)])
        return m
