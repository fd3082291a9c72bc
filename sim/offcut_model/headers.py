"""Where the fields of each header stand.

One class a header, each field with its offset from the header's first byte and its length, both in bytes, under the name that the RFC
gives it. Fields that are no whole bytes stand together with their neighbours, and are taken apart where they are read.
"""

from typing import NamedTuple

__all__ = [
    "ETHERTYPE_IPV4",
    "ETHERTYPE_IPV6",
    "ETHERTYPE_TEB",
    "ETHERTYPE_VLAN",
    "EXTENSIONS",
    "IP_VERSIONS",
    "PROTOCOL_DESTINATION",
    "PROTOCOL_FRAGMENT",
    "PROTOCOL_GRE",
    "PROTOCOL_HOP_BY_HOP",
    "PROTOCOL_IPV4",
    "PROTOCOL_IPV6",
    "PROTOCOL_ROUTING",
    "PROTOCOL_SCTP",
    "PROTOCOL_TCP",
    "PROTOCOL_UDP",
    "TAGS",
    "Ethernet",
    "Extension",
    "Field",
    "Fragment",
    "Gre",
    "Ipv4",
    "Ipv6",
    "Sctp",
    "Tcp",
    "Udp",
    "Vlan",
]

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_TEB = 0x6558
"""Transparent Ethernet bridging: in GRE, a whole Ethernet frame follows (RFC 1701)."""
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_IPV6 = 0x86DD
IP_VERSIONS = {ETHERTYPE_IPV4: 4, ETHERTYPE_IPV6: 6}
TAGS = frozenset({ETHERTYPE_VLAN, 0x88A8})
"""The EtherTypes behind which a tag and another EtherType follow: 802.1Q and 802.1ad."""

PROTOCOL_HOP_BY_HOP = 0
PROTOCOL_IPV4 = 4
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_IPV6 = 41
PROTOCOL_ROUTING = 43
PROTOCOL_FRAGMENT = 44
PROTOCOL_GRE = 47
PROTOCOL_DESTINATION = 60
PROTOCOL_SCTP = 132
EXTENSIONS = frozenset({PROTOCOL_HOP_BY_HOP, PROTOCOL_ROUTING, PROTOCOL_DESTINATION})
"""The IPv6 next headers that are walked through."""


class Field(NamedTuple):
    """One field of a header: ``offset`` and ``size`` in bytes."""

    offset: int
    size: int

    def of(self, frame: bytes | bytearray, header: int) -> int:
        """The field's value in the header that begins at byte ``header`` of ``frame``."""
        start = header + self.offset
        return int.from_bytes(frame[start : start + self.size], "big")

    def put(self, frame: bytearray, header: int, value: int) -> None:
        """Write the lowest bits of ``value`` to the field of the header that begins at byte ``header``."""
        start = header + self.offset
        frame[start : start + self.size] = (value & ((1 << 8 * self.size) - 1)).to_bytes(self.size, "big")


class Ethernet:
    """IEEE 802.3, without preamble and FCS. In front of a tag, TYPE is the tag's TPID."""

    BYTES = 14
    ADDRESSES = Field(0, 12)
    TYPE = Field(12, 2)


class Vlan:
    """IEEE 802.1Q: 4 bytes between the addresses and TYPE, so that TYPE comes that much later."""

    BYTES = 4


class Ipv4:
    """RFC 791, section 3.1."""

    LEAST_BYTES = 20
    VERSION_IHL = Field(0, 1)
    TOTAL_LENGTH = Field(2, 2)
    IDENTIFICATION = Field(4, 2)
    FLAGS_FRAGMENT = Field(6, 2)
    PROTOCOL = Field(9, 1)
    CHECKSUM = Field(10, 2)
    ADDRESSES = Field(12, 8)

    MORE_FRAGMENTS = 0x2000
    IS_FRAGMENT = 0x3FFF
    """The bits of FLAGS_FRAGMENT that are 0 in a packet that is no fragment: MF and the offset."""


class Ipv6:
    """RFC 8200, section 3."""

    BYTES = 40
    VERSION = Field(0, 1)
    PAYLOAD_LENGTH = Field(4, 2)
    NEXT_HEADER = Field(6, 1)
    ADDRESSES = Field(8, 32)


class Extension:
    """What the hop-by-hop, routing and destination options headers share (RFC 8200, sections 4.3, 4.4 and 4.6)."""

    LEAST_BYTES = 8
    UNIT_BYTES = 8
    NEXT_HEADER = Field(0, 1)
    LENGTH = Field(1, 1)
    """In units behind the first."""
    SEGMENTS_LEFT = Field(3, 1)
    """Of a routing header."""

    JUMBO_BYTES = 8
    JUMBO = bytes((PROTOCOL_TCP, 0, 0xC2, 4))
    """How a hop-by-hop header begins that holds the jumbo payload option alone (RFC 2675), with TCP behind it."""


class Fragment:
    """The IPv6 fragment header (RFC 8200, section 4.5)."""

    BYTES = 8
    OFFSET_FLAGS = Field(2, 2)

    MORE_FRAGMENTS = 0x0001


class Gre:
    """RFC 2784, with the key of RFC 2890. The optional words follow the first in the order of their flags."""

    BYTES = 4
    FLAGS_VERSION = Field(0, 2)
    PROTOCOL = Field(2, 2)
    CHECKSUM = Field(4, 2)

    HAS_CHECKSUM = 0x8000
    HAS_KEY = 0x2000
    OPTION_BYTES = 4


class Tcp:
    """RFC 9293, section 3.1."""

    LEAST_BYTES = 20
    SEQUENCE = Field(4, 4)
    DATA_OFFSET = Field(12, 1)
    OFFSET_FLAGS = Field(12, 2)
    CHECKSUM = Field(16, 2)


class Udp:
    """RFC 768."""

    BYTES = 8
    LENGTH = Field(4, 2)
    CHECKSUM = Field(6, 2)


class Sctp:
    """RFC 9260, section 3.1."""

    CHECKSUM = Field(8, 4)
