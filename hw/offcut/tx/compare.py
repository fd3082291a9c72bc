"""Comparison of short numbers."""

__all__ = ["at_most"]


def at_most(a, b):
    """``a <= b`` for a few bits, without a carry chain."""
    if len(a) == 1:
        return ~a[0] | b[0]
    half = len(a) // 2
    return (~a[half:] & b[half:]).any() & at_most(a[half:], b[half:]) | (a[half:] == b[half:]) & at_most(a[:half], b[:half])
