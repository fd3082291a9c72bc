"""Memory that a driver shares with its device, with and without a cache between them."""

__all__ = ["CachedMemory", "Memory"]

LINE = 64


class Memory:
    """Bytes at an address, with an allocator. What the driver writes, the device reads at once.

    Parameters
    ----------
    base, size : int
        In bytes, multiples of 4096.

    Attributes
    ----------
    dram : bytearray
        What the device sees.
    """

    def __init__(self, base=0x12_3450_0000, size=1 << 22):
        self.base, self.size = base, size
        self.dram = bytearray(size)
        self._next = 0
        self._free = {}

    def allocate(self, length, align=LINE, offset=0):
        """The address of fresh zeroed bytes: ``offset`` behind a multiple of ``align``."""
        kept = self._free.get((length, align, offset))
        if kept:
            return kept.pop()
        at = -(-self._next // align) * align + offset
        self._next = -(-(at + length) // LINE) * LINE  # no line is shared
        if self._next > self.size:
            raise MemoryError(f"{self.size} bytes are not enough")
        self.write(self.base + at, bytes(length))
        self.clean(self.base + at, length)
        return self.base + at

    def free(self, address, length, align=LINE, offset=0):
        """Give memory back that was allocated with the same arguments."""
        self._free.setdefault((length, align, offset), []).append(address)

    def forget(self):
        """Give everything back."""
        self._next = 0
        self._free.clear()

    # --- The driver's side.
    def write(self, address, data):
        at = self._at(address, len(data))
        self.dram[at : at + len(data)] = data

    def read(self, address, length):
        at = self._at(address, length)
        return bytes(self.dram[at : at + length])

    def clean(self, address, length):
        """Make what was written there the device's."""

    def invalidate(self, address, length):
        """Have what the device wrote there read anew."""

    # --- The device's side.
    def bus_read(self, address, length):
        at = self._at(address, length)
        return bytes(self.dram[at : at + length])

    def bus_write(self, address, data):
        at = self._at(address, len(data))
        self.dram[at : at + len(data)] = data

    def _at(self, address, length):
        at = address - self.base
        if not 0 <= at <= self.size - length:
            raise IndexError(f"{length} bytes at {address:#x} lie outside of {self.base:#x} to {self.base + self.size:#x}")
        return at


class CachedMemory(Memory):
    """The same behind a write-back cache that keeps every line for ever: only ``clean`` and ``invalidate`` move bytes."""

    def __init__(self, *args, **options):
        self._lines = {}
        self._dirty = set()
        super().__init__(*args, **options)

    def _line(self, number):
        if number not in self._lines:
            self._lines[number] = self.dram[number * LINE : (number + 1) * LINE]
        return self._lines[number]

    def _pieces(self, address, length):
        at = self._at(address, length)
        while length:
            number, within = divmod(at, LINE)
            count = min(length, LINE - within)
            yield number, within, count
            at, length = at + count, length - count

    def write(self, address, data):
        done = 0
        for number, within, count in self._pieces(address, len(data)):
            self._line(number)[within : within + count] = data[done : done + count]
            self._dirty.add(number)
            done += count

    def read(self, address, length):
        return b"".join(bytes(self._line(number)[within : within + count]) for number, within, count in self._pieces(address, length))

    def clean(self, address, length):
        for number, _, _ in self._pieces(address, length):
            if number in self._dirty:
                self.dram[number * LINE : (number + 1) * LINE] = self._lines[number]
                self._dirty.discard(number)

    def invalidate(self, address, length):
        for number, _, _ in self._pieces(address, length):
            if number in self._dirty:
                raise AssertionError(f"what was written at {self.base + number * LINE:#x} would be lost")
            self._lines.pop(number, None)
