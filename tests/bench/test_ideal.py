"""The ideal schedule, against schedules that were worked out by hand. Buses of 8 bytes; clocks count from the first beat offered."""

import pytest

from _bench.ideal import Demand, Schedule, Unit, demand, efficiency, room, schedule
from offcut_model import Options, Refused, VirtioNetHdr, segment

PLENTY = 1 << 20


def whole(size):
    """A request that leaves as it came."""
    return Demand(size, (Unit(size, 0, size, size),))


def cut(header, *pieces):
    """A request whose payload leaves in these pieces, each behind its header."""
    size = header + sum(pieces)
    ends = [header + sum(pieces[: number + 1]) for number in range(len(pieces))]
    begins = [0, *ends[:-1]]
    wires = [header + piece for piece in pieces]
    whole = [*ends[:-1], size]
    return Demand(size, tuple(map(Unit, wires, begins, ends, whole)))


def dropped(size):
    return Demand(size, ())


BY_HAND = {
    "a frame leaves in the clock after its last beat": ([whole(16)], [(0, 1)], [(2, 3)]),
    "equal frames leave one behind the other": ([whole(16)] * 3, [(0, 1), (2, 3), (4, 5)], [(2, 3), (4, 5), (6, 7)]),
    "a last beat takes a clock, however few its bytes": ([whole(17), whole(8)], [(0, 2), (3, 3)], [(3, 5), (6, 6)]),
    "a long frame behind a short one has to come first": ([whole(8), whole(32)], [(0, 0), (1, 4)], [(1, 1), (5, 8)]),
    "a short frame behind a long one has come meanwhile": ([whole(32), whole(8)], [(0, 3), (4, 4)], [(4, 7), (8, 8)]),
    "what is dropped takes clocks on the way in alone": ([whole(8), dropped(24), whole(8)], [(0, 0), (1, 3), (4, 4)], [(1, 1), (5, 5)]),
    # 8 bytes of header and twice 16 of payload: whole with bytes 24 (clock 2) and 40 (clock 4), 3 beats each.
    "a segment leaves before the rest of its frame has come": ([cut(8, 16, 16)], [(0, 4)], [(3, 5), (6, 8)]),
    # 24 bytes of header, payload of 8: each segment takes 4 beats to leave and one to come.
    "headers that are sent again keep the wire busy": ([cut(24, 8, 8, 8)], [(0, 5)], [(4, 7), (8, 11), (12, 15)]),
    # A segment of two beats is whole at byte 21, which comes with the beat of bytes 16 to 23.
    "a segment may end within a beat": ([cut(4, 17, 3)], [(0, 2)], [(3, 5), (6, 6)]),
    # The first 16 bytes leave last, whole when all has come; the others as they come.
    "the first fragment may leave last": (
        [Demand(40, (Unit(16, 16, 24, 24), Unit(16, 24, 40, 40), Unit(24, 0, 16, 40)))],
        [(0, 4)],
        [(3, 4), (5, 6), (7, 9)],
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_schedules_worked_out_by_hand(case):
    demands, spans_in, spans_out = BY_HAND[case]
    assert schedule(demands, 8, PLENTY) == Schedule(tuple(spans_in), tuple(spans_out))


def test_the_source_waits_while_the_room_is_full():
    """Segments of 16 bytes of which 8 come each: with room for 16 bytes the last beat of the frame waits from clock 4 to clock 5.

    Held after each clock: 8, 16 (the first segment is whole), 16 (8 of it left, 8 came), 16 (its end left, 8 came), 16 (the header of the
    second segment left: nothing that is held), 16 (the second segment's end left, the last 8 bytes came).
    """
    demands = [cut(8, 8, 8, 8, 8)]
    out = ((2, 3), (4, 5), (6, 7), (8, 9))
    assert schedule(demands, 8, 16) == Schedule(((0, 5),), out)
    assert schedule(demands, 8, PLENTY) == Schedule(((0, 4),), out)


def test_a_full_room_costs_clocks_on_the_wire_where_the_source_would_have_run_ahead():
    """Eight segments of 24 bytes of header and 8 of payload take the wire in clocks 4 to 35. Behind them come 25 beats that are dropped.

    With room for 32 bytes, segments 2 to 5 are held from clock 7 on. Each gives its 8 bytes free with its last beat, in clocks 11, 15, 19, where
    those of segments 6, 7 and 8 come; and in clock 23, from which on what is dropped comes, a beat a clock.
    """
    demands = [cut(24, *[8] * 8), dropped(200), whole(8)]
    full = schedule(demands, 8, 32)
    assert full.spans_in == ((0, 19), (23, 47), (48, 48)) and full.spans_out[-2:] == ((32, 35), (49, 49))
    ahead = schedule(demands, 8, PLENTY)
    assert ahead.spans_in == ((0, 10), (11, 35), (36, 36)) and ahead.spans_out[-2:] == ((32, 35), (37, 37))


def test_an_ideal_with_a_short_queue_does_not_read_ahead_of_it():
    """Two wire frames held: the first two segments have come in clocks 3 and 4; each of the others comes in the clock in which one has left."""
    demands = [cut(24, *[8] * 8), whole(8)]
    short = schedule(demands, 8, PLENTY, 2)
    assert short.spans_in == ((0, 27), (31, 31)) and short.spans_out == schedule(demands, 8, PLENTY).spans_out
    assert schedule(demands, 8, PLENTY, 9) == schedule(demands, 8, PLENTY)
    assert schedule(demands, 8, PLENTY, 8) != schedule(demands, 8, PLENTY, 2)


def test_a_wire_frame_that_never_fits_is_refused():
    with pytest.raises(ValueError, match="request 1 does not fit into 16 bytes"):
        schedule([whole(8), whole(40)], 8, 16)


def test_two_of_the_longest_wire_frames_always_fit():
    """Also where the first fragment of a datagram waits for the others: it and one more are then held."""
    longest = Demand(300, (Unit(100, 100, 200, 200), Unit(100, 200, 300, 300), Unit(100, 0, 100, 300)))
    for bus_bytes in (4, 8, 16, 32, 64):
        assert len(schedule([longest, longest, whole(100)], bus_bytes, room(100)).spans_out) == 7


def test_the_share_counts_from_the_first_beat_out_to_the_last():
    ideal = Schedule(((0, 1),), ((2, 3), (4, 5)))
    assert efficiency(ideal, 40, 43) == 1
    assert efficiency(ideal, 40, 47) == 0.5


HEADER = (
    bytes.fromhex("020000000001 020000000002 0800 4500 0000 0001 4000 40 06 0000 0a000001 0a000002") + bytes(12) + b"\x50\x10" + bytes(6)
)
TSO = VirtioNetHdr(flags=1, gso_type=1, gso_size=100, csum_start=34, csum_offset=16)


def framed(payload, protocol=6, header=HEADER):
    frame = bytearray(header + bytes(payload))
    frame[16:18] = (len(frame) - 14).to_bytes(2, "big")
    frame[23] = protocol
    return bytes(frame)


def demanded(frame, request, **options):
    options = Options(**options)
    try:
        frames = segment(frame, request, options)
    except Refused as refused:
        frames = list(refused.segments)
    return demand(frame, request, options, frames)


def test_what_a_request_demands_follows_from_its_plan():
    frame = framed(250)
    assert demanded(frame, VirtioNetHdr()) == whole(304)
    assert demanded(frame, TSO) == cut(54, 100, 100, 50)
    assert demanded(frame, TSO, vlan_tci=1).units == (Unit(158, 0, 154, 154), Unit(158, 154, 254, 254), Unit(108, 254, 304, 304))
    assert demanded(frame, TSO, mtu_max=120) == dropped(304)


def test_what_lies_behind_the_ip_length_must_come_and_does_not_leave():
    asked = demanded(framed(250) + bytes(9), VirtioNetHdr(), auto=True, mtu=140)
    assert asked == Demand(313, (Unit(154, 0, 154, 154), Unit(154, 154, 254, 254), Unit(104, 254, 304, 313)))


def test_of_a_frame_that_turns_out_too_long_the_first_segments_left():
    assert demanded(framed(250), TSO, frame_len=310).units == (Unit(154, 0, 154, 154), Unit(154, 154, 254, 254))


def test_the_fragment_with_the_udp_header_waits_for_the_end():
    frame = bytearray(framed(250, protocol=17, header=HEADER[:34] + bytes(8)))
    frame[38:40] = (258).to_bytes(2, "big")
    fragments = VirtioNetHdr(flags=1, gso_type=3, gso_size=104, csum_start=34, csum_offset=6)
    rest = Unit(34 + 50, 242, 292, 292)
    assert demanded(bytes(frame), fragments).units == (Unit(138, 138, 242, 242), rest, Unit(138, 0, 138, 292))
    assert demanded(bytes(frame), fragments, ufo_order="first").units == (Unit(138, 0, 138, 292), Unit(138, 138, 242, 292), rest)
