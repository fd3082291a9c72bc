"""Segments built again by scapy, which knows nothing of segmentation: it composes each one's headers, and fills in lengths and checksums.

Tunnels that the kernel cannot be asked about (GRE, IP in IP) have their judge here.
"""

import random
from dataclasses import dataclass
from typing import ClassVar

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw, raw

from offcut_model import FEATURES, Options, VirtioNetHdr, fragment_identification, segment

COUNT = 60
NEEDS_CSUM, UDP_TUNNEL_CSUM = 1, 8


def address(draw, version):
    octets = draw.randbytes(4 if version == 4 else 16)
    if version == 4:
        return ".".join(map(str, octets))
    return ":".join(f"{octets[at] << 8 | octets[at + 1]:x}" for at in range(0, 16, 2))


def draw_link(draw):
    """Ethernet and up to two tags."""
    packet = Ether(src=draw.randbytes(6), dst=draw.randbytes(6))
    for _ in range(draw.choice((0, 0, 1, 2))):
        packet /= draw.choice((Dot1Q, Dot1AD))(vlan=draw.randrange(4096), prio=draw.randrange(8))
    return packet


@dataclass
class Counted:
    """An IPv4 header: its ID counts up by one a segment."""

    fields: dict

    def header(self, index):
        return IP(**self.fields | {"id": (self.fields["id"] + index) & 0xFFFF})


@dataclass
class Fixed:
    """Headers that are the same in each segment, but for what scapy fills in."""

    packet: object

    def header(self, index):
        return self.packet.copy()


def draw_ip(draw, version, *, df=True):
    if version == 4:
        return Counted({
            "src": address(draw, 4),
            "dst": address(draw, 4),
            "id": draw.choice((0, 0xFFFE, draw.getrandbits(16))),
            "ttl": draw.randrange(1, 256),
            "tos": draw.randrange(256),
            "flags": draw.choice(("", "DF")) if df else "",
            "options": b"\x01" * (4 * draw.randrange(11)) if draw.random() < 0.4 else b"",
        })
    packet = IPv6(src=address(draw, 6), dst=address(draw, 6), hlim=draw.randrange(256), tc=draw.randrange(256), fl=draw.getrandbits(20))
    if draw.random() < 0.3:
        packet /= IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(draw.randrange(30)))])
    if draw.random() < 0.2:
        packet /= IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(draw.randrange(30)))])
    if draw.random() < 0.2:
        packet /= IPv6ExtHdrRouting(addresses=[address(draw, 6)], segleft=0)
    return Fixed(packet)


@dataclass
class Tcp:
    """TCP: sequence number and flags go by the segment's place."""

    fields: dict
    number: ClassVar = 6
    check_at: ClassVar = 16

    def header(self, index, offset, is_last):
        flags = self.fields["flags"] & ~(0 if is_last else 0x09) & ~(0x80 if index else 0)
        return TCP(**self.fields | {"seq": (self.fields["seq"] + offset) & 0xFFFF_FFFF, "flags": flags})

    def whole(self):
        return TCP(**self.fields)


@dataclass
class Udp:
    """UDP datagrams."""

    fields: dict
    number: ClassVar = 17
    check_at: ClassVar = 6

    def header(self, index, offset, is_last):
        return UDP(**self.fields)

    def whole(self):
        return UDP(**self.fields)


def draw_tcp(draw):
    return Tcp({
        "sport": draw.getrandbits(16),
        "dport": draw.getrandbits(16),
        "seq": draw.choice((0xFFFF_FF00, draw.getrandbits(32))),
        "ack": draw.getrandbits(32),
        "window": draw.getrandbits(16),
        "flags": draw.getrandbits(9),
        "urgptr": draw.getrandbits(16),
        "options": [("Timestamp", (draw.getrandbits(32), draw.getrandbits(32)))] * draw.randrange(4),
    })


def draw_udp(draw):
    return Udp({"sport": draw.getrandbits(16), "dport": draw.getrandbits(16) | 0x8000})


def with_partial_sum(frame, l4, transport):
    """The frame as a host hands it over: the checksum that scapy completed, taken back to the pseudo-header's sum."""
    at = l4 + transport.check_at
    body = frame[l4:at] + b"\0\0" + frame[at + 2 :]
    complete = int.from_bytes(frame[at : at + 2], "big")
    total = 0
    for index in range(0, len(body), 2):
        total += int.from_bytes(body[index : index + 2].ljust(2, b"\0"), "big")
    # complete is the inverse of pseudo + total, so pseudo is what is missing.
    pseudo = (0xFFFF - complete - total) % 0xFFFF
    return frame[:at] + pseudo.to_bytes(2, "big") + frame[at + 2 :]


