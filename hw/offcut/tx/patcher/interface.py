"""What both patchers have in common: their ports, and what a kind of field is."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

__all__ = ["ID_15_BITS", "ID_FIXED", "STEPS", "header_write_layout", "lookup_clock", "ports", "patch_layout", "sum_clock"]

ID_FIXED, ID_15_BITS = 1, 2

STEPS = 16
"""Words that a frame has at most."""


def header_write_layout(geometry):
    """A halfword of a header on its way into the header RAM, with the tag of the field that stands there."""
    return data.StructLayout({"index": range(geometry.header_bytes // 2), "data": 16, "field": geometry.tag_bits})


def patch_layout(geometry):
    """A word of how the fields of a frame's segments are made; they come in the order in which the fields stand in the header.

    ``kind`` is a :class:`parser.instruction.Patch`. ``data`` is what the field is made of: the opposite of the place that a length counts
    from, the first value of what counts on, a sum, or the field itself. What else is to be known stands beside it, and counts with CONSTANTS.
    """
    g = geometry
    extras = {
        "id_mode": 2 if g.segments else 0,
        "udp": g.uso or g.ufo,
        "ipv6": g.segments_ipv6,
        "ufo": g.ufo,
        "inner_ipv6": g.tunnel,
        "tunnel_udp": g.udp_tunnel or g.tunnel_csum,
    }
    plain = {"index": range(STEPS), "kind": 4, "last": 1, "data": 16}
    return data.StructLayout(plain | {name: int(bits) for name, bits in extras.items() if bits and g.segments})


def lookup_clock(geometry):
    """The clock after ``begin`` in which the fields of a unit's first row are looked up; a row later, those of the next."""
    return 5 if geometry.serial else 3


def sum_clock(geometry):
    """The clock after ``begin`` in which the sum of a unit's payload is taken, at the earliest."""
    return 2 if geometry.serial else 3


def ports(geometry):
    """The members of a patcher.

    ::

        clock   0 ............... lookup_clock        and 1 more
              begin               tags ─▶ values         csum        of the first row; of row n, n clocks later

    Members
    -------
    slot, patch : In, In(stream.Signature(patch_layout(geometry), always_ready=True))
        Written before the frame's first unit begins.
    begin : In(1)
        The joiner begins with ``entry``, if ``ready``.
    ready : Out(1)
    entry : In(geometry.entry)
    sum : In(16)
        The oldest sum in the queue.
    take_sum, take_crc : Out(1)
        It was used. The CRC is wanted in the clock after.
    tags : In
        If it is parallel: the field in each halfword of a row, by its tag.
    header, row : In(stream.Signature(header_write_layout(geometry), always_ready=True)), In
        If it is serial: the halfwords that are written into the header RAM, to learn where the fields stand; which row it is.
    udp : Out(1)
        If it is serial: the unit is cut from UDP, so its last field may stand in its last row. Where it does, the next unit must begin a clock
        later than it could: the first field that it writes may have the same place.
    values : Out
        The fields of that row, in the same clock. Where there is none, anything.
    csum : Out(16)
        The transport checksum of the unit.
    """
    halfwords = geometry.width // 16
    if geometry.serial:
        at_row = {
            "header": In(stream.Signature(header_write_layout(geometry), always_ready=True)),
            "row": In(range(geometry.slot_rows)),
            "udp": Out(1),
        }
    else:
        at_row = {"tags": In(data.ArrayLayout(geometry.tag_bits, halfwords))}
    return {
        "slot": In(range(geometry.slots)),
        "patch": In(stream.Signature(patch_layout(geometry), always_ready=True)),
        "begin": In(1),
        "ready": Out(1),
        "entry": In(geometry.entry),
        "sum": In(16),
        "take_sum": Out(1),
        "take_crc": Out(1),
        **at_row,
        "values": Out(data.ArrayLayout(16, halfwords)),
        "csum": Out(16),
    }
