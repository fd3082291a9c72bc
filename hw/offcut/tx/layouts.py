"""What flows between the blocks of the transmit engine: one layout a stream, narrow to wide."""

from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

__all__ = ["FIELD_BITS", "FRAME_LEN_BITS", "POSITION_BITS", "Drop", "Field", "Geometry", "Kind"]

FRAME_LEN_BITS = 20
"""``frame_len`` and everything measured in it: BIG TCP frames reach 512 KiB."""

POSITION_BITS = 17
"""Byte positions that a request can name: two 16-bit fields and their sum. All frames that leave are shorter."""


class Drop(enum.IntEnum):
    """Why a frame does not leave. The names are the ports', the counters', the JSON's and the model's."""

    NONE = 0
    BAD_KEEP = 1
    LENGTH_MISMATCH = 2
    TRUNCATED = 3
    HEADER_TOO_LONG = 4
    TOO_LONG = 5
    TOO_BIG = 6
    BAD_REQUEST = 7
    BAD_HEADER = 8
    DISABLED = 9


class Field:
    """What a halfword of a header gets anew in every segment.

    A field stands either in halfwords of even index or in odd ones (headers begin two bytes past a multiple of four), so two bits tell
    all of a kind apart, and the lanes of each kind choose between four values.
    """

    NONE = 0
    # even halfwords
    TOTAL_LENGTH = 1
    SEQUENCE_LOW = 2
    # odd halfwords
    IDENTIFICATION = 1
    SEQUENCE_HIGH = 2
    FLAGS = 3


FIELD_BITS = 2


class Kind(enum.IntEnum):
    """What a frame's metadata asks for."""

    PASS = 0
    CHECKSUM = 1
    SEGMENT = 2
    AUTO = 3


def banks(rows):
    """Depths of the memories that hold ``rows`` bus words at the least cost: powers of two, the larger first, 512 at least."""
    single = max(512, 1 << ceil_log2(rows))
    rest = max(512, 1 << ceil_log2(rows - single // 2)) if rows > single // 2 else single
    return [single // 2, rest] if rest < single // 2 else [single]


class Geometry:
    """The sizes and layouts that follow from one :class:`offcut.config.Config`.

    Attributes
    ----------
    bus_bytes, lane_bits : int
        Bytes a bus word, and bits that name one of them.
    row_bits : int
        Bits of a bus word's index within a frame that leaves (one past ``gso_size`` 65535 behind 256 bytes of header).
    store_rows : int
        Bus words between the input and the slicer. The longest header and some 25 clocks of the parser must fit; with 32, frames that are
        walked would miss line rate from 64 bits on.
    buffer_banks : list of int
        Bus words in each memory of the payload buffer: two of the longest units, and what is under way when it says that it is full.
    slots, slot_rows : int
        Headers that the header RAM holds, and bus words for each.
    """

    header_bytes = 256
    slots = 4
    queue_depth = 32

    def __init__(self, config):
        self.config = config
        self.width = config.width
        self.bus_bytes = config.width // 8
        self.lane_bits = ceil_log2(self.bus_bytes)
        self.row_bits = 17 - self.lane_bits
        self.store_rows = 64
        self.slot_rows = self.header_bytes // self.bus_bytes
        self.parse_bits = min(config.width, 64)
        self.buffer_banks = banks(2 * -(-config.mtu_max // self.bus_bytes) + 20)

        width, lanes = self.width, self.lane_bits
        drop, position = ceil_log2(len(Drop)), POSITION_BITS
        slot, row_at = ceil_log2(self.slots), ceil_log2(self.store_rows)

        self.axis = data.StructLayout({"data": width, "keep": width // 8, "last": 1, "user": 160})
        self.out = data.StructLayout({"data": width, "keep": width // 8, "last": 1})

        # What ends a row: the lane of its last byte (unless it broke the contract and has none), and whether its frame ends here.
        self.row_end = data.StructLayout({"last": 1, "lane": lanes, "empty": 1, "fault": 2})
        self.row = data.StructLayout({"data": width, "end": self.row_end})

        # A frame's request, decoded. size is gso_size, or the MTU for Kind.AUTO.
        self.request = data.StructLayout({
            "row": row_at,
            "kind": 2,
            "drop": drop,
            "walk": 1,  # whether its headers must be looked at
            "needs_csum": 1,
            "size": 16,
            "csum_start": 16,
            "csum_low": position,  # of the checksum field's second byte
            "csum_swap": 1,
            "frame_len": FRAME_LEN_BITS,
        })

        # What the parser decided for a frame.
        self.plan = data.StructLayout({
            "drop": drop,
            "swallow": 1,  # drop is a reason
            "cut": 1,
            "slot": slot,
            "header_len": 9,  # 0 unless cut
            "headed": 1,  # the header fills at least one row
            "last_row": self.row_bits,  # of a full segment: the row and lane of its last byte as it leaves
            "last_lane": lanes,
            "single": 1,  # cut, and a full segment's payload fits one row
            "step_lane": lanes,  # gso_size mod bus_bytes
            "step_row": data.StructLayout({"less": 1, "more": 1}),  # see Slicer
            "auto": 1,  # not asked for, but found
            # Auto, cut: bytes behind this one are left out. Otherwise: the byte that the frame must reach, for what is asked or was found.
            "limit": 1,
            "limit_first": 1,  # and that byte lies in the first row
            "end": position,
            # Where a frame is not cut: the bytes summed are sum_first to sum_last, or to the frame's end if not auto.
            "sum_first": position,
            "sum_last": position,
            "base": 17,  # what the sum starts with
            "csum": 1,
            "csum_low": position,  # of the checksum field's second byte
            "csum_swap": 1,
            "ip": 1,  # whether an IPv4 header checksum is filled in a frame that is not cut
            "ip_tagged": 1,
            "ip_sum": 16,
        })

        # The patcher's constants of a frame that is cut, kept beside its header.
        self.record = data.StructLayout({
            "seq": 32,
            "identification": 16,
            "flags": 16,  # data offset and flags, as they stand in the header
            "ip_sum": 16,
            "header_len": 9,
            "tagged": 1,
        })

        # One unit that leaves.
        self.entry = data.StructLayout({
            "single": 1,  # it leaves in one row
            "void": 1,  # nothing leaves: only the header slot becomes free
            "cut": 1,
            "slot": slot,
            "first": 1,
            "last": 1,
            "header_len": 9,
            "last_row": self.row_bits,
            "last_lane": lanes,
            "csum": 1,
            "csum_low": position,
            "csum_swap": 1,
            "ip": 1,
            "ip_tagged": 1,
            "ip_sum": 16,
        })
