"""cocotb tests on the network device."""

import json
import random
import struct
from pathlib import Path

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamFrame

from traffic import requests
from virtio_driver import CachedMemory, DriverError, Memory
from virtio_driver.driver import FEATURE_BITS, REGISTERS

from .bench import CLOCK_NS, settings
from .scoreboard import Answers
from .virtio_bench import VirtioBench
from .virtio_malformed import PLACES, QUEUES, RINGS, TABLES

ALL = tuple(FEATURE_BITS)
USED, CONFIG = 1, 2
NEEDS_RESET = 64
QUEUE_RESET = 0xC0
"""Of virtio 1.2, for drivers that were offered VIRTIO_F_RING_RESET."""

SPEED_FILE = Path("speed.json")
"""In the run's folder."""

DRIVERS = {
    "everything": {},
    "no event index": {"accept": set(ALL) - {"event_idx"}},
    "no tables": {"accept": set(ALL) - {"indirect"}},
    "one buffer a frame": {"accept": set(ALL) - {"mrg_rxbuf"}, "buffer_bytes": 3072},
    "nothing but the version": {"accept": {"version_1"}, "buffer_bytes": 3072},
    "small buffers": {"buffer_bytes": 200, "size": 256},
    "short queues": {"size": 4, "pieces": 2},
    "many pieces": {"pieces": 12},
}
"""Options of the driver."""


def request(rng, frame):
    """A random ``virtio_net_hdr`` of 12 bytes, and the tuser that it must become."""
    header = struct.pack("<BBHHHHH", *(rng.getrandbits(bits) for bits in (8, 8, 16, 16, 16, 16, 16)))
    return header, int.from_bytes(header[:10], "little") | len(frame) << 112


def length(rng, longest):
    """Frame lengths of every kind."""
    return rng.choice((rng.randint(1, 80), rng.randint(1, 200), rng.randint(1, longest), 1514, longest))


async def send(bench, count, longest):
    """Send frames as fast as the ring takes them; returns what must come out."""
    rng, driver = bench.rng, bench.driver
    expected = []
    while len(expected) < count:
        frame = rng.randbytes(length(rng, longest))
        header, user = request(rng, frame)
        if driver.queue(frame, header):
            expected.append((frame, user))
            if rng.random() < 0.7:
                await driver.flush()
        else:
            await driver.flush()
            back = driver.sent_back
            await bench.until(lambda back=back: driver.sent_back > back, "a completion")
    await driver.flush()
    return expected


def chosen():
    """The drivers that this run is about."""
    return [DRIVERS[name] for name in settings().get("drivers", DRIVERS)]


async def exchange(bench, count, longest, *, rx=True):
    """Frames both ways at once, each compared with what was sent."""
    driver = bench.driver
    frames = [bench.rng.randbytes(length(bench.rng, longest)) for _ in range(count if rx else 0)]
    seen, begun = [], driver.sent_back

    async def arrivals():
        for frame in frames:
            await bench.arrive(frame)

    cocotb.start_soon(arrivals())
    expected = await send(bench, count, longest)

    def done():
        seen.extend(bench.frames_out())
        return len(seen) >= count and driver.sent_back - begun >= count and len(driver.received) >= len(frames)

    await bench.until(done, "the last frame")
    assert seen == expected, "what left is not what the driver wrote"
    assert driver.received == frames, "what the driver found is not what came"
    driver.received.clear()
    bench.check()


async def started(dut, **options):
    """A bench whose driver has started, with a window around its memory, and a task that serves interrupts."""
    bench = VirtioBench(dut, seed=settings()["seed"], **options)
    dut.window_base.value, dut.window_size.value = bench.memory.base, bench.memory.size
    await bench.reset()
    await bench.driver.start()
    return bench, cocotb.start_soon(bench.service_interrupts())


@cocotb.test
async def frames_go_both_ways_whatever_was_negotiated(dut):
    bench, irq = await started(dut)
    for options in chosen():
        irq.cancel()
        bench.pause(bench.rng.choice(("never", "seldom", "coin", "mostly", "bursts")))
        bench.configure(**options)
        await bench.driver.start()
        irq = cocotb.start_soon(bench.service_interrupts())
        await exchange(bench, settings().get("count", 12), settings().get("longest", 3000))


