"""One's-complement arithmetic on 16 bits (RFC 1071)."""

from amaranth import Cat

__all__ = ["add", "fold"]


def fold(value):
    """Add everything above bit 15 to the lower 16 bits: one end-around carry, which may leave a 1 in bit 16.

    Never makes a 0 out of anything else, so a sum of which one part is not 0 ends as 0xFFFF where it is a multiple of it.
    """
    return value[:16] + value[16:] if len(value) > 16 else value


def add(a, b, carry=0):
    """The one's-complement sum of two 16-bit values, 0xFFFF rather than 0 unless both are 0; with ``carry`` 1, 0 rather than 0xFFFF.

    One chain of twice the length: its lower half is there for its carry alone, which is the end-around carry of the upper one.
    """
    return (Cat(a, a) + Cat(b, b) + carry)[16:32]
