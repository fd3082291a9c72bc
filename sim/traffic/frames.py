"""Headers as bytes. Every number here stands for itself: nothing is shared with the model or the gateware."""

from struct import pack

__all__ = ["ethernet", "ipv4", "ones_sum", "pseudo_header", "set_word", "tcp", "udp"]


def ones_sum(data):
    """One's-complement sum of big-endian 16-bit words, an odd last byte padded with 0. 0 only where every byte is 0."""
    value = int.from_bytes(data, "big") << 8 * (len(data) % 2)
    return (value - 1) % 0xFFFF + 1 if value else 0


def set_word(frame, at, value):
    """Store 16 bits, big-endian, into a bytearray."""
    frame[at : at + 2] = pack(">H", value & 0xFFFF)


def pseudo_header(addresses, protocol, length):
    """IPv4's pseudo-header: 8 bytes of addresses, the protocol, 16 bits of length."""
    return addresses + pack(">HH", protocol, length & 0xFFFF)


def ethernet(dice, ethertype, tags=()):
    """Random addresses, any 802.1Q-like tags as ``(TPID, TCI)``, and the EtherType."""
    return dice.randbytes(12) + b"".join(pack(">HH", *tag) for tag in tags) + pack(">H", ethertype)


def ipv4(dice, protocol, length, *, options=0, fragment=0x4000):
    """An IPv4 header in front of ``length`` bytes; its checksum is right, 0 or garbage. ``options`` is bytes of options, random."""
    ihl = 20 + options
    ip_id = dice.weighted(((dice.getrandbits(16), 3), (0x10000 - dice.randint(1, 12), 2), (0, 1)))
    header = bytearray(pack(">BBHHHBBH", 0x40 | ihl // 4, dice.getrandbits(8), (ihl + length) & 0xFFFF, ip_id, fragment, 64, protocol, 0))
    header += dice.randbytes(8 + options)
    checksum = dice.weighted(((0xFFFF - ones_sum(header), 2), (0, 1), (dice.getrandbits(16), 1)))
    set_word(header, 10, checksum)
    return header


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
