"""Every way to break a rule of the rings, as a table: what the driver does after a good start, and must be answered with NEEDS_RESET."""

import struct

from virtio_driver.ring import INDIRECT, NEXT, WRITE

__all__ = ["QUEUES", "RINGS", "TABLES"]

LENGTH = 100
"""Bytes of a buffer that is right."""


def chain(*descriptors, head=0):
    """A chain in the ring's own table: each descriptor ``(address or None, length, flags, next)``; None is good memory."""

    def break_it(driver, ring):
        for n, (address, length, flags, following) in enumerate(descriptors):
            ring.describe(n, driver.memory.allocate(256) if address is None else address(driver), length, flags, following)
        ring.offer(head)

    return break_it


def table(*descriptors, length=None, flags=INDIRECT, offset=0, following=0):
    """A chain of one descriptor, which points to a table."""

    def break_it(driver, ring):
        at = driver.memory.allocate(16 * 64) + offset
        raw = b"".join(
            struct.pack("<QIHH", driver.memory.allocate(256) if address is None else address(driver), count, bits, after)
            for address, count, bits, after in descriptors
        )
        driver.memory.write(at, raw)
        driver.memory.clean(at, len(raw))
        ring.describe(0, at, len(raw) if length is None else length, flags, following)
        ring.offer(0)

    return break_it


def outside(driver):
    return driver.memory.base - 4096


def far_outside(driver):
    return driver.memory.base ^ 1 << 63


def at_the_end(driver):
    return driver.memory.base + driver.memory.size - 16


def at_the_top(driver):
    return 2**64 - 16


def ahead(count):
    """An available index that is too far ahead."""

    def break_it(driver, ring):
        for _ in range(count(ring)):
            ring.offer(0)

    return break_it


LOOP = [(None, LENGTH, NEXT, 1), (None, LENGTH, NEXT, 0)]
BIG = [(None, 0x40000, NEXT if n < 4 else 0, n + 1 if n < 4 else 0) for n in range(5)]
GOOD = (None, LENGTH, 0, 0)

RINGS = {
    # what: (queue, what the driver does)
    "a loop of two descriptors": (1, chain(*LOOP)),
    "a loop of one descriptor": (1, chain((None, LENGTH, NEXT, 0))),
    "a loop of receive buffers": (0, chain(*((a, b, c | WRITE, d) for a, b, c, d in LOOP))),
    "a buffer of no bytes": (1, chain((None, 0, 0, 0))),
    "a buffer of no bytes behind a good one": (1, chain((None, LENGTH, NEXT, 1), (None, 0, 0, 0))),
    "a receive buffer of no bytes": (0, chain((None, 0, WRITE, 0))),
    "a buffer of 4 GiB": (1, chain((None, 0xFFFF_FFFF, 0, 0))),
    "a receive buffer of 4 GiB": (0, chain((None, 0xFFFF_FFFF, WRITE, 0))),
    "buffers of more than 1 MiB together": (1, chain(*BIG)),
    "a descriptor that goes on beyond the queue": (1, chain((None, LENGTH, NEXT, 16))),
    "a descriptor that goes on far beyond the queue": (1, chain((None, LENGTH, NEXT, 0xFFFF))),
    "a chain that begins beyond the queue": (1, chain(GOOD, head=16)),
    "a chain that begins far beyond the queue": (0, chain(GOOD, head=0xFFFF)),
    "memory below the window": (1, chain((outside, LENGTH, 0, 0))),
    "memory far outside of the window": (1, chain((far_outside, LENGTH, 0, 0))),
    "memory that begins within the window and ends outside": (1, chain((at_the_end, LENGTH, 0, 0))),
    "memory that wraps around": (1, chain((at_the_top, LENGTH, 0, 0))),
    "a table in a table": (1, table((None, 64, INDIRECT, 0))),
    "a table with a descriptor behind it": (1, table(GOOD, flags=INDIRECT | NEXT, following=1)),
    "a table of one and a half descriptors": (1, table(GOOD, GOOD, length=24)),
    "a table of no descriptors": (1, table(GOOD, length=0)),
    "a table of a million bytes": (1, table(GOOD, length=1 << 20)),
    "a table at an odd address": (1, table(GOOD, offset=4)),
    "a table that goes on beyond its end": (1, table((None, LENGTH, NEXT, 1))),
    "a loop in a table": (1, table(*LOOP)),
    "a table outside of the window": (1, chain((outside, 32, INDIRECT, 0))),
    "a table that wraps around": (1, chain((at_the_top, 64, INDIRECT, 0))),
    "a buffer to be written among those to be sent": (1, chain((None, LENGTH, NEXT, 1), (None, LENGTH, WRITE, 0))),
    "a buffer to be read among those to be filled": (0, chain((None, LENGTH, 0, 0))),
    "one to be read behind one to be written": (0, chain((None, LENGTH, WRITE | NEXT, 1), (None, LENGTH, 0, 0))),
    "an index ahead by more than the queue": (1, ahead(lambda ring: ring.size + 1)),
    "an index far ahead": (1, ahead(lambda ring: 0x8000)),
    "more buffers than the used ring can return": (0, ahead(lambda ring: ring.size + 1)),
    "a chain of less than a header": (1, chain((None, 11, 0, 0))),
    "a receive buffer of less than a header": (0, chain((None, 11, WRITE, 0))),
}
"""Rings of 16 descriptors, both empty, with every feature."""

TABLES = {"a table without the feature": (1, table(GOOD))}
"""Where indirect descriptors were not accepted."""

QUEUES = {
    # what: (register, value) written before QueueReady
    "a length that is no power of two": ("queue_num", 12),
    "a length of nothing": ("queue_num", 0),
    "a length beyond the greatest": ("queue_num", 512),
    "a length far beyond the greatest": ("queue_num", 0x10010),
    "descriptors that are not aligned": ("queue_desc_low", 0x1008),
    "an available ring that is not aligned": ("queue_avail_low", 0x1001),
    "a used ring that is not aligned": ("queue_used_low", 0x1002),
}

PLACES = ("desc", "avail", "used")
"""Rings that may lie outside of the window."""
