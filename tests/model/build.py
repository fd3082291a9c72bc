"""Frames and sums for these tests, written out by hand: nothing here is the model's."""

import struct

from offcut_model import Options, Refused, VirtioNetHdr, segment

ADDRESSES = bytes.fromhex("c0a80a08 c0a80a02")
ADDRESSES6 = bytes.fromhex("20010db8000000000000000000000001 20010db80000000000000000000000ff")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
TCPV4, UFO, TCPV6, USO = 1, 3, 4, 5
TUNNEL4, TUNNEL6, ECN = 0x20, 0x40, 0x80
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
JUMBO = b"\x06\x00\xc2\x04"


def slow_sum(data):
    """RFC 1071, word by word with the carry brought round at once."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def noise(length):
    return bytes((7 * n + n // 251 + 3) & 0xFF for n in range(length))


def field(data, start, size):
    return int.from_bytes(data[start : start + size], "big")


def ethernet(ethertype=0x0800, tag=None, tags=()):
    """Ethernet with one 802.1Q tag, or any number of tags as (TPID, TCI)."""
    tags = tags or (((0x8100, tag),) if tag is not None else ())
    return bytes.fromhex("020000000001 020000000002") + b"".join(struct.pack("!HH", *one) for one in tags) + struct.pack("!H", ethertype)


def ipv4(body, *, protocol=6, options=b"", total=None, ident=1, fragment=0x4000, check=0xBAD1, version=4, ihl=None):
    size = 20 + len(options)
    first = version << 4 | (size // 4 if ihl is None else ihl)
    total = size + len(body) if total is None else total
    return struct.pack("!BBHHHBBH8s", first, 0, total & 0xFFFF, ident, fragment, 64, protocol, check, ADDRESSES) + options + body


def extensions(types, protocol, size=8):
    """IPv6 extension headers of ``size`` bytes each, the last of which announces ``protocol``."""
    chain = b""
    for kind, after in zip(types, (*types, protocol)[1:], strict=True):
        # A routing header without segments left, or PadN.
        body = bytes(size - 2) if kind == ROUTING else bytes((1, size - 4)).ljust(size - 2, b"\0")
        chain += bytes((after, size // 8 - 1)) + body
    return chain


def ipv6(body, *, protocol=6, through=(), chain=None, length=None, version=6, next_header=None):
    """IPv6; ``through`` are the types of 8-byte extension headers, or ``chain`` is what stands behind the first 40 bytes."""
    chain = extensions(through, protocol) if chain is None else chain
    first = (through[0] if through else protocol) if next_header is None else next_header
    length = len(chain) + len(body) if length is None else length
    return struct.pack("!IHBB32s", version << 28 | 0x12345, length & 0xFFFF, first, 64, ADDRESSES6) + chain + body


def tcp(payload=b"", *, options=b"", flags=ACK, seq=1000, check=0, offset=None, urgent=0):
    offset = 5 + len(options) // 4 if offset is None else offset
    return struct.pack("!HHIIHHHH", 40000, 80, seq, 77, offset << 12 | flags, 512, check, urgent) + options + payload


def udp(payload=b"", *, length=None, check=0xBAD2):
    return struct.pack("!HHHH", 40000, 53, 8 + len(payload) & 0xFFFF if length is None else length, check) + payload


def gre(body, *, protocol=0x0800, key=None, check=None, flags=None, reserved=0):
    """GRE with a key and a checksum field, each if it is not None."""
    flags = (0 if check is None else 0x8000) | (0 if key is None else 0x2000) if flags is None else flags
    optional = (b"" if check is None else struct.pack("!HH", check, reserved)) + (b"" if key is None else struct.pack("!I", key))
    return struct.pack("!HH", flags, protocol) + optional + body


def pseudo(length, protocol=6, version=4):
    return (ADDRESSES if version == 4 else ADDRESSES6) + struct.pack("!II", length, protocol)


def partial(build, payload, *, protocol=6, version=4, tail=0, **fields):
    """A transport packet with the pseudo-header's sum in its checksum field, as a host hands it over."""
    length = len(build(payload, **fields)) + tail
    return build(payload, check=slow_sum(pseudo(length, protocol, version)), **fields)


def tcp_frame(payload, *, tag=None, ip=None, partial=True, tail=b"", **fields):
    """TCP over IPv4 with the pseudo-header's sum in the checksum field, as a host hands it over; ``payload`` is bytes or how many."""
    ip = ip or {}
    payload = noise(payload) if isinstance(payload, int) else payload
    if partial:
        fields["check"] = slow_sum(pseudo(len(tcp(payload, **fields)) + len(tail)))
    return ethernet(tag=tag) + ipv4(tcp(payload, **fields), **ip) + tail


