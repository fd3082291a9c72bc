"""Checksum requests: one sum from csum_start to the frame's end, wherever that is."""

from .draft import Draft
from .frames import ethernet, ipv4, ones_sum, pseudo_header, set_word, tcp, udp

__all__ = ["anywhere", "at_limit", "out_of_frame", "transport", "zero"]

NEEDS_CSUM = 1


def transport(dice, bounds):
    """What a stack asks for: TCP or UDP over IPv4 or IPv6, the pseudo-header's sum in the field."""
    protocol, header, offset = dice.choice(((6, 20, 16), (17, 8, 6)))
    length = header + dice.randint(0, bounds.budget)
    tags = dice.weighted((((), 3), (((0x8100, dice.getrandbits(16)),), 1), (((0x88A8, 5), (0x8100, 6)), 1)))
    if dice.chance(0.5):
        network = ipv4(dice, protocol, length, options=dice.words(40))
        partial = ones_sum(pseudo_header(network[12:20], protocol, length))
        ethertype, name = 0x0800, "IPv4"
    else:
        network = b"\x60" + dice.randbytes(3) + length.to_bytes(2, "big") + bytes((protocol, 64)) + dice.randbytes(32)
        partial = ones_sum(bytes(network[8:40]) + protocol.to_bytes(2, "big") + length.to_bytes(2, "big"))
        ethertype, name = 0x86DD, "IPv6"
    segment = tcp(dice) if protocol == 6 else udp(dice, length - header)
    set_word(segment, offset, partial)
    frame = bytearray(ethernet(dice, ethertype, tags)) + network
    start = len(frame)
    frame += segment + dice.randbytes(length - header)
    if dice.chance(0.2):
        frame += dice.randbytes(dice.randint(1, 40))
    return _request(dice, frame, start, offset, name, "TCP" if protocol == 6 else "UDP")


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
