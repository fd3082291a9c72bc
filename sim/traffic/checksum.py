"""Checksum requests: one sum from csum_start to the frame's end, wherever that is; and SCTP's CRC32c."""

from .draft import Draft
from .frames import ones_sum, set_word
from .shapes import GRE, IPIP, PLAIN, SCTP, TCP, UDP, UDP_TUNNEL, headers

__all__ = ["anywhere", "at_limit", "crc32c", "out_of_frame", "transport", "zero"]

NEEDS_CSUM = 1
CRC_OFFSET = 8


def transport(dice, bounds):
    """What a stack asks for: TCP or UDP over IPv4 or IPv6, in a tunnel or not, the pseudo-header's sum in the field."""
    notes = []
    protocol, offset = dice.choice(((TCP, 16), (UDP, 6)))
    path = dice.weighted(((PLAIN, 6), (UDP_TUNNEL, 1), (GRE, 1), (IPIP, 1)))
    stack = headers(dice, notes, protocol, path)
    innermost, start = stack.ips[-1], stack.l4
    notes.append(f"IPv{innermost.version}")
    stack.frame += dice.randbytes(dice.randint(0, bounds.budget))
    end = len(stack.frame)
    stack.set_lengths(end)
    set_word(stack.frame, start + offset, innermost.pseudo_sum(protocol, end - start))
    if protocol == UDP:
        set_word(stack.frame, start + 4, end - start)
    if dice.chance(0.2):
        stack.frame += dice.randbytes(dice.randint(1, 40))
    return _request(dice, stack.frame, start, offset, *notes, "TCP" if protocol == TCP else "UDP")


def crc32c(dice, bounds):
    """SCTP with its CRC32c; and what looks like it but is not, so that an ordinary sum is made."""
    notes = []
    path = dice.weighted(((PLAIN, 9), (IPIP, 1)))
    protocol = dice.weighted(((SCTP, 9), (dice.choice((TCP, UDP, 136)), 1)))
    stack = headers(dice, notes, protocol, path)
    stack.frame += dice.weighted(((dice.randbytes(dice.randint(0, bounds.budget)), 4), (bytes(dice.randint(0, 40)), 1)))
    stack.set_lengths(len(stack.frame))
    ip = stack.ips[0]
    twist = dice.weighted((
        ("SCTP", 8),
        ("csum_start near", 1),
        ("another offset", 1),
        ("a header contradicts", 1),
        ("ends early", 1),
        ("field at the end", 1),
    ))
    start, offset = stack.l4, CRC_OFFSET
    if twist == "csum_start near":
        start = dice.near(start, 4)
    elif twist == "another offset":
        offset = dice.choice((6, 7, 9, 10, 16))
    elif twist == "a header contradicts":
        stack.frame[dice.choice((ip.at, ip.at + 6, ip.at + 9, ip.at - 2))] ^= 1 << dice.randrange(8)
    elif twist == "ends early":
        del stack.frame[dice.randint(1, len(stack.frame)) :]
    elif twist == "field at the end":
        del stack.frame[start + offset + dice.randint(1, 5) :]
    return _request(dice, stack.frame, start, offset, *notes, f"IPv{ip.version}", twist)


def anywhere(dice, bounds):
    """Any start and offset on a frame of noise: odd ones, beyond 127, a field in front of the last byte, a frame of a few bytes."""
    length = dice.weighted((
        (dice.randint(2, 60), 2),
        (dice.near(bounds.bus * dice.randint(1, 8)) + 2, 2),
        (dice.randint(2, bounds.budget + 2), 4),
    ))
    field = dice.weighted(((dice.randint(0, length - 2), 4), (length - 2, 1), (min(length - 2, 127 + dice.randint(-1, 3)), 1)))
    start = dice.weighted(((dice.randint(0, field), 4), (field, 1), (0, 1)))
    notes = (
        ["odd start"] * (start % 2)
        + ["odd field"] * (field % 2)
        + ["start beyond 127"] * (start > 127)
        + ["field ends the frame"] * (field == length - 2)
    )
    return _request(dice, bytearray(dice.randbytes(length)), start, field - start, *notes)


def zero(dice, bounds):
    """A sum that comes out as 0x0000, so 0xFFFF is sent; or of nothing but zeroes, which gives 0xFFFF by itself."""
    length = dice.weighted(((dice.randint(4, 64), 1), (dice.randint(4, bounds.budget + 4), 2)))
    start = dice.randrange(length - 3)
    field = dice.randint(start, length - 2)
    frame = bytearray(dice.randbytes(length))
    if dice.chance(0.3):
        frame[start:] = bytes(length - start)
        return _request(dice, frame, start, field - start, "sum of zeroes")
    word = start + 2 * dice.randrange((length - start) // 2)
    set_word(frame, word, 0)
    set_word(frame, word, 0xFFFF - ones_sum(frame[start:]))
    return _request(dice, frame, start, field - start, "sums to 0")


def out_of_frame(dice, bounds):
    """The field's two bytes are not both inside the frame."""
    length = dice.randint(1, bounds.budget)
    field = dice.weighted(((length - 1, 3), (length, 2), (length + dice.randint(1, 2 * bounds.bus), 2), (length + dice.u16(), 1)))
    start = dice.weighted(((dice.randint(0, min(field, 65535)), 3), (min(field, 65535), 1)))
    start = max(start, field - 65535)
    if start > 65535:
        start, field = 65535, 2 * 65535
    return _request(dice, bytearray(dice.randbytes(length)), start, field - start, "field out of the frame")


def at_limit(dice, bounds):
    """A frame of exactly ``mtu_max``, or one byte more or less, with a checksum request or without any."""
    over = dice.randint(-1, 1)
    frame = bytearray(dice.randbytes(bounds.mtu_max + over))
    draft = _request(dice, frame, dice.randrange(200), dice.randrange(20), f"mtu_max{over:+d}")
    if dice.chance(0.5):
        draft.flags = 0
    return draft


def _request(dice, frame, start, offset, *notes):
    flags = NEEDS_CSUM | dice.weighted(((0, 4), (dice.getrandbits(8), 1)))
    noise = dice.chance(0.3)
    draft = Draft(
        frame, flags=flags, hdr_len=dice.u16() if noise else 0, gso_size=dice.u16() if noise else 0, csum_start=start, csum_offset=offset
    )
    draft.notes += notes
    return draft.random_config(dice)
