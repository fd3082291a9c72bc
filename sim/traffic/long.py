"""Frames of 64 KiB and beyond: BIG TCP of both families, requests for thousands of segments, what is longer than a length field."""

from struct import pack

from . import auto, segment
from .frames import set_word
from .shapes import PLAIN
from .stack import HOP_BY_HOP

__all__ = ["auto_big_tcp", "big_tcp", "big_ufo", "big_uso", "near_64k"]

TCPV4, UFO, TCPV6, UDP_L4 = 1, 3, 4, 5
TCP = 6


def near_64k(dice, bounds):
    """TCP of nearly 64 KiB."""
    return _of_64k(dice, dice.choice((TCPV4, TCPV6)), dice.randint(60000, 65535))


def big_tcp(dice, bounds):
    """TCP around and beyond 64 KiB, seldom up to 512 KiB: IPv4 with total length 0, IPv6 with a jumbo-payload header, or without."""
    length = dice.weighted((
        (65536 + dice.randint(-20, 120), 3),
        (dice.randint(65000, 140000), 5),
        (dice.randint(140000, 490000), 0.8),  # a TAP device has no room for most lengths between here and 512 KiB
        (524288 - dice.randint(0, 3000), 0.3),
    ))
    gso_type = dice.choice((TCPV4, TCPV6))
    draft = segment.headed(dice, gso_type)
    ip = draft.stack.ips[0]
    if gso_type == TCPV6 and dice.chance(0.85):
        _strip_extensions(draft, ip)
        draft.insert(ip.end, b"\x06\x00\xc2\x04" + pack(">I", length - ip.end))
        ip.end += 8
        draft.frame[ip.at + 6] = HOP_BY_HOP
        draft.notes.append("jumbo payload")
        if dice.chance(0.1):
            draft.frame[ip.at + 40 + dice.randrange(8)] ^= 1 << dice.randrange(8)
            draft.notes.append("jumbo header wrong")
    draft = segment.finish(dice, draft, length - draft.payload, _gso_size(dice))
    total = ip.length(length)
    said = dice.weighted(((0 if total > 65535 else total, 8), (0, 2), (total & 0xFFFF, 1)))
    set_word(draft.frame, ip.length_at(), said)
    set_word(draft.frame, draft.l4 + 16, ip.pseudo_sum(TCP, length - draft.l4))
    draft.length_is_known = dice.chance(0.6)
    draft.notes.append("BIG TCP" if total > 65535 else "64 KiB")
    return draft


def big_ufo(dice, bounds):
    """A datagram of up to 65,535 bytes and a little more, down to fragments of 8 bytes (7,501 of them at most)."""
    draft = segment.headed(dice, UFO)
    size = dice.weighted(((8, 2), (1480, 3), (8 * dice.randint(1, 200), 2), (65528, 1)))
    payload = 60008 if size == 8 else dice.weighted(((65535 + dice.randint(-9, 9), 2), (dice.randint(50000, 65535), 2)))
    return _finished(dice, draft, payload, size)


def big_uso(dice, bounds):
    """Datagrams of nearly 64 KiB and a little more."""
    draft = segment.headed(dice, UDP_L4)
    payload = dice.weighted(((dice.randint(60000, 65500), 2), (65527 + dice.randint(-2, 2), 1), (dice.randint(65536, 70000), 1)))
    return _finished(dice, draft, payload, dice.choice((1472, 1448, 520, 511, dice.randint(500, 9000))))


def auto_big_tcp(dice, bounds):
    """About 64 KiB of TCP, up to 70,000: beyond 65535 the IP length is 0, which is understood only where frame_len is known."""
    draft = auto.packet(dice, TCP, 0, routed=False)
    ip = draft.stack.ips[0]
    if ip.version == 6 and dice.chance(0.7):
        _strip_extensions(draft, ip)
        draft.insert(ip.end, b"\x06\x00\xc2\x04" + dice.randbytes(4))
        ip.end += 8
        draft.frame[ip.at + 6] = HOP_BY_HOP
        draft.notes.append("jumbo payload")
    mtu = dice.choice((1500, 0, 9000, 576))
    header = draft.payload - draft.l3
    payload = dice.weighted(((65535 - header + 40 * (ip.version == 6) + dice.randint(-1, 1), 2), (dice.randint(40000, 70000), 2)))
    draft.frame += dice.randbytes(payload)
    draft.mtu = mtu
    draft.stack.set_lengths(len(draft.frame), lambda ip, right: right if right <= 65535 else 0)
    draft.length_is_known = dice.chance(0.7)
    draft.notes.append("BIG TCP" if len(draft.frame) - ip.at > 65535 else "64 KiB")
    return draft


def _of_64k(dice, gso_type, length):
    draft = segment.headed(dice, gso_type, PLAIN)
    return _finished(dice, draft, length - draft.payload, _gso_size(dice))


def _finished(dice, draft, payload, gso):
    draft = segment.finish(dice, draft, payload, gso)
    draft.notes.append("64 KiB")
    return draft


def _gso_size(dice):
    return dice.weighted(((1448, 4), (1460, 2), (dice.randint(500, 9000), 2), (65534, 1)))


def _strip_extensions(draft, ip):
    """Take the extension headers out again: what stands behind a jumbo-payload header is TCP."""
    removed = ip.end - ip.at - 40
    del draft.frame[ip.at + 40 : ip.end]
    draft.frame[ip.at + 6] = TCP
    ip.addresses = bytes(draft.frame[ip.at + 8 : ip.at + 40])
    ip.end -= removed
    draft.stack.l4 -= removed
    draft.stack.extensions.clear()
    draft.payload -= removed
