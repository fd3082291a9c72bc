"""Frames that leave as they came, frames too short for anything, and noise."""

from .draft import Draft
from .frames import ethernet, ipv4, tcp

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
    """IPv4 with one byte of the ten not 0, or auto off: it is no request at all and nothing is filled in."""
    segment = tcp(dice) + dice.randbytes(dice.randint(0, min(bounds.budget, 1400)))
    draft = Draft(bytearray(ethernet(dice, 0x0800)) + ipv4(dice, 6, len(segment)) + segment, auto=True, mtu=dice.choice((1500, 0, 60)))
    name = dice.choice(("flags", "hdr_len", "gso_size", "csum_start", "csum_offset", "auto off"))
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
        start = b"\x08\x00\x45" if dice.chance(0.7) else b"\x81\x00\x00\x05\x08\x00\x45"
        frame[12 : 12 + len(start)] = start[: max(0, len(frame) - 12)]
    draft = Draft(frame, hdr_len=dice.choice((0, 0, 54)))
    draft.flags, draft.gso_type, draft.csum_offset = dice.weighted((((0, 0, 0), 4), ((1, 0, 6), 3), ((1, 1, 16), 2), ((0, 1, 0), 1)))
    if draft.flags:
        draft.csum_start = dice.choice((0, 34, 38, dice.randrange(60)))
    if draft.gso_type:
        draft.gso_size = dice.u16()
    draft.notes.append(f"{len(frame)} bytes")
    return draft.random_config(dice)


def noise(dice, bounds):
    """Random bytes with a random request; half of them begin like IPv4."""
    frame = bytearray(dice.randbytes(dice.randint(1, bounds.budget)))
    if dice.chance(0.5):
        frame[12:15] = b"\x08\x00" + bytes((0x40 | dice.randrange(16),))
        if len(frame) > 23:
            frame[23] = dice.choice((6, 17))
    draft = Draft(frame, *(dice.u16() for _ in range(6)), notes=["noise"]).random_config(dice)
    if dice.chance(0.5):
        draft.flags, draft.gso_type = dice.choice(((1, 0), (1, 1), (0, 1), (0, 0)))
    draft.gso_size = max(draft.gso_size, len(frame) // 40)  # at most some forty segments
    return draft
