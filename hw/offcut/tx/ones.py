"""One's-complement arithmetic on 16 bits (RFC 1071)."""

__all__ = ["add", "fold"]


def fold(value):
    """Add everything above bit 15 to the lower 16 bits: one end-around carry, which may leave a 1 in bit 16.

    Never makes a 0 out of anything else, so a sum of which one part is not 0 ends as 0xFFFF where it is a multiple of it.
    """
    return value[:16] + value[16:] if len(value) > 16 else value


def add(a, b):
    """The one's-complement sum of two 16-bit values, 0xFFFF rather than 0 unless both are 0."""
    total = a + b
    return (total[:16] + total[16])[:16]
