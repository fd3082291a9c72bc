"""Frames built by scapy, and what scapy makes of their segments: an answer that shares no line with the model's."""

from dataclasses import dataclass

from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import GRE, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from features.ask import UDP_TUNNEL_CSUM, asked, handed_over
from traffic import Case

__all__ = ["PACKETS", "Packet", "checksum_requests", "cut_by_scapy", "request"]

ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
INNER = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
TIMESTAMP = [("NOP", None), ("NOP", None), ("Timestamp", (0x01020304, 0x05060708))]
FIN_PSH, CWR = 0x009, 0x080
TCPV4, TCPV6, UDP_L4 = 1, 4, 5
PAYLOAD = bytes(n * 7 & 0xFF for n in range(8192))


@dataclass(frozen=True)
class Packet:
    """One line of the table: layers without payload, the payload's length in bytes, gso_size, and further bits of flags and gso_type."""

    headers: Ether
    payload: int
    gso_size: int
    flags: int = 0
    tunnel: int = 0


def _ip(**fields):
    return IP(src="10.0.0.1", dst="10.0.0.2", **fields)


def _ip6(**fields):
    return IPv6(src="fd00::1", dst="fd00::2", **fields)


def _tcp(flags="PA", **fields):
    return TCP(sport=40000, dport=443, flags=flags, **fields)


def _udp(**fields):
    return UDP(sport=40000, dport=53, **fields)


def _vxlan(**fields):
    return UDP(sport=50000, dport=4789, **fields) / VXLAN(vni=7) / INNER


PACKETS = {
    "a bulk transfer with timestamps": Packet(ETHERNET / _ip(id=1) / _tcp(options=TIMESTAMP), 5000, 1448),
    "a whole number of segments": Packet(ETHERNET / _ip(id=2) / _tcp(), 2920, 1460),
    "one byte more": Packet(ETHERNET / _ip(id=2) / _tcp(), 2921, 1460),
    "one byte less": Packet(ETHERNET / _ip(id=2) / _tcp(), 2919, 1460),
    "the last segment has 2 bytes": Packet(ETHERNET / _ip() / _tcp(), 1202, 600),
    "the last segment has 3 bytes": Packet(ETHERNET / _ip() / _tcp(), 1203, 600),
    "one VLAN tag": Packet(ETHERNET / Dot1Q(vlan=5, prio=3) / _ip(id=77) / _tcp(), 1000, 300),
    "two VLAN tags": Packet(ETHERNET / Dot1AD(vlan=9) / Dot1Q(vlan=5) / _ip(id=77) / _tcp(), 1000, 300),
    "IP options": Packet(ETHERNET / _ip(options=[IPOption(b"\x94\x04\x00\x00")]) / _tcp(), 1000, 300),
    "forty bytes of options in both": Packet(
        ETHERNET / Dot1Q(vlan=1) / _ip(options=[IPOption(b"\x01")] * 40) / _tcp(options=[("NOP", None)] * 40), 500, 99
    ),
    "the sequence number wraps": Packet(ETHERNET / _ip() / _tcp(seq=0xFFFFFF00), 1000, 256),
    "the ID wraps": Packet(ETHERNET / _ip(id=0xFFFE) / _tcp(), 1000, 200),
    "FIN and PSH on the last alone": Packet(ETHERNET / _ip() / _tcp("FPA"), 900, 300),
    "CWR on the first alone": Packet(ETHERNET / _ip() / _tcp("CEA"), 900, 300),
    "every flag": Packet(ETHERNET / _ip(flags="DF") / _tcp("FSRPAUECN", urgptr=77, reserved=7), 900, 300),
    "bytes of one": Packet(ETHERNET / _ip() / _tcp(), 20, 1),
    "TCP over IPv6": Packet(ETHERNET / _ip6(tc=3, fl=0x12345) / _tcp(options=TIMESTAMP), 3000, 1000),
    "a hop-by-hop header": Packet(ETHERNET / Dot1Q(vlan=5) / _ip6() / IPv6ExtHdrHopByHop() / _tcp(), 1000, 300),
    "datagrams": Packet(ETHERNET / _ip(id=0xFFFF) / _udp(), 8192, 1272),
    "datagrams over IPv6": Packet(ETHERNET / _ip6() / _udp(), 1001, 200),
    "GRE with a key": Packet(ETHERNET / _ip(id=1) / GRE(key_present=1, key=77) / _ip(id=0xFFFE) / _tcp("FPA"), 1000, 300),
    "GRE with a checksum": Packet(ETHERNET / _ip6() / GRE(chksum_present=1) / _ip(id=9) / _tcp(), 1001, 299),
    "Ethernet in GRE": Packet(ETHERNET / _ip(id=1) / GRE(proto=0x6558) / INNER / Dot1Q(vlan=3) / _ip6() / _udp(), 1000, 300),
    "IPv4 in IPv4": Packet(ETHERNET / _ip(id=1) / _ip(id=0xFFFF) / _udp(), 1000, 300),
    "IPv6 in IPv4": Packet(ETHERNET / _ip(id=1) / _ip6() / _tcp(), 1000, 300),
    "IPv4 in IPv6": Packet(ETHERNET / _ip6() / _ip(id=1) / _tcp(), 1000, 300),
    "IPv6 in IPv6": Packet(ETHERNET / _ip6() / _ip6() / _tcp(), 1000, 300),
    "VXLAN": Packet(ETHERNET / _ip(id=0xFFFF) / _vxlan(chksum=0) / _ip(id=7) / _tcp("FPC"), 3000, 1000, tunnel=0x20),
    "VXLAN over IPv6 with a checksum": Packet(ETHERNET / _ip6() / _vxlan() / _ip6() / _udp(), 1001, 300, UDP_TUNNEL_CSUM, 0x40),
    "Geneve with options and a checksum": Packet(
        ETHERNET / _ip() / UDP(sport=50000, dport=6081) / GENEVE(vni=9, options=[GeneveOptions(data=b"abcd")]) / INNER / _ip6() / _tcp(),
        *(1000, 300, UDP_TUNNEL_CSUM, 0x20),
    ),
}
"""``what: packet``. An ``id`` left out is 1, the default of scapy."""


