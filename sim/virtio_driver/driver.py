"""The driver: registers in the order in which Linux's virtio_mmio and virtio_net touch them, frames in and out."""

import random
import struct

from .ring import Ring

__all__ = ["FEATURE_BITS", "REGISTERS", "STATUS", "DriverError", "NetDriver"]

REGISTERS = {
    "magic": 0x00, "version": 0x04, "device_id": 0x08, "vendor_id": 0x0C,
    "device_features": 0x10, "device_features_sel": 0x14, "driver_features": 0x20, "driver_features_sel": 0x24,
    "queue_sel": 0x30, "queue_num_max": 0x34, "queue_num": 0x38, "queue_ready": 0x44, "queue_notify": 0x50,
    "interrupt_status": 0x60, "interrupt_ack": 0x64, "status": 0x70,
    "queue_desc_low": 0x80, "queue_desc_high": 0x84, "queue_avail_low": 0x90, "queue_avail_high": 0x94,
    "queue_used_low": 0xA0, "queue_used_high": 0xA4, "config_generation": 0xFC, "config": 0x100,
}  # fmt: skip
STATUS = {"acknowledge": 1, "driver": 2, "driver_ok": 4, "features_ok": 8, "needs_reset": 64, "failed": 128}
FEATURE_BITS = {
    "csum": 0, "mtu": 3, "mac": 5, "host_tso4": 11, "host_tso6": 12, "host_ecn": 13, "host_ufo": 14, "mrg_rxbuf": 15, "status": 16,
    "indirect": 28, "event_idx": 29, "version_1": 32, "access_platform": 33, "order_platform": 36, "host_uso": 56,
}  # fmt: skip
RECEIVE, TRANSMIT = 0, 1
HEADER = 12


class DriverError(AssertionError):
    """The device is not what the driver takes it for."""