def composed(*headers):
    packet = headers[0]
    for header in headers[1:]:
        packet = packet / header
    return packet


def no_tunnel(draw, version):
    return [draw_ip(draw, version)], []


def ip_in_ip(outer):
    return lambda draw, version: ([draw_ip(draw, outer), draw_ip(draw, version)], [])


def gre(outer, *, checksum=False, ethernet=False):
    def draw_layers(draw, version):
        key = {"key_present": 1, "key": draw.getrandbits(32)} if draw.random() < 0.5 else {}
        header = GRE(chksum_present=int(checksum), **key)
        if ethernet:
            header = header / draw_link(draw)
        return [draw_ip(draw, outer), Fixed(header), draw_ip(draw, version)], []

    return draw_layers


def vxlan(outer, *, checksum):
    def draw_layers(draw, version):
        fixed = {} if checksum else {"chksum": draw.getrandbits(16)}
        header = UDP(sport=draw.getrandbits(16), dport=4789, **fixed) / VXLAN(vni=draw.getrandbits(24)) / draw_link(draw)
        return [draw_ip(draw, outer), Fixed(header), draw_ip(draw, version)], [checksum]

    return draw_layers


KINDS = {
    "no tunnel": no_tunnel,
    "IP in IPv4": ip_in_ip(4),
    "IP in IPv6": ip_in_ip(6),
    "GRE over IPv4": gre(4),
    "GRE over IPv6": gre(6),
    "GRE with a checksum": gre(4, checksum=True),
    "GRE with a checksum over IPv6": gre(6, checksum=True),
    "GRE with Ethernet": gre(4, ethernet=True),
    "GRE with a checksum and Ethernet": gre(4, checksum=True, ethernet=True),
    "VXLAN over IPv4": vxlan(4, checksum=False),
    "VXLAN over IPv6": vxlan(6, checksum=False),
    "VXLAN over IPv4, outer checksum": vxlan(4, checksum=True),
    "VXLAN over IPv6, outer checksum": vxlan(6, checksum=True),
}
TYPES = {("TCP", 4): 1, ("TCP", 6): 4, ("UDP", 4): 5, ("UDP", 6): 5}


