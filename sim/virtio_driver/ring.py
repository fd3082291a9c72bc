"""A split virtqueue, the driver's side (virtio 1.2, 2.7)."""

import struct
from collections import deque

__all__ = ["INDIRECT", "NEXT", "WRITE", "Ring", "RingError"]

NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT = 1
DESCRIPTOR = struct.Struct("<QIHH")


class RingError(AssertionError):
    """The device broke a rule of the ring."""


class Ring:
    """Puts buffers into a ring and takes them out again.

    Parameters
    ----------
    memory : Memory
    size : int
        Descriptors, a power of two.
    event_idx : bool
        VIRTIO_F_EVENT_IDX was negotiated.
    spread : int
        Bytes by which the rings lie behind a multiple of 64, a multiple of 4.
    """

    def __init__(self, memory, size, *, event_idx=False, spread=0):
        self.memory, self.size, self.event_idx = memory, size, event_idx
        self.desc = memory.allocate(16 * size, offset=spread & ~15)
        self.avail = memory.allocate(6 + 2 * size, offset=spread)
        self.used = memory.allocate(6 + 8 * size, offset=spread)
        self.avail_idx = self.used_idx = 0
        self._noted = 0  # the available index when the device was last notified
        self._free = deque(range(size))
        self._chains = {}
        self._shared(self.avail, struct.pack("<HH", 0, 0))
        self._shared(self.used, struct.pack("<HH", 0, 0))

    # --- Memory: everything shared is cleaned when it is written, and invalidated before it is read.
    def _shared(self, address, data):
        self.memory.write(address, data)
        self.memory.clean(address, len(data))

    def _fresh(self, address, length):
        self.memory.invalidate(address, length)
        return self.memory.read(address, length)

    @property
    def in_use(self):
        """Chains that the device has."""
        return len(self._chains)

    def room(self, descriptors=1):
        """Whether a chain of so many descriptors fits."""
        return len(self._free) >= descriptors

    def describe(self, index, addr, length, flags=0, following=0):
        """Write a descriptor into the table of the ring, whatever it says."""
        self._shared(self.desc + 16 * index, DESCRIPTOR.pack(addr, length, flags, following))

    def offer(self, head):
        """Put a descriptor's number into the available ring, without telling anybody."""
        self._shared(self.avail + 4 + 2 * (self.avail_idx % self.size), struct.pack("<H", head))
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF

    def publish(self):
        """Make what was offered the device's."""
        self._shared(self.avail + 2, struct.pack("<H", self.avail_idx))

    def add(self, pieces, token, *, write=False, table=None):
        """Offer a chain.

        Parameters
        ----------
        pieces : list of (int, int)
            Address and length.
        token : object
            What :meth:`take` returns for it.
        write : bool
            The device writes.
        table : int, optional
            An address for indirect descriptors, 16 bytes a piece.
        """
        flags = WRITE if write else 0
        if table is not None:
            for n, (addr, length) in enumerate(pieces):
                more = n + 1 < len(pieces)
                self._shared(table + 16 * n, DESCRIPTOR.pack(addr, length, flags | NEXT * more, n + 1 if more else 0))
            indices = [self._free.popleft()]
            self.describe(indices[0], table, 16 * len(pieces), INDIRECT)
        else:
            indices = [self._free.popleft() for _ in pieces]
            for n, (addr, length) in enumerate(pieces):
                more = n + 1 < len(pieces)
                self.describe(indices[n], addr, length, flags | NEXT * more, indices[n + 1] if more else 0)
        self._chains[indices[0]] = indices, token
        self.offer(indices[0])

    def must_notify(self):
        """Publish, and say whether the device wants to hear of it (2.7.10)."""
        self.publish()
        old, self._noted = self._noted, self.avail_idx
        if self.event_idx:
            (event,) = struct.unpack("<H", self._fresh(self.used + 4 + 8 * self.size, 2))
            return (self.avail_idx - event - 1) & 0xFFFF < (self.avail_idx - old) & 0xFFFF
        (flags,) = struct.unpack("<H", self._fresh(self.used, 2))
        return old != self.avail_idx and not flags & 1

    def take(self):
        """All chains that came back since: a list of ``(token, written bytes)``."""
        (index,) = struct.unpack("<H", self._fresh(self.used + 2, 2))
        new = (index - self.used_idx) & 0xFFFF
        if new > len(self._chains):
            raise RingError(f"{new} chains came back, but the device had {len(self._chains)}")
        back = []
        for _ in range(new):
            head, written = struct.unpack("<II", self._fresh(self.used + 4 + 8 * (self.used_idx % self.size), 8))
            if head not in self._chains:
                raise RingError(f"used element {self.used_idx} says chain {head}, which the device does not have")
            indices, token = self._chains.pop(head)
            self._free.extend(indices)
            self.used_idx = (self.used_idx + 1) & 0xFFFF
            back.append((token, written))
        return back

    def interrupts(self, wanted, ahead=0):
        """Ask for an interrupt with the next chain (or that so many behind it), or for none (2.7.7)."""
        if self.event_idx:
            at = (self.used_idx + ahead if wanted else self.used_idx - 1) & 0xFFFF
            self._shared(self.avail + 4 + 2 * self.size, struct.pack("<H", at))
        else:
            self._shared(self.avail, struct.pack("<H", 0 if wanted else NO_INTERRUPT))
