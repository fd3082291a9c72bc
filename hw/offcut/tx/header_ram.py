"""Keep the headers of the frames that are being cut, each stored once and read for every segment."""

from amaranth import Cat, Module
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .parser import header_write_layout

__all__ = ["HeaderRam"]


class HeaderRam(wiring.Component):
    """Written a halfword at a time, read a row at a time; with each halfword the tag of the field that stands there.

    Members
    -------
    i : In(stream.Signature(header_write_layout(geometry), always_ready=True))
    into : In
        The slot that is written.
    take : In(1)
    slot, row : In
    data, fields : Out
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
            "fields": Out(data.ArrayLayout(geometry.field_bits, geometry.width // 16)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        halfword = self.i.payload
        lanes = g.width // 16
        lane_bits = ceil_log2(lanes)
        each = data.StructLayout({"data": 16, "field": g.field_bits})

        # One memory for every two halfwords of a row: they are written one by one and read together.
        reads = []
        for part in range(lanes // 2):
            m.submodules[f"part_{part}"] = ram = memory.Memory(
                shape=data.ArrayLayout(each.size, 2),
                depth=g.slots * g.slot_rows,
                init=[],
                attrs={"ram_style": "block", "syn_ramstyle": "block_ram"},
            )
            write, read = ram.write_port(granularity=1), ram.read_port()
            m.d.comb += [
                *(write.en[n].eq(self.i.valid & (halfword.index[:lane_bits] == 2 * part + n)) for n in range(2)),
                *(write.data[n].eq(Cat(halfword.data[8:], halfword.data[:8], halfword.field)) for n in range(2)),
                write.addr.eq(Cat(halfword.index[lane_bits:], self.into)),
                read.en.eq(self.take),
                read.addr.eq(Cat(self.row, self.slot)),
            ]
            reads += [data.View(each, read.data[n]) for n in range(2)]
        m.d.comb += [
            self.data.eq(Cat(read.data for read in reads)),
            self.fields.eq(Cat(read.field for read in reads)),
        ]
        return m
