"""The header parser, on frames of every kind: what it finds, decides and writes down.

A frame's plan, its words for the patcher and its header's image in the header RAM are held against what :mod:`frames` says of its bytes.
"""

from pathlib import Path

import pytest
from amaranth import Module, Signal
from frames import Case, Ethernet, Frame, Gre, IPv4, IPv6, Tcp, Udp, plan_numbers, rows_of
from support import geometry, plain, pulse, simulate

from offcut.config import FEATURES
from offcut.tx.layouts import Base, Drop, Kind
from offcut.tx.parser import HeaderParser
from offcut.tx.parser.instruction import Patch
from offcut.tx.queue import Queue
from offcut.tx.rows import RowStore

WIDTHS = [32, 64, 512]
ALL = frozenset(FEATURES)
HALFWORD_BYTES = 2

OPTIONS = bytes(range(1, 41))
TAG, SERVICE_TAG = b"\x81\x00\x20\x05", b"\x88\xa8\x00\x07"
OTHER = bytes([172, 16, 0, 1, 172, 16, 9, 9])  # addresses within a tunnel
HOP = (0, b"\0" + b"\x01\x04\0\0\0\0")
LONG_DESTINATION = (60, b"\x02" + bytes(22))
ROUTED = (43, b"\0\x04\0" + bytes(4))  # no segments left
ELSEWHERE = (43, b"\0\x04\x01" + bytes(4))
JUMBO = (0, bytes.fromhex("00 c204 00049400"))


def tcp4(*, tags=b"", payload=b"x" * 100, padding=b"", cut_off=None, ethertype=None, tcp=None, **ip):
    return Frame(Ethernet(tags, ethertype), IPv4(**ip), Tcp(**tcp or {}), payload=payload, padding=padding, cut_off=cut_off)


def tcp6(*, tags=b"", payload=b"x" * 100, cut_off=None, tcp=None, **ip):
    return Frame(Ethernet(tags), IPv6(**ip), Tcp(**tcp or {}), payload=payload, cut_off=cut_off)


def udp4(*, tags=b"", payload=b"y" * 100, padding=b"", cut_off=None, udp=None, **ip):
    return Frame(Ethernet(tags), IPv4(**ip), Udp(**udp or {}), payload=payload, padding=padding, cut_off=cut_off)


def udp6(*, tags=b"", payload=b"y" * 100, cut_off=None, udp=None, **ip):
    return Frame(Ethernet(tags), IPv6(**ip), Udp(**udp or {}), payload=payload, cut_off=cut_off)


def within(outer, *headers, tags=b"", payload=b"z" * 101):
    """Headers in each other: an outer IP header, then what it carries."""
    return Frame(Ethernet(tags), outer, *headers, payload=payload)


INNER4 = IPv4(identification=0xFFFE, addresses=OTHER, options=OPTIONS[:8])
INNER6 = IPv6(addresses=bytes(range(0x60, 0x80)))


def segment(frame, base=Base.TCP4, **fields):
    if base in (Base.USO, Base.UFO):
        fields = {"csum_offset": 6} | fields
    return Case(frame, Kind.SEGMENT, base, **fields)


def cut(frame, base=Base.TCP4, **fields):
    return segment(frame, base, cut=True, **fields)


def bare(frame, base=Base.TCP4, **fields):
    """Without NEEDS_CSUM."""
    return cut(frame, base, **{"needs_csum": 0, "csum_offset": 0} | fields)


def refused(drop, frame, base=Base.TCP4, **fields):
    return segment(frame, base, drop=drop, **fields)


BAD, LATE, LONG, OFF = Drop.BAD_HEADER, Drop.TRUNCATED, Drop.HEADER_TOO_LONG, Drop.DISABLED

TCP4 = {
    "plain": cut(tcp4()),
    "one tag": cut(tcp4(tags=TAG)),
    "all flags": cut(tcp4(tcp={"flags": 0xFFF})),
    "two tags": cut(tcp4(tags=SERVICE_TAG + TAG)),
    "five tags": cut(tcp4(tags=SERVICE_TAG + 4 * TAG)),
    "IP options": cut(tcp4(options=OPTIONS[:4])),
    "all IP options": cut(tcp4(options=OPTIONS)),
    "timestamps": cut(tcp4(tcp={"options": OPTIONS[:12]})),
    "all options, one tag": cut(tcp4(tags=TAG, options=OPTIONS, tcp={"options": OPTIONS})),
    "a header of 254 bytes": cut(tcp4(tags=30 * TAG, options=OPTIONS, tcp={"options": OPTIONS})),
    "a tag is put in": cut(tcp4(), tci=0x6123),
    "a tag is put in before another": cut(tcp4(tags=TAG, options=OPTIONS[:4]), tci=0x6123),
    "a tag is put in, 254 bytes leave": cut(tcp4(tags=29 * TAG, options=OPTIONS, tcp={"options": OPTIONS}), tci=5),
    "frame_len unknown": cut(tcp4(), frame_len=0),
    "frame_len and total length unknown": cut(tcp4(length=0), frame_len=0),
    "total length 0": cut(tcp4(length=0)),
    "total length lies": cut(tcp4(length=7)),
    "total length lies, frame_len unknown": cut(tcp4(length=2000), frame_len=0),
    "no checksum asked for": bare(tcp4()),
    "no checksum asked for, a tag is put in": bare(tcp4(options=OPTIONS[:12]), tci=1),
    "BIG TCP": cut(tcp4(length=0), frame_len=300_000),
    "gso_size 1": cut(tcp4(), size=1),
    "gso_size 65534": cut(tcp4(length=0), frame_len=200_000, size=65534),
    "no payload, length unknown": cut(tcp4(payload=b"", length=0), frame_len=0),
    "a fragment": cut(tcp4(fragment=0x2001)),
    "fixed IDs": cut(tcp4(), id_mode=1),
    "payload of gso_size": segment(tcp4(), size=100, l4=True),
    "payload of a byte more": cut(tcp4(), size=99),
    "a csum_offset that is odd, and does not count": bare(tcp4(), csum_offset=7),
    "payload of gso_size, no checksum": segment(tcp4(), size=100, needs_csum=0, csum_offset=0),
    "payload of gso_size as declared": segment(tcp4(), size=100, frame_len=0, l4=True),
    "payload of gso_size, a tag is put in": segment(tcp4(), size=100, l4=True, tci=0xFFFF),
    "IPv6": refused(BAD, tcp6()),
    "ARP": refused(BAD, tcp4(ethertype=0x0806)),
    "version 6": refused(BAD, tcp4(version=6)),
    "ihl 4": refused(BAD, tcp4(ihl=4)),
    "csum_start elsewhere": refused(BAD, tcp4(), csum_start=38),
    "UDP": refused(BAD, udp4()),
    "data offset 4": refused(BAD, tcp4(tcp={"data_offset": 4})),
    "ends in Ethernet": refused(LATE, tcp4(cut_off=10)),
    "ends behind Ethernet": refused(LATE, tcp4(cut_off=14)),
    "ends in IPv4": refused(LATE, tcp4(cut_off=30)),
    "ends in TCP": refused(LATE, tcp4(cut_off=50)),
    "ends in TCP's options": refused(LATE, tcp4(tcp={"options": OPTIONS}, cut_off=93)),
    "ends behind TCP's options": segment(tcp4(tcp={"options": OPTIONS}, cut_off=94), l4=True),
    "a contradiction before the end": refused(BAD, udp4(cut_off=30)),
    "ends in TCP, length wrong": refused(Drop.LENGTH_MISMATCH, tcp4(cut_off=50), frame_len=70, fault=Drop.LENGTH_MISMATCH),
    "ends in TCP, contract broken": refused(Drop.BAD_KEEP, tcp4(cut_off=50), fault=Drop.BAD_KEEP),
    "a contradiction comes before a fault": refused(BAD, tcp4(ihl=3, cut_off=40), fault=Drop.LENGTH_MISMATCH),
    "TCP behind byte 256": refused(LONG, tcp4(tags=45 * TAG, options=OPTIONS)),
    "TCP's options behind byte 256": refused(LONG, tcp4(tags=31 * TAG, options=OPTIONS, tcp={"options": OPTIONS})),
    "tags without end": refused(LONG, tcp4(tags=80 * TAG)),
    "a tag too many is put in": refused(LONG, tcp4(tags=30 * TAG, options=OPTIONS, tcp={"options": OPTIONS}), tci=5),
    "ends before its addresses, a tag is put in": refused(LATE, tcp4(cut_off=11), tci=5),
    "ends behind its addresses, a tag is put in": refused(LATE, tcp4(cut_off=12), tci=5),
    "a broken beat and nothing else": refused(Drop.BAD_KEEP, Frame(payload=b""), fault=Drop.BAD_KEEP, csum_start=34),
    "bad request": refused(Drop.BAD_REQUEST, tcp4(), refused=Drop.BAD_REQUEST),
    "disabled": refused(OFF, tcp4(), refused=OFF),
}

