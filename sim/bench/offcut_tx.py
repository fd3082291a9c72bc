"""cocotb tests on ``offcut_tx``. The settings say the seed and how many random requests of what size."""

import random
from dataclasses import replace
from itertools import islice, product

import cocotb
from cocotb.triggers import ClockCycles

from traffic import Case, requests

from .agents import PATTERNS
from .bench import Bench, settings
from .directed import PACKETS, checksum_requests, cut_by_scapy, request
from .scoreboard import answer

BLOCK = 50
"""Random requests come in runs of so many, each with its own pauses."""


async def ready(dut, **options):
    """A bench whose design was reset."""
    bench = Bench(dut, seed=settings()["seed"], **options)
    await bench.reset()
    return bench


def lanes(dut):
    return len(dut.s_axis_tkeep)


def draw(dut, count, **options):
    """Random requests for this design, as the settings want them."""
    chosen = {"width": len(dut.s_axis_tdata), "mtu_max": settings().get("mtu_max", 9216), "size": settings().get("size", "small")}
    chosen["user_width"] = len(dut.s_axis_tuser) - 160
    return requests(settings()["seed"], count, **{**chosen, "jumbo": settings().get("jumbo", 0), **options})


@cocotb.test
async def random_requests_agree_with_the_model(dut):
    bench = await ready(dut)
    rng = random.Random(settings()["seed"])
    count = settings().get("count", 300)
    cases = draw(dut, count)
    patterns = settings().get("patterns", list(PATTERNS))
    for _ in range(0, count, BLOCK):
        bench.pause(idle=rng.choice(patterns), backpressure=rng.choice(patterns))
        await bench.run(islice(cases, BLOCK))


@cocotb.test
async def every_pattern_of_idle_and_backpressure_gives_the_same_frames(dut):
    bench = await ready(dut)
    for idle, backpressure in product(PATTERNS, PATTERNS):
        bench.pause(idle=idle, backpressure=backpressure)
        await bench.run(draw(dut, 5, kinds=("tso", "csum", "tiny")))


@cocotb.test
async def frames_built_by_scapy_are_cut_as_scapy_would(dut):
    expected = {}
    for name, packet in PACKETS.items():
        case = request(packet, name)
        expected[case] = cut_by_scapy(packet), None
        assert answer(case, 9216) == expected[case], f"scapy and the model differ on {name}"
    for case, frame in checksum_requests():
        expected[case] = [frame], None
    bench = await ready(dut, expect=expected.__getitem__, backpressure="seldom")
    await bench.run(expected)


@cocotb.test
async def every_length_and_every_header_end_is_met(dut):
    """Frames of every length around three beats; every length of options; payloads and segments around a beat."""
    bus = lanes(dut)
    bench = await ready(dut)
    plain = Case(b"", bytes(10), 0, False, 1500, "pass: length")
    data = bytes(n * 11 & 0xFF for n in range(4 * bus + 64))
    await bench.run(replace(plain, frame=data[:length]) for length in range(1, 3 * bus + 2))
    headers = {case.vnet_hdr[2:4]: case for case in draw(dut, 400, kinds=("tso",)) if not answer(case, 9216)[1]}
    await bench.run(headers.values())
    table = [(gso, payload) for gso in (1, bus - 1, bus, bus + 1) for payload in (gso, gso + 1, 2 * gso - 1, 2 * gso, 2 * gso + 3)]
    packet = PACKETS["one VLAN tag"]
    await bench.run(request(replace(packet, gso_size=gso, payload=payload), f"{payload} by {gso}") for gso, payload in table)


@cocotb.test
async def every_flag_is_kept_or_cleared_by_its_segment(dut):
    bench = await ready(dut)
    packet = replace(PACKETS["every flag"], payload=90, gso_size=30)
    base = request(packet, "flags")
    cases = []
    for flags in (*(1 << bit for bit in range(12)), 0, 0xFFF):
        frame = bytearray(base.frame)
        frame[46:48] = (frame[46] & 0xF0 | flags >> 8, flags & 0xFF)
        cases.append(replace(base, frame=bytes(frame), note=f"flags: {flags:#05x}"))
    await bench.run(cases)


@cocotb.test
async def a_broken_keep_drops_its_frame_and_no_other(dut):
    """Each way to break the contract, in each beat, on frames of each kind, between good frames."""
    bus = lanes(dut)
    full = [1] * bus
    breaks = {
        "an empty beat": [0] * bus,
        "lane 0 missing": [0, *full[1:]],
        "a hole": [1, 0, *full[2:]],
        "not full": [*full[:-1], 0],
        "the last lane alone": [*[0] * (bus - 1), 1],
    }
    good = list(draw(dut, 40, kinds=("tso", "csum", "auto", "pass")))
    good = [case for case in good if len(case.frame) > 2 * bus and case.vlan_tci is None and not answer(case, 9216)[1]]
    cases, keeps, expected = [], {}, []
    rng = random.Random(settings()["seed"])
    for (name, broken), victim in product(breaks.items(), good[:6]):
        beats = -(-len(victim.frame) // bus)
        at = rng.choice((0, 1, rng.randrange(beats - 1), beats - 2))
        keeps[len(cases)] = [1] * (at * bus) + broken + [1] * (len(victim.frame) - (at + 1) * bus)
        cases += [replace(victim, note=f"bad_keep: {name} in beat {at} of {beats}"), rng.choice(good)]
        expected += [(_left_before(victim, at * bus), "bad_keep"), answer(cases[-1], 9216)]
    answers = iter(expected)
    bench = await ready(dut, expect=lambda case: next(answers), backpressure="seldom")
    await bench.run(cases, keeps)


def _left_before(case, good_bytes):
    """The segments of a cut frame that were whole, with more of the frame behind them, when only the first bytes were good."""
    frames, _ = answer(case, 9216)
    left, needed = [], 0
    for frame in frames[:-1]:
        header = _header_bytes(frame)
        needed = needed + len(frame) - (header if needed else 0)
        if needed >= good_bytes:
            break
        left.append(frame)
    return left


def _header_bytes(frame):
    """Ethernet to TCP options."""
    l3 = 14
    while frame[l3 - 2 : l3] in (b"\x81\x00", b"\x88\xa8"):
        l3 += 4
    l4 = l3 + 4 * (frame[l3] & 15)
    return l4 + 4 * (frame[l4 + 12] >> 4)


@cocotb.test
async def a_reset_in_mid_frame_leaves_no_trace(dut):
    bench = await ready(dut, idle="seldom", backpressure="coin")
    rng = random.Random(settings()["seed"])
    for attempt in range(12):
        bench.start(draw(dut, 60, start=100 * attempt))
        await ClockCycles(dut.clk, rng.randint(1, 400))
        await bench.reset(clocks=rng.choice((1, 1, 2, 5)))
        await bench.run(draw(dut, 5, start=100 * attempt + 60))


@cocotb.test
async def every_output_is_known_after_reset(dut):
    """Meant for a design without power-up values: whatever means something is 0 or 1 from the reset on, and frames come out right."""
    bench = await ready(dut)
    for name in dir(dut):
        if name.startswith("stat_") or name in ("s_axis_tready", "m_axis_tvalid"):
            assert str(getattr(dut, name).value) == "0" * len(getattr(dut, name)) or name == "s_axis_tready", f"{name} after reset"
    assert str(dut.s_axis_tready.value) in "01"
    await bench.run(draw(dut, settings().get("count", 40)))
