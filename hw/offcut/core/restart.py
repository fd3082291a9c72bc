"""A reset of the engine that neither of its sides sees as half a frame."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Restart"]


class Restart(wiring.Component):
    """Stands beside an engine's two streams, and resets it between two frames that leave.

    Once asked, no beat is taken any more; when no frame is in the middle of leaving and none is shown, ``reset`` is 1 for a clock in which
    nothing passes on either side, and then everything passes again. With a sink that takes its frame to the end that is bounded, since a
    frame that has begun to leave needs nothing more from the host.

    Members
    -------
    ask : In(1)
        For a clock.
    resetting : Out(1)
        From the clock after ``ask`` to the reset's own, that included.
    take : Out(1)
        Whether beats may be taken from the host.
    show : Out(1)
        Whether beats may be shown to the sink.
    reset : Out(1)
    valid, ready, last : In(1)
        Of the beat that the sink sees in this clock.
    """

    def __init__(self):
        super().__init__({
            "ask": In(1),
            "resetting": Out(1),
            "take": Out(1, init=1),
            "show": Out(1, init=1),
            "reset": Out(1),
            "valid": In(1),
            "ready": In(1),
            "last": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        inside = Signal()
        with m.If(self.valid & self.ready):
            m.d.sync += inside.eq(~self.last)
        between = (self.valid & self.ready & self.last) | (~self.valid & ~inside)

        with m.If(self.reset):
            m.d.sync += [self.reset.eq(0), self.show.eq(1), self.take.eq(1), self.resetting.eq(0)]
        with m.Elif(self.resetting & between):
            m.d.sync += [self.reset.eq(1), self.show.eq(0)]
        with m.If(self.ask & (~self.resetting | self.reset)):
            m.d.sync += [self.resetting.eq(1), self.take.eq(0)]

        return m
