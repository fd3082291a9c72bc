"""What a header word is made of."""

from amaranth import Cat

__all__ = ["halfword"]


def halfword(bits, lane):
    """The big-endian 16-bit value in a lane of a word or bus word."""
    low = bits[16 * lane :][:16]
    return Cat(low[8:16], low[0:8])