TCP6 = {
    "plain": cut(tcp6(), Base.TCP6),
    "two tags": cut(tcp6(tags=SERVICE_TAG + TAG), Base.TCP6),
    "hop-by-hop": cut(tcp6(extensions=(HOP,)), Base.TCP6),
    "every extension header": cut(tcp6(extensions=(HOP, LONG_DESTINATION, ROUTED)), Base.TCP6),
    "a routing header that leads elsewhere": cut(tcp6(extensions=(ELSEWHERE,)), Base.TCP6),
    "a tag is put in": cut(tcp6(tcp={"options": OPTIONS[:12]}), Base.TCP6, tci=9),
    "no checksum asked for": bare(tcp6(extensions=(HOP,)), Base.TCP6),
    "frame_len unknown": cut(tcp6(), Base.TCP6, frame_len=0),
    "payload length lies": cut(tcp6(length=3), Base.TCP6),
    "payload of gso_size": segment(tcp6(), Base.TCP6, size=100, l4=True),
    "BIG TCP": cut(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=300_014, jumbo=True),
    "BIG TCP, a tag is put in": cut(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=300_014, jumbo=True, tci=3),
    "BIG TCP, no checksum asked for": bare(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=300_014, jumbo=True),
    "BIG TCP, frame_len unknown": cut(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=0, jumbo=True),
    "just above 65536": cut(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=14 + 65537, jumbo=True),
    "just 65536, the option stays": cut(tcp6(extensions=(JUMBO,), length=0), Base.TCP6, frame_len=14 + 65536),
    "hop-by-hop that is no jumbo payload": refused(BAD, tcp6(extensions=(HOP,)), Base.TCP6, frame_len=300_000),
    "an extension header of 1,032 bytes": refused(LONG, tcp6(extensions=((0, b"\x80" + bytes(6)),), payload=bytes(600)), Base.TCP6),
    "something behind a jumbo payload": refused(BAD, tcp6(extensions=(JUMBO, ROUTED)), Base.TCP6, frame_len=300_000),
    "a jumbo payload and more in its header, as if TCP began there": refused(
        BAD,
        tcp6(extensions=((0, b"\x01" + JUMBO[1][1:] + bytes(8)),), tcp={"seq": 0x6000_0000}),
        Base.TCP6,
        frame_len=300_000,
        csum_start=14 + 40 + 8,
    ),
    "IPv4": refused(BAD, tcp4(), Base.TCP6),
    "version 4": refused(BAD, tcp6(version=4), Base.TCP6),
    "an unknown next header": refused(BAD, tcp6(protocol=59), Base.TCP6),
    "a fragment": refused(BAD, tcp6(protocol=44), Base.TCP6),
    "ends in an extension header": refused(LATE, tcp6(extensions=(LONG_DESTINATION,), cut_off=70), Base.TCP6),
    "an extension header behind byte 256": refused(LONG, tcp6(extensions=((60, b"\x1f" + bytes(254)),)), Base.TCP6),
}