@cocotb.test
async def frames_of_64_kib_leave_from_many_pieces(dut):
    bench, irq = await started(dut, pieces=40, memory=CachedMemory(size=1 << 23), stall="never", latency=0)
    driver = bench.driver
    for size in settings().get("sizes", (65_549,)):
        frame = bench.rng.randbytes(size)
        header, user = request(bench.rng, frame)
        driver.queue(frame, header)
        await driver.flush()
        seen = []
        await bench.until(lambda seen=seen: seen.extend(bench.frames_out()) or seen, "the frame")
        assert seen == [(frame, user)]


@cocotb.test
async def a_chain_may_be_as_long_as_the_queue(dut):
    """Of 256 descriptors, in the ring and in a table, while the store holds chains before it: it is put off until it fits."""
    bench, irq = await started(dut, size=256, stall="never", latency=0, pieces=1)
    driver = bench.driver
    before, small, expected = [], bench.rng.randbytes(60), []
    dut.window_size.value = 0
    for in_table in (True, False):
        for _ in range(6 if in_table else 0):
            driver.queue(small)
            expected.append(small)
        frame = bench.rng.randbytes(256 * 3 - 12)
        data = bytes(12) + frame
        at = bench.memory.allocate(len(data))
        table = bench.memory.allocate(16 * 256) if in_table else None
        bench.memory.write(at, data)
        bench.memory.clean(at, len(data))
        driver.tx.add([(at + 3 * n, 3) for n in range(256)], ([], None, 0), table=table)
        expected.append(frame)
        await driver.flush()
        await bench.until(lambda: before.extend(data for data, _ in bench.frames_out()) or len(before) == len(expected), "the frames")
        await bench.until(lambda: driver.tx.in_use == 0, "the completions")
    assert before == expected


@cocotb.test
async def registers_are_what_linux_expects(dut):
    """`virtio_mmio_probe` to `virtio_device_ready`, one access after the other."""
    bench = VirtioBench(dut, seed=settings()["seed"])
    await bench.reset()
    driver = bench.driver
    await driver.probe()
    await driver.reset()
    assert await driver.read("status") == 0
    await driver.set_status("acknowledge")
    await driver.set_status("driver")
    offered = await driver.offered()
    assert offered == sum(1 << bit for bit in FEATURE_BITS.values()), f"{offered:#x} is offered"
    await driver.write("device_features_sel", 2)
    assert await driver.read("device_features") == 0
    assert await driver.choose(offered)
    assert await driver.config() == (bytes.fromhex("525400123456"), 1, 1500)
    for number, most in ((0, 256), (1, 256), (2, 0)):
        await driver.write("queue_sel", number)
        assert (await driver.read("queue_ready"), await driver.read("queue_num_max")) == (0, most)
    await driver.find_queues()
    for number in (0, 1):
        await driver.write("queue_sel", number)
        assert await driver.read("queue_ready") == 1
    await driver.set_status("driver_ok")
    assert await driver.read("status") == 15
    assert int(dut.irq.value) == 0
    await driver.fill()
    driver.rx.interrupts(True)
    await bench.arrive(bytes(60))
    await bench.until(lambda: int(dut.irq.value), "an interrupt")
    assert await driver.read("interrupt_status") == USED
    await driver.write("interrupt_ack", CONFIG)
    assert await driver.read("interrupt_status") == USED
    await driver.write("interrupt_ack", USED)
    await ClockCycles(dut.clk, 3)
    assert await driver.read("interrupt_status") == 0 and int(dut.irq.value) == 0
    driver.poll()
    assert driver.received == [bytes(60)]
    # `vm_del_vq`, `vm_reset`
    for number in (0, 1):
        await driver.write("queue_sel", number)
        await driver.write("queue_ready", 0)
        assert await driver.read("queue_ready") == 0
    assert bench.under_way == 0
    await driver.reset()