@pytest.mark.parametrize("transport, version", TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_segments_are_what_scapy_builds(seed, kind, transport, version):
    draw = random.Random(seed)
    for _ in range(COUNT // 10):
        link = draw_link(draw)
        layers, udp_tunnel = KINDS[kind](draw, version)
        l4 = draw_tcp(draw) if transport == "TCP" else draw_udp(draw)
        gso_size = draw.choice((100, 536, 1448, 1460, draw.randint(60, 3000)))
        payload = draw.randbytes(gso_size * draw.randint(1, 4) + draw.randint(1, gso_size))

        front = len(raw(composed(link, *(layer.header(0) for layer in layers))))
        if front + len(raw(l4.whole())) > 250:
            continue
        frame = raw(composed(link, *(layer.header(0) for layer in layers), l4.whole(), Raw(payload)))
        request = {
            "flags": NEEDS_CSUM,
            "gso_type": TYPES[transport, version],
            "gso_size": gso_size,
            "csum_start": front,
            "csum_offset": l4.check_at,
        }
        if udp_tunnel:
            outer, header, inner = layers
            start = len(raw(composed(link, outer.header(0))))
            request["outer_th_offset"] = start
            request["inner_nh_offset"] = start + len(raw(header.header(0)))
            request["gso_type"] |= 0x20 if isinstance(outer, Counted) else 0x40
            if udp_tunnel == [True]:
                request["flags"] |= UDP_TUNNEL_CSUM
                frame = with_partial_sum(frame, start, Udp)
        frame = with_partial_sum(frame, front, l4)

        wire = []
        for index, offset in enumerate(range(0, len(payload), gso_size)):
            is_last = offset + gso_size >= len(payload)
            piece = Raw(payload[offset : offset + gso_size])
            wire.append(raw(composed(link, *(layer.header(index) for layer in layers), l4.header(index, offset, is_last), piece)))
        assert segment(frame, VirtioNetHdr(**request)) == wire, (request, frame.hex())


@pytest.mark.parametrize("version", (4, 6))
def test_fragments_are_what_scapy_builds(seed, version):
    draw = random.Random(seed)
    for number in range(COUNT):
        link, ip, udp = draw_link(draw), draw_ip(draw, version), draw_udp(draw)
        gso_size = 8 * draw.choice((1, 64, 185, draw.randint(2, 300)))
        payload = draw.randbytes(gso_size * draw.randint(1, 4) + draw.randint(1, gso_size))
        whole = raw(composed(link, ip.header(0), udp.whole(), Raw(payload)))
        front = len(raw(composed(link, ip.header(0))))
        datagram = whole[front:]
        frame = whole[: front + 6] + draw.randbytes(2) + whole[front + 8 :]
        wire = []
        for offset in range(0, len(datagram), gso_size):
            more = offset + gso_size < len(datagram)
            if version == 4:
                header = IP(**ip.fields | {"flags": "MF" if more else "", "frag": offset // 8, "proto": 17})
            else:
                identification = fragment_identification(seed, number)
                header = ip.header(0) / IPv6ExtHdrFragment(nh=17, m=int(more), offset=offset // 8, id=identification)
            wire.append(raw(composed(link, header, Raw(datagram[offset : offset + gso_size]))))
        options = Options(ufo_order="first", frag_seed=seed, frag_number=number)
        assert segment(frame, VirtioNetHdr(gso_type=3, gso_size=gso_size), options) == wire, frame.hex()


def test_auto_makes_what_scapy_builds(seed):
    draw = random.Random(seed)
    for _ in range(COUNT):
        version = draw.choice((4, 6))
        link, ip, l4 = draw_link(draw), draw_ip(draw, version), draw.choice((draw_tcp, draw_udp))(draw)
        payload = draw.randbytes(draw.randint(1500, 9000))
        headers = (ip.header(0), l4.whole())
        room = 1500 - (len(raw(composed(link, *headers))) - len(raw(link)))
        gso_size = room if isinstance(l4, Tcp) else draw.randint(100, room)
        frame = raw(composed(link, *headers, Raw(payload)))
        wire = []
        for index, offset in enumerate(range(0, len(payload), gso_size)):
            is_last = offset + gso_size >= len(payload)
            piece = Raw(payload[offset : offset + gso_size])
            wire.append(raw(composed(link, ip.header(index), l4.header(index, offset, is_last), piece)))
        options = Options(auto=True, uso_size=gso_size)
        assert segment(frame, options=options) == wire, frame.hex()


def test_auto_completes_what_scapy_completes(seed):
    draw = random.Random(seed)
    for _ in range(COUNT):
        version = draw.choice((4, 6))
        l4 = draw.choice((draw_tcp, draw_udp))(draw)
        link, ip = draw_link(draw), draw_ip(draw, version)
        good = raw(composed(link, ip.header(0), l4.whole(), Raw(draw.randbytes(draw.randrange(1100)))))
        front = len(raw(composed(link, ip.header(0))))
        at = front + l4.check_at
        if isinstance(l4, Tcp) and good[at : at + 2] == b"\0\0":
            continue  # which scapy leaves, but a checksum that is completed is never 0
        broken = bytearray(good)
        broken[at : at + 2] = draw.randint(1, 0xFFFF).to_bytes(2, "big")
        if version == 4:
            l3 = len(raw(link))
            broken[l3 + 10 : l3 + 12] = draw.randbytes(2)
        assert segment(bytes(broken), options=Options(auto=True)) == [good]


@pytest.mark.parametrize("version", (4, 6))
def test_sctp_gets_the_crc32c_that_scapy_computes(seed, version):
    draw = random.Random(seed)
    for _ in range(COUNT):
        link, ip = draw_link(draw), draw_ip(draw, version)
        chunk = SCTPChunkData(data=draw.randbytes(4 * draw.randint(1, 80)), tsn=draw.getrandbits(32))
        sctp = SCTP(sport=draw.getrandbits(16), dport=draw.getrandbits(16), tag=draw.getrandbits(32))
        good = raw(composed(link, ip.header(0), sctp, chunk))
        start = len(raw(composed(link, ip.header(0))))
        broken = good[: start + 8] + draw.randbytes(4) + good[start + 12 :]
        header = VirtioNetHdr(flags=NEEDS_CSUM, csum_start=start, csum_offset=8)
        assert segment(broken, header, Options(features=FEATURES)) == [good]
