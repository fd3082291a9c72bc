"""The network device as Verilog, under cocotb: a driver written from the specification, and memory that stalls and caches."""

import functools
from pathlib import Path

import pytest

from bench import virtio_speed as speed
from bench.simulate import run
from bench.virtio_designs import Nic, Watched, as_verilog
from offcut.config import Config
from offcut.virtio import VirtioNet

ROOT = Path(__file__).parents[2]
TOP = "virtio_net"

GROUPS = {
    "frames": (
        "frames_go_both_ways_whatever_was_negotiated",
        "frames_of_64_kib_leave_from_many_pieces",
        "a_chain_may_be_as_long_as_the_queue",
        "without_buffers_frames_wait_and_none_is_lost",
        "a_frame_that_fits_no_chain_is_dropped_and_the_chain_waits",
        "a_frame_whose_lanes_break_the_contract_is_dropped_alone",
        "queues_may_have_another_length_each_time_and_each_their_own",
        "rings_and_buffers_may_end_where_the_window_ends",
        "without_the_driver_s_synchronisation_memory_is_stale",
    ),
    "registers": (
        "registers_are_what_linux_expects",
        "features_that_do_not_go_together_are_refused",
        "half_a_register_is_not_written_and_strangers_read_as_zero",
        "a_change_of_the_link_interrupts_and_counts",
        "interrupts_come_when_they_are_wanted_and_not_otherwise",
        "the_device_asks_not_to_be_notified_while_it_looks_itself",
        "a_driver_of_another_device_is_told_so",
    ),
    "faults": (
        "every_malformed_ring_needs_a_reset_and_does_no_harm",
        "a_queue_that_cannot_be_is_answered_with_needs_reset",
        "a_ring_outside_of_the_window_is_never_touched",
        "memory_that_answers_with_an_error_needs_a_reset",
        "behind_a_fault_frames_are_swallowed_the_one_that_waits_for_room_too",
        "a_driver_out_of_turn_does_no_harm",
    ),
    "resets": (
        "a_reset_in_mid_transfer_leaves_nothing_under_way",
        "a_reset_of_the_design_in_mid_transfer_leaves_no_trace",
    ),
}
"""Tests that share a run."""


@functools.cache
def device():
    return as_verilog(Watched(VirtioNet(Config())), TOP)


@functools.cache
def nic():
    return as_verilog(Watched(Nic(Config())), "nic")


@pytest.mark.parametrize("group", GROUPS)
def test_the_device_does_what_the_specification_says(group, seed):
    run("bench.virtio_net", verilog=device(), top=TOP, tests=GROUPS[group], settings={"seed": seed}, name=f"virtio-{group}")


def test_the_page_tells_how_fast_it_is():
    """A seed of its own: where buffers lie decides how many bursts they take."""
    assert (ROOT / "docs" / "virtio.md").read_text().count(speed.table()) == 1, "scripts/docs docs/virtio.md writes the page again"


def test_short_queues_and_many_frames_never_stand_still(seed):
    """Where a write of the rings is answered among many of received frames, nobody may wait for it who has not seen it go by."""
    tests = ["frames_go_both_ways_whatever_was_negotiated"]
    settings = {"seed": seed, "drivers": ["short queues"], "count": 120}
    run("bench.virtio_net", verilog=device(), top=TOP, tests=tests, settings=settings, name="virtio-short-queues")


@pytest.mark.long
def test_with_the_engine_behind_it_frames_are_cut_as_the_model_says(seed):
    """By default two devices with two engines do the same, in tests/boards, and one with its engine, driven from memory, in tests/guest."""
    tests = ["what_the_driver_sends_is_cut_as_the_model_says_and_comes_back"]
    run("bench.virtio_net", verilog=nic(), top="nic", tests=tests, settings={"seed": seed, "count": 80}, name="virtio-engine")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_thousands_of_frames_go_both_ways(seed):
    settings = {"seed": seed, "count": 500, "longest": 9000, "sizes": (65_549, 65_535, 100_000, 1_000_000), "resets": 300}
    tests = (
        "frames_go_both_ways_whatever_was_negotiated",
        "frames_of_64_kib_leave_from_many_pieces",
        "a_reset_in_mid_transfer_leaves_nothing_under_way",
    )
    run("bench.virtio_net", verilog=device(), top=TOP, tests=tests, settings=settings, name="virtio-long")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_thousands_of_requests_are_cut_as_the_model_says(seed):
    tests = ["what_the_driver_sends_is_cut_as_the_model_says_and_comes_back"]
    settings = {"seed": seed, "count": 3000, "jumbo": 0.002}
    run("bench.virtio_net", verilog=nic(), top="nic", tests=tests, settings=settings, name="virtio-engine-long")
