"""Where the fields of protocol headers stand, in 16-bit halfwords from their header's start."""

__all__ = ["ETHERTYPE_IPV4", "ETHERTYPE_VLAN", "PROTOCOL_TCP", "PROTOCOL_UDP", "Ethernet", "Ipv4", "Tcp", "Udp"]

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_VLAN = 0x8100  # IEEE 802.1Q, 9.6
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17


class Ethernet:
    """IEEE 802.3, 3.1.1."""

    TYPE = 6
    HEADER = 7
    TAG = 2


class Ipv4:
    """RFC 791, 3.1."""

    VERSION_IHL = 0
    TOTAL_LENGTH = 1
    IDENTIFICATION = 2
    FRAGMENT = 3
    PROTOCOL = 4
    CHECKSUM = 5
    ADDRESSES = range(6, 10)


class Tcp:
    """RFC 9293, 3.1."""

    SEQUENCE_HIGH = 2
    SEQUENCE_LOW = 3
    FLAGS = 6
    CHECKSUM = 8
    HEADER = 10


class Udp:
    """RFC 768."""

    LENGTH = 2
    CHECKSUM = 3
    HEADER = 4
