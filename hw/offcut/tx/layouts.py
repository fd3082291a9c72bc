"""What flows between the blocks of the transmit engine: one layout a stream, narrow to wide."""

from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

__all__ = ["DROP_BITS", "FRAME_LEN_BITS", "HEADER_LEN_BITS", "POSITION_BITS", "RUN_BITS", "Base", "Drop", "Field", "Geometry", "Kind"]

FRAME_LEN_BITS = 20
"""``frame_len`` and everything measured in it: BIG TCP frames reach 512 KiB."""

POSITION_BITS = 17
"""Byte positions that a request can name: two 16-bit fields and their sum. All frames that leave are shorter."""

HEADER_LEN_BITS = 9
"""Byte positions in a header: up to 256, and a little beyond while it is walked."""


RUN_BITS = 13
"""Fragments that IP can number: their offset field counts 8 bytes in 13 bits."""


BUFFER_MARGIN = 20
"""Words that a buffer holds beyond those it is meant for: with fewer left it would stop the slicer, which has some under way."""


BUFFER_LEAD = 44
"""Words that the payload buffer holds beyond these: as many as clocks can pass from a unit's last word to its first one that leaves.

A unit leaves at a row a clock, and the next one takes the places that become free. To follow without a clock between, it must be whole before its turn by the
time that its entry takes on its way to the joiner, so as many words of the unit before it are still there: up to 22, and as many again behind a CRC.
"""


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


DROP_BITS = ceil_log2(len(Drop))


class Kind(enum.IntEnum):
    """What a frame's metadata asks for."""

    PASS = 0
    CHECKSUM = 1
    SEGMENT = 2
    AUTO = 3


class Base(enum.IntEnum):
    """How a segment request wants its frame cut: ``gso_type`` without its bits for ECN and tunnels."""

    TCP4 = 0
    TCP6 = 1
    USO = 2
    UFO = 3


class Field(enum.IntEnum):
    """What a halfword of a header gets anew in every segment; the header RAM keeps one with each."""

    NONE = 0
    LENGTH = 1
    """Of the outermost IP header."""
    IDENTIFICATION = 2
    LOW = 3
    """The lower half of TCP's sequence number, or the UDP length."""
    HIGH = 4
    """The upper half."""
    FLAGS = 5
    IP_CSUM = 6
    FRAGMENT = 7
    INNER_LENGTH = 8
    INNER_IDENTIFICATION = 9
    INNER_IP_CSUM = 10
    TUNNEL_LENGTH = 11
    TUNNEL_CSUM = 12


