"""Numbers of protocols, and where the fields of their headers stand, as :class:`parser.walker.Walker` reads them: in 32-bit words."""

__all__ = ["TAG_BYTES", "EtherType", "ExtensionHeader", "Gre", "Protocol"]


TAG_BYTES = 4
"""IEEE 802.1Q: what a VLAN tag adds to a header."""


class EtherType:
    """IEEE 802 numbers."""

    IPV4 = 0x0800
    IPV6 = 0x86DD
    TAGS = (0x8100, 0x88A8)  # IEEE 802.1Q, 9.6
    CUSTOMER_TAG = 0x8100
    ETHERNET = 0x6558  # RFC 1701, within GRE


class Protocol:
    """IANA protocol numbers."""

    IPV4 = 4
    TCP = 6
    UDP = 17
    IPV6 = 41
    GRE = 47
    SCTP = 132


class ExtensionHeader:
    """IPv6 (RFC 8200, 4.1)."""

    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT = 44
    DESTINATION = 60
    JUMBO_PAYLOAD = 0xC204  # RFC 2675: option type and length


class Gre:
    """RFC 2784, RFC 2890: bits of the first halfword."""

    CHECKSUM = 0x8000
    KEY = 0x2000