def tcp6_frame(payload, *, tags=(), ip=None, tail=b"", **fields):
    """The same over IPv6."""
    payload = noise(payload) if isinstance(payload, int) else payload
    fields.setdefault("check", slow_sum(pseudo(len(tcp(payload, **fields)) + len(tail), version=6)))
    return ethernet(0x86DD, tags=tags) + ipv6(tcp(payload, **fields), **(ip or {})) + tail


def udp_frame(payload, *, version=4, tags=(), ip=None, tail=b"", **fields):
    """UDP over either, likewise."""
    payload = noise(payload) if isinstance(payload, int) else payload
    fields.setdefault("check", slow_sum(pseudo(8 + len(payload) + len(tail), 17, version)))
    packet = (ipv4 if version == 4 else ipv6)(udp(payload, **fields), protocol=17, **(ip or {}))
    return ethernet(0x0800 if version == 4 else 0x86DD, tags=tags) + packet + tail


def auto_frame(body, *, tag=None, tail=b"", ethertype=0x0800, **ip):
    return ethernet(ethertype, tag) + ipv4(body, **ip) + tail


def auto6_frame(body, *, tags=(), tail=b"", **ip):
    return ethernet(0x86DD, tags=tags) + ipv6(body, **ip) + tail


def inner_packet(payload, base, inner=None, **fields):
    """What a tunnel carries: an IP packet for a request of type ``base`` (-USO: over IPv6), and where its transport header stands in it."""
    payload = noise(payload) if isinstance(payload, int) else payload
    version = 4 if base in (TCPV4, USO) else 6
    build, protocol = (udp, 17) if abs(base) == USO else (tcp, 6)
    body = partial(build, payload, protocol=protocol, version=version, **fields)
    if version == 4:
        return ipv4(body, protocol=protocol, **{"ident": 7} | (inner or {})), 20
    return ipv6(body, protocol=protocol, **(inner or {})), 40


def udp_tunnel(
    payload, *, outer=4, base=TCPV4, opaque=8, outer_csum=False, gso_size=1000, tags=(), outer_ip=None, inner=None, request=None, **fields
):
    """A request for what a UDP tunnel carries, and its frame; ``opaque`` bytes stand between the outer UDP header and the inner IP header."""
    packet, transport = inner_packet(payload, base, inner, **fields)
    body = noise(opaque) + packet
    check = slow_sum(pseudo(8 + len(body), 17, outer)) if outer_csum else 0x1234
    frame = udp_frame(body, version=outer, tags=tags, ip=outer_ip, check=check)
    th = len(frame) - len(body) - 8
    nh = th + 8 + opaque
    header = {
        "flags": 9 if outer_csum else 1,
        "gso_type": abs(base) | (TUNNEL4 if outer == 4 else TUNNEL6),
        "csum_start": nh + transport,
        "csum_offset": 6 if abs(base) == USO else 16,
        "outer_th_offset": th,
        "inner_nh_offset": nh,
    }
    return VirtioNetHdr(**header | {"gso_size": gso_size} | (request or {})), frame


def tso(gso_size, **fields):
    return VirtioNetHdr(**{"flags": 1, "gso_type": 1, "gso_size": gso_size, "csum_start": 34, "csum_offset": 16} | fields)


def tso6(gso_size, **fields):
    return tso(gso_size, **{"gso_type": TCPV6, "csum_start": 54} | fields)


def uso(gso_size, **fields):
    return tso(gso_size, **{"gso_type": USO, "csum_offset": 6} | fields)


def ufo(gso_size, **fields):
    return tso(gso_size, **{"gso_type": UFO, "csum_offset": 6} | fields)


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


def assert_packet_right(packet, protocol=None):
    """Every length and checksum of an IP packet hold: its own, and those of the TCP or UDP header behind its extension headers.

    Returns what stands behind the IP header, and the packet's protocol.
    """
    version = packet[0] >> 4
    if version == 4:
        body = packet[4 * (packet[0] & 15) :]
        found = packet[9]
        assert slow_sum(packet[: len(packet) - len(body)]) == 0xFFFF, "IP header checksum"
        assert field(packet, 2, 2) == len(packet), "IP total length"
    else:
        assert field(packet, 4, 2) == len(packet) - 40, "IP payload length"
        found, at = packet[6], 40
        while found in (HOP_BY_HOP, ROUTING, DESTINATION):
            found, at = packet[at], at + 8 + 8 * packet[at + 1]
        body = packet[at:]
    assert protocol in (None, found)
    if found in (6, 17):
        assert slow_sum(pseudo(len(body), found, version) + body) == 0xFFFF, "transport checksum"
    if found == 17:
        assert field(body, 4, 2) == len(body), "UDP length"
    return body, found
