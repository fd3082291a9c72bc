"""Segment requests that an engine should cut, or at least send: TCP, USO and UFO over both families, in tunnels and out of them."""

from struct import pack

from .draft import Draft
from .frames import ones_sum, set_word
from .shapes import GRE, IPIP, PLAIN, TCP, UDP, UDP_TUNNEL, headers

__all__ = [
    "any_of",
    "at_limit",
    "fuzzed",
    "gre",
    "ipip",
    "long_headers",
    "other_type",
    "tso",
    "tso6",
    "udp_tunnel",
    "ufo",
    "uso",
    "zero_sum",
]

NEEDS_CSUM, DATA_VALID, UDP_TUNNEL_CSUM = 1, 2, 8
TCPV4, UFO, TCPV6, UDP_L4 = 1, 3, 4, 5
TUNNEL4, TUNNEL6, ECN = 0x20, 0x40, 0x80
UDP_HEADER = 8
MOST_DATAGRAMS = 128


def tso(dice, bounds):
    """TCP over IPv4."""
    return _sized(dice, bounds, headed(dice, TCPV4))


def tso6(dice, bounds):
    """TCP over IPv6, with extension headers or without."""
    return _sized(dice, bounds, headed(dice, TCPV6))


def uso(dice, bounds):
    """UDP datagrams cut into smaller ones, over both families."""
    return _sized(dice, bounds, headed(dice, UDP_L4))


def ufo(dice, bounds):
    """One UDP datagram in IP fragments, over both families."""
    return _sized(dice, bounds, headed(dice, UFO))


def udp_tunnel(dice, bounds):
    """TCP or USO in VXLAN, Geneve and others, with an outer checksum and without."""
    return _sized(dice, bounds, headed(dice, dice.weighted(((TCPV4, 2), (TCPV6, 2), (UDP_L4, 1))), UDP_TUNNEL))


def gre(dice, bounds):
    """TCP or USO in GRE."""
    return _sized(dice, bounds, headed(dice, dice.weighted(((TCPV4, 2), (TCPV6, 2), (UDP_L4, 1))), GRE))


def ipip(dice, bounds):
    """TCP or USO in IP in IP, in each of the four ways."""
    return _sized(dice, bounds, headed(dice, dice.weighted(((TCPV4, 2), (TCPV6, 2), (UDP_L4, 1))), IPIP))


def any_of(dice, bounds):
    """One of those above."""
    return dice.weighted(((tso, 4), (tso6, 3), (uso, 2), (ufo, 2), (udp_tunnel, 3), (gre, 2), (ipip, 2)))(dice, bounds)


def at_limit(dice, bounds):
    """Segments of exactly the longest wire frame, or one byte more or less; the last may be the only long one."""
    draft = headed(dice, dice.choice((TCPV4, TCPV6, UDP_L4)), dice.weighted(((PLAIN, 3), (UDP_TUNNEL, 1), (GRE, 1), (IPIP, 1))))
    over = dice.randint(-1, 1)
    fits = bounds.mtu_max - draft.payload + over
    gso, payload = dice.weighted((((fits, fits + dice.randint(1, 60)), 2), ((fits + dice.randint(1, 9000), fits), 1), ((fits, fits), 1)))
    draft.notes.append(f"wire frame mtu_max{over:+d}")
    return finish(dice, draft, payload, gso)


def long_headers(dice, bounds):
    """Headers of about 256 bytes, which is all that there is room for, by many tags; a tag more may come in."""
    gso_type = dice.choice((TCPV4, TCPV6, UDP_L4, UFO))
    draft = headed(dice, gso_type, PLAIN if gso_type == UFO else dice.choice((PLAIN, UDP_TUNNEL, GRE, IPIP)))
    tags = max(0, 256 + dice.randint(-8, 8) - draft.payload) // 4
    draft.insert(12, b"".join(pack(">HH", dice.choice((0x8100, 0x88A8)), dice.getrandbits(16)) for _ in range(tags)))
    if draft.outer_th_offset:
        draft.outer_th_offset, draft.inner_nh_offset = draft.stack.outer_udp, draft.stack.ips[1].at
    draft.notes.append(f"headers of {draft.payload} bytes")
    return _sized(dice, bounds, draft)


