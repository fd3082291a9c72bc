"""What Python sees of a compiled live engine: the functions of ``rtl/live.cpp`` and the structures that they share."""

import ctypes
from pathlib import Path

__all__ = ["COUNTS", "MESSAGE_BYTES", "LibraryCounters", "LibrarySettings", "bind"]

MESSAGE_BYTES = 256
"""Room for the reason why it cannot start."""


class LibrarySettings(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("host", "peer")),
        *((name, ctypes.c_uint64) for name in ("header_bytes", "frame_limit")),
        *((name, ctypes.c_double) for name in ("loss", "reorder")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_char_p) for name in ("host_pcap", "peer_pcap", "request_pcap")),
    ]


COUNTS = (
    *("frames_in", "super_frames_in", "bytes_in", "frames_out", "bytes_out", "back_frames", "back_bytes"),
    *("clocks", "beats_in", "beats_out", "lost", "reordered", "unwritten", "waiting_max"),
)
TIMES = ("engine_cpu_ns", "io_cpu_ns", "host_cpu_ns")


class LibraryCounters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (*COUNTS, *TIMES)]


def bind(path: Path) -> ctypes.CDLL:
    """The library, its functions with their types."""
    library = ctypes.CDLL(str(path))
    library.live_start.argtypes = [ctypes.POINTER(LibrarySettings), ctypes.c_char_p, ctypes.c_size_t]
    library.live_start.restype = ctypes.c_void_p
    library.live_counters.argtypes = [ctypes.c_void_p, ctypes.POINTER(LibraryCounters), ctypes.POINTER(ctypes.c_uint64)]
    library.live_counters.restype = None
    library.live_failure.argtypes = [ctypes.c_void_p]
    library.live_failure.restype = ctypes.c_char_p
    library.live_stop.argtypes = [ctypes.c_void_p]
    library.live_stop.restype = None
    return library
