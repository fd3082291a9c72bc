"""Frames with a request of ten zero bytes, which the engine handles by parsing."""

from .draft import Draft
from .frames import ones_sum, set_word
from .shapes import GRE, IPIP, PLAIN, SCTP, TCP, UDP, UDP_TUNNEL, headers

__all__ = ["at_limit", "cut", "cut_at_limit", "datagrams", "fragment", "fragments", "fuzzed", "other", "too_big", "transport", "zero_sum"]

ICMP = 1
FRAGMENT_HEADER = 44
MORE_FRAGMENTS = 0x2000
DONT_FRAGMENT = 0x4000
UDP_HEADER = 8


def transport(dice, bounds):
    """TCP or UDP below the MTU: with padding, cut by a snaplen, with wrong lengths, without a checksum."""
    draft = packet(dice, dice.choice((TCP, UDP)), dice.randint(0, min(bounds.budget, 1300)))
    twist = dice.weighted(((_right, 5), (_padding, 3), (_snapped, 2), (_no_checksum, 2), (_udp_length, 3), (_short_transport, 2)))
    twist(dice, draft)
    return draft


def zero_sum(dice, bounds):
    """TCP or UDP whose sum comes out as 0x0000: 0xFFFF is sent, for both."""
    protocol = dice.choice((TCP, UDP))
    draft = packet(dice, protocol, dice.randint(0, min(bounds.budget, 1300)), routed=False)
    at, field = (18, 16) if protocol == TCP else (0, 6)
    covered = draft.frame[draft.l4 :]
    set_word(covered, at, 0)
    set_word(covered, field, 0)
    rest = ones_sum(draft.stack.ips[0].pseudo_sum(protocol, len(covered)).to_bytes(2, "big") + covered)
    set_word(draft.frame, draft.l4 + at, 0xFFFF - rest)
    draft.length_is_right = draft.is_plain = True
    draft.notes.append("sums to 0")
    return draft


def fragment(dice, bounds):
    """A fragment: IP checksum only; too_big above the MTU."""
    word = dice.choice((
        MORE_FRAGMENTS,
        MORE_FRAGMENTS | dice.getrandbits(13),
        dice.randint(1, 0x1FFF),
        DONT_FRAGMENT | dice.randint(1, 0x1FFF),
        1,
        0x1000,
    ))
    draft = packet(dice, dice.choice((TCP, UDP, ICMP)), dice.randint(0, min(bounds.budget, 1300)), fragment=word)
    ip = draft.stack.ips[0]
    if ip.version == 6:  # the protocol's own type moves into the fragment header
        at = max((offset for offset in draft.stack.extensions), default=ip.at + 6)
        number, draft.frame[at] = draft.frame[at], FRAGMENT_HEADER
        draft.insert(ip.end, bytes((number, 0)) + dice.randbytes(6))
        set_word(draft.frame, ip.length_at(), len(draft.frame) - ip.at - 40)
    if dice.chance(0.2):
        _low_mtu(dice, draft)
    return draft


def other(dice, bounds):
    """What auto leaves alone, or nearly: ARP, ICMP, other protocols, tunnels, tags that it does not know, broken IP headers."""
    path = dice.weighted(((PLAIN, 3), (UDP_TUNNEL, 1), (GRE, 1), (IPIP, 1)))
    protocol = dice.choice((TCP, UDP)) if path != PLAIN else dice.choice((ICMP, TCP, UDP, 2, 47, 50, SCTP, dice.getrandbits(8)))
    draft = packet(dice, protocol, dice.randint(0, min(bounds.budget, 1200)), path=path)
    frame, l3 = draft.frame, draft.l3
    ip = draft.stack.ips[0]
    twist = dice.choice((
        "protocol",
        "protocol",
        "ARP",
        "noise behind IPv6",
        "EtherType",
        "two tags",
        "version",
        "ihl",
        "extension length",
        "total length",
        "total length 0",
        "ends early",
    ))
    if twist == "ARP":
        frame[l3 - 2 :] = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + dice.randbytes(20)
    elif twist == "noise behind IPv6":
        frame[l3 - 2 :] = b"\x86\xdd\x60" + dice.randbytes(39 + dice.randint(0, 200))
    elif twist == "EtherType":
        set_word(frame, l3 - 2, dice.choice((0x0801, 0x0000, 0x88A8, 0x8847, 0x8100, 0x86DD, 0x0800, dice.getrandbits(16))))
    elif twist == "two tags":
        frame[12:12] = dice.choice((b"\x81\x00", b"\x88\xa8")) + dice.randbytes(2) + b"\x81\x00" + dice.randbytes(2)
    elif twist == "version":
        frame[l3] = dice.choice((0x55, 0x65, 0x05, 0x15, 0xC5, 0x45))
    elif twist == "ihl" and ip.version == 4:
        frame[l3] = 0x40 | dice.randrange(16)
    elif twist == "extension length" and draft.stack.extensions:
        frame[dice.choice(draft.stack.extensions) + 1] = dice.choice((0, 1, 2, 5, 28, 31, 255))
    elif twist == "total length":
        set_word(
            frame,
            ip.length_at(),
            dice.weighted((
                (dice.randrange(60), 3),
                (dice.near(ip.length(draft.l4), 1), 2),
                (dice.near(ip.length(draft.l4) + 8, 13), 2),
            )),
        )
    elif twist == "total length 0":
        set_word(frame, ip.length_at(), 0)
    elif twist == "ends early":
        del frame[dice.randint(1, draft.payload) :]
    draft.notes.append(twist)
    return draft


