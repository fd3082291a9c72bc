"""What flows between the blocks of the network device, and the numbers that virtio 1.2 gives."""

from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

__all__ = [
    "BLOCK_BYTES", "CHAIN_BITS", "HEADER_BYTES", "LANES", "LANE_BITS", "MARK_BITS", "QUEUES", "RX", "TX", "Base", "DescriptorFlag", "Geometry",
]  # fmt: skip

RX, TX = 0, 1
"""Queue numbers (5.1.2)."""

QUEUES = (RX, TX)

HEADER_BYTES = 12
"""``struct virtio_net_hdr`` with num_buffers, as it always is with VIRTIO_F_VERSION_1 (5.1.6)."""

CHAIN_BITS = 20
"""A chain holds fewer than 1 MiB behind its header: `OffcutTx` counts a frame's bytes in as many bits."""

LANES = 8
LANE_BITS = 3

BLOCK_BYTES = 16 * LANES
"""A burst stays within an aligned block of so many bytes: 16 beats at most, and never across 4 KiB (IHI 0022, A3.4.1)."""

MARK_BITS = 6
"""Writes are numbered in so many bits; never more than 16 are under way."""


class Base(enum.IntEnum, shape=2):
    """What an address is counted from. The registers set three for each queue, the walker the fourth."""

    DESCRIPTORS = 0
    AVAIL = 1
    USED = 2
    TABLE = 3
    """Indirect descriptors."""


class DescriptorFlag(enum.IntFlag):
    """2.7.5."""

    NEXT = 1
    WRITE = 2
    INDIRECT = 4


class Geometry:
    """Widths that follow from the device's parameters, and the layouts made of them.

    Parameters
    ----------
    addr_width : int
        Bits of an address on the bus.
    max_queue : int
        Most descriptors of a queue.
    """

    def __init__(self, addr_width, max_queue):
        self.addr_width = addr_width
        self.max_queue = max_queue
        self.head_bits = ceil_log2(max_queue)
        self.size_bits = ceil_log2(max_queue + 1)
        address = {"addr": addr_width + 1}  # with the carry of whatever was added: no address that wraps around is ever issued
        lanes = {"first_lane": LANE_BITS, "last_lane": LANE_BITS}
        chain = {"first": 1, "last": 1, "frame_len": CHAIN_BITS, "head": self.head_bits}
        self.segment = data.StructLayout({"addr": addr_width, "len": CHAIN_BITS, "last": 1})
        """One descriptor's memory; ``last`` of its chain."""
        self.record = data.StructLayout({"head": self.head_bits, "frame_len": CHAIN_BITS, "stop": self.head_bits + 1})
        """One chain: its first descriptor, its bytes but for those of the header, and the place behind its segments in their store."""
        self.completion = data.StructLayout({"head": self.head_bits, "len": CHAIN_BITS + 1, "end": 1})
        """One used element (2.7.8); ``end`` with the last of a frame."""
        self.piece = data.StructLayout(address | {"len": CHAIN_BITS})
        """Memory to be moved, wherever it begins."""
        self.burst = data.StructLayout(address | {"beats": 5, "last": 1} | lanes)
        """Part of a piece, within one block; ``last`` of its piece."""
        self.ring_read = data.StructLayout(address | {"beats": 5})
        self.ring_write = data.StructLayout(address | {"data": 8 * LANES, "strb": LANES})
        self.data_read = data.StructLayout(address | {"beats": 5} | lanes | chain)
        self.data_write = data.StructLayout(address | {"beats": 5} | lanes)
        self.under_way = data.StructLayout({"ring": 1} | lanes | chain)
        """A read that has been asked for, of the rings or of frames."""
        self.beat = data.StructLayout({"data": 8 * LANES} | lanes | chain)
        """One word as it was read; ``first`` and ``last`` of its chain."""
        self.word = data.StructLayout({"data": 8 * LANES, "last_lane": LANE_BITS, "last": 1})
        """One word of a chain, put together; ``last`` of the chain."""
