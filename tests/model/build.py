"""Frames and sums for these tests, written out by hand: nothing here is the model's."""

import struct

from offcut_model import Options, Refused, VirtioNetHdr, segment

ADDRESSES = bytes.fromhex("c0a80a08 c0a80a02")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))


def slow_sum(data):
    """RFC 1071, word by word with the carry brought round at once."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def noise(length):
    return bytes((7 * n + n // 251 + 3) & 0xFF for n in range(length))


def ethernet(ethertype=0x0800, tag=None):
    return (
        bytes.fromhex("020000000001 020000000002")
        + (struct.pack("!HH", 0x8100, tag) if tag is not None else b"")
        + struct.pack("!H", ethertype)
    )


def ipv4(body, *, protocol=6, options=b"", total=None, ident=1, fragment=0x4000, check=0xBAD1, version=4, ihl=None):
    size = 20 + len(options)
    first = version << 4 | (size // 4 if ihl is None else ihl)
    total = size + len(body) if total is None else total
    return struct.pack("!BBHHHBBH8s", first, 0, total & 0xFFFF, ident, fragment, 64, protocol, check, ADDRESSES) + options + body


def tcp(payload=b"", *, options=b"", flags=ACK, seq=1000, check=0, offset=None, urgent=0):
    offset = 5 + len(options) // 4 if offset is None else offset
    return struct.pack("!HHIIHHHH", 40000, 80, seq, 77, offset << 12 | flags, 512, check, urgent) + options + payload


def udp(payload=b"", *, length=None, check=0xBAD2):
    return struct.pack("!HHHH", 40000, 53, 8 + len(payload) if length is None else length, check) + payload


def pseudo(length, protocol=6):
    return ADDRESSES + struct.pack("!HI", protocol, length)


def tcp_frame(payload, *, tag=None, ip=None, partial=True, tail=b"", **fields):
    """TCP over IPv4 with the pseudo-header's sum in the checksum field, as a host hands it over; ``payload`` is bytes or how many."""
    ip = ip or {}
    payload = noise(payload) if isinstance(payload, int) else payload
    if partial:
        fields["check"] = slow_sum(pseudo(len(tcp(payload, **fields)) + len(tail)))
    return ethernet(tag=tag) + ipv4(tcp(payload, **fields), **ip) + tail


def auto_frame(body, *, tag=None, tail=b"", ethertype=0x0800, **ip):
    return ethernet(ethertype, tag) + ipv4(body, **ip) + tail


def tso(gso_size, **fields):
    return VirtioNetHdr(**{"flags": 1, "gso_type": 1, "gso_size": gso_size, "csum_start": 34, "csum_offset": 16} | fields)


def reason(frame, header=None, **options):
    """Why the model drops a frame; None if it does not."""
    try:
        segment(frame, header, Options(**options))
    except Refused as refused:
        return refused.reason
    return None


def ip_of(wire):
    """The IPv4 packet of a wire frame behind at most one tag."""
    return wire[18:] if wire[12:14] == b"\x81\x00" else wire[14:]


def transport_of(wire):
    packet = ip_of(wire)
    return packet[4 * (packet[0] & 15) :]


def assert_sums_right(wire):
    """Both checksums of a TCP/IPv4 wire frame hold, and its total length is its own."""
    packet, body = ip_of(wire), transport_of(wire)
    assert slow_sum(packet[: 4 * (packet[0] & 15)]) == 0xFFFF, "IP header checksum"
    assert int.from_bytes(packet[2:4], "big") == len(packet), "IP total length"
    assert slow_sum(pseudo(len(body)) + body) == 0xFFFF, "TCP checksum"
