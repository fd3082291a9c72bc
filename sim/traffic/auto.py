"""Frames with a request of ten zero bytes, which the engine handles by parsing."""

from .draft import Draft
from .frames import ethernet, ipv4, ones_sum, pseudo_header, set_word, tcp, udp

__all__ = ["at_limit", "cut", "cut_at_limit", "fragment", "fuzzed", "jumbo", "other", "too_big", "transport", "zero_sum"]

TCP, UDP, ICMP = 6, 17, 1
MORE_FRAGMENTS = 0x2000


def transport(dice, bounds):
    """TCP or UDP below the MTU: with padding, cut by a snaplen, with wrong lengths, without a checksum."""
    draft = _packet(dice, dice.choice((TCP, UDP)), dice.randint(0, min(bounds.budget, 1400)))
    twist = dice.weighted(((_right, 5), (_padding, 3), (_snapped, 2), (_no_checksum, 2), (_udp_length, 3), (_short_transport, 2)))
    twist(dice, draft)
    return draft


def zero_sum(dice, bounds):
    """TCP or UDP whose sum comes out as 0x0000: 0xFFFF is sent, for both."""
    protocol = dice.choice((TCP, UDP))
    draft = _packet(dice, protocol, dice.randint(0, min(bounds.budget, 1400)))
    at, field = (18, 16) if protocol == TCP else (0, 6)
    covered = draft.frame[draft.l4 :]
    set_word(covered, at, 0)
    set_word(covered, field, 0)
    rest = ones_sum(pseudo_header(draft.frame[draft.l3 + 12 : draft.l3 + 20], protocol, len(covered)) + covered)
    set_word(draft.frame, draft.l4 + at, 0xFFFF - rest)
    draft.length_is_right = True
    draft.notes.append("sums to 0")
    return draft


def fragment(dice, bounds):
    """A fragment: IP checksum only; too_big above the MTU."""
    word = dice.choice((
        MORE_FRAGMENTS,
        MORE_FRAGMENTS | dice.getrandbits(13),
        dice.randint(1, 0x1FFF),
        0x4000 | dice.randint(1, 0x1FFF),
        1,
        0x1000,
    ))
    draft = _packet(dice, dice.choice((TCP, UDP, ICMP)), dice.randint(0, min(bounds.budget, 1400)), fragment=word)
    if dice.chance(0.2):
        _low_mtu(dice, draft)
    return draft


def other(dice, bounds):
    """What auto leaves alone, or nearly: ARP, IPv6, ICMP, other protocols, tags that it does not know, broken IP headers."""
    draft = _packet(dice, dice.choice((ICMP, TCP, UDP, 2, 47, 50, 132, dice.getrandbits(8))), dice.randint(0, min(bounds.budget, 1400)))
    frame, l3 = draft.frame, draft.l3
    twist = dice.choice((
        "protocol",
        "ARP",
        "IPv6",
        "EtherType",
        "two tags",
        "version",
        "ihl",
        "total length",
        "total length 0",
        "ends early",
    ))
    if twist == "ARP":
        frame[l3 - 2 :] = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + dice.randbytes(20)
    elif twist == "IPv6":
        frame[l3 - 2 :] = b"\x86\xdd\x60" + dice.randbytes(39 + dice.randint(0, 200))
    elif twist == "EtherType":
        set_word(frame, l3 - 2, dice.choice((0x0801, 0x0000, 0x88A8, 0x8847, 0x8100, dice.getrandbits(16))))
    elif twist == "two tags":
        frame[12:12] = dice.choice((b"\x81\x00", b"\x88\xa8")) + dice.randbytes(2) + b"\x81\x00" + dice.randbytes(2)
    elif twist == "version":
        frame[l3] = dice.choice((0x55, 0x65, 0x05, 0x15, 0xC5))
    elif twist == "ihl":
        frame[l3] = 0x40 | dice.randrange(16)
    elif twist == "total length":
        set_word(
            frame, l3 + 2, dice.weighted(((dice.randrange(60), 3), (dice.near(draft.l4 - l3, 1), 2), (dice.near(draft.l4 - l3 + 8, 13), 2)))
        )
    elif twist == "total length 0":
        set_word(frame, l3 + 2, 0)
    elif twist == "ends early":
        del frame[dice.randint(1, draft.payload) :]
    draft.notes.append(twist)
    return draft


