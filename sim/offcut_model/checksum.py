"""The Internet checksum (RFC 1071), by modular arithmetic.

The one's-complement sum of 16-bit words is their plain sum modulo 0xFFFF. So is a whole byte string read as one big-endian number,
because 2^16 = 1 (mod 0xFFFF); Python reads and divides long numbers quickly, so a sum of any length costs one division. What the modulus
loses is which of its two zeroes a sum is: adding as RFC 1071 does gives 0x0000 only if every word is 0, and 0xFFFF for any other multiple.
The functions here keep that apart: 0 is the sum of nothing but zeroes.
"""

__all__ = ["checksum", "invert", "never_zero", "ones_negative", "ones_sum"]

_MODULUS = 0xFFFF


def ones_sum(data: bytes | bytearray | memoryview) -> int:
    """The one's-complement sum of ``data``, 0 to 0xFFFF. An odd last byte counts as if a byte of 0 followed it."""
    total = int.from_bytes(data, "big")
    if len(data) % 2:
        total <<= 8
    return total % _MODULUS or (_MODULUS if total else 0)


def ones_negative(value: int) -> int:
    """What takes ``value`` out of a sum when it is added to it."""
    return _MODULUS - value % _MODULUS


def invert(total: int) -> int:
    """Fold ``total``, an ordinary sum of one's-complement sums, to 16 bits, and invert it."""
    return _MODULUS - (total % _MODULUS or (_MODULUS if total else 0))


def never_zero(check: int) -> int:
    """Give 0x0000 its other form, 0xFFFF; in UDP, 0 says that there is no checksum (RFC 768; ``CSUM_MANGLED_0`` in Linux)."""
    return check or _MODULUS


def checksum(data: bytes | bytearray | memoryview, initial: int = 0) -> int:
    """The checksum of ``data``, folded and inverted, as it stands on the wire.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        What is covered, with the checksum field itself as 0.
    initial : int
        A sum to begin with, such as that of a pseudo-header; not negative.
    """
    return invert(initial + ones_sum(data))
