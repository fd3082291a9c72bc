"""How fast this machine's time stamp counter runs. Under TCG the guest reads the same one, and its kernel finds no other clock to measure it by."""

import ctypes
import mmap
import platform
import time

from guest.errors import Unavailable

__all__ = ["tsc_khz"]

READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")  # rdtsc; shl rdx, 32; or rax, rdx; ret
SECONDS = 0.1


def tsc_khz() -> int:
    """Thousands of counts a second, measured."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"the guest needs a machine with x86_64 processors, not {platform.machine()}")
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(READ_TSC)
        first_byte = ctypes.c_char.from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(first_byte))
        begun, count = time.perf_counter_ns(), int(read())
        time.sleep(SECONDS)
        count, elapsed = int(read()) - count, time.perf_counter_ns() - begun
        del first_byte
    return round(count * 1e6 / elapsed)
