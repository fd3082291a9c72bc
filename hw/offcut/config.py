"""What an engine is built with. Pure Python: importable without Amaranth."""

from dataclasses import dataclass

__all__ = ["FEATURES", "MTU_MAX", "WIDTHS", "Config"]

WIDTHS = (32, 64, 128, 256, 512)
"""Bus widths in bits."""

MTU_MAX = (1522, 9216)
"""Least and greatest ``mtu_max``, in bytes with the Ethernet header."""

FEATURES = {
    "tx-tcp-segmentation": "cut TCP over IPv4 at gso_size",
    "tx-checksum-ip-generic": "complete one checksum, from csum_start to the frame's end, at csum_offset",
}
"""Every feature that an engine can be built with, by its ``ethtool -k`` name."""


@dataclass(frozen=True)
class Config:
    """One engine. Two equal configurations are the same gateware.

    Parameters
    ----------
    width : int
        Bus width in bits, one of :data:`WIDTHS`.
    features : frozenset of str
        Names out of :data:`FEATURES`. A request for one that is not built in is dropped.
    mtu_max : int
        The longest frame that may leave, in bytes with its Ethernet header.

    Raises
    ------
    ValueError
        If a parameter is out of its range; the message names the value and what is allowed.
    """

    width: int = 64
    features: frozenset[str] = frozenset(FEATURES)
    mtu_max: int = 9216

    def __post_init__(self):
        if self.width not in WIDTHS:
            raise ValueError(f"Bus width must be one of {', '.join(map(str, WIDTHS))} bits, not {self.width}")
        object.__setattr__(self, "features", frozenset(self.features))
        for name in sorted(self.features - FEATURES.keys()):
            raise ValueError(f"There is no feature {name!r}; there are {', '.join(FEATURES)}")
        least, greatest = MTU_MAX
        if not least <= self.mtu_max <= greatest:
            raise ValueError(f"mtu_max must lie between {least} and {greatest} bytes, not {self.mtu_max}")

    def has(self, feature):
        """Whether the engine was built with ``feature``."""
        if feature not in FEATURES:
            raise ValueError(f"There is no feature {feature!r}; there are {', '.join(FEATURES)}")
        return feature in self.features
