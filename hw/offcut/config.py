"""What an engine is built with. Pure Python: importable without Amaranth."""

from dataclasses import dataclass

__all__ = ["DEFAULT_FEATURES", "FEATURES", "MTU_MAX", "UFO_ORDERS", "USER_WIDTH_MAX", "WIDTHS", "Config"]

WIDTHS = (32, 64, 128, 256, 512)
"""Bus widths in bits."""

MTU_MAX = (1522, 9216)
"""Least and greatest ``mtu_max``, in bytes with the Ethernet header."""

UFO_ORDERS = ("last", "first")
"""Where the fragment with the UDP header may leave: behind the others, or before them as from Linux."""

USER_WIDTH_MAX = 64
"""Most user bits that a frame can carry."""

FEATURES = {
    "tx-checksum-ip-generic": "complete one checksum, from csum_start to the frame's end, at csum_offset",
    "tx-checksum-sctp": "complete the CRC32c of SCTP",
    "tx-tcp-segmentation": "cut TCP over IPv4 at gso_size",
    "tx-tcp-ecn-segmentation": "cut TCP with CWR set, which only the first segment keeps",
    "tx-tcp-mangleid-segmentation": "keep the IPv4 ID the same in all segments of a frame that asks for it",
    "tx-tcp6-segmentation": "cut TCP over IPv6 at gso_size",
    "tx-udp-segmentation": "cut UDP into datagrams of gso_size",
    "tx-udp-fragmentation": "cut UDP into IP fragments of gso_size",
    "tx-gre-segmentation": "cut what GRE carries",
    "tx-gre-csum-segmentation": "cut what GRE with a checksum carries",
    "tx-ipxip4-segmentation": "cut what IPv4 carries as IPv4 or IPv6",
    "tx-ipxip6-segmentation": "cut what IPv6 carries as IPv4 or IPv6",
    "tx-udp_tnl-segmentation": "cut what VXLAN, Geneve or another UDP tunnel carries",
    "tx-udp_tnl-csum-segmentation": "cut what a UDP tunnel carries and complete the outer checksum",
    "tx-vlan-offload": "insert a VLAN tag",
}
"""Every feature that an engine can be built with, by its ``ethtool -k`` name, in the order of their bits in ``cfg_disable``."""

DEFAULT_FEATURES = frozenset(FEATURES) - {"tx-checksum-sctp"}
"""What is built in unless features are chosen."""


@dataclass(frozen=True)
class Config:
    """One engine. Two equal configurations are the same gateware.

    Parameters
    ----------
    width : int
        Bus width in bits, one of :data:`WIDTHS`.
    features : iterable of str
        Names out of :data:`FEATURES`. A request for one that is not built in is dropped.
    mtu_max : int
        The longest frame that may leave, in bytes with its Ethernet header.
    ufo_order : str
        One of :data:`UFO_ORDERS`: where the fragment with the UDP header leaves.
    user_width : int
        User bits that a frame brings along and that every wire frame cut from it shows, up to :data:`USER_WIDTH_MAX`.

    Raises
    ------
    ValueError
        If a parameter is out of its range; the message names the value and what is allowed.
    """

    width: int = 64
    features: frozenset[str] = DEFAULT_FEATURES
    mtu_max: int = 9216
    ufo_order: str = "last"
    user_width: int = 0

    def __post_init__(self) -> None:
        if self.width not in WIDTHS:
            raise ValueError(f"Bus width must be one of {', '.join(map(str, WIDTHS))} bits, not {self.width}")
        if isinstance(self.features, str):
            raise ValueError(f"Features are a set of names, not the text {self.features!r}")
        object.__setattr__(self, "features", frozenset(self.features))
        for name in sorted(self.features - FEATURES.keys()):
            raise ValueError(_no_feature(name))
        least, greatest = MTU_MAX
        if not least <= self.mtu_max <= greatest:
            raise ValueError(f"mtu_max must lie between {least} and {greatest} bytes, not {self.mtu_max}")
        if self.ufo_order not in UFO_ORDERS:
            raise ValueError(f"ufo_order must be {' or '.join(map(repr, UFO_ORDERS))}, not {self.ufo_order!r}")
        if not 0 <= self.user_width <= USER_WIDTH_MAX:
            raise ValueError(f"user_width must lie between 0 and {USER_WIDTH_MAX} bits, not {self.user_width}")

    def has(self, feature: str) -> bool:
        """Whether the engine was built with ``feature``."""
        if feature not in FEATURES:
            raise ValueError(_no_feature(feature))
        return feature in self.features

    @staticmethod
    def bit(feature: str) -> int:
        """The number of ``feature``'s bit in ``cfg_disable``."""
        if feature not in FEATURES:
            raise ValueError(_no_feature(feature))
        return list(FEATURES).index(feature)


def _no_feature(name: str) -> str:
    return f"There is no feature {name!r}; there are {', '.join(FEATURES)}"
