"""Segment requests: TCP over IPv4 with a gso_size, right ones and wrong ones."""

from struct import pack

from .draft import Draft
from .frames import ethernet, ipv4, ones_sum, pseudo_header, set_word, tcp

__all__ = ["at_limit", "fuzzed", "other_type", "refused", "tso", "zero_sum"]

NEEDS_CSUM = 1
DATA_VALID = 2
UDP_TUNNEL_CSUM = 8
TCPV4 = 1
ECN = 0x80


def tso(dice, bounds):
    """A request that an engine should cut, or at least send; now and then with something to ignore in it."""
    draft = _headers(dice)
    header = len(draft.frame)
    gso = _gso_size(dice, bounds)
    payload, shape = _payload(dice, bounds, header, gso)
    draft.notes.append(shape)
    return _finish(dice, draft, payload, gso)


def at_limit(dice, bounds):
    """Segments of exactly the longest wire frame, or one byte more or less; the last may be the only long one."""
    draft = _headers(dice)
    header = len(draft.frame)
    over = dice.randint(-1, 1)
    fits = bounds.mtu_max - header + over
    gso, payload = dice.weighted((((fits, fits + dice.randint(1, 60)), 2), ((fits + dice.randint(1, 9000), fits), 1), ((fits, fits), 1)))
    draft.notes.append(f"wire frame mtu_max{over:+d}")
    return _finish(dice, draft, payload, gso)


