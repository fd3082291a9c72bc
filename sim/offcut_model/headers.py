"""Where the fields of each header stand.

One class a header, each field with its offset from the header's first byte and its length, both in bytes, under the name that the RFC
gives it. Fields that are no whole bytes stand together with their neighbours, and are taken apart where they are read.
"""

from typing import NamedTuple

__all__ = ["ETHERTYPE_IPV4", "ETHERTYPE_VLAN", "PROTOCOL_TCP", "PROTOCOL_UDP", "Ethernet", "Field", "Ipv4", "Tcp", "Udp", "Vlan"]

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_VLAN = 0x8100
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17


class Field(NamedTuple):
    """One field of a header: ``offset`` and ``size`` in bytes."""

    offset: int
    size: int

    def within(self, frame: bytes, header: int) -> bool:
        """Whether the field of the header at byte ``header`` lies inside ``frame``."""
        return header + self.offset + self.size <= len(frame)

    def of(self, frame: bytes, header: int) -> int:
        """The field's value in the header that begins at byte ``header`` of ``frame``."""
        start = header + self.offset
        return int.from_bytes(frame[start : start + self.size], "big")


class Ethernet:
    """IEEE 802.3, without preamble and FCS. In front of a tag, TYPE is the tag's TPID."""

    BYTES = 14
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

    VERSION = 4
    IS_FRAGMENT = 0x3FFF
    """The bits of FLAGS_FRAGMENT that are 0 in a packet that is no fragment: MF and the offset."""


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
