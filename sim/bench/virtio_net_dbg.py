"""cocotb tests on the network device."""

import struct

import cocotb

from .bench import settings
from .virtio_bench import VirtioBench


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


@cocotb.test
async def frames_leave_as_the_driver_wrote_them(dut):
    bench = VirtioBench(dut, seed=settings()["seed"], **settings().get("driver", {}))
    await bench.reset()
    await bench.driver.start()
    irq = cocotb.start_soon(bench.service_interrupts())
    count = settings().get("count", 100)
    seen = []
    expected = await send(bench, count, settings().get("longest", 3000))

    def done():
        seen.extend(bench.frames_out())
        return len(seen) >= count and bench.driver.sent_back >= count

    try:
        await bench.until(done, "the last frame")
    except AssertionError:
        print(
            "SEEN",
            len(seen),
            bench.driver.sent_back,
            count,
            [len(e[0]) for e in expected[len(seen) - 2 : len(seen) + 3]],
            seen == expected[: len(seen)],
            bench.driver.tx.avail_idx,
            bench.driver.tx.used_idx,
            dut.irq.value,
            bench.rules.broken,
            hex(await bench.read(0x70)),
            hex(await bench.read(0x60)),
            bench.rules.reads,
            bench.rules.writes,
        )
        raise
    irq.cancel()
    assert seen == expected
    bench.rules.check()


@cocotb.test
async def frames_arrive_in_the_driver_s_buffers(dut):
    bench = VirtioBench(dut, seed=settings()["seed"], **settings().get("driver", {}))
    await bench.reset()
    await bench.driver.start()
    irq = cocotb.start_soon(bench.service_interrupts())
    frames = [bench.rng.randbytes(length(bench.rng, settings().get("longest", 3000))) for _ in range(settings().get("count", 100))]
    for frame in frames:
        await bench.arrive(frame)
    await bench.until(lambda: len(bench.driver.received) >= len(frames), "the last frame")
    irq.cancel()
    assert bench.driver.received == frames
    bench.rules.check()