@cocotb.test
async def features_that_do_not_go_together_are_refused(dut):
    bench = VirtioBench(dut, seed=settings()["seed"])
    await bench.reset()
    driver = bench.driver
    need = {
        "host_tso4": [{"csum"}], "host_tso6": [{"csum"}], "host_ufo": [{"csum"}], "host_uso": [{"csum"}],
        "host_ecn": [{"csum", "host_tso4"}, {"csum", "host_tso6"}],
    }  # fmt: skip
    rng = random.Random(settings()["seed"])
    refused = 0
    for _ in range(60):
        names = {name for name in FEATURE_BITS if rng.random() < 0.6}
        good = "version_1" in names
        good &= all(any(others <= names for others in need[name]) for name in names & need.keys())
        wrong = rng.choice((None, None, 1, 2, 40, 60))  # bits that are not offered
        features = sum(1 << FEATURE_BITS[name] for name in names) | (1 << wrong if wrong else 0)
        await driver.reset()
        await driver.set_status("acknowledge", "driver")
        assert await driver.choose(features) == (good and wrong is None), f"{sorted(names)} and bit {wrong}"
        refused += not good or wrong is not None
        # What was accepted stays so.
        if good and wrong is None:
            await driver.choose(0)
            assert await driver.read("status") & 8
        else:
            await driver.set_status("driver_ok")
            assert not await driver.read("status") & 4, "the device runs without features"
    assert 10 < refused < 60


@cocotb.test
async def half_a_register_is_not_written_and_strangers_read_as_zero(dut):
    bench = VirtioBench(dut, seed=settings()["seed"])
    await bench.reset()
    await bench.master.write(REGISTERS["status"], b"\x01")
    assert await bench.driver.read("status") == 0
    for offset in (0x4, 0x100, 0x104, 0x108):
        before = await bench.read(offset)
        await bench.write(offset, 0xFFFF_FFFF)
        assert await bench.read(offset) == before
    for offset in (0x18, 0x1C, 0x30, 0x80, 0x10C, 0x200, 0xFF8):
        assert await bench.read(offset) == 0, hex(offset)
    assert await bench.read(0xB0) == 0xFFFF_FFFF


@cocotb.test
async def a_change_of_the_link_interrupts_and_counts(dut):
    bench, irq = await started(dut)
    irq.cancel()
    driver = bench.driver
    generation = await driver.read("config_generation")
    dut.link.value = 0
    await bench.until(lambda: int(dut.irq.value), "an interrupt")
    assert await driver.interrupted() == CONFIG
    assert (await driver.config())[1] == 0 and await driver.read("config_generation") != generation
    dut.mtu.value = 0
    await driver.reset()
    assert not await driver.offered() >> FEATURE_BITS["mtu"] & 1


@cocotb.test
async def every_malformed_ring_needs_a_reset_and_does_no_harm(dut):
    bench, irq = await started(dut, size=16, pieces=1)
    irq.cancel()
    every = [(name, *case, {}) for name, case in RINGS.items()]
    every += [(name, *case, {"accept": set(ALL) - {"indirect"}}) for name, case in TABLES.items()]
    # Without a window, too, nothing wraps around to address 0.
    every += [(f"{name}, without a window", *RINGS[name], {}) for name in RINGS if name.endswith("wraps around")]
    for name, number, break_it, options in every:
        if name.endswith("without a window"):
            dut.window_size.value = 0
        bench.configure(**{"size": 16, "pieces": 1, **options})
        driver = bench.driver
        await driver.start(fill=False)
        ring = (driver.rx, driver.tx)[number]
        break_it(driver, ring)
        ring.publish()
        await driver.write("queue_notify", number)
        await answered_with_needs_reset(bench, name)
        assert bench.target.lowest == bench.memory.base, f"{name}: {bench.target.lowest:#x} was asked for"


async def answered_with_needs_reset(bench, name, back=True):
    """The device says NEEDS_RESET by an interrupt, is quiet, and works again after a reset."""
    driver = bench.driver
    await bench.until(lambda: int(bench.dut.irq.value), f"{name}: an interrupt")
    await ClockCycles(bench.dut.clk, 3)
    assert await driver.read("interrupt_status") & CONFIG, name
    assert await driver.read("status") & NEEDS_RESET, name
    await bench.until(lambda: bench.under_way == 0, f"{name}: quiet")
    moved = bench.moved
    await ClockCycles(bench.dut.clk, 100)
    assert bench.moved == moved, f"{name}: the bus moves on"
    bench.check()
    bench.frames_out()
    if back:
        await driver.start()
        irq = cocotb.start_soon(bench.service_interrupts())
        await exchange(bench, 2, 100)
        irq.cancel()


@cocotb.test
async def a_queue_that_cannot_be_is_answered_with_needs_reset(dut):
    bench, irq = await started(dut, size=16, pieces=1)
    irq.cancel()
    driver = bench.driver
    for name, (register, value) in QUEUES.items():
        await driver.start(fill=False)
        await driver.reset()
        await driver.negotiate()
        await driver.write("queue_sel", 1)
        for field, good in (("queue_num", 16), *((f"queue_{place}_{half}", 0) for place in PLACES for half in ("low", "high"))):
            await driver.write(field, value if field == register else good)
        await driver.write("queue_ready", 1)
        assert await driver.read("queue_ready") == 0, name
        assert await driver.read("status") & NEEDS_RESET, name
        await driver.set_status("driver_ok")
        await answered_with_needs_reset(bench, name)


