"""The identification that IPv6 fragments share."""

__all__ = ["fragment_identification"]

_ROUNDS = 32
_HALF = 0xFFFF


def fragment_identification(seed: int, number: int) -> int:
    """The identification of the fragments of the ``number``-th datagram, counted from 0: 32 bits.

    A block cipher of the number, keyed by ``seed``: no identification comes twice within 2**32 datagrams, and who does not know the seed
    cannot tell the next one from those before (RFC 7739). The round is that of the Simon family.

    Parameters
    ----------
    seed, number : int
        Their low 32 bits count.
    """
    keys = (seed & _HALF, seed >> 16 & _HALF)
    high, low = number >> 16 & _HALF, number & _HALF
    for index in range(_ROUNDS):
        mixed = _rotate(high, 1) & _rotate(high, 8) ^ _rotate(high, 2)
        high, low = low ^ mixed ^ keys[index % 2] ^ index, high
    return high << 16 | low


def _rotate(half: int, bits: int) -> int:
    return (half << bits | half >> 16 - bits) & _HALF
