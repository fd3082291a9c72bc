"""Hold units until they are whole."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["ON_THEIR_WAY", "PayloadBuffer"]

ON_THEIR_WAY = 11
"""Words that can still arrive once ``room`` is gone."""


class PayloadBuffer(wiring.Component):
    """A ring of bus words in block RAM, whose write side commits or discards. A word can be read two clocks after it was written.

    Parameters
    ----------
    geometry : Geometry
    banks : list of int
        Words in each of its memories, powers of two and descending.

    Members
    -------
    write, commit, discard : In(1)
        A word comes; with it, the words since the last commit are kept for good; they, and this one, are forgotten.
    word : In
    room : Out(1)
        Registered: at least eleven more words fit.
    take : In(1)
    data : Out
        Two clocks after ``take``, one value a bank: the word that was taken, and 0 from every other one; all 0 if none was taken. To join
        them is left to the joiner, whose last multiplexer has room for it.
    """

    def __init__(self, geometry, banks):
        self._geometry = geometry
        self._banks = banks
        super().__init__({
            "write": In(1),
            "commit": In(1),
            "discard": In(1),
            "word": In(geometry.width),
            "room": Out(1),
            "take": In(1),
            "data": Out(data.ArrayLayout(geometry.width, len(banks))),
        })

    def elaborate(self, platform):
        m = Module()
        rows = sum(self._banks)

        def following(pointer):
            """The place behind a pointer's. Behind the last one the bits of both depths are set, and no other."""
            place = (pointer + 1)[: len(pointer)]
            depths = Cat(place[ceil_log2(depth)] for depth in self._banks if depth != rows)
            at_end = depths.all() if len(self._banks) > 1 else 0
            return Cat(bit & ~at_end if len(self._banks) > 1 and 1 << number in self._banks else bit for number, bit in enumerate(place))

        into, out = Signal(range(rows)), Signal(range(rows))
        begin = Signal(range(rows))  # of the unit that is being written
        unit = Signal(range(rows + 1))  # its words
        used = Signal(range(rows + 1))
        put = self.write & ~self.discard
        for number, depth in enumerate(self._banks):
            m.submodules[f"bank_{number}"] = ram = memory.Memory(
                shape=self._geometry.width, depth=depth, init=[], attrs={"ram_style": "block", "syn_ramstyle": "block_ram"}
            )
            write, read = ram.write_port(), ram.read_port()

            # A bank's depth is a power of two, and the sum of those before it a multiple of it.
            def here(pointer, number=number):
                return 1 if len(self._banks) == 1 else pointer[ceil_log2(self._banks[0])] == number

            taken = Signal(name=f"taken_{number}")
            word = Signal(self._geometry.width, name=f"word_{number}", reset_less=True)
            m.d.comb += [
                write.en.eq(put & here(into)),
                write.addr.eq(into),
                write.data.eq(self.word),
                read.addr.eq(out),
                self.data[number].eq(word),
            ]
            m.d.sync += [taken.eq(self.take & here(out)), word.eq(read.data)]
            with m.If(~taken):
                m.d.sync += word.eq(0)
        with m.If(self.take):
            m.d.sync += out.eq(following(out))
        with m.If(self.discard):
            m.d.sync += [into.eq(begin), unit.eq(0)]
        with m.Else():
            with m.If(put):
                m.d.sync += [into.eq(following(into)), unit.eq(unit + 1)]
            with m.If(self.commit):
                m.d.sync += [begin.eq(Mux(put, following(into), into)), unit.eq(0)]

        m.d.sync += [
            used.eq(used + put - self.take - Mux(self.discard, unit, 0)),
            self.room.eq(used + ON_THEIR_WAY + 2 <= rows),
        ]
        return m