UDP = {
    "USO": cut(udp4(), Base.USO),
    "USO, options and a tag": cut(udp4(tags=TAG, options=OPTIONS), Base.USO),
    "USO, a tag is put in": cut(udp4(), Base.USO, tci=7),
    "USO, UDP length lies": cut(udp4(udp={"length": 999}), Base.USO),
    "USO over IPv6": cut(udp6(extensions=(HOP,)), Base.USO),
    "USO, payload of gso_size": segment(udp4(), Base.USO, size=100, l4=True),
    "USO, 128 segments": cut(udp4(), Base.USO, size=10, frame_len=42 + 1280),
    "USO, 129 segments": refused(Drop.BAD_REQUEST, udp4(), Base.USO, size=10, frame_len=42 + 1281),
    "USO, 129 segments as declared": refused(Drop.BAD_REQUEST, udp4(length=28 + 1281), Base.USO, size=10, frame_len=0),
    "USO, who knows how many segments": cut(udp4(length=0), Base.USO, size=10, frame_len=0),
    "USO of TCP": refused(BAD, tcp4(), Base.USO),
    "USO, csum_start elsewhere": refused(BAD, udp4(), Base.USO, csum_start=30),
    "USO, ends in UDP": refused(LATE, udp4(cut_off=41), Base.USO),
    "UFO": cut(udp4(), Base.UFO),
    "UFO without a checksum": bare(udp4(), Base.UFO),
    "UFO, options, DF and a tag": cut(udp4(tags=TAG, options=OPTIONS, fragment=0x4000), Base.UFO),
    "UFO, a tag is put in": cut(udp4(), Base.UFO, tci=0x0FFF),
    "UFO, payload of gso_size": segment(udp4(), Base.UFO, size=112, l4=True),
    "UFO, payload of 8 bytes less": cut(udp4(), Base.UFO, size=104),
    "UFO of 65535 bytes": cut(udp4(), Base.UFO, frame_len=34 + 65535),
    "UFO of all that IPv4 can say": cut(udp4(length=65535), Base.UFO, frame_len=14 + 65535),
    "UFO of 65536 bytes": refused(Drop.BAD_REQUEST, udp4(), Base.UFO, frame_len=34 + 65536),
    "UFO, frame_len unknown": cut(udp4(), Base.UFO, frame_len=0),
    "UFO, nothing known": refused(BAD, udp4(length=0), Base.UFO, frame_len=0),
    "UFO, csum_start elsewhere": refused(BAD, udp4(), Base.UFO, csum_start=38),
    "USO, what stands in its checksum field is 0": cut(udp4(udp={"csum": 0}), Base.USO),
    "UFO, ends in UDP": refused(LATE, udp4(cut_off=40), Base.UFO),
    "UFO over IPv6": cut(udp6(), Base.UFO),
    "UFO over IPv6, again": cut(udp6(tags=TAG), Base.UFO, tci=2),
    "UFO over IPv6 with extension headers": cut(udp6(extensions=(HOP, LONG_DESTINATION, ROUTED)), Base.UFO),
    "UFO over IPv6, payload of gso_size": segment(udp6(), Base.UFO, size=112, l4=True),
    "UFO over IPv6, behind that": cut(udp6(extensions=(HOP,)), Base.UFO),
    "UFO over IPv6, a destination option behind routing": refused(BAD, udp6(extensions=(ROUTED, LONG_DESTINATION)), Base.UFO),
    "UFO over IPv6, a fragment header too many": refused(LONG, udp6(tags=26 * TAG, extensions=((60, b"\x0b" + bytes(94)),)), Base.UFO),
}

VXLAN = Udp(b"\x08\0\0\0\0\0\x2a\0")
GENEVE = Udp(b"\x02\0\x65\x58\0\0\x2a\0" + bytes(range(8)), csum=0x1234)
GUE = Udp(b"\0\x04\0\0")  # IP at once
ALONE = Udp()
UDP_TUNNELS = {
    "VXLAN": cut(within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True),
    "VXLAN with its checksum": cut(within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, tunnel_csum=1),
    "VXLAN, an inner tag": cut(within(IPv4(), VXLAN, Ethernet(TAG), INNER4, Tcp()), tunnel=True, tunnel_csum=1),
    "Geneve over IPv6": cut(within(IPv6(), GENEVE, Ethernet(), INNER4, Tcp()), tunnel=True, tunnel_csum=1),
    "IPv6 in Geneve": cut(within(IPv4(), GENEVE, Ethernet(), INNER6, Tcp(OPTIONS[:12])), Base.TCP6, tunnel=True, tunnel_csum=1),
    "IPv6 in VXLAN over IPv6": cut(within(IPv6(), VXLAN, Ethernet(), INNER6, Tcp()), Base.TCP6, tunnel=True, tunnel_csum=1),
    "IP behind four bytes": cut(within(IPv4(), GUE, INNER4, Tcp()), tunnel=True, tunnel_csum=1),
    "IP at once": cut(within(IPv4(), ALONE, INNER6, Tcp()), Base.TCP6, tunnel=True),
    "USO in VXLAN": cut(within(IPv4(), VXLAN, Ethernet(), INNER4, Udp(csum=0x4321)), Base.USO, csum_offset=6, tunnel=True, tunnel_csum=1),
    "USO over IPv6 in Geneve": cut(within(IPv6(), GENEVE, Ethernet(), INNER6, Udp(csum=0x4321)), Base.USO, tunnel=True, tunnel_csum=1),
    "a tag is put in": cut(within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, tunnel_csum=1, tci=4),
    "a tag is put in over IPv6": cut(within(IPv6(), GENEVE, Ethernet(), INNER6, Tcp()), Base.TCP6, tunnel=True, tunnel_csum=1, tci=4),
    "frame_len unknown": cut(within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, tunnel_csum=1, frame_len=0),
    "payload of gso_size": segment(within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), size=101, tunnel=True, tunnel_csum=1, l4=True),
    "nothing known": refused(BAD, within(IPv4(length=0), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, frame_len=0),
    "outer_th_offset elsewhere": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, outer_th=38),
    "inner_nh_offset elsewhere": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, inner_nh=60),
    "csum_start elsewhere": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, csum_start=96),
    "the other family outside": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER4, Tcp()), tunnel=True, outer_ipv6=1),
    "the other family inside": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER6, Tcp()), tunnel=True),
    "GRE in its place": refused(BAD, within(IPv4(), Gre(), INNER4, Udp()), Base.USO, tunnel=True),
    "a tunnel within": refused(BAD, within(IPv4(), VXLAN, Ethernet(), INNER4, Gre(), IPv4(), Tcp()), tunnel=True, inner_nh=64),
    "ends in what is opaque": refused(LATE, Frame(Ethernet(), IPv4(), GENEVE, Ethernet(), INNER4, Tcp(), cut_off=54), tunnel=True),
}

