"""Keep the headers of the frames that are being cut, each stored once and read for every segment."""

from amaranth import Cat, Module
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .patcher.interface import header_write_layout

__all__ = ["HeaderRam"]


class HeaderRam(wiring.Component):
    """Written a halfword at a time, read a row at a time; with each halfword whether a field stands there, and on a wide bus which.

    Members
    -------
    i : In(stream.Signature(header_write_layout(geometry), always_ready=True))
    into : In
        The slot that is written.
    take : In(1)
    slot, row : In
    data, marks : Out
        One clock after ``take``.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(header_write_layout(geometry), always_ready=True)),
            "into": In(range(geometry.slots)),
            "take": In(1),
            "slot": In(range(geometry.slots)),
            "row": In(range(geometry.slot_rows)),
            "data": Out(geometry.width),
            "marks": Out(data.ArrayLayout(geometry.mark_bits, geometry.width // 16)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        halfword = self.i.payload
        lanes = g.width // 16
        lane_bits = ceil_log2(lanes)
        each = data.StructLayout({"data": 16, "mark": g.mark_bits})
        # A block RAM keeps a parity bit with each byte, so one is enough for up to 64 bits. On a wide bus each has two halfwords.
        together, bits = (lanes, 18) if g.serial else (2, each.size)

        reads = []
        for part in range(lanes // together):
            m.submodules[f"part_{part}"] = ram = memory.Memory(
                shape=data.ArrayLayout(bits, together),
                depth=g.slots * g.slot_rows,
                init=[],
                attrs={"ram_style": "block", "syn_ramstyle": "block_ram"},
            )
            write, read = ram.write_port(granularity=1), ram.read_port()
            mark = halfword.field != 0 if g.serial else halfword.field
            m.d.comb += [
                *(write.en[n].eq(self.i.valid & (halfword.index[:lane_bits] == together * part + n)) for n in range(together)),
                *(write.data[n].eq(Cat(halfword.data[8:], halfword.data[:8], mark)) for n in range(together)),
                write.addr.eq(Cat(halfword.index[lane_bits:], self.into)),
                read.en.eq(self.take),
                read.addr.eq(Cat(self.row, self.slot)),
            ]
            reads += [data.View(each, read.data[n][: each.size]) for n in range(together)]
        m.d.comb += [
            self.data.eq(Cat(read.data for read in reads)),
            self.marks.eq(Cat(read.mark for read in reads)),
        ]
        return m
