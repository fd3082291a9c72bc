"""Segments built again by scapy, which knows nothing of segmentation: parse the super-frame, and let it fill lengths and checksums."""

import random

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw, raw

from offcut_model import Options, VirtioNetHdr, segment

COUNT = 150


def draw_frame(draw):
    """Ethernet, a tag or none, IPv4 and TCP with random fields and options, as a scapy packet without payload."""
    packet = Ether(src=draw.randbytes(6), dst=draw.randbytes(6))
    if draw.random() < 0.3:
        packet /= Dot1Q(vlan=draw.randrange(4096), prio=draw.randrange(8))
    ip = IP(
        src=".".join(map(str, draw.randbytes(4))),
        dst=".".join(map(str, draw.randbytes(4))),
        id=draw.choice((0, 0xFFFE, draw.getrandbits(16))),
        ttl=draw.randrange(1, 256),
        tos=draw.randrange(256),
        flags=draw.choice(("", "DF")),
        options=b"\x01" * (4 * draw.randrange(11)) if draw.random() < 0.4 else b"",
    )
    tcp = TCP(
        sport=draw.getrandbits(16),
        dport=draw.getrandbits(16),
        seq=draw.choice((0xFFFF_FF00, draw.getrandbits(32))),
        ack=draw.getrandbits(32),
        window=draw.getrandbits(16),
        flags=draw.getrandbits(9),
        urgptr=draw.getrandbits(16),
        options=[("Timestamp", (draw.getrandbits(32), draw.getrandbits(32)))] * draw.randrange(4),
    )
    return packet / ip / tcp


def rebuilt(frame, payload, gso_size):
    """What scapy makes of each slice of ``payload`` behind the headers of ``frame``."""
    wire = []
    for index, offset in enumerate(range(0, len(payload), gso_size)):
        one = Ether(frame)
        one[IP].id = (one[IP].id + index) & 0xFFFF
        one[TCP].seq = (one[TCP].seq + offset) & 0xFFFF_FFFF
        flags = int(one[TCP].flags)
        if offset + gso_size < len(payload):
            flags &= ~0x09
        if index:
            flags &= ~0x80
        one[TCP].flags = flags
        one[TCP].payload = Raw(payload[offset : offset + gso_size])
        for layer, name in ((IP, "len"), (IP, "chksum"), (TCP, "chksum")):
            one[layer].delfieldval(name)
        wire.append(raw(one))
    return wire


def test_cut_frames_are_what_scapy_builds(seed):
    draw = random.Random(seed)
    for _ in range(COUNT):
        packet = draw_frame(draw)
        gso_size = draw.choice((1, 536, 1448, 1460, draw.randint(1, 3000)))
        payload = draw.randbytes(gso_size * draw.randint(1, 4) + draw.randint(1, gso_size))
        frame = raw(packet / payload)
        header = VirtioNetHdr(gso_type=1, gso_size=gso_size)
        assert segment(frame, header) == rebuilt(frame, payload, gso_size), frame.hex()


def test_auto_makes_what_scapy_builds(seed):
    draw = random.Random(seed)
    for _ in range(COUNT):
        packet = draw_frame(draw)
        frame = raw(packet / draw.randbytes(draw.randint(1461, 9000)))
        headers = len(raw(packet))
        l3 = 14 if packet.type == 0x0800 else 18
        wire = segment(frame, options=Options(auto=True))
        assert wire == rebuilt(frame, frame[headers:], 1500 - (headers - l3)), frame.hex()


def test_auto_completes_what_scapy_completes(seed):
    draw = random.Random(seed)
    for _ in range(COUNT):
        packet = draw_frame(draw)
        if draw.random() < 0.5:
            packet[IP].remove_payload()
            packet /= UDP(sport=draw.getrandbits(16), dport=draw.getrandbits(16))
        good = Ether(raw(packet / draw.randbytes(draw.randrange(1200))))
        if TCP in good and good[TCP].chksum == 0:
            continue  # which scapy leaves, but a checksum that is completed is never 0
        broken = good.copy()
        broken[IP].chksum = draw.getrandbits(16)
        broken[UDP if UDP in broken else TCP].chksum = draw.randint(1, 0xFFFF)
        assert segment(raw(broken), options=Options(auto=True)) == [raw(good)]