def request(packet, note):
    """The packet as a host would hand it over: one frame, partial checksums, a request to cut it."""
    frame = packet.headers / PAYLOAD[: packet.payload]
    layers = frame.layers()
    kind = UDP_L4 if layers[-2] is UDP else TCPV6 if layers[-3] in (IPv6, IPv6ExtHdrHopByHop) else TCPV4
    header = asked(frame, {"flags": 1 | packet.flags, "gso_type": kind | packet.tunnel, "gso_size": packet.gso_size})
    raw = handed_over(frame, header)
    return Case(raw, header.pack(24), len(raw), False, 1500, f"scapy: {note}")


def cut_by_scapy(packet):
    """The segments, built anew by scapy with the fields that segmentation changes: what is not set, it fills in."""
    payload = PAYLOAD[: packet.payload]
    pieces = [payload[at : at + packet.gso_size] for at in range(0, len(payload), packet.gso_size)]
    frames = []
    for index, piece in enumerate(pieces):
        frame = packet.headers.copy()
        for layer in frame.iterpayloads():
            if isinstance(layer, IP):
                layer.id = (layer.id + index) % 2**16
            if isinstance(layer, TCP):
                layer.seq = (layer.seq + index * packet.gso_size) % 2**32
                cleared = (CWR if index else 0) | (FIN_PSH if index < len(pieces) - 1 else 0)
                layer.flags = int(layer.flags) & ~cleared
        frames.append(bytes(frame / piece))
    return frames


def checksum_requests():
    """``(case, wire frame)`` for UDP and TCP over both families: scapy fills in the sum that the request asks for."""
    for network in (_ip(), _ip6()):
        for transport in (_udp(), _tcp()):
            for size in (0, 1, 100, 1001):
                frame = ETHERNET / network / transport / PAYLOAD[:size]
                header = asked(frame, {})
                yield Case(handed_over(frame, header), header.pack(), 0, False, 1500, "scapy: checksum"), bytes(frame)