@cocotb.test
async def a_ring_outside_of_the_window_is_never_touched(dut):
    bench, irq = await started(dut, size=16, pieces=1)
    irq.cancel()
    driver = bench.driver
    for number in (0, 1):
        for place in PLACES:
            await driver.reset()
            await driver.negotiate()
            await driver.find_queues(elsewhere=(number, place))
            await driver.set_status("driver_ok")
            if number == 0:
                await driver.fill()
                await bench.arrive(bytes(60))
            else:
                driver.queue(bytes(60))
                driver.tx.publish()
                await driver.write("queue_notify", 1)
            await answered_with_needs_reset(bench, f"{place} of queue {number}")


@cocotb.test
async def memory_that_answers_with_an_error_needs_a_reset(dut):
    """A frame that has begun is cut off, and not as long as it was said to be."""
    bench, irq = await started(dut, size=16, pieces=1, memory=Memory())
    irq.cancel()
    for direction in ("read", "write"):
        for size in (20, 61, 3000, 6001, 6008):
            bench.configure(size=16, pieces=1, buffer_bytes=8192)
            driver = bench.driver
            await driver.start()
            frame = bench.rng.randbytes(size)
            if direction == "read":
                driver.queue(frame)
                ((_, token),) = driver.tx._chains.values()
                last = token[0][0][0] + size  # the page that holds the frame's end
                bench.target.broken = {last // 4096}
                await driver.flush()
            else:
                ((_, token), *_) = driver.rx._chains.values()
                bench.target.broken = {(token[0][0][0] + size) // 4096}
                await bench.arrive(frame)
            await bench.until(lambda: int(dut.irq.value), "an interrupt")
            await bench.until(lambda: bench.under_way == 0, "quiet")
            await ClockCycles(dut.clk, 200)
            bench.target.broken = set()
            left = bench.frames_out()
            assert all(len(data) != user >> 112 for data, user in left), "a spoilt frame is as long as it should be"
            assert bench.sink.idle(), "a frame has begun and does not end"
            await answered_with_needs_reset(bench, f"{direction} of {size}")


@cocotb.test
async def a_reset_in_mid_transfer_leaves_nothing_under_way(dut):
    """When the driver's write is answered, the bus is quiet and stays so, and the memory is the driver's."""
    bench, irq = await started(dut, memory=Memory(), stall="coin")
    driver = bench.driver
    resets = {"busy": 0}
    for attempt in range(settings().get("resets", 10)):
        frames = cocotb.start_soon(arrivals(bench))
        for _ in range(20):
            driver.queue(bench.rng.randbytes(length(bench.rng, 3000)))
        await driver.flush()
        await ClockCycles(dut.clk, bench.rng.randint(1, 900))
        irq.cancel()
        resets["busy"] += bench.under_way > 0
        stopped = attempt % 5 == 4
        if stopped:
            await driver.write("queue_sel", attempt % 2)
            await driver.write("queue_ready", 0)
        else:
            await driver.reset()
        assert bench.under_way == 0, "a transaction is under way after the reset"
        moved, memory = bench.moved, bytes(bench.memory.dram)
        await ClockCycles(dut.clk, 200)
        assert (moved, memory) == (bench.moved, bytes(bench.memory.dram)), "the device goes on after the reset"
        frames.cancel()
        await bench.until(lambda: bench.source.idle(), "the end of what was coming", patience=20_000)
        await bench.until(lambda: bench.sink.idle(), "the end of what was leaving", patience=20_000)
        for data, user in bench.frames_out():
            assert len(data) <= 3000 and (len(data) == user >> 112 or data[-1] == 0)
        await driver.start()
        irq = cocotb.start_soon(bench.service_interrupts())
        await exchange(bench, 3, 300)
    assert resets["busy"] > 2


async def arrivals(bench):
    for _ in range(8):
        await bench.arrive(bench.rng.randbytes(length(bench.rng, 3000)))


@cocotb.test
async def a_reset_of_the_design_in_mid_transfer_leaves_no_trace(dut):
    bench, irq = await started(dut)
    for _attempt in range(6):
        for _ in range(10):
            bench.driver.queue(bench.rng.randbytes(length(bench.rng, 3000)))
        await bench.driver.flush()
        await ClockCycles(dut.clk, bench.rng.randint(1, 500))
        irq.cancel()
        await bench.reset(clocks=bench.rng.choice((1, 4)))
        await bench.driver.start()
        irq = cocotb.start_soon(bench.service_interrupts())
        await exchange(bench, 3, 300)


@cocotb.test
async def without_buffers_frames_wait_and_none_is_lost(dut):
    bench, irq = await started(dut, size=16, pieces=1, stall="never", latency=0)
    irq.cancel()
    frames = [bench.rng.randbytes(1000) for _ in range(60)]
    for frame in frames:
        cocotb.start_soon(bench.arrive(frame))
    await ClockCycles(dut.clk, 8000)
    assert not bench.source.idle() and not int(dut.rx_tready.value), "frames are taken without buffers for them"
    irq = cocotb.start_soon(bench.service_interrupts())
    await bench.driver.service()
    await bench.until(lambda: len(bench.driver.received) == len(frames), "the last frame")
    assert bench.driver.received == frames
    irq.cancel()


@cocotb.test
async def a_frame_whose_lanes_break_the_contract_is_dropped_alone(dut):
    """Lanes that are left out in the middle, a last beat without a byte, a frame without one: what comes behind it is whole."""
    bench, irq = await started(dut, buffer_bytes=2048)
    drops = cocotb.start_soon(count(dut, dut.stat_rx_drop))
    odd = {
        "a last beat of nothing": [1] * 64 + [0] * 8,
        "nothing": [0] * 8,
        "a hole between beats": [1] * 20 + [0] * 4 + [1] * 40,
        "a hole in a last beat": [1] * 60 + [0, 0, 1],
        "not from lane 0": [0] + [1] * 63,
        "a beat of nothing in the middle": [1] * 16 + [0] * 8 + [1] * 16,
    }
    good = []
    for name, lanes in odd.items():
        await bench.source.send(AxiStreamFrame(bytes(len(lanes)), tkeep=lanes))
        good.append(name.encode() + bench.rng.randbytes(bench.rng.randint(1, 200)))
        await bench.arrive(good[-1])
    await bench.until(lambda: len(bench.driver.received) >= len(good), "the last frame")
    assert bench.driver.received == good
    drops.cancel()
    assert DROPS[-1] == len(odd)
    irq.cancel()


@cocotb.test
async def behind_a_fault_frames_are_swallowed_the_one_that_waits_for_room_too(dut):
    bench, irq = await started(dut, size=16, pieces=1, stall="never", latency=0)
    irq.cancel()
    driver = bench.driver
    await driver.start(fill=False)
    for _ in range(40):
        cocotb.start_soon(bench.arrive(bytes(1000)))
    await ClockCycles(dut.clk, 8000)
    assert not int(dut.rx_tready.value), "frames are taken without room for them"
    driver.tx.describe(0, bench.memory.base, 0)
    driver.tx.offer(0)
    await driver.flush()
    await bench.until(lambda: int(dut.irq.value), "an interrupt")
    await ClockCycles(dut.clk, 8000)
    assert bench.source.idle(), "a frame waits for a driver that has to begin anew"
    await answered_with_needs_reset(bench, "a buffer of no bytes")


@cocotb.test
async def a_driver_out_of_turn_does_no_harm(dut):
    """Notifications before a queue is ready and of queues that are not there, lengths and addresses of a queue in use, a queue reset."""
    bench, irq = await started(dut, size=16, pieces=1)
    irq.cancel()
    driver = bench.driver

    async def notify():
        for number in (0, 1, 2, 3, 0x10000, 0xFFFF_FFFF):
            await driver.write("queue_notify", number)

    await driver.reset()
    await notify()
    await driver.set_status("driver_ok")
    assert await driver.read("status") == 0, "DRIVER_OK counts without features"
    await driver.negotiate()
    await notify()
    await driver.set_status("driver_ok")
    await notify()  # it runs, and no queue is ready
    await bench.arrive(bytes(60))
    await ClockCycles(dut.clk, 300)
    assert bench.under_way == 0 and await driver.read("status") == 15

    await driver.reset()
    await driver.negotiate()
    await notify()
    await driver.find_queues()
    for number in (0, 1, 2):
        await driver.write("queue_sel", number)
        for name in ("queue_num", *(f"queue_{place}_{half}" for place in PLACES for half in ("low", "high"))):
            await driver.write(name, 2)
        await bench.write(QUEUE_RESET, 1)
        assert await bench.read(QUEUE_RESET) == 0, "a queue is reset that cannot be"
    moved = bench.moved
    await notify()
    await ClockCycles(dut.clk, 300)
    assert bench.moved == moved, "the rings are read before DRIVER_OK"
    await driver.set_status("driver_ok")
    irq = cocotb.start_soon(bench.service_interrupts())
    await driver.fill()
    await notify()
    await exchange(bench, 5, 300)
    irq.cancel()


@cocotb.test
async def queues_may_have_another_length_each_time_and_each_their_own(dut):
    bench, irq = await started(dut)
    for lengths in ((1, 1), (2, 256), (256, 1), (64, 2), (8, 128)):
        irq.cancel()
        bench.configure(pieces=1, sizes=lengths)
        await bench.driver.start()
        irq = cocotb.start_soon(bench.service_interrupts())
        await exchange(bench, 2 * max(4, min(lengths)), 300)
    irq.cancel()


@cocotb.test
async def rings_and_buffers_may_end_where_the_window_ends(dut):
    """The window begins with the rings' first byte and ends with a table's last, and with a buffer's."""
    bench, irq = await started(dut, pieces=1, stall="seldom")
    driver, memory = bench.driver, bench.memory
    end = memory.base + memory.size
    frame = bench.rng.randbytes(50)
    at = end - 16 * 2 - 62
    data = bytes(12) + frame
    memory.write(at, data)
    memory.clean(at, len(data))
    driver.tx.add([(at, 12), (at + 12, 50)], ([], None, 0), table=end - 32)  # a table that ends with the window
    await driver.flush()
    seen = []
    await bench.until(lambda: seen.extend(bench.frames_out()) or seen, "the frame")
    assert seen == [(frame, 50 << 112)]
    await bench.until(lambda: driver.tx.in_use == 0, "the completion")
    at = end - len(data)
    memory.write(at, data)
    memory.clean(at, len(data))
    driver.tx.add([(at, len(data))], ([], None, 0))  # a buffer that does
    await driver.flush()
    await bench.until(lambda: seen.extend(bench.frames_out()) or len(seen) == 2, "the frame")
    assert seen[1] == seen[0] and await driver.read("status") == 15
    irq.cancel()


@cocotb.test
async def a_frame_that_fits_no_chain_is_dropped_and_the_chain_waits(dut):
    bench, irq = await started(dut, accept=set(ALL) - {"mrg_rxbuf"}, buffer_bytes=512, stall="seldom")
    drops = cocotb.start_soon(count(dut, dut.stat_rx_drop))
    sizes = [100, 500, 501, 3000, 60, 9216, 9217, 12_000, 500]
    frames = [bench.rng.randbytes(size) for size in sizes]
    for frame in frames:
        await bench.arrive(frame)
    fit = [frame for frame in frames if len(frame) <= 500]
    await bench.until(lambda: len(bench.driver.received) == len(fit), "the last frame")
    assert bench.driver.received == fit
    drops.cancel()
    assert DROPS[-1] == len(frames) - len(fit)
    irq.cancel()


DROPS = []


async def count(dut, strobe):
    DROPS.append(0)
    while True:
        await ClockCycles(dut.clk, 1)
        DROPS[-1] += int(strobe.value)


@cocotb.test
async def without_the_driver_s_synchronisation_memory_is_stale(dut):
    """The cache model bites: a driver that forgets one of the two sees, or shows, what was there before."""
    bench, irq = await started(dut, pieces=1, size=16)
    irq.cancel()
    driver, memory = bench.driver, bench.memory
    frame = bytes(range(1, 201))
    at = memory.allocate(256)
    memory.write(at, bytes(12) + frame)  # not cleaned
    driver.tx.add([(at, 212)], ([], None, 0))
    await driver.flush()
    seen = []
    await bench.until(lambda: seen.extend(bench.frames_out()) or seen, "the frame")
    assert seen[0][0] == bytes(200), "the device saw what was never cleaned"
    # Frames the other way: the lines of the buffer have been looked at, and are not invalidated.
    for _, token in driver.rx._chains.values():
        for address, size in token[0]:
            memory.read(address, size)
    await bench.arrive(frame)
    await bench.until(lambda: memory.bus_read(driver.rx.used + 2, 2) == b"\1\0", "the frame")
    memory.invalidate, invalidate = lambda address, size: None, memory.invalidate
    address, size = next(iter(driver.rx._chains.values()))[1][0][0]
    assert memory.read(address, 212) == bytes(212), "a line came from memory by itself"
    memory.invalidate = invalidate
    memory.invalidate(address, size)
    assert memory.read(address, 212)[12:] == frame


@cocotb.test
async def interrupts_come_when_they_are_wanted_and_not_otherwise(dut):
    for accept in (ALL, set(ALL) - {"event_idx"}):
        bench, irq = await started(dut, pieces=1, size=64, accept=accept, stall="never", latency=0)
        irq.cancel()
        driver = bench.driver
        driver.tx.interrupts(False)
        for _ in range(5):
            driver.queue(bytes(60))
            await driver.flush()
            await ClockCycles(dut.clk, 500)
        assert len(driver.tx.take()) == 5 and not int(dut.irq.value), "an interrupt that nobody wanted"
        if driver.has("event_idx"):
            driver.tx.interrupts(True, ahead=2)  # with the third
            for n in range(4):
                driver.queue(bytes(60))
                await driver.flush()
                await ClockCycles(dut.clk, 500)
                assert int(dut.irq.value) == (n >= 2), f"behind {n + 1} frames"
        else:
            driver.tx.interrupts(True)
            driver.queue(bytes(60))
            await driver.flush()
            await bench.until(lambda: int(dut.irq.value), "an interrupt")
        await driver.reset()
        await ClockCycles(dut.clk, 3)
        assert not int(dut.irq.value), "an interrupt outlives the reset"


@cocotb.test
async def the_device_asks_not_to_be_notified_while_it_looks_itself(dut):
    """With the event index, a driver that queues frames one behind the other notifies once or twice."""
    bench, irq = await started(dut, pieces=1, size=64, stall="never", latency=0)
    notified = 0
    for _ in range(40):
        while not bench.driver.queue(bytes(1000)):
            await ClockCycles(dut.clk, 50)
        if bench.driver.tx.must_notify():
            notified += 1
            await bench.driver.write("queue_notify", 1)
    seen = []
    await bench.until(lambda: seen.extend(bench.frames_out()) or len(seen) == 40, "the last frame")
    assert notified < 20, f"{notified} notifications for 40 frames"
    irq.cancel()


@cocotb.test
async def a_driver_of_another_device_is_told_so(dut):
    """The driver itself: it looks at what it reads."""
    bench = VirtioBench(dut, seed=settings()["seed"])
    await bench.reset()

    async def wrong(offset):
        return 0x74726977

    bench.driver._read = wrong
    try:
        await bench.driver.probe()
    except DriverError:
        return
    raise AssertionError("the driver takes anything for a network device")


@cocotb.test
async def what_the_driver_sends_is_cut_as_the_model_says_and_comes_back(dut):
    """With the engine behind it, and the wire led back to the receive queue: a device that talks to itself, in 64 descriptors."""
    bench = VirtioBench(dut, seed=settings()["seed"], pieces=6)
    await bench.reset()
    await bench.driver.start()
    irq = cocotb.start_soon(bench.service_interrupts())
    driver, answers, expected = bench.driver, Answers(), []
    cases = requests(settings()["seed"], settings().get("count", 120), size="small", jumbo=settings().get("jumbo", 0))
    seen = []

    async def lead_back():
        while True:
            for frame, _ in bench.frames_out():
                seen.append(frame)
                await bench.arrive(frame)
            await ClockCycles(dut.clk, 20)

    cocotb.start_soon(lead_back())
    for case in (case.by_virtio() for case in cases):
        frames, _ = answers(case)
        expected += map(bytes, frames)
        while not driver.queue(case.frame, case.vnet_hdr + b"\0\0"):
            await driver.flush()
            back = driver.sent_back
            await bench.until(lambda back=back: driver.sent_back > back, f"a completion before {case.note}")
        await driver.flush()
    await bench.until(lambda: len(driver.received) >= len(expected), "the last frame")
    await ClockCycles(dut.clk, 500)
    assert seen == expected, "what left is not what the model says"
    assert driver.received == expected, "what came back is not what left"
    assert len(expected) > 50
    irq.cancel()
    bench.check()


@cocotb.test
async def a_mac_of_another_clock_gets_what_the_model_says_and_is_heard(dut):
    """The boards' core design: cut frames leave without a pause, frames arrive, and the engine's registers have counted all."""
    memory = CachedMemory(base=0x0200_0000)
    bench = VirtioBench(dut, seed=settings()["seed"], memory=memory, pieces=4)
    core = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "core_axil"), dut.clk, dut.rst)
    await bench.reset(clocks=16)
    await ClockCycles(dut.clk, 100)
    await bench.driver.start()
    irq = cocotb.start_soon(bench.service_interrupts())
    driver = bench.driver
    engine = settings()["engine"]
    answers = Answers(**{**engine, "features": frozenset(engine["features"])})
    expected, dropped, seen, sent, pauses = [], 0, [], [], []

    async def watch():
        inside = False
        while True:
            await RisingEdge(dut.wire_clk)
            valid = int(dut.wire_tvalid.value)
            if inside and not valid:
                pauses.append(get_sim_time("ns"))
            if valid and int(dut.wire_tready.value):
                inside = not int(dut.wire_tlast.value)

    cocotb.start_soon(watch())
    for case in (case.by_virtio() for case in requests(settings()["seed"], settings()["count"], size="small", jumbo=0)):
        frames, reason = answers(case)
        expected += map(bytes, frames)
        dropped += reason is not None
        while not driver.queue(case.frame, case.vnet_hdr + b"\0\0"):
            await driver.flush()
            await bench.until(lambda back=driver.sent_back: driver.sent_back > back, f"a completion before {case.note}")
        await driver.flush()
        if len(sent) == len(driver.received):  # a MAC cannot wait: one frame at a time always finds room
            sent.append(bench.rng.randbytes(bench.rng.randint(1, 1500)))
            await bench.arrive(sent[-1])
    await bench.until(lambda: seen.extend(data for data, _ in bench.frames_out()) or len(seen) >= len(expected), "the last frame")
    await bench.until(lambda: len(driver.received) == len(sent), "the last frame from the MAC")
    assert seen == expected, "what left is not what the model says"
    assert driver.received == sent and len(sent) > 3
    assert not pauses, f"a frame pauses at {pauses[0]} ns"

    async def counter(name):
        at = settings()["counters_at"][name]
        low, high = [int.from_bytes((await core.read(at + half, 4)).data, "little") for half in (0, 4)]
        return low | high << 32

    assert (await core.read(0, 4)).data == b"OFCT"
    assert await counter("tx_frames") == settings()["count"] and await counter("tx_segments") == len(expected)
    assert await counter("tx_segment_bytes") == sum(map(len, expected)) and dropped > 0
    irq.cancel()
    bench.check()