GRE_KEY, GRE_CSUM = 0x2000, 0x8000
TUNNELS = {
    "GRE": cut(within(IPv4(), Gre(), INNER4, Tcp())),
    "GRE with a key": cut(within(IPv4(), Gre(GRE_KEY), INNER4, Tcp())),
    "GRE with a checksum": cut(within(IPv4(), Gre(GRE_CSUM), INNER4, Tcp())),
    "GRE with both": cut(within(IPv4(), Gre(GRE_CSUM | GRE_KEY), INNER4, Tcp(OPTIONS[:4]))),
    "GRE with a checksum, IPv6 within": cut(within(IPv4(), Gre(GRE_CSUM), INNER6, Tcp()), Base.TCP6),
    "GRE over IPv6 with a checksum, IPv6 within": cut(within(IPv6(), Gre(GRE_CSUM), INNER6, Tcp()), Base.TCP6),
    "GRE with Ethernet within": cut(within(IPv4(), Gre(), Ethernet(), INNER4, Tcp())),
    "GRE with a checksum, Ethernet and a tag within": cut(within(IPv4(), Gre(GRE_CSUM), Ethernet(TAG), INNER6, Tcp()), Base.TCP6),
    "GRE with a checksum, a tag is put in": cut(within(IPv4(), Gre(GRE_CSUM), INNER4, Tcp()), tci=8),
    "GRE with a checksum and IPv6, a tag is put in": cut(within(IPv4(), Gre(GRE_CSUM), INNER6, Tcp()), Base.TCP6, tci=8),
    "USO in GRE with a checksum": cut(within(IPv4(), Gre(GRE_CSUM), INNER4, Udp(csum=7)), Base.USO),
    "GRE without a checksum asked for": bare(within(IPv4(), Gre(GRE_KEY), INNER4, Tcp())),
    "IPIP": cut(within(IPv4(), INNER4, Tcp())),
    "IPIP without a checksum asked for": bare(within(IPv4(), INNER4, Tcp())),
    "SIT": cut(within(IPv4(options=OPTIONS), INNER6, Tcp()), Base.TCP6),
    "IPv4 in IPv6": cut(within(IPv6(), INNER4, Tcp())),
    "IPv6 in IPv6": cut(within(IPv6(extensions=(HOP,)), INNER6, Tcp(), tags=TAG), Base.TCP6, tci=1),
    "USO in SIT": cut(within(IPv4(), INNER6, Udp()), Base.USO),
    "extension headers within": cut(within(IPv4(), IPv6(extensions=(HOP, ROUTED)), Tcp()), Base.TCP6),
    "extension headers in GRE with a checksum": cut(within(IPv4(), Gre(GRE_CSUM), IPv6(extensions=(HOP,)), Tcp()), Base.TCP6),
    "nothing known": refused(BAD, within(IPv4(length=0), INNER4, Tcp()), frame_len=0),
    "GRE with a checksum, none asked for": refused(BAD, within(IPv4(), Gre(GRE_CSUM), INNER4, Tcp()), needs_csum=0, csum_offset=0),
    "GRE with a sequence number": refused(BAD, within(IPv4(), Gre(0x1000), INNER4, Tcp())),
    "GRE, version 1": refused(BAD, within(IPv4(), Gre(0x0001), INNER4, Tcp())),
    "GRE of something else": refused(BAD, within(IPv4(), Gre(protocol=0x0806), INNER4, Tcp())),
    "GRE of the other family": refused(BAD, within(IPv4(), Gre(protocol=0x86DD), INNER4, Tcp())),
    "GRE in GRE": refused(BAD, within(IPv4(), Gre(), INNER4, Gre(), IPv4(), Tcp())),
    "IPIP in IPIP": refused(BAD, within(IPv4(), INNER4, IPv4(), Tcp())),
    "IPIP in IPIP, as if its inner header were TCP": refused(BAD, within(IPv4(), IPv4(), INNER4, Tcp()), csum_start=14 + 40),
    "UFO in IPIP that is off": refused(BAD, within(IPv4(), INNER4, Udp()), Base.UFO, off=("ipxip4",)),
    "GRE with a checksum that is off, none asked for": refused(
        BAD, within(IPv4(), Gre(GRE_CSUM), INNER4, Tcp()), needs_csum=0, csum_offset=0, off=("gre_csum",)
    ),
    "headers of 256 bytes": cut(within(IPv4(), Gre(), Ethernet(), INNER4, Tcp(), tags=39 * TAG)),
    "UFO in GRE": refused(BAD, within(IPv4(), Gre(), INNER4, Udp()), Base.UFO),
    "the other family within": refused(BAD, within(IPv4(), INNER6, Tcp())),
    "GRE is off": refused(OFF, within(IPv4(), Gre(), INNER4, Tcp()), off=("gre",)),
    "GRE with a checksum is off": refused(OFF, within(IPv4(), Gre(GRE_CSUM), INNER4, Tcp()), off=("gre_csum",)),
    "GRE that is off and wrong": refused(BAD, within(IPv4(), Gre(GRE_CSUM | 1), INNER4, Tcp()), off=("gre_csum",)),
    "IPIP is off": refused(OFF, within(IPv4(), INNER4, Tcp()), off=("ipxip4",)),
    "IPv4 in IPv6 is off": refused(OFF, within(IPv6(), INNER4, Tcp()), off=("ipxip6",)),
    "ends in the inner header": refused(LATE, Frame(Ethernet(), IPv4(), INNER4, Tcp(), cut_off=50)),
}


def auto(frame, **fields):
    return Case(frame, Kind.AUTO, **{"size": 1500} | fields)


