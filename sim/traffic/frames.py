"""Bytes, words and sums. Every number here stands for itself: nothing is shared with the model or the gateware."""

from struct import pack

__all__ = ["ip_id", "ones_sum", "pseudo_header", "sctp", "set_word", "tcp", "udp"]


def ones_sum(data):
    """One's-complement sum of big-endian 16-bit words, an odd last byte padded with 0. 0 only where every byte is 0."""
    value = int.from_bytes(data, "big") << 8 * (len(data) % 2)
    return (value - 1) % 0xFFFF + 1 if value else 0


def set_word(frame, at, value):
    """Store 16 bits, big-endian, into a bytearray."""
    frame[at : at + 2] = pack(">H", value & 0xFFFF)


def pseudo_header(addresses, protocol, length):
    """What a transport checksum covers beside the packet: 8 or 32 bytes of addresses, the protocol, the length."""
    return addresses + pack(">HI", protocol, length)


def ip_id(dice):
    """An IPv4 identification, often near its wrap or that of 15 bits."""
    return dice.weighted((
        (dice.getrandbits(16), 3),
        (0x10000 - dice.randint(1, 12), 2),
        (0x8000 - dice.randint(1, 12), 1),
        (0, 1),
    ))


def tcp(dice, *, options=0, flags=None):
    """A TCP header with checksum 0: any of the twelve bits behind the data offset unless given, a sequence number often near its wrap."""
    flags = dice.weighted(((dice.getrandbits(12), 3), (0x010, 1), (0x099, 1), (0xFFF, 1))) if flags is None else flags
    seq = dice.weighted((
        (dice.getrandbits(32), 3),
        (2**32 - dice.randint(1, 5000), 2),
        (0x10000 * dice.getrandbits(16) - dice.randint(0, 3000), 1),
    ))
    head = (5 + options // 4) << 12 | flags
    return bytearray(
        dice.randbytes(4) + pack(">IIHHHH", seq % 2**32, dice.getrandbits(32), head, dice.getrandbits(16), 0, dice.u16())
    ) + dice.randbytes(options)


def udp(dice, length):
    """A UDP header in front of ``length`` bytes, with checksum 0."""
    return bytearray(dice.randbytes(4) + pack(">HH", (8 + length) & 0xFFFF, 0))


def sctp(dice):
    """An SCTP common header; what stands in its checksum is anything, for it is taken as 0."""
    return bytearray(dice.randbytes(8) + dice.choice((bytes(4), dice.randbytes(4))))