def cut(dice, bounds):
    """TCP above the MTU: cut at what the MTU leaves, with padding, short of what it says, or down to one segment."""
    draft = packet(dice, TCP, 0, routed=dice.chance(0.1))
    mtu, gso, most = _mtu(dice, draft, bounds)
    _grow(dice, draft, _above(dice, draft, gso, most), mtu)
    _end(dice, draft)
    return draft


def datagrams(dice, bounds):
    """UDP above the MTU with a USO size set: cut at that size, with wrong UDP lengths, without a checksum, with sizes that do not fit."""
    draft = packet(dice, UDP, 0, routed=dice.chance(0.1))
    mtu, room, _ = _mtu(dice, draft, bounds)
    size = dice.weighted((
        (room, 2),
        (dice.near(room), 1),
        (dice.randint(1, room), 2),
        (max(1, 8 * bounds.bus + dice.randint(-1, 1)), 1),
        (dice.u16(), 0.5),
    ))
    draft.uso_size = size
    most = max(2, bounds.budget // (draft.payload + min(size, room)))
    _grow(dice, draft, max(_above(dice, draft, max(1, min(size, room)), most), room + 1), mtu)
    _grown_datagram(dice, draft)
    return draft


def fragments(dice, bounds):
    """UDP above the MTU without a USO size: an IPv4 datagram without DF is fragmented."""
    draft = packet(dice, UDP, 0, version=4 if dice.chance(0.9) else 6, fragment=DONT_FRAGMENT * dice.chance(0.1))
    mtu, room, _ = _mtu(dice, draft, bounds)
    draft.uso_size = 0
    size = max(8, room + UDP_HEADER & ~7)
    _grow(dice, draft, max(_above(dice, draft, size, max(2, bounds.budget // (draft.payload + size))) - UDP_HEADER, room + 1), mtu)
    _grown_datagram(dice, draft)
    return draft


def cut_at_limit(dice, bounds):
    """The MTU gives segments of exactly the longest wire frame, or one byte more or less."""
    draft = packet(dice, TCP, 0, routed=False)
    over = dice.randint(-1, 1)
    mtu = bounds.mtu_max - draft.l3 + over
    _grow(dice, draft, mtu - (draft.payload - draft.l3) + dice.randint(1, 100), mtu)
    draft.notes.append(f"wire frame mtu_max{over:+d}")
    return draft


def at_limit(dice, bounds):
    """The IP length is the MTU, or one more or less, for each protocol; padding does not count."""
    over = dice.randint(-1, 1)
    draft = packet(dice, dice.choice((TCP, UDP, ICMP)), dice.randint(0, min(bounds.budget, 3000)))
    draft.mtu = len(draft.frame) - draft.l3 - over
    draft.notes.append(f"IP length MTU{over:+d}")
    if dice.chance(0.3):
        _padding(dice, draft)
    return draft


def too_big(dice, bounds):
    """Above the MTU with nothing to say how to cut it."""
    draft = packet(dice, dice.choice((UDP, ICMP, TCP, dice.getrandbits(8))), dice.randint(0, bounds.budget))
    _low_mtu(dice, draft)
    twist = dice.choice(("low MTU", "no room for payload", "data offset", "header cut off"))
    if twist == "no room for payload":
        draft.mtu = max(1, dice.near(draft.payload - draft.l3, 2))
        if len(draft.frame) - draft.payload > 300:  # one byte a segment, but not thousands of them
            del draft.frame[draft.payload + 300 :]
            draft.stack.set_lengths(len(draft.frame))
    elif twist == "data offset" and len(draft.frame) > draft.l4 + 12:
        draft.frame[draft.l4 + 12] = dice.choice((0x00, 0x4F, 0x10, 0xF0))
    elif twist == "header cut off":
        del draft.frame[dice.randint(draft.l4 - 2, draft.payload) :]
    draft.notes.append(twist)
    return draft


def fuzzed(dice, bounds):
    """A few bits of the headers turned over."""
    draft = dice.choice((transport, cut, datagrams, fragments, other))(dice, bounds)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(min(len(draft.frame), 120))
        draft.frame[at] ^= 1 << dice.randrange(8)
    draft.mtu = max(draft.mtu, 200)  # a longer header must not leave one byte a segment of a long frame
    return draft


def packet(dice, protocol, payload, *, version=None, fragment=None, path=PLAIN, routed=True):
    """Headers and ``payload`` bytes, ready for auto; the transport checksum is right, 0 or garbage.

    Without ``routed``, no IPv6 routing header has segments left.
    """
    notes = []
    if fragment is None:
        fragment = dice.weighted(((DONT_FRAGMENT, 3), (0, 2)))
    stack = headers(dice, notes, protocol, path, version=version, fragment=fragment)
    if not routed:
        for at in stack.extensions:
            stack.frame[at + 3] = 0
        for ip in stack.ips:
            ip.addresses = ip.addresses if ip.version == 4 else bytes(stack.frame[ip.at + 8 : ip.at + 40])
    draft = Draft(stack.frame, auto=True, stack=stack, payload=len(stack.frame), notes=notes)
    draft.mtu = dice.weighted(((1500, 5), (0, 2), (9000, 1), (65535, 1)))
    draft.frame += dice.randbytes(payload)
    stack.set_lengths(len(draft.frame))
    if protocol in (TCP, UDP):
        length = len(draft.frame) - draft.l4
        if protocol == UDP:
            set_word(draft.frame, draft.l4 + 4, length)
        ip = stack.ips[-1]
        right = ones_sum(ip.pseudo_sum(protocol, length).to_bytes(2, "big") + draft.frame[draft.l4 :])
        value = dice.weighted(((0xFFFF - right, 2), (dice.getrandbits(16), 2), (1, 1)))
        set_word(draft.frame, draft.l4 + (16 if protocol == TCP else 6), value or 0xFFFF)
    names = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP"}
    draft.notes += [names.get(protocol, "another protocol"), f"IPv{stack.ips[0].version}"]
    return draft


def _mtu(dice, draft, bounds):
    """Draw an MTU; what it leaves for payload, and how many such segments the budget allows."""
    header = draft.payload - draft.l3
    mtu = dice.weighted(((1500, 4), (0, 2), (576, 2), (header + dice.randint(1, 16), 1), (header + dice.randint(1, 300), 3)))
    gso = max(1, (mtu or 1500) - header)
    return mtu, gso, bounds.budget // (draft.payload + gso)


def _above(dice, draft, gso, most):
    """A payload of more than one segment, often around a multiple."""
    shape = dice.weighted((("k*gso", 2), ("k*gso+1", 2), ("k*gso-1", 2), ("any", 4)))
    whole = gso * dice.randint(2, max(2, most))
    draft.notes.append(f"payload {shape}")
    return {"k*gso": whole, "k*gso+1": whole + 1, "k*gso-1": whole - 1, "any": dice.randint(gso + 1, max(gso + 1, whole))}[shape]


def _grow(dice, draft, payload, mtu):
    """Give a packet its payload and the MTU; the IP length follows, as far as it goes."""
    draft.frame += dice.randbytes(payload)
    draft.mtu = mtu
    draft.stack.set_lengths(len(draft.frame))


def _grown_datagram(dice, draft):
    """The UDP length of a datagram that has grown, mostly right; no checksum now and then; and how the frame ends."""
    length = len(draft.frame) - draft.l4
    set_word(draft.frame, draft.l4 + 4, length)
    if dice.chance(0.15):
        _no_checksum(dice, draft)
    if dice.chance(0.1):
        _udp_length(dice, draft)
    _end(dice, draft)


def _end(dice, draft):
    twist = dice.weighted((("as said", 5), ("padding", 2), ("shorter than it says", 2)))
    if twist == "padding":
        draft.frame += dice.randbytes(dice.randint(1, 60))
    elif twist == "shorter than it says":
        del draft.frame[dice.randint(draft.payload, len(draft.frame) - 1) :]
    draft.notes.append(twist)


def _low_mtu(dice, draft):
    length = len(draft.frame) - draft.l3
    draft.mtu = dice.weighted(((max(1, length - 1), 2), (dice.randint(max(1, length // 4), length), 2), (20, 1)))
    draft.mtu = max(draft.mtu, 280)  # a long frame in segments of a few bytes is another draw's matter


def _right(dice, draft):
    draft.notes.append("right lengths")


def _padding(dice, draft):
    draft.frame += dice.choice((dice.randbytes, bytes))(dice.randint(1, 46))
    draft.notes.append("padding")


def _snapped(dice, draft):
    del draft.frame[dice.weighted(((len(draft.frame) - 1, 2), (dice.randint(draft.l3, len(draft.frame) - 1), 3))) :]
    draft.notes.append("cut by a snaplen")


def _no_checksum(dice, draft):
    set_word(draft.frame, draft.l4 + (16 if "TCP" in draft.notes else 6), 0)
    draft.notes.append("checksum 0")


def _udp_length(dice, draft):
    if "UDP" not in draft.notes:
        return _padding(dice, draft)
    length = len(draft.frame) - draft.l4
    wrong = dice.weighted((
        (dice.near(length), 2),
        (dice.randint(0, 9), 2),
        (dice.randint(8, max(8, length)), 3),
        (dice.getrandbits(16), 1),
    ))
    set_word(draft.frame, draft.l4 + 4, wrong)
    draft.notes.append("UDP length right after all" if wrong == length else "UDP length wrong")


def _short_transport(dice, draft):
    """The IP packet ends in or just behind its transport header; what follows is padding."""
    ip = draft.stack.ips[0]
    set_word(draft.frame, ip.length_at(), ip.length(draft.l4 + dice.randint(0, 21)))
    draft.notes.append("short transport header")
