"""What the stages of the header walk have in common."""

from amaranth import Cat
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["TAG_BITS", "Stage", "chunk_layout", "halfword"]

TAG_BITS = 4
"""Tell apart the frames between the feed and the judge: at most one a stage."""


def chunk_layout(geometry):
    """A piece of a frame's beginning, as wide as the parser, with its frame's request."""
    chunk_bytes = geometry.parse_bits // 8
    return data.StructLayout({
        "tag": TAG_BITS,
        "first": 1,
        "end": 1,  # the frame ends in this chunk
        "index": range(geometry.header_bytes // chunk_bytes),
        "count": range(chunk_bytes + 1),
        "fault": 2,
        "data": geometry.parse_bits,
        "request": geometry.request,
    })


def halfword(bits, lane):
    """The big-endian 16-bit value in a lane of a chunk or bus word."""
    low = bits[16 * lane :][:16]
    return Cat(low[8:16], low[0:8])


class Stage(wiring.Component):
    """A register stage: what comes in goes on a clock later, together with what this stage finds out.

    ``facts`` are known from the chunk on in which they stand: they are cleared with a frame's first chunk and kept until its last.
    ``marks`` concern one chunk.

    Parameters
    ----------
    geometry : Geometry
    layout : data.StructLayout
        What comes in.
    facts, marks : dict of str to ShapeLike
    """

    def __init__(self, geometry, layout, *, facts=None, marks=None):
        self._geometry = geometry
        self._facts = facts or {}
        self._lanes = geometry.parse_bits // 16
        shapes = {name: field.shape for name, field in layout}
        self._carried = list(shapes)
        self.layout = data.StructLayout({**shapes, **self._facts, **(marks or {})})
        super().__init__({
            "i": In(stream.Signature(layout, always_ready=True)),
            "o": Out(stream.Signature(self.layout, always_ready=True)),
        })

    def carry(self, m):
        """Move everything on; statements that follow may set facts and marks."""
        m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [self.o.payload[name].eq(self.i.payload[name]) for name in self._carried]
            with m.If(self.i.payload.first):
                m.d.sync += [self.o.payload[name].eq(0) for name in self._facts]

    def holds(self, lane, count=2):
        """Whether the first bytes of a lane, one or both, belong to the frame."""
        return self.i.payload.count >= 2 * lane + count

    def stands(self, halfword_index):
        """Chunk index and lane of a halfword whose place in the frame is constant."""
        return divmod(halfword_index, self._lanes)
