"""A split ring from the device's side, in plain Python (virtio 1.2, 2.7), and the rule by which either side is notified."""

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from guest.features import FEATURES
from guest.memory import Memory
from guest.rings import Queue

__all__ = ["Chain", "SplitRing"]

DESCRIPTOR = struct.Struct("<QIHH")
NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT = 1

INDEX, ENTRIES = 1, 2
"""Where the available and the used ring keep them, in 16-bit words."""


@dataclass
class Chain:
    """What the driver made available at once: the descriptor that it begins with, what the device may read, and where it may write."""

    head: int
    readable: list[memoryview]
    writable: list[memoryview]

    def read(self) -> bytes:
        return b"".join(self.readable)

    @property
    def room(self) -> int:
        return sum(map(len, self.writable))

    def write(self, data: bytes) -> None:
        """As much of ``data`` as there is room for."""
        at = 0
        for part in self.writable:
            some = data[at : at + len(part)]
            part[: len(some)] = some
            at += len(some)


class SplitRing:
    """Takes what is available and gives it back used.

    Raises
    ------
    ValueError
        If the driver breaks the rules.
    """

    def __init__(self, memory: Memory, queue: Queue, features: int) -> None:
        self._event_index = bool(features >> FEATURES["EVENT_IDX"] & 1)
        self._fence = threading.Lock()
        self.next = queue.base
        self._used_index = self._signalled = queue.base
        self.move(memory, queue)

    def move(self, memory: Memory, queue: Queue) -> None:
        """The guest's memory has been mapped anew; the ring is where it was."""
        self._memory, self._queue = memory, queue
        self._available = memory.view(queue.available, 6 + 2 * queue.size).cast("H")
        self._used = memory.view(queue.used, 6 + 8 * queue.size).cast("H")  # words, so that an index is written at once
        self._elements = memory.view(queue.used + 4, 8 * queue.size).cast("I")

    def pop(self) -> Chain | None:
        """The next chain; None if there is none, and then the driver notifies of the next."""
        if self._empty() and self._notify_and_look():
            return None
        head = self._available[ENTRIES + self.next % self._queue.size]
        self.next = self.next + 1 & 0xFFFF
        chain = Chain(head, [], [])
        for address, length, flags in self._walk(self._queue.descriptors, self._queue.size, head, indirect=True):
            (chain.writable if flags & WRITE else chain.readable).append(self._memory.view(address, length))
        return chain

    def unpop(self) -> None:
        """The last chain was not needed."""
        self.next = self.next - 1 & 0xFFFF

    def push(self, chain: Chain, length: int) -> None:
        """Give a chain back, into which ``length`` bytes were written. The driver sees it at :meth:`publish`."""
        at = self._used_index % self._queue.size * 2
        self._elements[at], self._elements[at + 1] = chain.head, length
        self._used_index = self._used_index + 1 & 0xFFFF

    def publish(self) -> bool:
        """Show the driver what was given back; whether it wants an interrupt for it."""
        before, now = self._signalled, self._used_index
        if before == now:
            return False
        self._used[INDEX] = now
        self._order()
        if self._event_index:
            event = self._available[ENTRIES + self._queue.size]
            wanted = (now - event - 1 & 0xFFFF) < (now - before & 0xFFFF)
        else:
            wanted = not self._available[0] & NO_INTERRUPT
        self._signalled = now
        return wanted

    def _empty(self) -> bool:
        return self._available[INDEX] == self.next

    def _notify_and_look(self) -> bool:
        """Ask to be notified of the next one. It may have come before the driver saw that."""
        if self._event_index:
            self._used[ENTRIES + 4 * self._queue.size] = self.next
            self._order()
        return self._empty()

    def _order(self) -> None:
        """What was written before is seen before what is read after: taking a lock is a full barrier."""
        with self._fence:
            pass

    def _walk(self, table: int, size: int, index: int, *, indirect: bool) -> Iterator[tuple[int, int, int]]:
        """Addresses, lengths and flags of a chain."""
        for _ in range(size):
            if index >= size:
                raise ValueError(f"descriptor {index} of {size}")
            address, length, flags, following = DESCRIPTOR.unpack(self._memory.view(table + DESCRIPTOR.size * index, DESCRIPTOR.size))
            if flags & INDIRECT:
                if not indirect:
                    raise ValueError("an indirect table within one")
                yield from self._walk(address, length // DESCRIPTOR.size, 0, indirect=False)
                return
            yield address, length, flags
            if not flags & NEXT:
                return
            index = following
        raise ValueError("a chain without an end")
