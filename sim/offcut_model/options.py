"""What the hardware has as configuration, and what its DMA tells it about a frame."""

from dataclasses import dataclass

__all__ = [
    "CHECKSUM",
    "DEFAULT_FEATURES",
    "FEATURES",
    "FIXED_ID",
    "GRE",
    "GRE_CHECKSUM",
    "IPXIP4",
    "IPXIP6",
    "SCTP_CHECKSUM",
    "TSO",
    "TSO6",
    "TSO_ECN",
    "UDP_TUNNEL",
    "UDP_TUNNEL_CHECKSUM",
    "UFO",
    "UFO_ORDERS",
    "USO",
    "VLAN",
    "Options",
]

CHECKSUM = "tx-checksum-ip-generic"
SCTP_CHECKSUM = "tx-checksum-sctp"
TSO = "tx-tcp-segmentation"
TSO_ECN = "tx-tcp-ecn-segmentation"
FIXED_ID = "tx-tcp-mangleid-segmentation"
TSO6 = "tx-tcp6-segmentation"
USO = "tx-udp-segmentation"
UFO = "tx-udp-fragmentation"
GRE = "tx-gre-segmentation"
GRE_CHECKSUM = "tx-gre-csum-segmentation"
IPXIP4 = "tx-ipxip4-segmentation"
IPXIP6 = "tx-ipxip6-segmentation"
UDP_TUNNEL = "tx-udp_tnl-segmentation"
UDP_TUNNEL_CHECKSUM = "tx-udp_tnl-csum-segmentation"
VLAN = "tx-vlan-offload"

FEATURES = frozenset({
    CHECKSUM,
    SCTP_CHECKSUM,
    TSO,
    TSO_ECN,
    FIXED_ID,
    TSO6,
    USO,
    UFO,
    GRE,
    GRE_CHECKSUM,
    IPXIP4,
    IPXIP6,
    UDP_TUNNEL,
    UDP_TUNNEL_CHECKSUM,
    VLAN,
})
"""Every feature that the model has, by its ``ethtool -k`` name."""

DEFAULT_FEATURES = FEATURES - {SCTP_CHECKSUM}
"""What is built in unless features are chosen."""

UFO_ORDERS = ("last", "first")

_DEFAULT_MTU = 1500
_RANGES = {
    "mtu": (0, 0xFFFF),
    "mtu_max": (1, 0xFFFFF),
    "frame_len": (0, 0xFFFFF),
    "tcp_clear_first": (0, 0xFFF),
    "tcp_clear_middle": (0, 0xFFF),
    "tcp_clear_last": (0, 0xFFF),
    "id_mode": (0, 2),
    "uso_size": (0, 0xFFFF),
    "frag_seed": (0, 0xFFFF_FFFF),
    "frag_number": (0, 0xFFFF_FFFF),
    "vlan_tci": (0, 0xFFFF),
}


@dataclass(frozen=True, slots=True)
class Options:
    """One configuration of the engine, and what the metadata say beside the request.

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
    disable : frozenset of str
        What of it is switched off.
    tcp_clear_first, tcp_clear_middle, tcp_clear_last : int
        XORed with the masks of TCP flags that a first, middle and last segment lose; bit 11 is the data offset's neighbour, bit 0 is FIN.
        With 0, FIN and PSH stand on the last segment alone and CWR on the first alone.
    id_mode : int
        IPv4 identifications: 0 counts up, 1 stays, 2 counts up in the low 15 bits.
    keep_id : bool
        As mode 1, for this frame.
    uso_size : int
        Bytes of payload at which ``auto`` cuts UDP; 0 for fragments instead.
    ufo_order : str
        When the fragment with the UDP header leaves: ``"last"`` or ``"first"``.
    ufo_buffer : tuple of int, or None
        Where it leaves first, all of them wait: bytes a bus word of the buffer, and as many words as do not fit it any more.
    frag_seed, frag_number : int
        What :func:`.fragment_identification` makes the identification of IPv6 fragments of.
    vlan_tci : int or None
        The tag to insert, if any.

    Raises
    ------
    ValueError
        If a parameter is out of its range; the message names it.
    """

    auto: bool = False
    mtu: int = _DEFAULT_MTU
    mtu_max: int = 9216
    frame_len: int | None = None
    features: frozenset[str] = DEFAULT_FEATURES
    disable: frozenset[str] = frozenset()
    tcp_clear_first: int = 0
    tcp_clear_middle: int = 0
    tcp_clear_last: int = 0
    id_mode: int = 0
    keep_id: bool = False
    uso_size: int = 0
    ufo_order: str = "last"
    ufo_buffer: tuple[int, int] | None = None
    frag_seed: int = 0
    frag_number: int = 0
    vlan_tci: int | None = None

    def __post_init__(self) -> None:
        for name, (least, greatest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= greatest:
                raise ValueError(f"{name} must lie between {least} and {greatest}, not {value}")
        if self.ufo_order not in UFO_ORDERS:
            raise ValueError(f"ufo_order must be {' or '.join(map(repr, UFO_ORDERS))}, not {self.ufo_order!r}")
        object.__setattr__(self, "mtu", self.mtu or _DEFAULT_MTU)
        for name in ("features", "disable"):
            object.__setattr__(self, name, frozenset(getattr(self, name)))
        for feature in sorted((self.features | self.disable) - FEATURES):
            raise ValueError(f"There is no feature {feature!r}; there are {', '.join(sorted(FEATURES))}")

    def has(self, feature: str) -> bool:
        """Whether ``feature`` is built in and not switched off."""
        return feature in self.features and feature not in self.disable

    def told(self, real: int) -> int:
        """The length of a frame of ``real`` bytes that the metadata give; 0 if they give none."""
        return real if self.frame_len is None else self.frame_len
