"""QEMU and a driver, played for tests: the other end of vhost-user, with rings in memory that it shares, laid out as awkwardly as is allowed."""

import array
import mmap
import os
import random
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from guest.features import FEATURES
from guest.protocol import (
    HEADER,
    MEMORY_HEAD,
    MEMORY_REGION,
    NEED_REPLY,
    PROTOCOL_FEATURES_BIT,
    U64,
    VERSION,
    VRING_ADDRESS,
    VRING_STATE,
    Request,
)
from guest.rings import RECEIVE, TRANSMIT

__all__ = ["FrontEnd"]

DESCRIPTOR = struct.Struct("<QIHH")
NEXT, WRITE, INDIRECT = 1, 2, 4

REGIONS = ((0x0, 0x40_0000, 0x7F00_0000_0000), (0x1_0000_0000, 0xC0_0000, 0x7E00_0000_0000))
"""Guest physical address, size and QEMU's address. They follow each other in the file, so its offsets are neither."""

SLOT_BYTES = 0x1_8000
"""For one chain: the longest frame, in pieces with gaps, behind its indirect table."""
RING_BYTES = 0x4000
PIECES_MOST = 5
PATIENCE_SECONDS = 120.0


class _Ring:
    """The driver's side of a split ring (virtio 1.2, 2.7.13 and 2.7.14)."""

    def __init__(self, driver: "FrontEnd", index: int, base: int, size: int) -> None:
        self._driver, self._index, self._size = driver, index, size
        self.descriptors, self.available, self.used = base, base + 0x1802, base + 0x2004  # aligned to 16, 2 and 4 bytes, and to no more
        self._base = base
        self.kick, self.call = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0, os.EFD_NONBLOCK)
        self.restart()

    def restart(self) -> None:
        self._driver.view(self._base, RING_BYTES)[:] = bytes(RING_BYTES)
        self._next = self._seen = 0
        self._free = deque(range(self._size))
        self._held: dict[int, list[int]] = {}

    def addresses(self) -> tuple[int, int, int]:
        return self.descriptors, self.used, self.available

    def room(self) -> bool:
        return len(self._free) > PIECES_MOST + 1

    def offer(self, pieces: list[tuple[int, int, int]], table: int | None) -> int:
        """Make a chain of (address, length, flags) available, in an indirect table if there is one; returns its head."""
        if table is not None:
            self._write_table(table, pieces, list(range(len(pieces))))
            pieces = [(table, DESCRIPTOR.size * len(pieces), INDIRECT)]
        numbers = [self._free.popleft() for _ in pieces]
        self._write_table(self.descriptors, pieces, numbers)
        self._held[numbers[0]] = numbers
        available = self._driver.view(self.available, 6 + 2 * self._size).cast("H")
        available[2 + self._next % self._size] = numbers[0]
        before, self._next = self._next, self._next + 1 & 0xFFFF
        available[1] = self._next
        used = self._driver.view(self.used, 6 + 8 * self._size).cast("H")
        if self._driver.event_index:
            wanted = (self._next - used[2 + 4 * self._size] - 1 & 0xFFFF) < (self._next - before & 0xFFFF)
        else:
            wanted = not used[0] & 1
        if wanted:
            os.eventfd_write(self.kick, 1)
        return numbers[0]

    def collect(self) -> Iterator[tuple[int, int]]:
        """Heads and lengths of what was used, as far as it has been."""
        used = self._driver.view(self.used, 6 + 8 * self._size)
        while (index := used.cast("H")[1]) != self._seen:
            assert index - self._seen & 0xFFFF <= self._size, "the used ring is overrun"
            head, length = struct.unpack_from("<II", used, 4 + 8 * (self._seen % self._size))
            self._seen = self._seen + 1 & 0xFFFF
            assert head in self._held, f"chain {head} was given back, and is not under way"
            self._free.extend(self._held.pop(head))
            yield head, length
            self._driver.view(self.available, 6 + 2 * self._size).cast("H")[2 + self._size] = self._seen

    def wait(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Until an interrupt."""
        ready, _, _ = select.select([self.call], [], [], seconds)
        assert ready, f"no interrupt of ring {self._index} within {seconds:.0f} s"
        os.eventfd_read(self.call)

    def _write_table(self, table: int, pieces: list[tuple[int, int, int]], numbers: list[int]) -> None:
        for at, (number, (address, length, flags)) in enumerate(zip(numbers, pieces, strict=True)):
            more = at + 1 < len(numbers)
            word = DESCRIPTOR.pack(address, length, flags | (NEXT if more else 0), numbers[at + 1] if more else 0)
            self._driver.view(table + DESCRIPTOR.size * number, DESCRIPTOR.size)[:] = word

    def close(self) -> None:
        os.close(self.kick)
        os.close(self.call)


class FrontEnd:
    """Connects to a back end at ``path``.

    Parameters
    ----------
    path : path
    refuse : set of str
        Features that it does not accept.
    size : int
        Entries of each ring.
    seed : int
        Of everything that may be so or otherwise: pieces, gaps, tables.
    """

    def __init__(self, path: Path, *, refuse: "frozenset[str]" = frozenset(), size: int = 256, seed: int = 0) -> None:
        self._dice = random.Random(seed)
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(str(path))
        self._connection.settimeout(PATIENCE_SECONDS)
        self._file = os.memfd_create("guest")
        os.ftruncate(self._file, sum(region_size for _, region_size, _ in REGIONS))
        self._memory = memoryview(mmap.mmap(self._file, 0))
        self.offered = self.ask(Request.GET_FEATURES)
        self.ask(Request.GET_PROTOCOL_FEATURES)
        self.accepted = self.offered & ~sum(1 << FEATURES[name] for name in refuse)
        self.event_index = bool(self.accepted >> FEATURES["EVENT_IDX"] & 1)
        self._indirect = bool(self.accepted >> FEATURES["INDIRECT_DESC"] & 1)
        (_, low, _), (high, high_size, _) = REGIONS
        self.rings = [_Ring(self, RECEIVE, high + 0x10, size), _Ring(self, TRANSMIT, high + 2 * RING_BYTES + 0x30, size)]
        starts = [*range(0, low, SLOT_BYTES)][:-1], [*range(high + 4 * RING_BYTES, high + high_size, SLOT_BYTES)][:-1]
        self._slots = deque(self._dice.sample([*starts[0], *starts[1]], len(starts[0]) + len(starts[1])))
        self._reaped = 0
        self._taken: dict[tuple[int, int], tuple[int, list[tuple[int, int, int]]]] = {}

    def start(self) -> None:
        """As QEMU does when the driver has set DRIVER_OK."""
        for ring in self.rings:
            ring.restart()
        self._slots.extend(slot for slot, _ in self._taken.values())
        self._taken.clear()
        self.tell(Request.SET_OWNER, b"")
        self.tell(Request.SET_FEATURES, U64.pack(self.accepted & ~(1 << PROTOCOL_FEATURES_BIT)))
        self.share_memory()
        for index, ring in enumerate(self.rings):
            self.tell(Request.SET_VRING_NUM, VRING_STATE.pack(index, ring._size))
            self.tell(Request.SET_VRING_BASE, VRING_STATE.pack(index, 0))
            self.tell(Request.SET_VRING_ADDR, VRING_ADDRESS.pack(index, 0, *map(self._user, ring.addresses()), 0))
            self.tell(Request.SET_VRING_KICK, U64.pack(index), [ring.kick])
            self.tell(Request.SET_VRING_CALL, U64.pack(index), [ring.call])
        for index in range(len(self.rings)):
            self.tell(Request.SET_VRING_ENABLE, VRING_STATE.pack(index, 1))

    def share_memory(self) -> None:
        """Tell which regions there are; also while rings run, as QEMU may at any time."""
        table, offset = [], 0
        for guest, size, user in REGIONS:
            table.append(MEMORY_REGION.pack(guest, size, user, offset))
            offset += size
        self.tell(Request.SET_MEM_TABLE, MEMORY_HEAD.pack(len(table), 0) + b"".join(table), [self._file] * len(table))

    def stop(self) -> list[int]:
        """As QEMU does when the driver resets the device; where the rings stand."""
        bases = []
        for index in range(len(self.rings)):
            self._send(Request.GET_VRING_BASE, VRING_STATE.pack(index, 0), 0, [])
            bases.append(VRING_STATE.unpack(self._answer())[1])
        return bases

    def close(self) -> None:
        self._connection.close()
        os.close(self._file)
        for ring in self.rings:
            ring.close()

    # ---- frames

    def send(self, data: bytes) -> None:
        """Make a frame with its header available, in pieces; waits for room."""
        ring = self.rings[TRANSMIT]
        while not (ring.room() and self._slots):
            ring.wait()
            self.reap()
        cuts = sorted(self._dice.randrange(1, len(data)) for _ in range(self._dice.randrange(PIECES_MOST)))
        parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]
        slot, pieces = self._lay_out([len(part) for part in parts], 0)
        for (address, length, _), part in zip(pieces, parts, strict=True):
            self.view(address, length)[:] = part
        self._offer(TRANSMIT, slot, pieces)

    def send_from(self, address: int, length: int) -> None:
        """Say that a frame lies at an address, wherever that is."""
        self._offer(TRANSMIT, self._slots.popleft(), [(address, length, 0)])

    def reap(self) -> int:
        """Take back what was sent; how many frames that are by now."""
        for head, length in self.rings[TRANSMIT].collect():
            assert length == 0, f"the device wrote {length} bytes into a frame that was sent"
            self._release(TRANSMIT, head)
            self._reaped += 1
        return self._reaped

    def provide(self, *lengths: int) -> None:
        """Make a buffer for frames available, in pieces of these lengths."""
        self._offer(RECEIVE, *self._lay_out(list(lengths), WRITE))

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """The frames that have come, each behind its header as one, and in how many buffers."""
        wanted = 0
        parts: list[bytes] = []
        for head, length in self.rings[RECEIVE].collect():
            pieces = self._release(RECEIVE, head)
            data = b"".join(bytes(self.view(address, room)) for address, room, _ in pieces)
            assert length <= len(data), f"{length} bytes were written to a buffer of {len(data)}"
            if not parts:
                wanted = int.from_bytes(data[10:12], "little")
            parts.append(data[:length])
            if len(parts) == wanted:
                yield wanted, b"".join(parts)
                parts = []
        assert not parts, f"{len(parts)} of {wanted} buffers of a frame were shown"

    def _lay_out(self, lengths: list[int], flags: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Addresses in a free slot, with gaps, at any alignment, in any order."""
        slot = self._slots.popleft()
        at, placed = slot + 0x400, {}
        for number in self._dice.sample(range(len(lengths)), len(lengths)):
            at += self._dice.randrange(64)
            placed[number] = (at, lengths[number], flags)
            at += lengths[number]
        assert at <= slot + SLOT_BYTES
        return slot, [placed[number] for number in range(len(lengths))]

    def _offer(self, index: int, slot: int, pieces: list[tuple[int, int, int]]) -> None:
        indirect = self._indirect and self._dice.random() < 0.5
        self._taken[index, self.rings[index].offer(pieces, slot + 16 * self._dice.randrange(32) if indirect else None)] = (slot, pieces)

    def _release(self, index: int, head: int) -> list[tuple[int, int, int]]:
        slot, pieces = self._taken.pop((index, head))
        self._slots.append(slot)
        return pieces

    # ---- memory and messages

    def view(self, address: int, length: int) -> memoryview:
        offset = 0
        for guest, size, _ in REGIONS:
            if guest <= address and address + length <= guest + size:
                return self._memory[offset + address - guest : offset + address - guest + length]
            offset += size
        raise AssertionError(f"{address:#x} is not in the guest's memory")

    def tell(self, request: int, payload: bytes, fds: "list[int] | None" = None) -> None:
        """A request without an answer but that it was done."""
        self._send(request, payload, NEED_REPLY, fds or [])
        assert U64.unpack(self._answer())[0] == 0

    def ask(self, request: int) -> int:
        """A request that a number answers."""
        self._send(request, b"", 0, [])
        return int(U64.unpack(self._answer())[0])

    def _send(self, request: int, payload: bytes, flags: int, fds: list[int]) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._connection.sendmsg([HEADER.pack(request, VERSION | flags, len(payload)) + payload], ancillary)

    def _answer(self) -> bytes:
        _, _, size = HEADER.unpack(self._connection.recv(HEADER.size, socket.MSG_WAITALL))
        return self._connection.recv(size, socket.MSG_WAITALL)

    @staticmethod
    def _user(address: int) -> int:
        for guest, size, user in REGIONS:
            if guest <= address < guest + size:
                return address - guest + user
        raise AssertionError(f"{address:#x} is not in the guest's memory")
