"""Each rule that the harness watches, broken by a stand-in."""

import random

import pytest
from standin import Mode

from offcut.rtl import ContractViolation, Hang, Request

BROKEN = {
    Mode.KEEP_HOLE: "m_axis_tkeep 0x.*d is not contiguous from lane 0",
    Mode.KEEP_SHORT: "m_axis_tkeep 0x1 is not full before the last beat",
    Mode.KEEP_EMPTY: "m_axis_tkeep is 0 on a last beat",
    Mode.LANE_DIRTY: "m_axis_tdata has 0x80 in unused lane",
    Mode.DATA_CHANGES: "m_axis_tdata changed while the beat waited",
    Mode.LAST_CHANGES: "m_axis_tlast changed while the beat waited",
    Mode.VALID_DROPS: "m_axis_tvalid was withdrawn while the beat waited",
    Mode.GAP: "m_axis_tvalid fell within a frame, after byte",
    Mode.HANG_OUT: "m_axis_tvalid fell within a frame, after byte",
    Mode.NO_LAST: "a wire frame is longer than 9216 bytes",
    Mode.VALID_AFTER_READY: "m_axis_tvalid fell within a frame, after byte",
    Mode.USER_CHANGES: "m_axis_tuser changed while the beat waited",
    Mode.USER_MIXED: "m_axis_tuser changed within a frame",
}


USER_WIDTH = 7


def two_beats_and_a_byte(lanes):
    return 2 * lanes + 1


LENGTHS = {
    Mode.NO_LAST: lambda lanes: 4 * lanes,  # no lane unused: nothing else is wrong
}


@pytest.mark.parametrize("width", (32, 64, 512))
@pytest.mark.parametrize("mode", BROKEN, ids=lambda mode: mode.name)
def test_a_broken_output_rule_is_reported_with_its_clock(standin_engine, width, mode, seed):
    source = random.Random(seed)
    good = [Request(source.randbytes(100)) for _ in range(5)]
    # So many that each meets the clocks that show it, and that frames without an end grow too long.
    bad = [Request(source.randbytes(LENGTHS.get(mode, two_beats_and_a_byte)(width // 8)), mtu=mode) for _ in range(1000)]
    with pytest.raises(ContractViolation, match=rf"clock \d+, wire frame ([5-9]|\d\d+): {BROKEN[mode]}.*seed {seed}"):
        standin_engine(width, user_width=USER_WIDTH).run(good + bad, sink_stall=0.5, seed=seed)


def test_an_engine_that_takes_nothing_more_is_reported_and_not_waited_for(standin_engine):
    requests = [Request(bytes(64)), Request(bytes(64), mtu=Mode.HANG_IN), Request(bytes(100)), Request(bytes(60))]
    with pytest.raises(Hang, match=r"no beat has moved for 2001 clocks.*request 1 \(64 bytes\) stands at byte 8.*s_axis_tready 0"):
        standin_engine(64).run(requests)


def test_an_engine_that_waits_for_the_sink_is_found_by_a_sink_that_waits_for_it(standin_engine):
    requests = [Request(bytes(64)), Request(bytes(8), mtu=Mode.VALID_AFTER_READY)]
    assert len(standin_engine(64).run(requests, sink_stall=0.5).frames) == 2, "in frames of one beat nobody else can see it"
    with pytest.raises(ContractViolation, match="wire frame 1: m_axis_tvalid waited for m_axis_tready"):
        standin_engine(64).run(requests, shy=True)


def test_a_frame_that_never_ends_is_reported_when_the_input_is_over(standin_engine):
    with pytest.raises((Hang, ContractViolation)):
        standin_engine(64).run([Request(bytes(64), mtu=Mode.NO_LAST)])


@pytest.mark.parametrize("width", (32, 64, 512))
def test_the_source_never_breaks_a_rule_itself(standin_engine, width, seed):
    source = random.Random(seed)
    requests = [Request(source.randbytes(source.randint(1, 2000))) for _ in range(500)]
    for idle in (0.0, 0.4, (3, 2)):
        result = standin_engine(width).run(requests, source_idle=idle, sink_stall=0.6, seed=seed)
        assert result.dropped == {}, "the stand-in counts a change while it was not ready as bad_header"