WORDS = b"w" * 600
BIG = Drop.TOO_BIG
AUTO = {
    "a TCP frame that fits": auto(tcp4(), ip=True, l4=True),
    "a UDP frame that fits": auto(udp4(), ip=True, l4=True),
    "two tags": auto(tcp4(tags=SERVICE_TAG + TAG), ip=True, l4=True),
    "tagged UDP with IP options": auto(udp4(tags=TAG, options=OPTIONS[:8]), ip=True, l4=True),
    "a tag is put in": auto(tcp4(), ip=True, l4=True, tci=0x2222),
    "IPv6": auto(tcp6(), l4=True),
    "UDP over IPv6": auto(udp6(extensions=(HOP, ROUTED)), l4=True),
    "UDP over IPv6 without a checksum": auto(udp6(udp={"csum": 0}), l4=True),
    "behind a routing header that leads elsewhere": auto(tcp6(extensions=(ELSEWHERE,))),
    "behind a fragment header": auto(tcp6(protocol=44)),
    "padded": auto(tcp4(payload=b"", padding=b"p" * 6), ip=True, l4=True),
    "exactly the MTU": auto(tcp4(), size=140, ip=True, l4=True),
    "a UDP frame without a checksum": auto(udp4(udp={"csum": 0}), ip=True),
    "UDP shorter than its header": auto(udp4(udp={"length": 7}), ip=True),
    "UDP longer than its datagram": auto(udp4(udp={"length": 109}), ip=True),
    "UDP shorter than its datagram": auto(udp4(udp={"length": 60}), ip=True, l4=True),
    "a first fragment": auto(tcp4(fragment=0x2000), ip=True),
    "a last fragment": auto(udp4(fragment=0x0007), ip=True),
    "another protocol": auto(tcp4(protocol=1), ip=True),
    "less than a TCP header": auto(tcp4(length=39), ip=True),
    "less than a UDP header": auto(udp4(length=27), ip=True),
    "data offset 4 that fits": auto(tcp4(tcp={"data_offset": 4}), ip=True, l4=True),
    "checksums are off": auto(tcp4(), off=("checksum",)),
    "ARP": auto(tcp4(ethertype=0x0806)),
    "neither TCP nor UDP, checksums are off": auto(tcp4(protocol=1), off=("checksum",)),
    "ARP, a tag is put in": auto(tcp4(ethertype=0x0806), tci=1),
    "tags without end": auto(tcp4(tags=80 * TAG)),
    "version 5": auto(tcp4(version=5)),
    "ihl 4": auto(tcp4(ihl=4)),
    "total length below the header's": auto(tcp4(length=19)),
    "total length below the header's, neither TCP nor UDP": auto(tcp4(protocol=1, length=19)),
    "total length 0": auto(tcp4(length=0)),
    "payload length 0": auto(tcp6(length=0)),
    "a runt": auto(tcp4(cut_off=20)),
    "a runt of IPv6": auto(tcp6(cut_off=50)),
    "less than its addresses, a tag is put in": auto(tcp4(cut_off=9), tci=1, drop=LATE),
    "its addresses alone, a tag is put in": auto(tcp4(cut_off=12), tci=1),
    "above the MTU": auto(tcp4(payload=WORDS), size=500, cut=True),
    "a byte above the MTU": auto(tcp4(), size=139, cut=True),
    "above the MTU, tagged, options": auto(
        tcp4(tags=TAG, payload=WORDS, options=OPTIONS[:4], tcp={"options": OPTIONS[:12]}), size=300, cut=True
    ),
    "above the MTU, a tag is put in": auto(tcp4(payload=WORDS), size=500, cut=True, tci=0),
    "above the MTU, padded": auto(tcp4(payload=WORDS, padding=b"p" * 9), size=500, cut=True),
    "IPv6 above the MTU": auto(tcp6(payload=WORDS, extensions=(HOP,)), size=500, cut=True),
    "TCP4 is off": auto(tcp4(payload=WORDS), size=500, off=("tcp4",), drop=BIG),
    "TCP6 is off": auto(tcp6(payload=WORDS), size=500, off=("tcp6",), drop=BIG),
    "one byte a segment": auto(tcp4(payload=WORDS), size=41, cut=True),
    "BIG TCP": auto(tcp4(length=0), size=9000, frame_len=14 + 65536, cut=True),
    "not quite BIG TCP": auto(tcp4(length=0), size=9000, frame_len=14 + 65535),
    "not quite BIG TCP over IPv6": auto(tcp6(extensions=(JUMBO,), length=0), size=9000, frame_len=14 + 65535),
    "BIG TCP over IPv6": auto(tcp6(extensions=(JUMBO,), length=0), size=9000, frame_len=300_000, cut=True, jumbo=True),
    "BIG TCP without its option": auto(tcp6(extensions=(HOP,), length=0), size=9000, frame_len=300_000, drop=BIG),
    "no room for a byte": auto(tcp4(payload=WORDS), size=40, drop=BIG),
    "a fragment above the MTU": auto(tcp4(payload=WORDS, fragment=0x2000), size=500, drop=BIG),
    "data offset 4 above the MTU": auto(tcp4(payload=WORDS, tcp={"data_offset": 4}), size=500, drop=BIG),
    "no whole TCP header": auto(tcp4(payload=WORDS, cut_off=50), size=500, drop=BIG),
    "cut by snaplen to one segment": auto(tcp4(payload=WORDS, cut_off=54 + 460), size=500),
    "USO": auto(udp4(payload=WORDS), size=500, uso_size=200, cut=True),
    "USO over IPv6, a tag is put in": auto(udp6(payload=WORDS), size=500, uso_size=200, cut=True, tci=1),
    "USO without a checksum": auto(udp4(payload=WORDS, udp={"csum": 0}), size=500, uso_size=200, cut=True),
    "USO as long as the MTU": auto(udp4(payload=WORDS), size=500, uso_size=472, cut=True),
    "USO a byte above the MTU": auto(udp4(payload=WORDS), size=500, uso_size=473, drop=BIG),
    "USO is off": auto(udp4(payload=WORDS), size=500, uso_size=200, off=("uso",), drop=BIG),
    "USO, UDP length another": auto(udp4(payload=WORDS, udp={"length": 600}), size=500, uso_size=200, drop=BIG),
    "UFO": auto(udp4(payload=WORDS, fragment=0), size=500, cut=True),
    "UFO over IPv6, behind a frame that could be fragmented": auto(udp6(payload=WORDS), size=500, drop=BIG),
    "UFO, UDP length another": auto(udp4(payload=WORDS, fragment=0, udp={"length": 600}), size=500, drop=BIG),
    "UFO without a checksum": auto(udp4(payload=WORDS, fragment=0, udp={"csum": 0}), size=500, cut=True),
    "UFO, options, padded": auto(udp4(payload=WORDS, fragment=0, options=OPTIONS[:12], padding=b"p"), size=500, cut=True),
    "UFO of 8 bytes": auto(udp4(payload=WORDS, fragment=0), size=28, cut=True),
    "UFO of less": auto(udp4(payload=WORDS, fragment=0), size=27, drop=BIG),
    "UFO against DF": auto(udp4(payload=WORDS), size=500, drop=BIG),
    "UFO of a reserved bit": auto(udp4(payload=WORDS, fragment=0x8000), size=500, drop=BIG),
    "UFO is off": auto(udp4(payload=WORDS, fragment=0), size=500, off=("ufo",), drop=BIG),
}


def checksum(frame, **fields):
    return Case(frame, Kind.CHECKSUM, l4=True, **fields)


def passed(frame, **fields):
    return Case(frame, Kind.PASS, needs_csum=0, csum_offset=0, **fields)


def raw(octets):
    return Frame(payload=octets)


