"""The veth design end to end: a processor at GP0, memory at the other ports, both interrupt lines, and two drivers that send to each other."""

import functools

import pytest

from bench.simulate import run
from bench.veth_designs import WatchedVeth
from bench.virtio_designs import as_verilog
from offcut.boards.catalogue import BOARDS

TOP = "veth"
KINDS = 12
"""Of requests that the bench draws, each in its turn."""

VIRTIO = ("csum", "mtu", "mac", "mrg_rxbuf", "status", "indirect", "event_idx", "version_1", "access_platform", "order_platform")
"""Feature bits that do not depend on the engine."""

BITS = {
    "tx-tcp-segmentation": "host_tso4",
    "tx-tcp6-segmentation": "host_tso6",
    "tx-tcp-ecn-segmentation": "host_ecn",
    "tx-udp-segmentation": "host_uso",
    "tx-udp-fragmentation": "host_ufo",
}

GROUPS = {
    "traffic": (
        "both_devices_are_probed_each_in_its_window",
        "what_each_driver_sends_the_other_one_receives_cut_as_the_model_says",
        "frames_of_64_kib_cross_both_ways",
    ),
    "sides": (
        "each_line_is_raised_by_its_own_device_and_lowered_by_the_acknowledgement",
        "a_driver_without_buffers_stops_what_comes_to_it_and_nothing_else",
        "a_reset_of_one_device_in_mid_transfer_costs_its_own_frames_and_no_other",
        "a_reset_of_the_design_in_mid_transfer_leaves_no_trace",
    ),
}
"""Tests that share a run."""

OFFERED_MTU = {9216: 9000, 1522: 1500}
"""By the longest frame."""


@functools.cache
def design(name, coherent):
    """A board's design as Verilog, made once."""
    board = BOARDS[name]
    return as_verilog(WatchedVeth(board.config, memory_bytes=board.memory_bytes, coherent=coherent), TOP)


def simulate(name, group, seed, *, coherent=False, **scale):
    """Run a group of tests on a board's design."""
    config = BOARDS[name].config
    settings = {
        "seed": seed,
        "coherent": coherent,
        "engine": {"mtu_max": config.mtu_max, "features": sorted(config.features), "ufo_order": config.ufo_order},
        "offered": [*VIRTIO, *(bit for feature, bit in BITS.items() if feature in config.features)],
        "mtu": OFFERED_MTU[config.mtu_max],
        "never": [] if "tx-udp-fragmentation" in config.features else ["ufo"],
        **scale,
    }
    ports = "acp" if coherent else "hp"
    return run(
        "bench.veth", verilog=design(name, coherent), top=TOP, tests=GROUPS[group], settings=settings, name=f"veth-{name}-{ports}-{group}"
    )


@pytest.mark.timeout(1800)  # the largest of all designs: where a machine has much else to do, to compile it alone may take ten minutes
@pytest.mark.parametrize("group", GROUPS)
def test_two_drivers_send_to_each_other_through_the_whole_design(group, seed):
    simulate("arty-z7-20", group, seed, count=2 * KINDS, large=2, resets=6)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("name", "coherent"), (("arty-z7-20", False), ("arty-z7-20", True), ("ebaz4205", False)))
def test_hundreds_of_frames_cross_designs_of_either_size_through_either_kind_of_port(name, coherent, group, seed):
    simulate(name, group, seed, coherent=coherent, count=300, large=10, resets=100, draw={"size": "full"})
