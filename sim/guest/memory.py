"""The guest's memory, as far as QEMU shares it: a few regions, each mapped into this process."""

import ctypes
import mmap
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Memory", "Region"]


class Region(NamedTuple):
    """``size`` bytes of memory at the guest physical address ``guest``, at ``user`` in QEMU, mapped here from byte ``offset`` of ``mapped`` on."""

    guest: int
    size: int
    user: int
    offset: int
    mapped: mmap.mmap


class Memory:
    """All regions, by two kinds of addresses: QEMU's own, in which it tells where rings are, and the guest's, in which all else is told.

    Raises
    ------
    ValueError
        By every method, for addresses outside.
    """

    def __init__(self, regions: Sequence[Region] = ()) -> None:
        self.regions = tuple(regions)

    def guest_address(self, user: int) -> int:
        """The guest physical address of QEMU's address ``user``."""
        for region in self.regions:
            if region.user <= user < region.user + region.size:
                return user - region.user + region.guest
        raise ValueError(f"QEMU's address {user:#x} is in no region of the guest's memory")

    def view(self, address: int, length: int) -> memoryview:
        """``length`` bytes at the guest physical ``address``, to read and to write."""
        for region in self.regions:
            at = address - region.guest
            if 0 <= at and at + length <= region.size:
                return memoryview(region.mapped)[region.offset + at : region.offset + at + length]
        raise ValueError(f"{length} bytes at {address:#x} are not in the guest's memory")

    def host_addresses(self) -> list[tuple[int, int, int]]:
        """Of each region the guest physical address, the size, and where it is mapped in this process."""
        return [(r.guest, r.size, ctypes.addressof(ctypes.c_char.from_buffer(r.mapped)) + r.offset) for r in self.regions]
