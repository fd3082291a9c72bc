"""Put the words of a header where the header RAM has them."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts import HEADER_LEN_BITS
from .feed import WORD_BITS

__all__ = ["Packer", "header_word_layout", "header_write_layout"]


def header_word_layout(geometry):
    """Two halfwords of a header as it leaves, each with the tag of the field that stands there."""
    return data.StructLayout({
        "at": HEADER_LEN_BITS,  # byte of the first
        "flip": 1,  # the second is the first of the next word
        "high": 16,
        "low": 16,
        "high_tag": geometry.field_bits,
        "low_tag": geometry.field_bits,
    })


def header_write_layout(geometry):
    """An aligned word of a header on its way into the header RAM. What lies behind the header counts for nothing."""
    return data.StructLayout({
        "index": range(geometry.header_bytes * 8 // WORD_BITS),
        "data": WORD_BITS,
        "fields": data.ArrayLayout(geometry.field_bits, 2),
    })


class Packer(wiring.Component):
    """One word a clock, a clock behind: where words begin in the middle of an aligned one, half of each is kept for the next.

    Members
    -------
    i : In(stream.Signature(header_word_layout(geometry), always_ready=True))
    flush : In(1)
        What was kept is the end.
    o : Out(stream.Signature(header_write_layout(geometry), always_ready=True))
    """

    def __init__(self, geometry):
        super().__init__({
            "i": In(stream.Signature(header_word_layout(geometry), always_ready=True)),
            "flush": In(1),
            "o": Out(stream.Signature(header_write_layout(geometry), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        word, write = self.i.payload, self.o.payload
        half = word.at[1]
        kept, kept_tag = Signal(16), Signal.like(word.low_tag)

        def octets(value):
            return Cat(value[8:], value[:8])

        with m.If(self.i.valid):
            m.d.sync += [kept.eq(word.low), kept_tag.eq(word.low_tag)]
            with m.If(word.flip & ~half):
                m.d.sync += [kept.eq(word.high), kept_tag.eq(word.high_tag)]
        m.d.sync += [
            self.o.valid.eq((self.i.valid | self.flush) & ~word.at[-1]),
            write.index.eq(word.at[2:]),
            write.data.eq(Cat(octets(word.high), octets(word.low))),
            write.fields[0].eq(word.high_tag),
            write.fields[1].eq(word.low_tag),
        ]
        with m.If(half):
            m.d.sync += [
                write.data.eq(Cat(octets(kept), octets(word.high))),
                write.fields[0].eq(kept_tag),
                write.fields[1].eq(word.high_tag),
            ]
        return m