def zero_sum(dice, bounds):
    """One segment's checksum comes out 0x0000, by the choice of the urgent pointer."""
    draft = _headers(dice, flags=dice.getrandbits(12) & ~0x089, urgent=0)
    gso = dice.weighted(((dice.randint(1, 40), 1), (dice.randint(100, 600), 2)))
    payload = gso * dice.randint(1, 3) + dice.choice((-1, 0, 0, 1)) if gso > 1 else dice.randint(1, 5)
    draft = _finish(dice, draft, payload, gso, honest=True)
    segment = dice.randrange(-(-payload // gso))
    packet = draft.frame[draft.l4 : draft.payload]
    piece = draft.frame[draft.payload + segment * gso :][:gso]
    seq = int.from_bytes(packet[4:8], "big") + segment * gso
    packet[4:8] = pack(">I", seq % 2**32)
    packet[16:18] = bytes(2)
    rest = ones_sum(pseudo_header(draft.frame[draft.l3 + 12 : draft.l3 + 20], 6, len(packet) + len(piece)) + packet + piece)
    set_word(draft.frame, draft.l4 + 18, 0xFFFF - rest)
    draft.notes.append("only segment sums to 0" if payload <= gso else "a segment sums to 0")
    return draft


def refused(dice, bounds):
    """A request with one to three things wrong, and sometimes cut off somewhere: what is counted is the first by the order of judgement."""
    draft = tso(dice, bounds)
    for _ in range(dice.weighted(((1, 5), (2, 2), (3, 1)))):
        name, break_it = dice.choice(FAULTS)
        break_it(dice, draft)
        draft.notes.append(name)
    return draft


def fuzzed(dice, bounds):
    """A good request with random bytes changed in headers and metadata."""
    draft = tso(dice, bounds)
    for _ in range(dice.randint(1, 4)):
        where = dice.randrange(12, max(13, min(len(draft.frame), draft.payload + 4)))
        draft.frame[where] = dice.getrandbits(8) if dice.chance(0.5) else draft.frame[where] ^ 1 << dice.randrange(8)
    if dice.chance(0.3):
        field = dice.choice(("flags", "gso_type", "gso_size", "csum_start", "csum_offset"))
        setattr(draft, field, getattr(draft, field) ^ 1 << dice.randrange(8 if field in ("flags", "gso_type") else 16))
        if 0 < draft.gso_size < 16:  # a bit lost from the size must not turn one frame into ten thousand
            del draft.frame[draft.payload + 40 * draft.gso_size :]
        draft.notes.append(f"bit of {field}")
    if dice.chance(0.3):
        del draft.frame[max(1, dice.near(draft.payload, 24)) :]
        draft.notes.append("cut off")
    return draft


def other_type(dice, bounds):
    """A gso_type that is not built in or does not exist, on any frame."""
    draft = tso(dice, bounds)
    draft.gso_type = dice.weighted(((dice.choice((3, 4, 5, 0x81, 0x83, 0x21, 0x41, 0x61, 0x23)), 2), (dice.randint(2, 255), 1)))
    draft.gso_size = dice.weighted(((draft.gso_size, 3), (0, 1), (65535, 1)))
    draft.csum_offset = dice.weighted(((16, 2), (6, 2), (dice.u16(), 1)))
    if draft.gso_type & 0x7F == TCPV4:
        draft.notes.append("ECN")
    else:
        draft.notes.append(f"gso_type {draft.gso_type:#04x}")
    return draft


def _headers(dice, flags=None, urgent=None):
    """Ethernet to TCP options as a draft without payload; the IP length is that of an empty segment."""
    tags = dice.weighted((((), 3), (((0x8100, dice.getrandbits(16)),), 1)))
    ip_options, tcp_options = dice.words(40), dice.words(40)
    fragment = dice.weighted(((0x4000, 4), (0, 3), (dice.getrandbits(16), 1)))
    segment = tcp(dice, options=tcp_options, flags=flags)
    if urgent is not None:
        set_word(segment, 18, urgent)
    frame = bytearray(ethernet(dice, 0x0800, tags))
    l3 = len(frame)
    frame += ipv4(dice, 6, len(segment), options=ip_options, fragment=fragment)
    l4 = len(frame)
    draft = Draft(frame + segment, l3=l3, l4=l4, payload=l4 + len(segment))
    draft.notes += (
        [f"ip options {ip_options}"] * bool(ip_options) + [f"tcp options {tcp_options}"] * bool(tcp_options) + ["vlan"] * bool(tags)
    )
    return draft


def _gso_size(dice, bounds):
    """Small ones, those of real links, those around a beat, and all up to 65534."""
    return max(
        1,
        dice.weighted((
            (dice.randint(1, 8), 2),
            (dice.randint(1, 128), 3),
            (dice.choice((1, 2, 3, 4)) * bounds.bus + dice.randint(-1, 1), 3),
            (dice.randint(129, 700), 4),
            (dice.choice((536, 1220, 1400, 1448, 1460)), 5),
            (dice.randint(700, 1500), 2),
            (dice.choice((65534, 65533, 32768, dice.randint(9000, 65534))), 2),
        )),
    )


def _payload(dice, bounds, header, gso):
    """Payload bytes for this gso_size, and the name of their shape; within the budget, but for two segments of a usual size."""
    most = max(1, bounds.budget // (header + gso))
    if most == 1 and gso <= 1500 and dice.chance(0.5):
        most = 2
    if gso > max(bounds.budget, 1500):
        return dice.weighted(((dice.randint(0, bounds.budget), 9), (0, 1))), "payload below gso_size"
    whole = dice.randint(1, most) * gso
    shape = dice.weighted((
        ("k*gso", 3),
        ("k*gso+1", 3),
        ("k*gso-1", 3),
        ("last 1..3", 3),
        ("end at a beat", 3),
        ("below gso", 2),
        ("gso", 1),
        ("empty", 1),
        ("any", 5),
    ))
    payload = {
        "k*gso": whole,
        "k*gso+1": whole + 1,
        "k*gso-1": whole - 1,
        "last 1..3": whole + dice.randint(1, 3),
        "end at a beat": -(-(header + whole) // bounds.bus) * bounds.bus - header + dice.randint(-1, 1),
        "below gso": dice.randint(0, gso),
        "gso": gso,
        "empty": 0,
        "any": dice.randint(0, most * gso),
    }[shape]
    return max(0, payload), f"payload {shape}"


def _finish(dice, draft, payload, gso, *, honest=False):
    """Put payload behind the headers, and the lengths, sums and metadata in front: mostly the right ones."""
    draft.random_config(dice)
    frame, l3, l4 = draft.frame, draft.l3, draft.l4
    frame += dice.weighted(((dice.randbytes(payload), 8), (bytes(payload), 1), (b"\xff" * payload, 1)))
    right = len(frame) - l3
    said = dice.weighted((
        (right, 14),
        (0, 2),
        (dice.near(right, 4), 1),
        (max(0, right - dice.randint(1, 60)), 2),
        (dice.getrandbits(16), 1),
    ))
    if honest:
        said = right
    if said != right:
        draft.notes.append("IP length 0" if said == 0 else "bytes beyond the IP length" if said < right else "IP length too great")
    set_word(frame, l3 + 2, said)

    addresses = bytes(frame[l3 + 12 : l3 + 20])
    partial = ones_sum(pseudo_header(addresses, 6, (right if said in (0, right) or dice.chance(0.7) else said) - (l4 - l3)))
    wrong = dice.weighted(((0, 1), (0xFFFF, 1), (dice.getrandbits(16), 3), (0xFFFF - partial, 1)))
    if honest or dice.chance(0.85):
        set_word(frame, l4 + 16, partial)
    else:
        set_word(frame, l4 + 16, wrong)
        draft.notes.append("partial sum wrong")

    draft.gso_type = TCPV4 | dice.weighted(((0, 4), (ECN, 1)))
    draft.gso_size = gso
    draft.hdr_len = dice.weighted(((draft.payload, 3), (0, 1), (dice.u16(), 1)))
    draft.flags = NEEDS_CSUM
    draft.csum_start, draft.csum_offset = l4, 16
    draft.length_is_right = honest
    if not honest:
        draft.flags |= dice.weighted(((0, 8), (DATA_VALID, 1), (UDP_TUNNEL_CSUM, 1), (dice.getrandbits(8), 1)))
        if dice.chance(0.12):
            draft.flags &= ~NEEDS_CSUM
            draft.csum_start, draft.csum_offset = dice.weighted((((l4, 16), 1), ((0, 0), 1), ((dice.u16(), dice.u16()), 1)))
            draft.notes.append("no NEEDS_CSUM")
    return draft


def _set_byte(offset, base, *values):
    """A fault that puts one of ``values`` (or a random byte) at ``base + offset``."""

    def fault(dice, draft):
        at = (getattr(draft, base) if base else 0) + offset
        if at < len(draft.frame):
            draft.frame[at] = dice.choice(values) if values else dice.getrandbits(8)

    return fault


def _set_field(name, *values):
    """A fault that puts one of ``values`` (or a random 16-bit number) into the metadata."""

    def fault(dice, draft):
        setattr(draft, name, dice.choice(values) if values else dice.u16())

    return fault


def _retag(dice, draft):
    """Another tag in front of the EtherType, 802.1Q or ad."""
    draft.frame[12:12] = pack(">HH", dice.choice((0x8100, 0x88A8, 0x9100)), dice.getrandbits(16))
    for name in ("l3", "l4", "payload"):
        setattr(draft, name, getattr(draft, name) + 4)
    if dice.chance(0.5):
        draft.csum_start += 4


def _ethertype(dice, draft):
    """Another EtherType, by one bit or altogether."""
    if draft.l3 <= len(draft.frame):
        set_word(
            draft.frame,
            draft.l3 - 2,
            dice.weighted(((0x0800 ^ 1 << dice.randrange(16), 1), (0x86DD, 1), (dice.randint(0, 1500), 1), (0x88A8, 1))),
        )


def _cut_off(dice, draft):
    """The frame ends in its headers."""
    del draft.frame[dice.randint(1, max(1, draft.payload - 1)) :]


def _ihl(dice, draft):
    """The IP header says another length: too short, or it moves the TCP header."""
    if draft.l3 < len(draft.frame):
        draft.frame[draft.l3] = 0x40 | dice.randrange(16)


def _near_csum_start(dice, draft):
    draft.csum_start = dice.near(draft.csum_start, 4)


FAULTS = (
    ("gso_size refused", _set_field("gso_size", 0, 65535)),
    ("csum_offset refused", _set_field("csum_offset", 0, 6, 15, 17, 0x1010, 65535)),
    ("csum_start near", _near_csum_start),
    ("csum_start anywhere", _set_field("csum_start")),
    ("gso_type unknown", _set_field("gso_type", 2, 6, 7, 8, 0x11, 0x61, 0x80)),
    ("another tag", _retag),
    ("EtherType", _ethertype),
    ("IP version", _set_byte(0, "l3", 0x05, 0x55, 0x65, 0x15, 0xC5)),
    ("ihl", _ihl),
    ("protocol", _set_byte(9, "l3", 0, 4, 7, 14, 17, 50, 132)),
    ("data offset", _set_byte(12, "l4", 0x00, 0x10, 0x4F, 0x45)),
    ("data offset beyond", _set_byte(12, "l4", 0xF0, 0xE1, 0x90)),
    ("cut off", _cut_off),
)
"""What can be wrong, each as likely as the next."""
