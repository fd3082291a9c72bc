"""cocotb tests on the veth design: two drivers, and what the one sends the other one receives."""

import cocotb
from cocotb.triggers import ClockCycles, gather

from virtio_driver.driver import FEATURE_BITS, REGISTERS

from .axi3 import DECERR
from .bench import settings
from .veth_bench import KINDS, REGISTERS_AT, VethBench

USED = 1
MAC_ADDRESSES = (bytes.fromhex("024f46435500"), bytes.fromhex("024f46435501"))
CONFIG_AT = REGISTERS["config"]
USUAL_GSO_SIZE = 1448
STRANGE = (0x43C0_2000, 0x43BF_F000, 0x4000_0000, 0x7FFF_FFFC)

DRIVERS = (
    ("seldom", {}, {"accept": set(FEATURE_BITS) - {"event_idx"}}),
    ("coin", {"buffer_bytes": 300, "size": 256}, {"pieces": 10}),
    ("bursts", {"accept": set(FEATURE_BITS) - {"mrg_rxbuf"}, "buffer_bytes": 9300}, {"accept": set(FEATURE_BITS) - {"indirect"}}),
    ("mostly", {"size": 8, "pieces": 2}, {}),
    ("never", {}, {}),
)
"""How memory pauses, and the options of either side's driver."""

ORDERLY = ("pass", "csum", "tso", "tso6", "uso")
"""Kinds of which each frame is like no other, and none draws an IPv6 fragment's identification: a reset may lose some of them."""


async def started(dut, **options):
    """A bench with both devices running."""
    bench = VethBench(dut, **options)
    await bench.reset()
    for side in bench.sides:
        await side.start()
    return bench


async def both(bench, count, **options):
    """Requests of every kind, each side's at once with the other's."""
    await gather(*(side.send(side.draw(count, **options)) for side in bench.sides))
    await bench.settle()


@cocotb.test
async def both_devices_are_probed_each_in_its_window(dut):
    bench = VethBench(dut)
    await bench.reset()
    processor = bench.processor
    for address in STRANGE:
        assert (await processor.read(address))[1] == DECERR, f"{address:#x} is somebody's"
        assert await processor.write(address, 1) == DECERR, f"{address:#x} is somebody's"
    offered = sum(1 << FEATURE_BITS[name] for name in settings()["offered"])
    for number, side in enumerate(bench.sides):
        driver = side.driver
        assert await driver.probe() == int.from_bytes(b"OFCT", "little")
        await driver.reset()
        await driver.set_status("acknowledge")
        assert await driver.read("status") == 1
        assert await driver.offered() == offered, f"device {number}"
        await driver.negotiate()
        assert await driver.config() == (MAC_ADDRESSES[number], 1, settings()["mtu"])
        # As `virtio_cread_bytes` and `virtio_cread` read it: a byte and two at a time; and as a copy in one burst.
        at = REGISTERS_AT[number] + CONFIG_AT
        assert bytes([(await processor.read(at + n, 1))[0][0] for n in range(6)]) == MAC_ADDRESSES[number]
        assert await processor.read(at + 10, 2) == ([settings()["mtu"]], 0)
        words, _ = await processor.read(at, 4, 3)
        assert b"".join(word.to_bytes(4, "little") for word in words)[:6] == MAC_ADDRESSES[number]
        # What one device was told, the other one does not know.
        assert await bench.sides[1 - number].driver.read("status") == (0 if number == 0 else 11)
        assert not int(dut.irq_0.value) and not int(dut.irq_1.value)


@cocotb.test
async def what_each_driver_sends_the_other_one_receives_cut_as_the_model_says(dut):
    bench = await started(dut)
    for stall, *options in DRIVERS:
        bench.pause(stall)
        for side, its in zip(bench.sides, options, strict=True):
            side.stop_serving()
            side.configure(**its)
            await side.start()
        await both(bench, settings()["count"], **settings().get("draw", {}))
    for side in bench.sides:
        missing = {kind for kind in KINDS if not side.cut[kind]} - {"segment-refused", "noise", *settings()["never"]}
        assert not missing, f"nothing of {', '.join(missing)} left device {side.number}"
        assert side.wire.drops["bad_request"] or side.wire.drops["bad_header"], "nothing was refused"
        assert side.irqs > 10


@cocotb.test
async def frames_of_64_kib_cross_both_ways(dut):
    bench = await started(dut, stall="never", latency=20)

    def large(side):
        cases = side.draw(40, kinds=("64k",), jumbo=1, size="full")
        return [case for case in cases if int.from_bytes(case.vnet_hdr[4:6], "little") == USUAL_GSO_SIZE][: settings()["large"]]

    await gather(*(side.send(large(side)) for side in bench.sides))
    await bench.settle()
    assert all(side.wire.frames > 40 for side in bench.sides), "hardly a frame was cut"


