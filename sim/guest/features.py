"""Feature bits of a virtio network device (virtio 1.2, 5.1.3 and 6), and what each is called where the guest shows it."""

__all__ = ["FEATURES", "OFFERED", "SHOWN", "bits", "names"]

FEATURES = {
    "CSUM": 0,
    "MTU": 3,
    "MAC": 5,
    "HOST_TSO4": 11,
    "HOST_TSO6": 12,
    "HOST_ECN": 13,
    "HOST_UFO": 14,
    "MRG_RXBUF": 15,
    "STATUS": 16,
    "INDIRECT_DESC": 28,
    "EVENT_IDX": 29,
    "VERSION_1": 32,
    "ACCESS_PLATFORM": 33,
    "ORDER_PLATFORM": 36,
    "HOST_USO": 56,
}

OFFERED = frozenset(FEATURES)
"""What the gateware offers."""

SHOWN = {
    "CSUM": ("tx-checksumming", "tx-checksum-ip-generic", "scatter-gather"),
    "HOST_TSO4": ("tcp-segmentation-offload", "tx-tcp-segmentation"),
    "HOST_TSO6": ("tx-tcp6-segmentation",),
    "HOST_ECN": ("tx-tcp-ecn-segmentation",),
    "HOST_USO": ("tx-udp-segmentation",),
}
"""By what names ``ethtool -k`` shows a feature in the guest. UFO left Linux in 4.14."""


def bits(names_: "frozenset[str] | set[str]") -> int:
    """The 64 feature bits of a set of names."""
    return sum(1 << FEATURES[name] for name in names_)


def names(value: int) -> frozenset[str]:
    """The names of the bits that are set and have one here."""
    return frozenset(name for name, bit in FEATURES.items() if value >> bit & 1)
