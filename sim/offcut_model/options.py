"""What the hardware has as configuration, and what its DMA tells it about a frame."""

from dataclasses import dataclass

__all__ = ["CHECKSUM", "FEATURES", "TSO", "Options"]

TSO = "tx-tcp-segmentation"
CHECKSUM = "tx-checksum-ip-generic"
FEATURES = frozenset({TSO, CHECKSUM})
"""Every feature that the model has, by its ``ethtool -k`` name."""

_DEFAULT_MTU = 1500
_RANGES = {
    "mtu": (0, 0xFFFF),
    "mtu_max": (1, 0xFFFFF),
    "frame_len": (0, 0xFFFFF),
    "tcp_keep_first": (0, 0xFFF),
    "tcp_keep_middle": (0, 0xFFF),
    "tcp_keep_last": (0, 0xFFF),
}


@dataclass(frozen=True, slots=True)
class Options:
    """One configuration of the engine.

    Parameters
    ----------
    auto : bool
        Complete and cut frames without a request by parsing them.
    mtu : int
        The longest IP packet that ``auto`` sends, in bytes; 0 stands for 1500, as on the engine's port.
    mtu_max : int
        The longest frame that may leave at all, in bytes with its Ethernet header.
    frame_len : int or None
        The frame's length in bytes as the DMA tells it: ``None`` for the real one, 0 for not telling, else what it told.
    features : frozenset of str
        What is built in, out of :data:`FEATURES`.
    tcp_keep_first, tcp_keep_middle, tcp_keep_last : int
        The TCP flags that a first, middle and last segment keep; bit 11 is the data offset's neighbour, bit 0 is FIN. By default FIN and
        PSH stand on the last segment alone and CWR on the first alone.

    Raises
    ------
    ValueError
        If a parameter is out of its range; the message names it.
    """

    auto: bool = False
    mtu: int = _DEFAULT_MTU
    mtu_max: int = 9216
    frame_len: int | None = None
    features: frozenset[str] = FEATURES
    tcp_keep_first: int = 0xFF6
    tcp_keep_middle: int = 0xF76
    tcp_keep_last: int = 0xF7F

    def __post_init__(self) -> None:
        for name, (least, greatest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= greatest:
                raise ValueError(f"{name} must lie between {least} and {greatest}, not {value}")
        object.__setattr__(self, "mtu", self.mtu or _DEFAULT_MTU)
        object.__setattr__(self, "features", frozenset(self.features))
        for feature in sorted(self.features - FEATURES):
            raise ValueError(f"There is no feature {feature!r}; there are {', '.join(sorted(FEATURES))}")