def cut(dice, bounds):
    """TCP above the MTU: cut at what the MTU leaves, with padding, short of what it says, or down to one segment."""
    draft = _packet(dice, TCP, 0)
    mtu, gso, most = _mtu(dice, draft, bounds)
    shape = dice.weighted((("k*gso", 2), ("k*gso+1", 2), ("k*gso-1", 2), ("any", 4)))
    whole = gso * dice.randint(2, max(2, most))
    payload = {"k*gso": whole, "k*gso+1": whole + 1, "k*gso-1": whole - 1, "any": dice.randint(gso + 1, whole)}[shape]
    _grow(dice, draft, payload, mtu)
    draft.notes.append(f"payload {shape}")
    twist = dice.weighted((("as said", 5), ("padding", 2), ("shorter than it says", 2)))
    if twist == "padding":
        draft.frame += dice.randbytes(dice.randint(1, 60))
    elif twist == "shorter than it says":
        del draft.frame[dice.randint(draft.payload, len(draft.frame) - 1) :]
    draft.notes.append(twist)
    return draft


def cut_at_limit(dice, bounds):
    """The MTU gives segments of exactly the longest wire frame, or one byte more or less."""
    draft = _packet(dice, TCP, 0)
    over = dice.randint(-1, 1)
    mtu = bounds.mtu_max - draft.l3 + over
    _grow(dice, draft, mtu - (draft.payload - draft.l3) + dice.randint(1, 100), mtu)
    draft.notes.append(f"wire frame mtu_max{over:+d}")
    return draft


def at_limit(dice, bounds):
    """The IP length is the MTU, or one more or less, for each protocol; padding does not count."""
    over = dice.randint(-1, 1)
    draft = _packet(dice, dice.choice((TCP, UDP, ICMP)), dice.randint(0, min(bounds.budget, 3000)))
    draft.mtu = len(draft.frame) - draft.l3 - over
    draft.notes.append(f"IP length MTU{over:+d}")
    if dice.chance(0.3):
        _padding(dice, draft)
    return draft


def too_big(dice, bounds):
    """Above the MTU with nothing to say how to cut it."""
    draft = _packet(dice, dice.choice((UDP, ICMP, TCP, dice.getrandbits(8))), dice.randint(0, bounds.budget))
    _low_mtu(dice, draft)
    twist = dice.choice(("low MTU", "no room for payload", "data offset", "header cut off"))
    if twist == "no room for payload":
        draft.mtu = max(1, dice.near(draft.payload - draft.l3, 2))
    elif twist == "data offset" and len(draft.frame) > draft.l4 + 12:
        draft.frame[draft.l4 + 12] = dice.choice((0x00, 0x4F, 0x10, 0xF0))
    elif twist == "header cut off":
        del draft.frame[dice.randint(draft.l4 - 2, draft.payload) :]
    draft.notes.append(twist)
    return draft


def fuzzed(dice, bounds):
    """A few bits of the headers turned over."""
    draft = dice.choice((transport, cut, other))(dice, bounds)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(min(len(draft.frame), 80))
        draft.frame[at] ^= 1 << dice.randrange(8)
    draft.mtu = max(draft.mtu, 200)  # a longer header must not leave one byte a segment of a long frame
    return draft


def jumbo(dice, bounds):
    """About 64 KiB of TCP, up to 70,000: beyond 65535 the IP length is 0, which is understood only where frame_len is known."""
    draft = _packet(dice, TCP, 0)
    draft.mtu = dice.choice((1500, 0, 9000, 576))
    header = draft.payload - draft.l3
    payload = dice.weighted(((65535 - header + dice.randint(-1, 1), 2), (dice.randint(40000, 70000), 2)))
    _grow(dice, draft, payload, draft.mtu)
    total = len(draft.frame) - draft.l3
    set_word(draft.frame, draft.l3 + 2, total if total <= 65535 else 0)
    draft.length_is_known = dice.chance(0.7)
    draft.notes.append("BIG TCP" if total > 65535 else "64 KiB")
    return draft


