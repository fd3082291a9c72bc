"""The driver from the specification: its rings against a device in plain Python, and its cache."""

import struct

import pytest

from virtio_driver import CachedMemory, Memory, Ring, RingError

NEXT, WRITE, INDIRECT = 1, 2, 4


class Device:
    """Takes chains out of a ring and gives them back, as 2.7 says, with no gateware in sight."""

    def __init__(self, ring):
        self.ring, self.memory = ring, ring.memory
        self.seen = self.used = 0

    def halfword(self, address):
        return struct.unpack("<H", self.memory.bus_read(address, 2))[0]

    def chain(self):
        """The next chain's head and pieces, or None."""
        if self.halfword(self.ring.avail + 2) == self.seen:
            return None
        head = self.halfword(self.ring.avail + 4 + 2 * (self.seen % self.ring.size))
        self.seen = (self.seen + 1) & 0xFFFF
        base, index, pieces = self.ring.desc, head, []
        while True:
            address, length, flags, following = struct.unpack("<QIHH", self.memory.bus_read(base + 16 * index, 16))
            if flags & INDIRECT:
                base, index = address, 0
                continue
            pieces.append((address, length, bool(flags & WRITE)))
            if not flags & NEXT:
                return head, pieces
            index = following

    def give_back(self, head, length=0):
        self.memory.bus_write(self.ring.used + 4 + 8 * (self.used % self.ring.size), struct.pack("<II", head, length))
        self.used = (self.used + 1) & 0xFFFF
        self.memory.bus_write(self.ring.used + 2, struct.pack("<H", self.used))


@pytest.mark.parametrize("kind", (Memory, CachedMemory))
@pytest.mark.parametrize("indirect", (False, True))
def test_chains_go_round_in_order_beyond_the_wrap_of_the_index(kind, indirect):
    memory = kind(size=1 << 20)
    ring = Ring(memory, 4)
    table = memory.allocate(64) if indirect else None
    device = Device(ring)
    for number in range(70_000 if kind is Memory and not indirect else 200):
        ring.add([(memory.base, 10), (memory.base + 64, number + 1)], number, write=bool(number % 2), table=table)
        ring.must_notify()
        head, pieces = device.chain()
        assert pieces == [(memory.base, 10, bool(number % 2)), (memory.base + 64, number + 1, bool(number % 2))]
        device.give_back(head, number)
        assert ring.take() == [(number, number)]


def test_the_ring_refuses_what_the_device_does_not_have():
    ring = Ring(Memory(size=1 << 16), 4)
    Device(ring).give_back(2)
    with pytest.raises(RingError, match="the device had 0"):
        ring.take()
    ring = Ring(Memory(size=1 << 16), 4)
    ring.add([(ring.memory.base, 1)], "one")
    Device(ring).give_back(3)
    with pytest.raises(RingError, match="chain 3"):
        ring.take()


@pytest.mark.parametrize(("event", "expected"), ((0, [0]), (2, [2]), (5, []), (0xFFFF, [])))
def test_the_device_is_notified_where_it_asked_to_be(event, expected):
    ring = Ring(Memory(size=1 << 16), 8, event_idx=True)
    ring.memory.bus_write(ring.used + 4 + 8 * ring.size, struct.pack("<H", event))
    notified = []
    for number in range(4):
        ring.add([(ring.memory.base, 1)], number)
        if ring.must_notify():
            notified.append(number)
    assert notified == expected


def test_a_cached_line_moves_by_clean_and_invalidate_alone():
    memory = CachedMemory(size=1 << 12)
    at = memory.allocate(64)
    memory.write(at, b"driver")
    assert memory.bus_read(at, 6) == bytes(6)
    memory.clean(at, 6)
    assert memory.bus_read(at, 6) == b"driver"
    memory.bus_write(at, b"device")
    assert memory.read(at, 6) == b"driver"
    memory.invalidate(at, 6)
    assert memory.read(at, 6) == b"device"
    memory.write(at, b"again")
    with pytest.raises(AssertionError, match="lost"):
        memory.invalidate(at, 6)
    with pytest.raises(IndexError):
        memory.bus_read(memory.base - 1, 2)