SCTP4, SCTP6 = Frame(Ethernet(TAG), IPv4(protocol=132)), Frame(Ethernet(), IPv6(extensions=(HOP,), protocol=132))
OTHERS = {
    "pass": passed(tcp4()),
    "pass of one byte": passed(raw(b"p")),
    "pass, a tag is put in": passed(tcp4(), tci=0xABCD),
    "pass of the addresses, a tag is put in": passed(raw(bytes(12)), tci=1),
    "pass of less, a tag is put in": passed(raw(bytes(11)), tci=1, drop=LATE),
    "checksum": checksum(tcp4()),
    "checksum, a tag is put in": checksum(tcp4(), tci=1),
    "checksum at an odd place": checksum(raw(bytes(100)), csum_start=35),
    "checksum at an odd place, a tag is put in": checksum(raw(bytes(100)), csum_start=35, tci=1),
    "checksum at an odd offset": checksum(raw(bytes(100)), csum_start=34, csum_offset=7),
    "checksum far behind": checksum(raw(bytes(60)), csum_start=65535, csum_offset=65535),
    "checksum disabled": Case(raw(bytes(60)), Kind.CHECKSUM, refused=OFF, drop=OFF),
    "SCTP": checksum(SCTP4, sctp=1, csum_start=38, csum_offset=8, crc=True),
    "SCTP over IPv6": checksum(SCTP6, sctp=1, csum_start=62, csum_offset=8, crc=True),
    "SCTP, a tag is put in": checksum(SCTP4, sctp=1, csum_start=38, csum_offset=8, crc=True, tci=6),
    "SCTP elsewhere": checksum(SCTP4, sctp=1, csum_start=34, csum_offset=8),
    "no SCTP": checksum(tcp4(), sctp=1, csum_start=34, csum_offset=8),
    "no SCTP, no IP": checksum(raw(bytes(100)), sctp=1, csum_start=34, csum_offset=8),
    "SCTP that ends in its IP header": checksum(Frame(Ethernet(TAG), IPv4(protocol=132), cut_off=30), sctp=1, csum_start=38, csum_offset=8),
}

TABLES = {"TCP4": TCP4, "TCP6": TCP6, "UDP": UDP, "UDP tunnels": UDP_TUNNELS, "tunnels": TUNNELS, "auto": AUTO, "others": OTHERS}
CASES = [(f"{table}: {name}", case) for table, cases in TABLES.items() for name, case in cases.items()]


def fragment_ids():
    """The identifications as they are asked for."""
    return [0x9E3779B9 * number & 0xFFFFFFFF for number in range(1, 200)]


def request_of(g, case, **fields):
    return {name: value for name, value in case.request.items() if name in g.request.members} | fields


class Bench:
    """A parser between a row store and a queue of requests, in place of the ingress and of all that follows."""

    def __init__(self, g):
        self.g = g
        self.top = m = Module()
        m.submodules.rows = self.rows = RowStore(g)
        m.submodules.requests = self.requests = Queue(g.request, depth=32)
        m.submodules.dut = self.dut = dut = HeaderParser(g)
        m.d.comb += [
            dut.written.eq(self.rows.written),
            self.rows.parse_at.eq(dut.parse_at),
            dut.parse.eq(self.rows.parse),
            dut.requests.valid.eq(self.requests.o.valid),
            dut.requests.payload.eq(self.requests.o.payload),
            self.requests.o.ready.eq(dut.requests.ready),
        ]

    def run(self, cases, dice=None, *, pauses=0.0, stalls=0.0, hold=0):
        """(plan, words for the patcher, halfwords of the header if headed) of each case; for the first ``hold`` clocks there is no room for any."""
        g, dut, rows = self.g, self.dut, self.rows
        planned, results = [0], []

        async def source(ctx):
            """A frame's request goes with its first row; rows are taken back as soon as their frame is planned, so long frames fit."""
            address = 0
            for case in cases:
                frame_rows = rows_of(g, case.frame.octets, case.fault)
                request = request_of(g, case, row=address % g.store_rows)
                address += len(frame_rows)
                for number, row in enumerate(frame_rows):
                    while not ctx.get(rows.room & self.requests.i.ready) or (dice and dice.random() < pauses):
                        await ctx.tick()
                    ctx.set(rows.i.payload, row)
                    ctx.set(rows.i.valid, 1)
                    if number == 0:
                        ctx.set(self.requests.i.payload, request)
                        ctx.set(self.requests.i.valid, 1)
                        _, _, ready = await ctx.tick().sample(self.requests.i.ready)
                        assert ready
                        ctx.set(self.requests.i.valid, 0)
                    else:
                        await ctx.tick()
                    ctx.set(rows.i.valid, 0)

        async def slicer(ctx):
            """Takes the rows of frames that are planned."""
            frame = 0
            while frame < len(cases):
                ready = frame < planned[0]
                ctx.set(rows.ends.ready, ready)
                _, _, valid, last = await ctx.tick().sample(rows.ends.valid, rows.ends.p.last)
                frame += valid & last & ready
            ctx.set(rows.ends.ready, 0)

        async def sink(ctx):
            slots, patches, held, identifications, used = {}, {}, 0, fragment_ids(), 0
            for _ in range(hold):
                await ctx.tick()
            while planned[0] < len(cases):
                ctx.set(dut.room, not (dice and dice.random() < stalls))
                release = held and (not dice or dice.random() < 0.2)
                ctx.set(dut.released, bool(release))
                ctx.set(dut.fragment_id, identifications[used])
                held -= bool(release)
                _, _, valid, plan, patched, patch, write, word, slot, fragmented = await ctx.tick().sample(
                    dut.plan.valid,
                    dut.plan.payload,
                    dut.patch.valid,
                    dut.patch.payload,
                    dut.header.valid,
                    dut.header.payload,
                    dut.slot,
                    dut.fragmented,
                )
                used += fragmented
                if write:
                    if word.index == 0:
                        slots[slot], patches[slot] = {}, {}
                    slots[slot][word.index] = plain(word)
                if patched:
                    patch = plain(patch)
                    patches[slot][None if patch["kind"] == Patch.CONSTANTS else patch["index"]] = patch
                if valid:
                    planned[0] += 1
                    held += plan.headed
                    results.append((plain(plan), dict(patches.get(plan.slot, {})), dict(slots[plan.slot]) if plan.headed else {}))
            ctx.set(dut.released, 0)
            self.identified = used

        simulate(self.top, source, slicer, sink, clocks=60_000)
        return results