def banks(rows):
    """Depths of the memories that hold ``rows`` bus words at the least cost: powers of two, the larger first, 512 at least."""
    single = max(512, 1 << ceil_log2(rows))
    rest = max(512, 1 << ceil_log2(rows - single // 2)) if rows > single // 2 else single
    return [single // 2, rest] if rest < single // 2 else [single]


class Geometry:
    """The sizes and layouts that follow from one :class:`offcut.config.Config`.

    A field that only a feature needs is in a layout only with that feature; who writes it asks for it by ``in``.

    Attributes
    ----------
    bus_bytes, lane_bits : int
        Bytes a bus word, and bits that name one of them.
    row_bits : int
        Bits of a bus word's index within a frame that leaves (one past ``gso_size`` 65535 behind 256 bytes of header).
    store_rows : int
        Bus words between the input and the slicer. The longest header and some 25 clocks of the parser must fit.
    buffer_banks, side_banks : list of int
        Bus words in each memory of the payload buffer, and of the one in which the first fragment waits for the others.
    datagram_words : int
        As many bus words do not fit the buffer any more, so that a datagram whose fragments must all wait is given up.
    slots, slot_rows : int
        Headers that the header RAM holds, and bus words for each.
    serial : bool
        A header's fields are worked out one by one: there is time for that.
    fields : list of Field
        Those that some frame can have; their place in it is their tag.
    tag_bits, mark_bits : int
        Bits of a tag; and of what the header RAM keeps with a halfword: that, or only whether there is a field.
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
        self.store_rows = 64 if config.width == 64 else 128
        self.slot_rows = self.header_bytes // self.bus_bytes

        has = config.has
        self.checksums = has("tx-checksum-ip-generic")
        self.tcp4, self.tcp6 = has("tx-tcp-segmentation"), has("tx-tcp6-segmentation")
        self.tcp = self.tcp4 or self.tcp6
        self.uso, self.ufo = has("tx-udp-segmentation"), has("tx-udp-fragmentation")
        self.segments = self.tcp or self.uso or self.ufo
        self.mangle_id = has("tx-tcp-mangleid-segmentation")
        self.gre, self.gre_csum = has("tx-gre-segmentation"), has("tx-gre-segmentation") and has("tx-gre-csum-segmentation")
        self.ipxip4, self.ipxip6 = has("tx-ipxip4-segmentation"), has("tx-ipxip6-segmentation")
        self.udp_tunnel = has("tx-udp_tnl-segmentation")
        self.udp_tunnel_csum = self.udp_tunnel and has("tx-udp_tnl-csum-segmentation")
        self.tunnel = self.segments and (self.gre or self.ipxip4 or self.ipxip6 or self.udp_tunnel)
        self.serial = self.segments and self.width <= 64
        self.segments_ipv6 = self.tcp6 or self.uso or self.ufo or self.tunnel  # behind an outermost IPv6 header
        self.tunnel_csum = self.segments and (self.gre_csum or self.udp_tunnel_csum)
        self.vlan = has("tx-vlan-offload")
        self.sctp = has("tx-checksum-sctp")
        self.headers = self.segments or self.vlan
        self.first_last = self.ufo and config.ufo_order == "last"
        self.runs = self.ufo and config.ufo_order == "first"

        built = {
            Field.NONE: True,
            Field.LENGTH: self.segments,
            Field.IDENTIFICATION: self.segments,
            Field.LOW: self.tcp or self.uso,
            Field.HIGH: self.tcp,
            Field.FLAGS: self.tcp,
            Field.IP_CSUM: self.segments or self.checksums,
            Field.FRAGMENT: self.ufo,
            Field.INNER_LENGTH: self.tunnel,
            Field.INNER_IDENTIFICATION: self.tunnel,
            Field.INNER_IP_CSUM: self.tunnel,
            Field.TUNNEL_LENGTH: self.udp_tunnel,
            Field.TUNNEL_CSUM: self.tunnel_csum,
        }
        self.fields = [field for field, is_built in built.items() if is_built]
        self.tag_bits = ceil_log2(len(self.fields))
        self.mark_bits = 1 if self.serial else self.tag_bits

        unit_rows = -(-config.mtu_max // self.bus_bytes)
        whole_rows = (1 << 16) // self.bus_bytes if self.runs else 0  # a datagram whose fragments wait for its checksum
        self.buffer_banks = banks(max(unit_rows, whole_rows) + BUFFER_LEAD + BUFFER_MARGIN)
        self.side_banks = banks(unit_rows + BUFFER_MARGIN)
        # (While one fills it, nothing else may; and it must be given up before the buffer asks the slicer to wait.)
        self.datagram_words = sum(self.buffer_banks) - 2 * BUFFER_MARGIN

        self._layouts(ceil_log2(self.slots), ceil_log2(self.store_rows))

    def tag(self, field):
        """The number that stands for a field in the header RAM; 0 if no frame has it."""
        return self.fields.index(field) if field in self.fields else 0

    def _layouts(self, slot, row_at):
        width, lanes = self.width, self.lane_bits
        position, header = POSITION_BITS, HEADER_LEN_BITS
        user = {"user": self.config.user_width} if self.config.user_width else {}
        vlan = {"tci": 16, "insert": 1} if self.vlan else {}
        flags = {"clear_first": 12, "clear_middle": 12, "clear_last": 12} if self.tcp else {}

        self.settings = data.StructLayout({
            "auto": 1,
            "mtu": 16,
            "disable": 16,
            "tcp_clear_first": 12,
            "tcp_clear_middle": 12,
            "tcp_clear_last": 12,
            "id_mode": 2,
            "uso_size": 16,
        })
        self.axis = data.StructLayout({"data": width, "keep": width // 8, "last": 1, "user": 160 + self.config.user_width})
        self.out = data.StructLayout({"data": width, "keep": width // 8, "last": 1} | user)

        # What ends a row: the lane of its last byte (unless it broke the contract and has none), and whether its frame ends here.
        self.row_end = data.StructLayout({"last": 1, "lane": lanes, "empty": 1, "fault": 2})
        self.row = data.StructLayout({"data": width, "end": self.row_end})

        # A frame's request, decoded. size is gso_size, or the MTU for Kind.AUTO; csum_start is uso_size there.
        self.request = data.StructLayout(
            {
                "row": row_at,
                "kind": 2,
                "base": 2,
                "drop": DROP_BITS,
                "walk": 1,  # whether its headers must be looked at
                "needs_csum": 1,
                "size": 16,
                "csum_start": 16,
                "csum_low": position,  # of the checksum field's second byte
                "csum_swap": 1,
                "frame_len": FRAME_LEN_BITS,
                # Features that the walk asks for: on, in this frame.
                "on": data.StructLayout({
                    "checksum": 1,
                    "tcp4": 1,
                    "tcp6": 1,
                    "uso": 1,
                    "ufo": 1,
                    "gre": 1,
                    "gre_csum": 1,
                    "ipxip4": 1,
                    "ipxip6": 1,
                }),
            }
            | ({"id_mode": 2} if self.segments else {})
            | ({"tunnel": 1, "outer_ipv6": 1, "tunnel_csum": 1, "outer_th": header, "inner_nh": header} if self.udp_tunnel else {})
            | ({"sctp": 1} if self.sctp else {})
            | flags
            | vlan
            | user
        )

        # What the parser decided for a frame.
        self.plan = data.StructLayout(
            {
                "drop": DROP_BITS,
                "swallow": 1,  # drop is a reason
                "cut": 1,
                "headed": 1,  # its header is in the header RAM, in slot
                "slot": slot,
                "header_len": header,  # as it leaves, 0 unless headed
                "skip": header - lanes if lanes < header else 1,  # rows to pass over before the first word of payload is in the window
                "skips": 1,  # that is not 0
                "moved": 1,  # the header leaves longer or shorter than it came: the window begins elsewhere
                "shift": lanes,  # where the window begins
                "tail": lanes + 1,  # where a full segment that begins there ends in its window
                "until": lanes + 1,  # where the first word ends in its window, unless the frame does
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
                "csum": 1,  # of a frame that is cut too: the same in every unit that has a transport header
                "csum_low": position,  # of the checksum field's second byte, as it leaves
                "csum_swap": 1,
                "ip": 1,  # whether an IPv4 header checksum is filled in a frame that is not cut
                "ip_low": header,  # and where: its second byte
                "ip_sum": 16,
            }
            | ({"ufo": 1} if self.ufo else {})
            | ({"crc": 1} if self.sctp else {})
            | user
        )

        self._plan_groups(user)

        # One unit that leaves.
        self.entry = data.StructLayout(
            {
                "single": 1,  # it leaves in one row
                "void": 1,  # nothing leaves: only the header slot becomes free
                "cut": 1,
                "headed": 1,
                "slot": slot,
                "first": 1,  # of its frame to leave
                "last": 1,  # with the end of its frame's payload
                "release": 1,  # the header slot is needed no more
                "header_len": header,
                "last_row": self.row_bits,
                "last_lane": lanes,
                "summed": 1,  # a sum of the payload is in the queue
                "csum": 1,
                "csum_low": position,
                "csum_swap": 1,
                "ip": 1,
                "ip_low": header,
                "ip_sum": 16,
            }
            | ({"ufo": 1} if self.ufo else {})
            | ({"side": 1} if self.first_last else {})
            | ({"crc": 1} if self.sctp else {})
            | user
        )

    def _plan_groups(self, user):
        """A plan as PlanStore keeps it: its fields, and some that follow from them, by who reads them and when."""

        def group(*names, **derived):
            return data.StructLayout({name: self.plan[name].shape for name in names if name in self.plan.members} | derived)

        lanes = self.lane_bits
        self.opening = group(
            *("swallow", "cut", "skips", "moved", "single", "limit_first", "ufo"),
            *("shift", "tail", "until", "last_lane", "step_lane"),
            passes=1,  # header rows come before the first word
            pair=1,  # the second row of a full segment's payload is its last
            next_shift=lanes,  # of the second segment, ...
            next_tail=lanes + 1,
            next_until=lanes + 1,
            moves=1,  # ... and whether its first window is a row further on, ...
            moves_back=1,  # ... or back
            less=1,
            more=1,
            limit_lane=lanes,
            limit_in=1,  # it lies not behind ``until``
            flush=1,  # the header fills its last row
        )
        self.slicing = group(
            *("skip", "limit"),
            limit_row=POSITION_BITS - lanes,
            triple=1,  # the third row of a full segment's payload is its last
            span_less=self.row_bits,  # rows behind the second, to the last
        )
        row = HEADER_LEN_BITS - lanes
        self.ranging = group("last_lane", header_row=row, header_lane=lanes, hollow_row=row)  # the row before, if there is no payload
        self.judging = group(
            *("drop", "cut", "auto", "sum_first", "sum_last", "end"),
            *(("csum_low", "crc") if self.sctp else ()),
            insists=1,  # a frame that ends before ``end`` is refused
        )
        self.leaving = group(*(
            "cut",
            "headed",
            "slot",
            "header_len",
            "csum",
            "csum_low",
            "csum_swap",
            "ip",
            "ip_low",
            "ip_sum",
            "ufo",
            "crc",
            "user",
        ))