@cocotb.test
async def each_line_is_raised_by_its_own_device_and_lowered_by_the_acknowledgement(dut):
    bench = await started(dut, stall="never", latency=0)
    for sender, receiver in ((bench.sides[0], bench.sides[1]), (bench.sides[1], bench.sides[0])):
        for told in (receiver, sender):  # who asked for an interrupt
            for side in bench.sides:
                await bench.until(lambda side=side: not int(side.irq.value), "the acknowledgement")
                side.stop_serving()
                for ring in (side.driver.rx, side.driver.tx):
                    ring.interrupts(side is told)
            await sender.send(sender.draw(1, kinds=("csum",)))
            await bench.until(lambda told=told: int(told.irq.value), f"the interrupt of device {told.number}")
            await ClockCycles(dut.clk, 600)
            other = bench.sides[1 - told.number]
            assert not int(other.irq.value), f"line {other.number} was raised for device {told.number}"
            assert await other.driver.read("interrupt_status") == 0
            assert await told.driver.read("interrupt_status") == USED
            await other.driver.write("interrupt_ack", USED)
            assert int(told.irq.value), "another device's acknowledgement counts"
            await told.driver.write("interrupt_ack", USED)
            await ClockCycles(dut.clk, 3)
            assert not int(told.irq.value), "acknowledged, and still raised"
            for side in bench.sides:
                side.serve()
                await side.driver.service()
            await bench.settle()


@cocotb.test
async def a_driver_without_buffers_stops_what_comes_to_it_and_nothing_else(dut):
    bench = VethBench(dut, stall="coin")
    await bench.reset()
    full, empty = bench.sides
    await full.start()
    await empty.start(fill=False)
    empty.stop_serving()
    await full.send(full.draw(12, kinds=("tso", "csum")))
    await empty.send(empty.draw(12, kinds=("tso6", "csum")))
    empty.stop_serving()

    def one_way():
        empty.driver.clean()
        full.look()
        return not full.wire.waiting

    await bench.until(one_way, "the last frame to who has buffers")
    assert empty.wire.waiting and not empty.driver.received
    await empty.driver.service()
    empty.serve()
    await bench.settle()
    assert not empty.wire.lost


@cocotb.test
async def a_reset_of_one_device_in_mid_transfer_costs_its_own_frames_and_no_other(dut):
    """What has left stands, in order; what comes to it meanwhile is swallowed by whole frames; the other device notices nothing."""
    bench = await started(dut, stall="seldom")
    busy = lost = 0
    for attempt in range(settings()["resets"]):
        bench.pause(bench.rng.choice(("never", "seldom", "coin")))
        victim, other = bench.sides[attempt % 2], bench.sides[1 - attempt % 2]
        victims = cocotb.start_soon(victim.send(victim.draw(100, kinds=ORDERLY)))
        others = cocotb.start_soon(other.send(other.draw(20, kinds=ORDERLY)))
        await ClockCycles(dut.clk, bench.rng.randint(200, 2500))
        victims.cancel()
        victim.stop_serving()
        busy += bench.under_way(victim.number) > 0
        await victim.driver.reset()
        if not bench.coherent:
            assert bench.under_way(victim.number) == 0, "a transaction is under way after the reset"
        victim.driver.poll()
        victim.look()
        before = bytes(victim.memory.dram)
        await ClockCycles(dut.clk, bench.rng.randint(1, 600))
        assert bytes(victim.memory.dram) == before, "memory changes after the reset"
        victim.wire.gap()
        await victim.start()
        await others
        await bench.until(lambda other=other: other.driver.sent_back == other.sent, "the other side's completions")
        await bench.quiet()
        for side in bench.sides:
            await side.driver.service()
            side.look()
        lost += victim.wire.waiting + other.wire.waiting
        victim.wire.forget()
        other.wire.forget()
        assert not await other.driver.read("status") & 64, "the other device asks for a reset"
        assert await other.driver.read("status") == 15 and await victim.driver.read("status") == 15
        await both(bench, 6, kinds=ORDERLY)
    assert busy and lost + sum(side.wire.lost for side in bench.sides), "no reset fell into a transfer"


@cocotb.test
async def a_reset_of_the_design_in_mid_transfer_leaves_no_trace(dut):
    bench = await started(dut)
    busy = 0
    for _ in range(settings()["resets"] // 3):
        senders = [cocotb.start_soon(side.send(side.draw(100))) for side in bench.sides]
        await ClockCycles(dut.clk, bench.rng.randint(200, 2500))
        for side, sender in zip(bench.sides, senders, strict=True):
            sender.cancel()
            side.stop_serving()
        busy += any(bench.under_way(number) for number in range(2))
        await bench.reset(clocks=bench.rng.choice((1, 4)))
        assert not int(dut.irq_0.value) and not int(dut.irq_1.value)
        for side in bench.sides:
            await side.start()
        await both(bench, 8)
        assert all(side.wire.lost == 0 for side in bench.sides)
    assert busy, "no reset fell into a transfer"
