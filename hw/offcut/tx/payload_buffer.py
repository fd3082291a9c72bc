"""Hold units until they are whole."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PayloadBuffer"]

ON_THEIR_WAY = 10
"""Words that can still arrive once ``room`` is gone."""


class PayloadBuffer(wiring.Component):
    """A ring of bus words in block RAM, whose write side commits or discards.

    Holds two of the longest units. A word can be read two clocks after it was written; ``data`` follows ``take`` by one clock.

    Members
    -------
    write, commit, discard : In(1)
        A word comes; with it, the words since the last commit are kept for good; they, and this one, are forgotten.
    word : In
    room : Out(1)
        Registered: at least ten more words fit.
    take : In(1)
    data : Out
        The word that was taken a clock ago.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        self._rows = geometry.buffer_rows + 2 * ON_THEIR_WAY
        super().__init__({
            "write": In(1),
            "commit": In(1),
            "discard": In(1),
            "word": In(geometry.width),
            "room": Out(1),
            "take": In(1),
            "data": Out(geometry.width),
        })

    def elaborate(self, platform):
        m = Module()
        rows = self._rows

        m.submodules.memory = ram = memory.Memory(
            shape=self._geometry.width, depth=rows, init=[], attrs={"ram_style": "block", "syn_ramstyle": "block_ram"}
        )
        write, read = ram.write_port(), ram.read_port()

        def following(pointer):
            return Mux(pointer == rows - 1, 0, pointer + 1)

        begin = Signal(range(rows))  # of the unit that is being written
        unit = Signal(range(rows + 1))  # its words
        used = Signal(range(rows + 1))
        put = self.write & ~self.discard
        m.d.comb += [
            write.en.eq(put),
            write.data.eq(self.word),
            read.en.eq(self.take),
            self.data.eq(read.data),
        ]
        with m.If(self.take):
            m.d.sync += read.addr.eq(following(read.addr))
        with m.If(self.discard):
            m.d.sync += [write.addr.eq(begin), unit.eq(0)]
        with m.Else():
            with m.If(put):
                m.d.sync += [write.addr.eq(following(write.addr)), unit.eq(unit + 1)]
            with m.If(self.commit):
                m.d.sync += [begin.eq(Mux(put, following(write.addr), write.addr)), unit.eq(0)]

        m.d.sync += [
            used.eq(used + put - self.take - Mux(self.discard, unit, 0)),
            self.room.eq(used + ON_THEIR_WAY + 2 <= rows),
        ]
        return m
