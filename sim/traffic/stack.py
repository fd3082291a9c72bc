"""Headers one behind the other, each of which names the next, with the places where they stand."""

from dataclasses import dataclass
from struct import pack

from .frames import ip_id, ones_sum, pseudo_header, set_word

__all__ = ["HOP_BY_HOP", "DESTINATION", "ROUTING", "Ip", "Stack"]

HOP_BY_HOP, ROUTING, DESTINATION = 0, 43, 60
IPV4, IPV6 = 0x0800, 0x86DD
TRANSPARENT_ETHERNET = 0x6558
UDP = 17


@dataclass
class Ip:
    """An IP header: its offset, 4 or 6, where what it carries begins, and the addresses of the pseudo-header.

    Behind an IPv6 routing header those are not the addresses of the header: the final destination counts.
    """

    at: int
    version: int
    end: int
    addresses: bytes

    def length_at(self):
        """Offset of its length field."""
        return self.at + (2 if self.version == 4 else 4)

    def length(self, packet_end):
        """What the field should say of a packet that ends there."""
        return packet_end - self.at - (0 if self.version == 4 else 40)

    def pseudo_sum(self, protocol, length):
        """The sum of the pseudo-header, not inverted: what a partial checksum is."""
        return ones_sum(pseudo_header(self.addresses, protocol, length))


class Stack:
    """A frame's headers, built from Ethernet on. Lengths and sums are 0 until :meth:`set_lengths`.

    Attributes
    ----------
    frame : bytearray
    ips : list of Ip
        Outermost first.
    outer_udp, gre : int or None
        Offsets of a tunnel's header.
    l4 : int
        Offset of the innermost transport header.
    extensions : list of int
        Offsets of IPv6 extension headers.
    """

    def __init__(self, dice, tags=()):
        self._dice = dice
        self.frame = bytearray()
        self.ips: list[Ip] = []
        self.outer_udp = self.gre = None
        self.l4 = 0
        self.extensions: list[int] = []
        self.ethernet(tags)

    def ethernet(self, tags=()):
        """Random addresses and any 802.1Q-like tags as ``(TPID, TCI)``; also inside a tunnel."""
        if self.frame and self.gre is not None and self._type_bytes == 2:
            self._announce(TRANSPARENT_ETHERNET, None)
        self.frame += self._dice.randbytes(12) + b"".join(pack(">HH", *tag) for tag in tags) + bytes(2)
        self._type_at, self._type_bytes = len(self.frame) - 2, 2

    def ipv4(self, *, options=0, fragment=0x4000):
        """An IPv4 header with ``options`` bytes of random options."""
        dice, at = self._dice, len(self.frame)
        self._announce(IPV4, 4)
        self.frame += pack(">BBHHHBBH", 0x45 + options // 4, dice.getrandbits(8), 0, ip_id(dice), fragment, dice.randint(1, 255), 0, 0)
        self.frame += dice.randbytes(8 + options)
        self.ips.append(Ip(at, 4, len(self.frame), bytes(self.frame[at + 12 : at + 20])))
        self._type_at, self._type_bytes = at + 9, 1

    def ipv6(self, extensions=()):
        """An IPv6 header with extension headers behind it, as ``(type, bytes of its body)``; each body is two short of a multiple of 8."""
        dice, at = self._dice, len(self.frame)
        self._announce(IPV6, 41)
        self.frame += pack(">I", 6 << 28 | dice.getrandbits(28)) + pack(">HBB", 0, 0, dice.randint(1, 255)) + dice.randbytes(32)
        addresses = bytes(self.frame[at + 8 : at + 40])
        self._type_at, self._type_bytes = at + 6, 1
        for number, body in extensions:
            here = len(self.frame)
            self._announce(None, number)
            self.frame += bytes((0, (len(body) + 2) // 8 - 1)) + body
            self.extensions.append(here)
            self._type_at = here
            if number == ROUTING and body[1]:
                addresses = addresses[:16] + dice.randbytes(16)
        self.ips.append(Ip(at, 6, len(self.frame), addresses))

    def udp_tunnel(self, opaque):
        """A UDP header and what stands between it and the inner IP header."""
        self.outer_udp = len(self.frame)
        self._announce(None, UDP)
        self.frame += self._dice.randbytes(4) + bytes(4) + opaque
        self._type_bytes = 0

    def gre_tunnel(self, *, checksum, key):
        """A GRE header; ``checksum`` and ``key`` say which of the optional words it has."""
        self.gre = len(self.frame)
        self._announce(None, 47)
        self.frame += pack(">HH", checksum << 15 | key << 13, 0)
        self._type_at, self._type_bytes = self.gre + 2, 2
        if checksum:
            self.frame += self._dice.choice((bytes(4), self._dice.randbytes(2) + bytes(2)))
        if key:
            self.frame += self._dice.randbytes(4)

    def transport(self, protocol, header):
        """The transport header, and the end of the stack."""
        self._announce(None, protocol)
        self.l4 = len(self.frame)
        self.frame += header

    def set_lengths(self, end, lie=lambda ip, right: right):
        """Give every IP header the length of a packet that ends at ``end``, or what ``lie`` says, and IPv4 headers a checksum.

        The checksum is right, 0 or garbage.
        """
        for ip in self.ips:
            set_word(self.frame, ip.length_at(), lie(ip, ip.length(end)))
            if ip.version == 4:
                ihl = 4 * (self.frame[ip.at] & 15)
                set_word(self.frame, ip.at + 10, 0)
                right = 0xFFFF - ones_sum(self.frame[ip.at : ip.at + ihl])
                set_word(self.frame, ip.at + 10, self._dice.weighted(((right, 2), (0, 1), (self._dice.getrandbits(16), 1))))
        if self.outer_udp is not None:
            set_word(self.frame, self.outer_udp + 4, end - self.outer_udp)

    def insert(self, at, data):
        """Put bytes in; the offsets of what stands behind them follow."""
        self.frame[at:at] = data

        def moved(offset):
            return offset + len(data) if offset >= at else offset

        for ip in self.ips:
            ip.at, ip.end = moved(ip.at), moved(ip.end)
        self.outer_udp = None if self.outer_udp is None else moved(self.outer_udp)
        self.gre = None if self.gre is None else moved(self.gre)
        self.l4 = moved(self.l4)
        self.extensions = [moved(offset) for offset in self.extensions]

    def _announce(self, ethertype, protocol):
        """Say in the header before that this one follows. A UDP tunnel says nothing of what it carries."""
        if self._type_bytes == 2:
            set_word(self.frame, self._type_at, ethertype)
        elif self._type_bytes == 1:
            self.frame[self._type_at] = protocol
