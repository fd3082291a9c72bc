"""Segment requests with something wrong: each row of what is refused or dropped, alone and several at once."""

from struct import pack

from .frames import set_word
from .segment import any_of

__all__ = ["refused"]

NEEDS_CSUM, UFO, ECN = 1, 3, 0x80


def refused(dice, bounds):
    """A request with one to three things wrong, and sometimes cut off somewhere: what is counted is the first by the order of judgement."""
    draft = any_of(dice, bounds)
    for _ in range(dice.weighted(((1, 5), (2, 2), (3, 1)))):
        name, break_it = dice.choice(FAULTS)
        if break_it(dice, draft) is not False:
            draft.notes.append(name)
    return draft


def _put(draft, at, value):
    if at >= len(draft.frame):
        return False
    draft.frame[at] = value


def _set_field(name, *values):
    """A fault that puts one of ``values`` (or a random 16-bit number) into the metadata."""

    def fault(dice, draft):
        setattr(draft, name, dice.choice(values) if values else dice.u16())

    return fault


def _near_field(name, reach=4):
    """A fault that moves an offset of the metadata a little."""

    def fault(dice, draft):
        setattr(draft, name, dice.near(getattr(draft, name), reach))

    return fault


def _retag(dice, draft):
    """Another tag in front of the EtherType, known or not; the request may still mean the frame without it."""
    draft.insert(12, pack(">HH", dice.choice((0x8100, 0x88A8, 0x9100)), dice.getrandbits(16)))
    if dice.chance(0.5):
        draft.csum_start += 4


def _ethertype(dice, draft):
    """Another EtherType, by one bit or altogether."""
    at = draft.l3 - 2
    if at + 2 > len(draft.frame):
        return False
    right = int.from_bytes(draft.frame[at : at + 2], "big")
    set_word(
        draft.frame,
        at,
        dice.weighted(((right ^ 1 << dice.randrange(16), 1), (right ^ 0x0800 ^ 0x86DD, 1), (dice.randint(0, 1500), 1), (0x88A8, 1))),
    )


def _cut_off(dice, draft):
    """The frame ends in its headers."""
    del draft.frame[dice.randint(1, max(1, draft.payload - 1)) :]


def _version(dice, draft):
    ip = dice.choice(draft.stack.ips)
    return _put(draft, ip.at, dice.choice((0x05, 0x55, 0x15, 0xC5, 0x65 if ip.version == 4 else 0x45)))


def _ihl(dice, draft):
    """An IPv4 header says another length: too short, or it moves what follows."""
    ip = dice.choice(draft.stack.ips)
    return _put(draft, ip.at, 0x40 | dice.randrange(16)) if ip.version == 4 else False


def _protocol(dice, draft):
    """An IP header, or its last extension header, says that something else follows."""
    ip = dice.choice(draft.stack.ips)
    at = ip.at + 9
    if ip.version == 6:
        at = max((offset for offset in draft.stack.extensions if ip.at < offset < ip.end), default=ip.at + 6)
    return _put(draft, at, dice.choice((0, 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 132, dice.getrandbits(8))))


def _extension_length(dice, draft):
    """An extension header says another length."""
    if not draft.stack.extensions:
        return False
    return _put(draft, dice.choice(draft.stack.extensions) + 1, dice.choice((0, 1, 2, 3, 20, 29, 30, 31, 32, 255)))


def _gre(dice, draft):
    """GRE flags and a protocol that are not walked."""
    if draft.stack.gre is None:
        return False
    return _put(draft, draft.stack.gre + dice.randrange(4), dice.getrandbits(8))


def _data_offset(*values):
    def fault(dice, draft):
        return _put(draft, draft.l4 + 12, dice.choice(values))

    return fault


def _no_csum(dice, draft):
    draft.flags &= ~NEEDS_CSUM


def _ecn(dice, draft):
    draft.gso_type ^= ECN


def _both_families(dice, draft):
    draft.gso_type |= 0x60


def _not_a_multiple_of_8(dice, draft):
    if draft.gso_type != UFO:
        return False
    draft.gso_size = draft.gso_size + dice.randint(1, 7) & 0xFFFF


def _too_many(dice, draft):
    """A gso_size so small that there would be too many datagrams, but not too many for a test."""
    if draft.gso_type & 7 != 5 or len(draft.frame) - draft.payload < 256:
        return False
    draft.gso_size = max(1, (len(draft.frame) - draft.payload) // dice.randint(127, 130))


def _inner_protocol(dice, draft):
    """The innermost header carries what the request does not mean: TCP for UDP and the other way round."""
    ip = draft.stack.ips[-1]
    return _put(draft, ip.at + 9, dice.choice((6, 17))) if ip.version == 4 else False


FAULTS = (
    ("gso_size refused", _set_field("gso_size", 0, 65535)),
    ("gso_size no multiple of 8", _not_a_multiple_of_8),
    ("too many datagrams", _too_many),
    ("csum_offset refused", _set_field("csum_offset", 0, 6, 16, 15, 17, 0x1010, 65535)),
    ("csum_start near", _near_field("csum_start")),
    ("csum_start anywhere", _set_field("csum_start")),
    ("outer_th_offset near", _near_field("outer_th_offset")),
    ("outer_th_offset anywhere", _set_field("outer_th_offset")),
    ("inner_nh_offset near", _near_field("inner_nh_offset")),
    ("inner_nh_offset anywhere", _set_field("inner_nh_offset")),
    ("gso_type unknown", _set_field("gso_type", 2, 6, 7, 8, 0x11, 0x61, 0x80, 0x83, 0x85, 0x23, 0x20)),
    ("ECN turned over", _ecn),
    ("both families", _both_families),
    ("NEEDS_CSUM missing", _no_csum),
    ("another tag", _retag),
    ("EtherType", _ethertype),
    ("IP version", _version),
    ("ihl", _ihl),
    ("protocol", _protocol),
    ("transport", _inner_protocol),
    ("extension length", _extension_length),
    ("GRE", _gre),
    ("data offset", _data_offset(0x00, 0x10, 0x4F, 0x45)),
    ("data offset beyond", _data_offset(0xF0, 0xE1, 0x90)),
    ("cut off", _cut_off),
)
"""What can be wrong, each as likely as the next; a fault that the frame has no place for is left out."""