def zero_sum(dice, bounds):
    """A checksum of one segment comes out 0x0000: the innermost one, or that of the tunnel, by the choice of a word that is free."""
    path = dice.weighted(((PLAIN, 4), (UDP_TUNNEL, 2), (GRE, 1), (IPIP, 1)))
    gso_type = dice.weighted(((TCPV4, 3), (TCPV6, 2), (UDP_L4, 3), (UFO, 0 if path != PLAIN else 2)))
    draft = headed(dice, gso_type, path, tcp_flags=dice.getrandbits(12) & ~0x089)
    gso = dice.weighted(((dice.randint(1, 40), 1), (dice.randint(100, 600), 2)))
    if gso_type == UFO:
        gso = 8 * -(-gso // 8)
    payload = gso * dice.randint(1, 3) + dice.choice((-1, 0, 0, 1)) if gso > 1 else dice.randint(1, 5)
    draft = finish(dice, draft, payload, gso, honest=True)
    segment = 0 if gso_type == UFO else dice.randrange(-(-payload // gso))
    if path in (UDP_TUNNEL, GRE) and payload > gso and dice.chance(0.5):
        _tunnel_sums_to_zero(draft, min(gso, payload - segment * gso))
    else:
        _transport_sums_to_zero(draft, segment, gso)
    draft.notes.append("only segment sums to 0" if payload <= gso else "a segment sums to 0")
    return draft


def fuzzed(dice, bounds):
    """A good request with random bytes changed in headers and metadata."""
    draft = any_of(dice, bounds)
    for _ in range(dice.randint(1, 4)):
        where = dice.randrange(12, max(13, min(len(draft.frame), draft.payload + 4)))
        draft.frame[where] = dice.getrandbits(8) if dice.chance(0.5) else draft.frame[where] ^ 1 << dice.randrange(8)
    if dice.chance(0.3):
        field = dice.choice(("flags", "gso_type", "gso_size", "csum_start", "csum_offset", "outer_th_offset", "inner_nh_offset"))
        setattr(draft, field, getattr(draft, field) ^ 1 << dice.randrange(8 if field in ("flags", "gso_type") else 16))
        if 0 < draft.gso_size < 16:  # a bit lost from the size must not turn one frame into ten thousand
            del draft.frame[draft.payload + 40 * draft.gso_size :]
        draft.notes.append(f"bit of {field}")
    if dice.chance(0.3):
        del draft.frame[max(1, dice.near(draft.payload, 24)) :]
        draft.notes.append("cut off")
    return draft


def other_type(dice, bounds):
    """A gso_type that does not exist or does not go with the frame."""
    draft = any_of(dice, bounds)
    draft.gso_type = dice.weighted((
        (dice.choice((TCPV4, UFO, TCPV6, UDP_L4)) | dice.choice((0, TUNNEL4, TUNNEL6, 0x60)) | dice.choice((0, ECN)), 2),
        (dice.randint(1, 255), 1),
    ))
    draft.gso_size = dice.weighted(((draft.gso_size, 3), (0, 1), (65535, 1)))
    draft.csum_offset = dice.weighted(((draft.csum_offset, 4), (16, 2), (6, 2), (dice.u16(), 1)))
    draft.notes.append(f"gso_type {draft.gso_type:#04x}")
    return draft


def headed(dice, gso_type, path=PLAIN, *, tcp_flags=None):
    """Ethernet to the transport header as a draft without payload, for a request of this type."""
    notes = []
    version = {TCPV4: 4, TCPV6: 6}.get(gso_type) or dice.choice((4, 6))
    protocol = TCP if gso_type in (TCPV4, TCPV6) else UDP
    stack = headers(dice, notes, protocol, path, version=version, flags=tcp_flags, unfragmentable=gso_type == UFO)
    notes.append(f"IPv{version}")
    payload = stack.l4 if gso_type == UFO else len(stack.frame)
    draft = Draft(stack.frame, gso_type=gso_type, stack=stack, payload=payload, notes=notes)
    if path == UDP_TUNNEL:
        draft.gso_type |= TUNNEL4 if stack.ips[0].version == 4 else TUNNEL6
        draft.outer_th_offset, draft.inner_nh_offset = stack.outer_udp, stack.ips[1].at
    return draft


def finish(dice, draft, payload, gso, *, honest=False):
    """Put ``payload`` bytes behind the headers, and the lengths, sums and metadata in front: mostly the right ones."""
    stack, base = draft.stack, draft.gso_type & 7
    is_tcp = base in (TCPV4, TCPV6)
    draft.random_config(dice)
    body = max(0, draft.payload + payload - len(draft.frame))
    draft.frame += dice.weighted(((dice.randbytes(body), 8), (bytes(body), 1), (b"\xff" * body, 1)))
    end = len(draft.frame)
    stack.set_lengths(end, lambda ip, right: right if honest else _said(dice, draft, right, often=ip is stack.ips[-1]))

    innermost = stack.ips[-1]
    right = end - draft.l4
    declared = int.from_bytes(draft.frame[innermost.length_at() :][:2], "big") + innermost.at - draft.l4 + 40 * (innermost.version == 6)
    length = right if honest or declared <= 0 or dice.chance(0.7) else declared
    if not is_tcp:
        said = right if honest else dice.weighted(((right, 12), (declared, 1), (dice.near(right, 4), 1), (dice.getrandbits(16), 1)))
        if said != right:
            draft.notes.append("UDP length wrong")
        set_word(draft.frame, draft.l4 + 4, said)
        length = right if honest or dice.chance(0.3) else said & 0xFFFF
    draft.csum_start, draft.csum_offset = draft.l4, 16 if is_tcp else 6
    partial = innermost.pseudo_sum(TCP if is_tcp else UDP, max(0, length))
    wrong = dice.weighted(((0, 1), (0xFFFF, 1), (dice.getrandbits(16), 3), (0xFFFF - partial, 1)))
    if honest or dice.chance(0.85):
        set_word(draft.frame, draft.csum_start + draft.csum_offset, partial)
    else:
        set_word(draft.frame, draft.csum_start + draft.csum_offset, wrong)
        draft.notes.append("partial sum wrong")

    draft.gso_size = gso
    draft.hdr_len = dice.weighted(((draft.payload, 3), (0, 1), (dice.u16(), 1)))
    draft.flags = NEEDS_CSUM
    draft.length_is_right = draft.is_plain = honest
    if is_tcp and dice.chance(0.2):
        draft.gso_type |= ECN
        draft.notes.append("ECN")
    if stack.outer_udp is not None:
        _outer_checksum(dice, draft, end, honest)
    if not honest:
        draft.flags |= dice.weighted(((0, 8), (DATA_VALID, 1), (UDP_TUNNEL_CSUM, 1), (dice.getrandbits(8), 1)))
        if dice.chance(0.12 if stack.outer_udp is None and base != UDP_L4 else 0.03):
            draft.flags &= ~NEEDS_CSUM
            draft.csum_start, draft.csum_offset = dice.weighted((
                ((draft.csum_start, draft.csum_offset), 1),
                ((0, 0), 1),
                ((dice.u16(), dice.u16()), 1),
            ))
            draft.notes.append("no NEEDS_CSUM")
    return draft


def _outer_checksum(dice, draft, end, honest):
    """Ask for the outer UDP checksum, with its partial sum in the field; or leave there what must be copied."""
    at = draft.stack.outer_udp
    if honest or dice.chance(0.5):
        draft.flags |= UDP_TUNNEL_CSUM
        value = draft.stack.ips[0].pseudo_sum(UDP, end - at)
        draft.notes.append("outer checksum")
        if not honest and dice.chance(0.1):
            value = dice.u16()
            draft.notes.append("outer partial sum wrong")
    else:
        value = dice.choice((0, dice.getrandbits(16)))
    set_word(draft.frame, at + 6, value)


def _sized(dice, bounds, draft):
    gso = _gso_size(dice, bounds)
    if draft.gso_type == UFO:
        gso = min(8 * -(-gso // 8), 65528) if dice.chance(0.97) else gso
    payload, shape = _payload(dice, bounds, draft.payload, gso)
    if draft.gso_type & 7 == UDP_L4:
        payload, shape = _datagrams(dice, bounds, draft.payload, gso, payload, shape)
    draft.notes.append(shape)
    if draft.gso_type == UFO:
        payload = max(payload, UDP_HEADER)
    return finish(dice, draft, payload, gso)


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


def _datagrams(dice, bounds, header, gso, payload, shape):
    """The most datagrams that one request may ask for, where the budget holds them, and one byte more or less."""
    if gso > 40 or bounds.budget < 1000 or dice.chance(0.7):
        return payload, shape
    over = dice.randint(-1, 1)
    return MOST_DATAGRAMS * gso + over, f"payload 128*gso{over:+d}"


def _transport_sums_to_zero(draft, segment, gso):
    """Choose TCP's urgent pointer or UDP's source port so that the innermost checksum of one segment comes out as 0x0000."""
    innermost, l4 = draft.stack.ips[-1], draft.l4
    is_tcp = draft.gso_type & 7 in (TCPV4, TCPV6)
    is_cut = len(draft.frame) - draft.payload > gso
    packet = draft.frame[l4 : draft.payload]
    piece = draft.frame[draft.payload + segment * gso :][:gso]
    if draft.gso_type == UFO:
        packet, piece = draft.frame[l4:], b""
    at, field = (18, 16) if is_tcp else (0, 6)
    if is_tcp:
        seq = int.from_bytes(packet[4:8], "big") + segment * gso
        packet[4:8] = pack(">I", seq % 2**32)
    elif is_cut and draft.gso_type != UFO:
        set_word(packet, 4, UDP_HEADER + len(piece))
    packet[at : at + 2] = packet[field : field + 2] = bytes(2)
    length = len(packet) + len(piece)
    rest = ones_sum(pack(">H", innermost.pseudo_sum(TCP if is_tcp else UDP, length)) + packet + piece)
    set_word(draft.frame, l4 + at, 0xFFFF - rest)


def _tunnel_sums_to_zero(draft, piece):
    """Choose the outer UDP source port, or the GRE key, so that the tunnel's checksum of a segment of ``piece`` bytes comes out as 0x0000.

    What the tunnel carries sums to its IPv6 header, for IPv4's sums to zero, and the complement of its pseudo-header.
    """
    stack, frame = draft.stack, draft.frame
    outer, inner = stack.ips
    protocol = TCP if draft.gso_type & 7 in (TCPV4, TCPV6) else UDP
    length = draft.payload - stack.l4 + piece
    head = bytearray(frame[inner.at : inner.end])
    set_word(head, inner.length_at() - inner.at, inner.length(draft.payload + piece))
    carried = (0 if inner.version == 4 else ones_sum(head)) + 0xFFFF - inner.pseudo_sum(protocol, length)
    if stack.outer_udp is not None:
        at, whole = stack.outer_udp, draft.payload + piece - stack.outer_udp
        tunnel = bytearray(frame[at : inner.at])
        tunnel[0:2] = tunnel[6:8] = bytes(2)
        set_word(tunnel, 4, whole)
        rest = ones_sum(tunnel) + outer.pseudo_sum(UDP, whole) + carried
    else:
        flags = frame[stack.gre] >> 4
        if not flags & 2:
            return
        at = stack.gre + (8 if flags & 8 else 4)
        tunnel = bytearray(frame[stack.gre : inner.at])
        tunnel[at - stack.gre : at - stack.gre + 2] = bytes(2)
        if flags & 8:
            tunnel[4:6] = bytes(2)
        rest = ones_sum(tunnel) + carried
    set_word(frame, at, 0xFFFF - (rest - 1) % 0xFFFF - 1 if rest else 0xFFFF)
    draft.notes.append("the tunnel's sum")


def _said(dice, draft, right, *, often):
    """What an IP header says of its length; the innermost lies as often as it always did, an outer one seldom."""
    if not often and dice.chance(0.8):
        return right
    said = dice.weighted((
        (right, 14),
        (0, 2),
        (dice.near(right, 4), 1),
        (max(0, right - dice.randint(1, 60)), 2),
        (dice.getrandbits(16), 1),
    ))
    if said != right:
        draft.notes.append("IP length 0" if said == 0 else "bytes beyond the IP length" if said < right else "IP length too great")
    return said