def bits_of(g, case, plan, patches, words, fragment_id):
    """Each thing that must be said of a frame, as (what, got, expected)."""
    yield "drop", Drop(plan["drop"]), case.drop
    yield "swallow", plan["swallow"], int(case.drop != Drop.NONE)
    yield "cut", plan["cut"], int(case.cut)
    yield "headed", plan["headed"], int(case.cut or (case.tci is not None and not case.drop))
    if case.drop:
        return
    yield "auto", plan["auto"], int(case.auto and (case.cut or case.ip or case.l4))
    yield "ufo", plan["ufo"], int(case.ufo)
    yield "crc", plan["crc"], int(case.crc)
    yield from (cut_bits if case.cut else whole_bits)(g, case, plan, patches)
    if plan["headed"]:
        header = case.header(fragment_id) if case.cut else case.frame.octets[:12] + b"\x81\x00" + case.tci.to_bytes(2, "big")
        tags = case.tags(g) if case.cut else None
        count = -(-len(header) // HALFWORD_BYTES)
        got = b"".join(words[index]["data"].to_bytes(HALFWORD_BYTES, "big") for index in range(count))
        for place, tag in enumerate(tags or []):
            if tag:  # what stood there counts for nothing
                got = got[: 2 * place] + header[2 * place :][:2] + got[2 * place + 2 :]
        yield "header", got[: len(header)].hex(), header.hex()
        if tags:
            yield "fields", [words[index]["field"] for index in range(count)][: len(tags)], tags


def whole_bits(g, case, plan, patches):
    added = 0
    if case.tci is not None:
        added = 4
        yield from ((name, plan[name], value) for name, value in plan_numbers(g, 12, 16).items())
    else:
        yield "header_len", plan["header_len"], 0
    yield "limit", plan["limit"], 0
    yield "ip", plan["ip"], int(case.ip)
    yield "csum", plan["csum"], int(case.l4)
    if case.auto and (case.ip or case.l4):
        yield "end", plan["end"], case.end - 1 + added
    if case.ip:
        yield "ip_sum", plan["ip_sum"] % 0xFFFF, case.ip_sum(whole=True)
        yield "ip_low", plan["ip_low"], case.l3 + 11 + added
    if case.l4 and case.auto:
        length = case.end - case.l4_at if case.tcp else case.udp_length
        yield "base", plan["base"] % 0xFFFF, case.whole_base()
        yield "sum_first", plan["sum_first"], case.l4_at + added
        yield "sum_last", plan["sum_last"], case.l4_at + length - 1 + added
        yield "csum_low", plan["csum_low"], case.l4_at + (17 if case.tcp else 7) + added
        yield "csum_swap", plan["csum_swap"], 0
    elif case.l4:
        csum_low = case.csum_start + case.csum_offset + 1 + added
        yield "base", plan["base"], 0
        yield "sum_first", plan["sum_first"], case.csum_start + added
        yield "csum_low", plan["csum_low"], csum_low
        yield "end", plan["end"], csum_low + 2 * case.crc
        yield "csum_swap", plan["csum_swap"], case.csum_offset % 2


SUMS = (Patch.IP_CSUM, Patch.INNER_IP_CSUM, Patch.TUNNEL_CSUM)


def cut_bits(g, case, plan, patches):
    yield from ((name, plan[name], value) for name, value in plan_numbers(g, case.header_end, case.header_out, case.gso_size).items())
    without = case.auto and not case.tcp and not case.ipv6 and case.field == 0
    if not without:
        yield "base", plan["base"] % 0xFFFF, case.segment_base()
    yield "csum", plan["csum"], int(not without)
    yield "csum_low", plan["csum_low"], (case.header_out if case.ufo else case.out(case.l4_at)) + (17 if case.tcp else 7)
    yield "csum_swap", plan["csum_swap"], 0
    limit = int(case.auto and case.declared_end != 0)
    yield "limit", plan["limit"], limit
    if limit:
        yield "end", plan["end"], case.end - 1
        yield "limit_first", plan["limit_first"], int(case.end - 1 < g.bus_bytes)
    for index, (kind, value, last) in enumerate(case.patches()):
        got = patches[index]
        yield f"patch {index}", Patch(got["kind"]), kind
        yield kind.name, got["data"] % 0xFFFF if kind in SUMS else got["data"], value % 0xFFFF if kind in SUMS else value
        yield f"{kind.name} is last", got["last"], last
    for name, value in case.constants().items():
        if name in patches[None]:
            yield f"the patcher's {name}", patches[None][name], value


def takes_identification(case):
    """A datagram over IPv6 whose walk ends well, also where it is not cut."""
    return case.kind == Kind.SEGMENT and case.base == Base.UFO and case.ipv6 and not case.drop


def check(g, cases, results):
    used, identifications = 0, fragment_ids()
    for (name, case), result in zip(cases, results, strict=True):
        for what, got, expected in bits_of(g, case, *result, identifications[used]):
            assert got == expected, f"{name}: {what} is {got}, not {expected}"
        used += takes_identification(case)
    return used


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("table", TABLES)
def test_every_frame_gets_its_plan_its_words_and_its_header(table, width):
    g = geometry(width, features=ALL)
    bench = Bench(g)
    results = bench.run(TABLES[table].values())
    assert check(g, TABLES[table].items(), results) == bench.identified


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.6), (0.2, 0.2), (0.85, 0.0)])
def test_plans_keep_their_order_when_rows_come_late_and_slots_are_rare(dice, width, pauses, stalls):
    g = geometry(width, features=ALL)
    cases = [dice.choice(CASES) for _ in range(60)]
    check(g, cases, Bench(g).run([case for _, case in cases], dice, pauses=pauses, stalls=stalls))


def test_what_is_decided_of_a_frame_stops_no_other():
    """Frames so short that the next one is being read when their last word is looked at."""
    g = geometry(512, features=ALL)
    short = ["ends behind its addresses, a tag is put in", "a broken beat and nothing else", "ends before its addresses, a tag is put in"]
    cases = [(name, TCP4[name]) for each in short for name in (each, "all options, one tag", each, each, "a tag is put in")]
    check(g, cases, Bench(g).run([case for _, case in cases], hold=60))


FEW = {
    # name: features of an engine, the tables that it must still get right
    "TCP over IPv4": ({"tx-checksum-ip-generic", "tx-tcp-segmentation"}, ("TCP4",)),
    "TCP over IPv6": ({"tx-checksum-ip-generic", "tx-tcp6-segmentation"}, ("TCP6",)),
    "UDP": ({"tx-checksum-ip-generic", "tx-udp-segmentation", "tx-udp-fragmentation"}, ("UDP",)),
    "UDP tunnels without checksums": ({"tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp_tnl-segmentation"}, ("UDP tunnels",)),
}


@pytest.mark.parametrize("name", FEW)
def test_an_engine_of_few_features_walks_what_it_was_built_for(name):
    """Where its settings cannot ask for more: no tag, no feature that is not there."""
    features, tables = FEW[name]
    g = geometry(64, features=frozenset(features))
    cases = [(name, case) for name, case in CASES if name.partition(":")[0] in tables and case.tci is None]
    cases = [(name, case) for name, case in cases if not case.tunnel_csum and not (case.base == Base.USO and not g.uso)]
    assert len(cases) >= 10
    for (name, case), (plan, patches, words) in zip(cases, Bench(g).run([case for _, case in cases]), strict=True):
        absent = {"ufo": 0, "crc": 0} | plan
        for what, got, expected in bits_of(g, case, absent, patches, words, fragment_ids()[0]):
            if what == "header" and case.fragment_header:
                continue  # the identification is the engine's
            assert got == expected, f"{name}: {what} is {got}, not {expected}"


