"""Adapters keep the stream's rules, and give a frame for a frame."""

import pytest

from formal import ProofFailed
from formal.adapters import adapter_bench, status_bench
from offcut.config import Config
from offcut.ip import control_stream, inline_header, status_stream
from offcut.ip.control_stream import ControlStream
from offcut.ip.inline_header import InlineHeader
from offcut.ip.status_stream import StatusStream

NARROW = Config(width=32)

FAULTS = [
    # (module, component, what is replaced, by what, the promise that breaks)
    (inline_header, "InlineHeader", "room.eq(~o.valid | o.ready)", "room.eq(1)", "o.payload is stable|no frame's end is lost"),
    (inline_header, "InlineHeader", "with m.If(o.ready):", "with m.If(1):", "o.valid is not withdrawn"),
    (inline_header, "InlineHeader", "with m.If(~(waits & ~alone & ends_here)):", "with m.If(1):", "no frame ends that has not ended"),
    (control_stream, "ControlStream", "first = ~inside", "first = ~inside | 1", "o.payload is stable while it waits"),
    (control_stream, "ControlStream", "passing = full | inside", "passing = 1", "no frame begins before its packet"),
]


@pytest.mark.parametrize("header", [10, 12, 20])
def test_a_header_in_front_is_taken_off_by_the_streams_rules_for_all_time(prove, header):
    prove(adapter_bench(InlineHeader(NARROW, header)), depth=3)


def test_control_packets_and_frames_meet_by_the_streams_rules_for_all_time(prove):
    prove(adapter_bench(ControlStream(NARROW)), depth=4)


def test_statuses_and_frames_keep_the_streams_rules_for_all_time(prove):
    prove(status_bench(StatusStream(32)), depth=4)


@pytest.mark.parametrize(("module", "component", "text", "becomes", "promise"), FAULTS)
def test_a_fault_in_an_adapter_is_found(prove, mutant, module, component, text, becomes, promise):
    make = getattr(mutant(module, text, becomes), component)
    faulty = make(NARROW, 10) if component == "InlineHeader" else make(NARROW)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(adapter_bench(faulty, invariants=False), mode="bmc", depth=14)
    assert any(one in claim for claim in failure.value.claims for one in promise.split("|")), failure.value


def test_a_hold_within_a_frame_is_found(prove, mutant):
    faulty = mutant(status_stream, "with m.If((taken & i.payload.last) | (~o.valid & ~inside)):", "with m.If(taken):").StatusStream(32)
    with pytest.raises(ProofFailed):
        prove(status_bench(faulty), depth=4)
