"""Frames from one clock to another."""

from amaranth import Module, Mux, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.cdc import AsyncFFSynchronizer, FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from offcut.axi import AxiStream

__all__ = ["FrameFifo"]

FRAMES = 32
"""Whole frames that can wait."""

MARKS_MARGIN = 4
"""Frames that can have ended since their number was counted."""

LATE = 3
"""Words that can have come since their number was counted."""

SHUT_STAGES = 6
"""Clocks of the reader for which it stays shut behind a reset of the writer: more than the FIFOs' own two."""


class FrameFifo(wiring.Component):
    """Holds each frame until it is whole, and then lets it go without a pause: a MAC that has begun a frame is never left without its next beat.

    Two asynchronous FIFOs side by side: the words, and a mark for each frame whose last word is stored. The mark is written two clocks behind that
    word, so whoever sees it sees all words before it, however the two pointers' synchronisers fall. A frame begins when its mark is there, and all
    its words are. Within a frame one word passes in a clock on either side; between two that leave there is one clock.

    With ``lossy`` the source cannot wait, as a MAC cannot: then a frame that comes while there is no room for a longest one is dropped whole, and so
    is one that is longer. A frame whose last beat says ``tuser`` (a bad FCS) is dropped in either case. ``dropped`` tells of each.

    A reset of the writing side ends everything: a frame that is leaving is ended by one more beat with ``tlast`` and ``tuser``, which tells the MAC
    to spoil it; the writing side takes nothing (or drops it) until the reading side is ready again. It may come at any moment, and must last 4 clocks
    of the slower side, for Amaranth's FIFO needs that to carry it across. A reset of the reading side, however short, drops the frame that was
    leaving, and no other.

    Parameters
    ----------
    frame_bytes : int
        The longest frame; without ``lossy`` nothing longer may come.
    i_domain, o_domain : str
        Clock domains.
    lossy : bool
    words : int
        Words that are held, at least the longest frame's; two of those if left out. Rounded up to a power of two.
    data_width : int
        Bus width in bits.

    Members
    -------
    i : In(AxiStream(data_width, 1))
        In ``i_domain``. ``tready`` stays 1 with ``lossy``.
    o : Out(AxiStream(data_width, 1))
        In ``o_domain``.
    dropped : Out(1)
        A strobe in ``i_domain``.

    Raises
    ------
    ValueError
        If not even one frame fits.
    """

    def __init__(self, *, frame_bytes, i_domain, o_domain, lossy=False, words=None, data_width=64):
        lanes = data_width // 8
        self._frame_words = -(-frame_bytes // lanes)
        words = 2 * self._frame_words if words is None else words
        if frame_bytes < 1 or words < self._frame_words:
            raise ValueError(f"A frame of {frame_bytes} bytes does not fit into {words} words of {lanes}")
        self._depth = 1 << max(2, ceil_log2(words + LATE * lossy))
        self._i, self._o, self._lossy, self._lanes = i_domain, o_domain, lossy, lanes
        super().__init__({
            "i": In(AxiStream(data_width, 1)),
            "o": Out(AxiStream(data_width, 1)),
            "dropped": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o

        layout = data.StructLayout({
            "data": 8 * self._lanes,
            "lane": range(self._lanes),
            "last": 1,
        })  # the last byte's lane, in the last word
        m.submodules.words = words = AsyncFIFO(width=layout.size, depth=self._depth, w_domain=self._i, r_domain=self._o)
        m.submodules.marks = marks = AsyncFIFO(width=1, depth=FRAMES, w_domain=self._i, r_domain=self._o)

        # --- Shut, behind a reset of the writing side, until the reading side has come through it, and the writing side knows.
        shut, shut_here = Signal(init=1), Signal()
        reset = ResetSignal(self._i, allow_reset_less=True)
        m.submodules.shut = AsyncFFSynchronizer(reset, shut, o_domain=self._o, stages=SHUT_STAGES)
        m.submodules.shut_here = FFSynchronizer(shut, shut_here, o_domain=self._i, init=1, reset_less=False)

        self._write(m, i, words, marks, shut_here, layout)
        self._read(m, o, words, marks, shut, layout)
        return m

    def _write(self, m, i, words, marks, shut, layout):
        sync = m.d[self._i]

        open_ = Signal()  # another frame's mark fits, and with `lossy` another frame
        level = Signal.like(words.w_level)
        sync += level.eq(words.w_level)
        fits = (level <= self._depth - self._frame_words - LATE) if self._lossy else 1
        sync += open_.eq((marks.w_level + MARKS_MARGIN < FRAMES) & fits & ~shut)

        inside, swallow = Signal(), Signal()
        place = Signal(range(self._frame_words + 1))
        overlong = place == self._frame_words - 1
        refuse = swallow | (~inside & ~open_)
        moved, stored = Signal(), Signal()
        if self._lossy:
            m.d.comb += [i.tready.eq(1), stored.eq(moved & ~refuse)]
        else:
            m.d.comb += [i.tready.eq(words.w_rdy & (open_ | inside)), stored.eq(moved)]
        m.d.comb += moved.eq(i.tvalid & i.tready)
        cut = stored & ~i.tlast & overlong if self._lossy else 0
        ends = i.tlast | cut
        word = data.View(layout, words.w_data)
        m.d.comb += [
            words.w_en.eq(stored),
            word.data.eq(i.tdata),
            word.last.eq(ends),
        ]
        for lane in range(1, self._lanes):
            with m.If(i.tkeep[lane]):
                m.d.comb += word.lane.eq(lane)

        with m.If(moved):
            sync += [inside.eq(~i.tlast), swallow.eq((refuse | cut) & ~i.tlast), place.eq(Mux(i.tlast, 0, place + ~overlong))]

        # The mark follows two clocks behind.
        bad = i.tuser | cut
        marking, mark = Signal(2), Signal(2)
        sync += [marking.eq(marking << 1 | (stored & ends)), mark.eq(mark << 1 | bad)]
        m.d.comb += [marks.w_en.eq(marking[1]), marks.w_data.eq(mark[1])]
        refused = moved & ~inside & ~open_ if self._lossy else 0
        sync += self.dropped.eq((stored & ends & bad) | refused)

    def _read(self, m, o, words, marks, shut, layout):
        sync = m.d[self._o]

        word = data.View(layout, words.r_data)
        owed = Signal(reset_less=True)  # words of a frame whose mark is gone: a reset of this side leaves them to be dropped
        begun = Signal()
        in_reset = ResetSignal(self._o, allow_reset_less=True)
        free = ~o.tvalid | o.tready
        lost = shut | ~words.r_rdy  # of a frame whose mark is here all words are, but for a reset
        abort = [o.tvalid.eq(1), o.tdata.eq(0), o.tkeep.eq(1), o.tlast.eq(1), o.tuser.eq(1)]
        with m.If(o.tready):
            sync += o.tvalid.eq(0)

        with m.FSM(domain=self._o):
            with m.State("Idle"):
                sync += begun.eq(0)
                with m.If(shut):
                    m.next = "Flush"
                with m.Elif(owed):
                    m.next = "Discard"
                with m.Elif(marks.r_rdy & free & ~in_reset):  # the frame before has left: a reset never costs two
                    m.d.comb += marks.r_en.eq(1)
                    sync += owed.eq(1)
                    with m.If(marks.r_data):
                        m.next = "Discard"
                    with m.Else():
                        m.next = "Send"
            with m.State("Send"):
                with m.If(lost):
                    m.next = "Flush"
                    with m.If(begun & free):
                        sync += abort
                    with m.Elif(begun):
                        m.next = "Abort"
                with m.Elif(free):
                    m.d.comb += words.r_en.eq(1)
                    sync += [
                        begun.eq(1),
                        o.tvalid.eq(1),
                        o.tdata.eq(word.data),
                        o.tlast.eq(word.last),
                        o.tuser.eq(0),
                        *(o.tkeep[lane].eq(~word.last | (lane <= word.lane)) for lane in range(self._lanes)),
                    ]
                    with m.If(word.last):
                        sync += owed.eq(0)
                        m.next = "Idle"
            with m.State("Discard"):
                with m.If(shut):
                    m.next = "Flush"
                with m.Elif(words.r_rdy):
                    m.d.comb += words.r_en.eq(1)
                    with m.If(word.last):
                        sync += owed.eq(0)
                        m.next = "Idle"
            with m.State("Abort"):
                with m.If(free):
                    sync += abort
                    m.next = "Flush"
            with m.State("Flush"):
                sync += owed.eq(0)
                with m.If(~shut):
                    m.next = "Idle"