@cocotb.test
async def a_stream_of_large_frames_keeps_the_bus_busy(dut):
    """With memory that answers at once: clocks that a frame costs, one behind the other, either way. The figures are left in SPEED_FILE."""
    bench, irq = await started(dut, pieces=1, size=256, buffer_bytes=1536, stall="never", latency=0)
    irq.cancel()
    driver, clocks = bench.driver, {"sent": {}, "received": {}}
    for count, size in ((8, 16_000), (40, 1514), (60, 60)):
        for _ in range(count):
            driver.queue(bytes(size))
        begun = get_sim_time("ns")
        await driver.flush()
        bench.frames_out()
        seen = 0
        while seen < count:
            await ClockCycles(dut.clk, 20)
            seen += len(bench.frames_out())
        clocks["sent"][size] = (get_sim_time("ns") - begun) / CLOCK_NS / count
        driver.clean()
    for count, size in ((8, 9000), (40, 1514), (60, 60)):
        for _ in range(count):
            await bench.arrive(bytes(size))
        begun = get_sim_time("ns")
        used = driver.rx.used_idx
        chains = count * -(-(12 + size) // driver.buffer_bytes)
        while (int.from_bytes(bench.memory.bus_read(driver.rx.used + 2, 2), "little") - used) & 0xFFFF < chains:
            await ClockCycles(dut.clk, 20)
        clocks["received"][size] = (get_sim_time("ns") - begun) / CLOCK_NS / count
        driver.poll()
        await driver.fill()
    SPEED_FILE.write_text(json.dumps(clocks))
    assert 16_000 / 8 / clocks["sent"][16_000] > 0.95 and 1514 / 8 / clocks["received"][1514] > 0.7, clocks