QUEUE_READY_AFTER = 3  # clocks from reset to the first request that the queue takes


@pytest.mark.parametrize("width", [64, 512])
def test_frames_that_need_no_walk_are_planned_one_a_clock(width):
    g = geometry(width)
    bench, clocks = Bench(g), []
    case = passed(raw(b"p"))

    async def source(ctx):
        ctx.set(bench.dut.room, 1)
        ctx.set(bench.rows.ends.ready, 1)
        await ctx.tick().repeat(QUEUE_READY_AFTER)
        ctx.set(bench.rows.i.payload, rows_of(g, case.frame.octets)[0])
        for number in range(40):
            ctx.set(bench.rows.i.valid, 1)
            ctx.set(bench.requests.i.payload, request_of(g, case, row=number % g.store_rows))
            ctx.set(bench.requests.i.valid, 1)
            await ctx.tick()
        ctx.set(bench.rows.i.valid, 0)
        ctx.set(bench.requests.i.valid, 0)

    async def sink(ctx):
        for clock in range(80):
            _, _, valid = await ctx.tick().sample(bench.dut.plan.valid)
            if valid:
                clocks.append(clock)

    simulate(bench.top, source, sink)
    assert len(clocks) == 40 and clocks[-1] - clocks[0] == 39


async def send(ctx, bench, case, at=0):
    """A frame's rows back to back, its request with the first."""
    for number, row in enumerate(rows_of(bench.g, case.frame.octets)):
        ctx.set(bench.rows.i.payload, row)
        ctx.set(bench.rows.i.valid, 1)
        ctx.set(bench.requests.i.payload, request_of(bench.g, case, row=at))
        ctx.set(bench.requests.i.valid, number == 0)
        await ctx.tick()
    ctx.set(bench.rows.i.valid, 0)
    ctx.set(bench.requests.i.valid, 0)


def test_no_more_headers_are_begun_than_there_are_slots():
    """Frames that end up without a header give their slot back at once."""
    g = geometry(512, features=ALL)
    bench, plans, begun = Bench(g), [], []
    cases = [TCP4["plain"], AUTO["a TCP frame that fits"], TCP4["UDP"]] * 5

    async def source(ctx):
        ctx.set(bench.dut.room, 1)
        await ctx.tick().repeat(QUEUE_READY_AFTER)
        at = 0
        for case in cases:
            await send(ctx, bench, case, at)
            at += len(rows_of(g, case.frame.octets))
        assert at <= g.store_rows
        await ctx.tick().repeat(1200)
        begun.append(len(plans))
        await pulse(ctx, bench.dut.released)
        await ctx.tick().repeat(100)

    async def sink(ctx):
        for _ in range(1800):
            _, _, valid, headed = await ctx.tick().sample(bench.dut.plan.valid, bench.dut.plan.p.headed)
            if valid:
                plans.append(headed)

    simulate(bench.top, source, sink)
    assert begun == [3 * (g.slots - 1) + 1], "the frames behind the last slot's wait, whatever they are"
    assert plans == [1, 0, 0] * (g.slots - 1) + [1, 0, 0, 1]


def test_after_a_reset_in_mid_walk_the_next_frame_is_walked_anew():
    """Whatever clock it comes in."""
    g = geometry(64, features=ALL)
    bench, reset = Bench(g), Signal()
    old, new = UDP_TUNNELS["a tag is put in over IPv6"], TCP4["a tag is put in"]
    results, words, patches, done = [], {}, {}, []

    async def source(ctx):
        ctx.set(bench.dut.room, 1)
        walk = await clocks_to_plan(ctx, bench, old)
        assert walk < LONGEST_WALK
        await pulse(ctx, reset)
        for clocks in range(1, walk):
            await ctx.tick().repeat(QUEUE_READY_AFTER)
            await send(ctx, bench, old)
            await ctx.tick().repeat(clocks)
            await pulse(ctx, reset)
            await ctx.tick()
            results.clear()
            words.clear()
            patches.clear()
            await ctx.tick().repeat(QUEUE_READY_AFTER)
            await send(ctx, bench, new)
            while not results:
                await ctx.tick()
            check(g, [(f"reset after {clocks} clocks", new)], results)
            await pulse(ctx, reset)
        done.append(True)

    async def sink(ctx):
        dut = bench.dut
        while not done:
            _, _, valid, plan, patched, patch, write, word = await ctx.tick().sample(
                dut.plan.valid, dut.plan.payload, dut.patch.valid, dut.patch.payload, dut.header.valid, dut.header.payload
            )
            if write:
                words[word.index] = plain(word)
            if patched:
                patch = plain(patch)
                patches[None if patch["kind"] == Patch.CONSTANTS else patch["index"]] = patch
            if valid:
                results.append((plain(plan), dict(patches), dict(words)))

    simulate(bench.top, source, sink, clocks=60_000, reset=reset)


LONGEST_WALK = 300


async def clocks_to_plan(ctx, bench, case):
    """Clocks from the request in the queue to the plan, of a parser that has nothing else to do."""
    await ctx.tick().repeat(QUEUE_READY_AFTER)
    g, clocks = bench.g, 0
    rows = rows_of(g, case.frame.octets)
    ctx.set(bench.requests.i.payload, request_of(g, case, row=ctx.get(bench.rows.written)))
    while True:
        ctx.set(bench.rows.i.payload, rows[min(clocks, len(rows) - 1)])
        ctx.set(bench.rows.i.valid, clocks < len(rows))
        ctx.set(bench.requests.i.valid, clocks == 0)
        _, _, planned = await ctx.tick().sample(bench.dut.plan.valid)
        if planned:
            return clocks
        clocks += 1


WALKS = {
    # What most requests are: the case, and the clocks that it may take at each width
    "TCP over IPv4": (TCP4["plain"], {64: 61, 512: 61}),
}


@pytest.mark.parametrize("name", WALKS)
def test_a_frame_takes_so_many_clocks(name):
    """Exactly: whoever makes the program longer or shorter says so here, in docs/architecture.md, and in the goals."""
    case, clocks = WALKS[name]
    for width, expected in clocks.items():
        bench, taken = Bench(geometry(width, features=ALL)), []

        async def source(ctx, bench=bench, taken=taken):
            ctx.set(bench.dut.room, 1)
            taken.append(await clocks_to_plan(ctx, bench, case))

        simulate(bench.top, source)
        assert taken == [expected]
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    assert text.count(f"{expected} for a plain TCP/IPv4 header of 54 bytes") == 2
