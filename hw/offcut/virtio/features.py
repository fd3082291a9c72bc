"""The feature bits that the device offers. Pure Python."""

from dataclasses import dataclass

__all__ = ["FEATURES", "Feature", "bit", "offered"]


@dataclass(frozen=True)
class Feature:
    """One bit: its name without VIRTIO_NET_F_ or VIRTIO_F_, what it asks of the engine, and the features of which it needs one."""

    name: str
    bit: int
    what: str
    engine: str | None = None
    needs: tuple[str, ...] = ()


FEATURES = (
    Feature("CSUM", 0, "the device completes checksums", "tx-checksum-ip-generic"),
    Feature("MTU", 3, "`mtu` in the configuration; not offered while the port is 0"),
    Feature("MAC", 5, "`mac` in the configuration"),
    Feature("HOST_TSO4", 11, "TCP over IPv4 is cut", "tx-tcp-segmentation", ("CSUM",)),
    Feature("HOST_TSO6", 12, "TCP over IPv6 is cut", "tx-tcp6-segmentation", ("CSUM",)),
    Feature("HOST_ECN", 13, "TCP with CWR set is cut", "tx-tcp-ecn-segmentation", ("HOST_TSO4", "HOST_TSO6")),
    Feature("HOST_UFO", 14, "UDP is cut into fragments", "tx-udp-fragmentation", ("CSUM",)),
    Feature("MRG_RXBUF", 15, "a frame may fill several receive buffers"),
    Feature("STATUS", 16, "`status` in the configuration, with an interrupt when the link changes"),
    Feature("RING_INDIRECT_DESC", 28, "tables of descriptors"),
    Feature("RING_EVENT_IDX", 29, "`used_event` and `avail_event`"),
    Feature("VERSION_1", 32, "virtio 1; without it nothing is accepted"),
    Feature("ACCESS_PLATFORM", 33, "the driver maps its memory for the device"),
    Feature("ORDER_PLATFORM", 36, "the driver orders its accesses for a device outside its CPU"),
    Feature("HOST_USO", 56, "UDP is cut into datagrams", "tx-udp-segmentation", ("CSUM",)),
)
"""virtio 1.2, 5.1.3 and 6, in the order of their bits. What a feature needs is 5.1.3.1."""


def bit(name):
    """The bit of a feature."""
    return next(feature.bit for feature in FEATURES if feature.name == name)


def offered(config):
    """The features that a device in front of this engine offers: those that it has, with what they need."""
    names = {}
    for feature in FEATURES:
        has = feature.engine is None or config.has(feature.engine)
        if has and (not feature.needs or any(need in names for need in feature.needs)):
            names[feature.name] = feature
    return tuple(names.values())