class NetDriver:
    """Drives one device.

    Parameters
    ----------
    read, write : coroutine functions
        ``await read(offset)`` and ``await write(offset, value)``, 32 bits.
    memory : Memory
    seed : int
        Of how buffers are cut and where they lie.
    accept : iterable of str
        Names in :data:`FEATURE_BITS`; those that are not offered are left out.
    size : int
        Descriptors in each queue.
    sizes : (int, int), optional
        Those of either queue, in its place.
    buffer_bytes : int
        Of each receive buffer.
    pieces : int
        Most pieces that a chain is cut into.
    """

    def __init__(self, read, write, memory, *, seed=1, accept=tuple(FEATURE_BITS), size=64, sizes=None, buffer_bytes=1536, pieces=4):
        self._read, self._write = read, write
        self.memory = memory
        self.rng = random.Random(seed)
        self.accept = set(accept)
        self.sizes = sizes or (size, size)
        self.buffer_bytes, self.pieces = buffer_bytes, pieces
        self.received = []
        self.sent_back = 0
        self.features = 0

    async def read(self, name):
        return await self._read(REGISTERS[name])

    async def write(self, name, value):
        await self._write(REGISTERS[name], value)

    def has(self, feature):
        return bool(self.features >> FEATURE_BITS[feature] & 1)

    async def set_status(self, *names):
        """Add bits to the status, as `virtio_add_status` does."""
        status = await self.read("status")
        await self.write("status", status | sum(STATUS[name] for name in names))

    # --- Probe, features, queues: `virtio_mmio_probe`, `virtio_dev_probe`, `vm_find_vqs`.
    async def probe(self):
        """Look whether it is a network device."""
        for name, expected in (("magic", 0x74726976), ("version", 2), ("device_id", 1)):
            found = await self.read(name)
            if found != expected:
                raise DriverError(f"{name} is {found:#x}, not {expected:#x}")
        return await self.read("vendor_id")

    async def reset(self):
        """Back to the beginning; when it returns, all memory is the driver's again."""
        await self.write("status", 0)
        if await self.read("status"):
            raise DriverError("the device is not reset")

    async def offered(self):
        """The features of the device, a number of 64 bits."""
        features = 0
        for half in (1, 0):
            await self.write("device_features_sel", half)
            features |= await self.read("device_features") << 32 * half
        return features

    async def choose(self, features):
        """Write the features that the driver wants, and return whether the device takes them."""
        self.features = features
        for half in (1, 0):
            await self.write("driver_features_sel", half)
            await self.write("driver_features", features >> 32 * half & 0xFFFF_FFFF)
        await self.set_status("features_ok")
        return bool(await self.read("status") & STATUS["features_ok"])

    async def negotiate(self):
        await self.set_status("acknowledge")
        await self.set_status("driver")
        offered = await self.offered()
        wanted = sum(1 << FEATURE_BITS[name] for name in self.accept)
        if not await self.choose(offered & wanted):
            raise DriverError("the device refuses the features that it offers")

    async def config(self):
        """``(mac, status, mtu)``, read without tearing (4.2.2.2)."""
        while True:
            before = await self.read("config_generation")
            words = [await self._read(REGISTERS["config"] + 4 * n) for n in range(3)]
            if before == await self.read("config_generation"):
                break
        raw = b"".join(word.to_bytes(4, "little") for word in words)
        status, _, mtu = struct.unpack("<HHH", raw[6:12])
        return raw[:6], status, mtu

    async def set_up(self, number, ring, elsewhere=""):
        """Tell the device where a ring is: `vm_setup_vq`."""
        await self.write("queue_sel", number)
        if await self.read("queue_ready"):
            raise DriverError(f"queue {number} is in use already")
        if await self.read("queue_num_max") < ring.size:
            raise DriverError(f"queue {number} is too short")
        await self.write("queue_num", ring.size)
        for name, address in (("desc", ring.desc), ("avail", ring.avail), ("used", ring.used)):
            address += 4 * self.memory.size if name == elsewhere else 0
            await self.write(f"queue_{name}_low", address & 0xFFFF_FFFF)
            await self.write(f"queue_{name}_high", address >> 32)
        await self.write("queue_ready", 1)

    async def find_queues(self, elsewhere=(None, "")):
        """Make both rings, placed anew each time. ``elsewhere`` names a part of one that the device finds where no memory is."""
        self.memory.forget()
        places = (0, 4, 8, 32, 60)
        self.rx, self.tx = (Ring(self.memory, size, event_idx=self.has("event_idx"), spread=self.rng.choice(places)) for size in self.sizes)
        for number, ring in ((RECEIVE, self.rx), (TRANSMIT, self.tx)):
            await self.set_up(number, ring, elsewhere[1] if elsewhere[0] == number else "")
        self.received, self.sent_back = [], 0
        self._partial = None

    async def start(self, *, fill=True):
        """From power-up, or from anything else, to a device that runs, with receive buffers or without."""
        await self.probe()
        await self.reset()
        await self.negotiate()
        await self.find_queues()
        await self.set_status("driver_ok")
        self.tx.interrupts(True)
        self.rx.interrupts(True)
        if fill:
            await self.fill()

    # --- Frames.
    def _cut(self, length):
        """A length in random pieces, the first ones often as long as the header."""
        count = self.rng.randint(1, self.pieces)
        marks = {self.rng.choice((HEADER, self.rng.randint(1, length))) for _ in range(count - 1)}
        marks = sorted(mark for mark in marks if 0 < mark < length)
        return [end - begin for begin, end in zip([0, *marks], [*marks, length], strict=True)]

    def _place(self, lengths):
        """Memory for each length: ``[(address, length)]`` and what to free."""
        pieces, kept = [], []
        for length in lengths:
            offset = self.rng.randrange(16)
            whole = -(-length // 256) * 256
            address = self.memory.allocate(whole + 16)
            kept.append((address, whole + 16))
            pieces.append((address + offset, length))
        return pieces, kept

    def _table(self, pieces, ring):
        if (
            self.has("indirect")
            and (len(pieces) > 1 or self.rng.random() < 0.2)
            and (self.rng.random() < 0.7 or not ring.room(len(pieces)))
        ):
            offset = self.rng.choice((0, 0, 8, 56))
            return self.memory.allocate(16 * 32, offset=offset), offset
        return None, 0

    def queue(self, frame, header=bytes(HEADER)):
        """Offer a frame with its ``virtio_net_hdr``; False if there is no room. Nobody is told."""
        data = header + frame
        lengths = self._cut(len(data))
        if not self.tx.room(len(lengths)):
            return False
        pieces, kept = self._place(lengths)
        at = 0
        for address, length in pieces:
            self.memory.write(address, data[at : at + length])
            self.memory.clean(address, length)
            at += length
        table, offset = self._table(pieces, self.tx)
        self.tx.add(pieces, (kept, table, offset), table=table)
        return True

    async def kick(self, ring, number):
        if ring.must_notify():
            await self.write("queue_notify", number)

    async def flush(self):
        """Make what was queued the device's."""
        await self.kick(self.tx, TRANSMIT)

    def _give_back(self, kept, table, offset):
        for address, length in kept:
            self.memory.free(address, length)
        if table is not None:
            self.memory.free(table, 16 * 32, offset=offset)

    def clean(self):
        """Take back what was sent."""
        for (kept, table, offset), written in self.tx.take():
            if written:
                raise DriverError(f"the device says that it wrote {written} bytes into what it was to read")
            self._give_back(kept, table, offset)
            self.sent_back += 1

    async def fill(self):
        """Offer receive buffers while there is room."""
        added = False
        while self.rx.in_use < self.rx.size:
            lengths = self._cut(self.buffer_bytes)
            if not self.rx.room(len(lengths)):
                break
            pieces, kept = self._place(lengths)
            for address, length in pieces:
                self.memory.clean(address, length)
            table, offset = self._table(pieces, self.rx)
            self.rx.add(pieces, (pieces, kept, table, offset), write=True, table=table)
            added = True
        if added:
            await self.kick(self.rx, RECEIVE)

    def poll(self):
        """Take received frames; they are added to ``received``."""
        for (pieces, kept, table, offset), written in self.rx.take():
            data = b""
            for address, length in pieces:
                count = min(length, written - len(data))
                self.memory.invalidate(address, length)
                data += self.memory.read(address, count)
            if len(data) != written:
                raise DriverError(f"the device says that it wrote {written} bytes into {self.buffer_bytes}")
            self._give_back(kept, table, offset)
            self._gather(data)

    def _gather(self, data):
        if self._partial is None:
            if any(data[:10]) or len(data) < HEADER:
                raise DriverError(f"a received frame's header is {data[:HEADER].hex()}")
            (count,) = struct.unpack("<H", data[10:12])
            if count == 0 or count > 1 and not self.has("mrg_rxbuf"):
                raise DriverError(f"a frame of {count} buffers")
            self._partial = [count, data[HEADER:]]
        else:
            self._partial[1] += data
        self._partial[0] -= 1
        if self._partial[0] == 0:
            self.received.append(self._partial[1])
            self._partial = None

    async def interrupted(self):
        """What an interrupt does: `vm_interrupt`, then both queues. Returns the status that was found."""
        status = await self.read("interrupt_status")
        await self.write("interrupt_ack", status)
        if status & 1:
            await self.service()
        return status

    async def service(self):
        """Take what came back from both queues until there is no more, with interrupts asked for again before the last look."""
        while True:
            self.clean()
            self.poll()
            await self.fill()
            self.tx.interrupts(True)
            self.rx.interrupts(True)
            before = self.sent_back, len(self.received)
            self.clean()
            self.poll()
            if before == (self.sent_back, len(self.received)):
                break
        await self.fill()
