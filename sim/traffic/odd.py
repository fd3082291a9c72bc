"""Frames that leave as they came, frames too short for anything, and noise."""

from .draft import Draft
from .shapes import TCP, headers

__all__ = ["nearly_auto", "noise", "passed", "tiny"]


def passed(dice, bounds):
    """No request, auto off: any bytes, around the multiples of a beat."""
    length = dice.weighted((
        (dice.randint(1, bounds.budget), 3),
        (max(1, dice.near(bounds.bus * dice.randint(1, 6))), 3),
        (60, 1),
        (1514, 1),
    ))
    return Draft(bytearray(dice.randbytes(length)), mtu=dice.u16(), notes=["any bytes"])


def nearly_auto(dice, bounds):
    """IP with one byte of the ten not 0, or auto off: it is no request at all and nothing is filled in. (The bytes behind the ten do not count.)"""
    stack = headers(dice, [], TCP)
    stack.frame += dice.randbytes(dice.randint(0, min(bounds.budget, 1400)))
    stack.set_lengths(len(stack.frame))
    draft = Draft(stack.frame, auto=True, mtu=dice.choice((1500, 0, 60)))
    name = dice.choice(("flags", "hdr_len", "gso_size", "csum_start", "csum_offset", "auto off", "outer_th_offset"))
    if name == "flags":
        draft.flags = 1 << dice.randint(1, 7)
    elif name == "auto off":
        draft.auto = False
    else:
        setattr(draft, name, 1 << dice.randrange(16))
    draft.notes.append(name)
    return draft


def tiny(dice, bounds):
    """1 to 60 bytes with any request."""
    frame = bytearray(
        dice.randbytes(dice.weighted(((dice.randint(1, 60), 3), (60, 1), (dice.randint(1, 8), 1), (max(1, dice.near(bounds.bus)), 1))))
    )
    if dice.chance(0.4):
        start = dice.choice((b"\x08\x00\x45", b"\x86\xdd\x60", b"\x81\x00\x00\x05\x08\x00\x45", b"\x88\xa8\x00\x05\x86\xdd\x60"))
        frame[12 : 12 + len(start)] = start[: max(0, len(frame) - 12)]
    draft = Draft(frame, hdr_len=dice.choice((0, 0, 54)))
    draft.flags, draft.gso_type, draft.csum_offset = dice.weighted((
        ((0, 0, 0), 4),
        ((1, 0, 6), 3),
        ((1, 0, 8), 1),
        ((1, dice.choice((1, 4)), 16), 2),
        ((1, dice.choice((3, 5)), 6), 1),
        ((0, dice.choice((1, 3, 4)), 0), 1),
        ((1, dice.choice((0x21, 0x24, 0x41, 0x44)), 16), 1),
    ))
    if draft.flags:
        draft.csum_start = dice.choice((0, 34, 38, 54, dice.randrange(60)))
    if draft.gso_type:
        draft.gso_size = dice.u16() & (-8 if draft.gso_type == 3 else -1)
    if draft.gso_type & 0x60:
        draft.outer_th_offset, draft.inner_nh_offset, draft.csum_start = 54, 62, 102
    draft.notes.append(f"{len(frame)} bytes")
    return draft.random_config(dice)


def noise(dice, bounds):
    """Random bytes with a random request; half of them begin like IP."""
    frame = bytearray(dice.randbytes(dice.randint(1, bounds.budget)))
    if dice.chance(0.5):
        is_ipv4 = dice.chance(0.6)
        frame[12:15] = b"\x08\x00" + bytes((0x40 | dice.randrange(16),)) if is_ipv4 else b"\x86\xdd\x60"
        at = 23 if is_ipv4 else 20
        if len(frame) > at:
            frame[at] = dice.choice((6, 17, 4, 41, 47, 0, 43, 60, 132))
    draft = Draft(frame, *(dice.u16() for _ in range(8)), notes=["noise"]).random_config(dice)
    if dice.chance(0.7):
        draft.flags = dice.choice((0, 1, 1, 9))
        draft.gso_type = dice.choice((0, 1, 3, 4, 5, 0x21, 0x24, 0x25, 0x41, 0x44, 0x45, 0x81, 0x84))
        draft.csum_offset = dice.choice((6, 8, 16, dice.u16()))
        draft.outer_th_offset = dice.choice((34, 54, draft.outer_th_offset))
        draft.inner_nh_offset = dice.choice((draft.outer_th_offset + 8, draft.outer_th_offset + 30, draft.inner_nh_offset))
    draft.gso_size = max(draft.gso_size, len(frame) // 40)  # at most some forty segments
    return draft