def _packet(dice, protocol, payload, fragment=0x4000):
    """Ethernet, IPv4 and a transport header with ``payload`` bytes, ready for auto; the transport checksum is right, 0 or garbage."""
    tags = dice.weighted((((), 3), (((0x8100, dice.getrandbits(16)),), 1)))
    head = tcp(dice, options=dice.words(40)) if protocol == TCP else udp(dice, payload) if protocol == UDP else dice.randbytes(8)
    body = bytearray(head) + dice.randbytes(payload)
    frame = bytearray(ethernet(dice, 0x0800, tags))
    l3 = len(frame)
    network = ipv4(dice, protocol, len(body), options=dice.words(40), fragment=fragment)
    if protocol in (TCP, UDP):
        right = ones_sum(pseudo_header(network[12:20], protocol, len(body)) + body)
        value = dice.weighted(((0xFFFF - right, 2), (dice.getrandbits(16), 2), (1, 1)))
        set_word(body, 16 if protocol == TCP else 6, value or 0xFFFF)
    l4 = l3 + len(network)
    mtu = dice.weighted(((1500, 5), (0, 2), (9000, 1), (65535, 1)))
    name = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP"}.get(protocol, "another protocol")
    return Draft(frame + network + body, auto=True, mtu=mtu, l3=l3, l4=l4, payload=l4 + len(head), notes=[name] + ["vlan"] * bool(tags))


def _mtu(dice, draft, bounds):
    """Draw an MTU; what it leaves for payload, and how many such segments the budget allows."""
    header = draft.payload - draft.l3
    mtu = dice.weighted(((1500, 4), (0, 2), (576, 2), (header + dice.randint(1, 16), 1), (header + dice.randint(1, 300), 3)))
    gso = (mtu or 1500) - header
    return mtu, gso, bounds.budget // (draft.payload + gso)


def _grow(dice, draft, payload, mtu):
    """Give a TCP packet its payload and the MTU; the IP length follows, as far as it goes."""
    draft.frame += dice.randbytes(payload)
    draft.mtu = mtu
    set_word(draft.frame, draft.l3 + 2, len(draft.frame) - draft.l3)


def _low_mtu(dice, draft):
    length = len(draft.frame) - draft.l3
    draft.mtu = dice.weighted(((max(1, length - 1), 2), (dice.randint(max(1, length // 4), length), 2), (20, 1)))
    if draft.frame[draft.l3 + 9] == TCP:
        draft.mtu = max(draft.mtu, 140)  # a long frame in segments of a few bytes is another draw's matter


def _right(dice, draft):
    draft.notes.append("right lengths")


def _padding(dice, draft):
    draft.frame += dice.choice((dice.randbytes, bytes))(dice.randint(1, 46))
    draft.notes.append("padding")


def _snapped(dice, draft):
    del draft.frame[dice.weighted(((len(draft.frame) - 1, 2), (dice.randint(draft.l3, len(draft.frame) - 1), 3))) :]
    draft.notes.append("cut by a snaplen")


def _no_checksum(dice, draft):
    set_word(draft.frame, draft.l4 + (16 if draft.frame[draft.l3 + 9] == TCP else 6), 0)
    draft.notes.append("checksum 0")


def _udp_length(dice, draft):
    if draft.frame[draft.l3 + 9] != UDP:
        return _padding(dice, draft)
    length = len(draft.frame) - draft.l4
    wrong = dice.weighted(((dice.near(length), 2), (dice.randint(0, 9), 2), (dice.randint(8, length), 3), (dice.getrandbits(16), 1)))
    set_word(draft.frame, draft.l4 + 4, wrong)
    draft.notes.append("UDP length right after all" if wrong == length else "UDP length wrong")


def _short_transport(dice, draft):
    """The IP packet ends in or just behind its transport header; what follows is padding."""
    length = draft.l4 - draft.l3 + dice.randint(0, 21)
    set_word(draft.frame, draft.l3 + 2, length)
    draft.notes.append("short transport header")
