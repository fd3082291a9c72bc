"""What both patchers have in common: their ports, and what a kind of field is."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

__all__ = ["FLAGS_CLEARED", "ID_15_BITS", "ID_FIXED", "lookup_clock", "ports", "record_layout", "sum_clock"]

FLAGS_CLEARED = {"first": 0x009, "middle": 0x089, "last": 0x080}
"""TCP flags that go, by a segment's place; a frame that leaves in one keeps all."""

ID_FIXED, ID_15_BITS = 1, 2


def record_layout(geometry):
    """The constants of a frame that is cut, and its slot."""
    return data.StructLayout({"slot": range(geometry.slots), "record": geometry.record})


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
    record : In(stream.Signature(record_layout(geometry), always_ready=True))
        It counts for the frame in its slot from 14 clocks on; the next one comes 14 clocks later at the earliest.
    begin : In(1)
        The joiner begins with ``entry``, if ``ready``.
    ready : Out(1)
    entry : In(geometry.entry)
    sum : In(16)
        The oldest sum in the queue.
    take_sum, take_crc : Out(1)
        It was used. The CRC is wanted in the clock after.
    tags : In
        The field in each halfword of a row, by its tag.
    values : Out
        Of each of these, in the same clock. Where there is none, anything.
    csum : Out(16)
        The transport checksum of the unit.
    """
    halfwords = geometry.width // 16
    return {
        "record": In(stream.Signature(record_layout(geometry), always_ready=True)),
        "begin": In(1),
        "ready": Out(1),
        "entry": In(geometry.entry),
        "sum": In(16),
        "take_sum": Out(1),
        "take_crc": Out(1),
        "tags": In(data.ArrayLayout(geometry.field_bits, halfwords)),
        "values": Out(data.ArrayLayout(16, halfwords)),
        "csum": Out(16),
    }
