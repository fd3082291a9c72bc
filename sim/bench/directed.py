"""Frames built by scapy, and what scapy makes of their segments: an answer that shares no line with the model's."""

from dataclasses import dataclass
from struct import pack

from scapy.layers.inet import IP, TCP, UDP, IPOption, in4_pseudoheader
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import checksum

from traffic import Case

__all__ = ["PACKETS", "Packet", "cut_by_scapy", "request"]

ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
TIMESTAMP = [("NOP", None), ("NOP", None), ("Timestamp", (0x01020304, 0x05060708))]
FIN_PSH, CWR = 0x009, 0x080
PAYLOAD = bytes(n * 7 & 0xFF for n in range(8192))


@dataclass(frozen=True)
class Packet:
    """One line of the table: layers without payload, the payload's length in bytes, and gso_size."""

    headers: Ether
    payload: int
    gso_size: int


def _ip(**fields):
    return IP(src="10.0.0.1", dst="10.0.0.2", **fields)


def _tcp(flags="PA", **fields):
    return TCP(sport=40000, dport=443, flags=flags, **fields)


PACKETS = {
    "a bulk transfer with timestamps": Packet(ETHERNET / _ip(id=1) / _tcp(options=TIMESTAMP), 5000, 1448),
    "a whole number of segments": Packet(ETHERNET / _ip(id=2) / _tcp(), 2920, 1460),
    "one byte more": Packet(ETHERNET / _ip(id=2) / _tcp(), 2921, 1460),
    "one byte less": Packet(ETHERNET / _ip(id=2) / _tcp(), 2919, 1460),
    "the last segment has 2 bytes": Packet(ETHERNET / _ip() / _tcp(), 1202, 600),
    "the last segment has 3 bytes": Packet(ETHERNET / _ip() / _tcp(), 1203, 600),
    "one VLAN tag": Packet(ETHERNET / Dot1Q(vlan=5, prio=3) / _ip(id=77) / _tcp(), 1000, 300),
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
}
"""``what: packet``. An ``id`` left out is 1, the default of scapy."""


def request(packet, note):
    """The packet as a host would hand it over: one frame, a partial checksum, a request to cut it."""
    frame = packet.headers / PAYLOAD[: packet.payload]
    ip, tcp = frame[IP], frame[TCP]
    size = len(bytes(tcp))
    tcp.chksum = 0xFFFF ^ checksum(in4_pseudoheader(6, ip, size))
    ip.chksum = 0
    raw = bytes(frame)
    start = len(raw) - size
    asked = vnet_hdr(flags=1, gso_type=1, gso_size=packet.gso_size, hdr_len=start + 20, csum_start=start, csum_offset=16)
    return Case(raw, asked, len(raw), False, 1500, f"scapy: {note}")


def vnet_hdr(*, flags=0, gso_type=0, hdr_len=0, gso_size=0, csum_start=0, csum_offset=0):
    """Ten bytes of ``struct virtio_net_hdr``."""
    return pack("<BBHHHH", flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)


def cut_by_scapy(packet):
    """The segments, built anew by scapy with the fields that TCP segmentation changes."""
    payload = PAYLOAD[: packet.payload]
    pieces = [payload[at : at + packet.gso_size] for at in range(0, len(payload), packet.gso_size)]
    frames = []
    for index, piece in enumerate(pieces):
        frame = packet.headers.copy()
        frame[IP].id = (frame[IP].id + index) % 2**16
        frame[TCP].seq = (frame[TCP].seq + index * packet.gso_size) % 2**32
        cleared = (CWR if index else 0) | (FIN_PSH if index < len(pieces) - 1 else 0)
        frame[TCP].flags = int(frame[TCP].flags) & ~cleared
        frames.append(bytes(frame / piece))
    return frames


def checksum_requests():
    """``(case, wire frame)`` for UDP and TCP over both families: scapy fills in the sum that the request asks for."""
    for network in (_ip(), IPv6(src="fd00::1", dst="fd00::2")):
        for transport, offset in ((UDP(sport=5000, dport=53), 6), (_tcp(), 16)):
            for size in (0, 1, 100, 1001):
                yield from _checksum_request(ETHERNET / network / transport / PAYLOAD[:size], offset)


def _checksum_request(frame, offset):
    done = bytearray(bytes(frame))
    start = 14 + (20 if IP in frame else 40)
    pending = bytearray(done)
    field = start + offset
    total = 0xFFFF ^ int.from_bytes(done[field : field + 2], "big")
    pending[field : field + 2] = bytes(2)
    transport = 0xFFFF ^ checksum(bytes(pending[start:]))
    pending[field : field + 2] = ((total - transport) % 0xFFFF).to_bytes(2, "big")  # what is left is the pseudo-header's sum
    asked = vnet_hdr(flags=1, csum_start=start, csum_offset=offset)
    yield Case(bytes(pending), asked, 0, False, 1500, "scapy: checksum"), bytes(done)
