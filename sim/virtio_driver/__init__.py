"""A driver of a virtio network device in plain Python, written from the specification (virtio 1.2) for tests of the gateware.

It shares no table and no number with the gateware. The registers are reached through two coroutines, memory through :class:`Memory`.
"""

from .driver import DriverError, NetDriver
from .memory import CachedMemory, Memory
from .ring import Ring, RingError

__all__ = ["CachedMemory", "DriverError", "Memory", "NetDriver", "Ring", "RingError"]
