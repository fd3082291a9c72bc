"""The device, compiled: ``nic.py`` as Verilog, Verilated together with ``guest.cpp``."""

import ctypes
import importlib.metadata
from pathlib import Path

from guest import nic
from guest.errors import GuestError
from guest.memory import Memory
from guest.registers import Driver
from guest.rings import Counters, Queue
from offcut import verilog
from offcut.config import Config
from offcut.rtl import build

__all__ = ["GatewareDevice", "prepare"]

HARNESS = Path(__file__).with_name("guest.cpp")
MESSAGE_BYTES = 256
DROP = "stat_drop_"
USED_INDEX_AT = 2
"""Byte of a used ring."""


class _Settings(ctypes.Structure):
    _fields_ = [("wire", ctypes.c_int32), *((name, ctypes.c_uint64) for name in ("mac", "mtu", "frame_limit", "seed"))]


class _Region(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("guest", "bytes", "host")]


class _Bells(ctypes.Structure):
    _fields_ = [("kick", ctypes.c_int32), ("call", ctypes.c_int32), ("used_index", ctypes.c_uint64)]


COUNTS = (
    *("frames_in", "super_frames_in", "bytes_in", "frames_out", "bytes_out", "longest_out", "back_frames", "back_bytes"),
    *("interrupts", "kicks", "clocks", "refused", "unwritten"),
)


class _Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in COUNTS]


class GatewareDevice:
    """Stands between the guest's rings and a TAP device; see :class:`guest.rings.RingDevice`.

    Parameters
    ----------
    config : offcut.config.Config
        Of the engine.
    wire : int
        File descriptor of the TAP device; it stays open.
    mac : bytes
    mtu : int
        For the device's configuration space.
    seed : int
        Of the registers' values at power-up.

    Raises
    ------
    GuestError
        If it cannot start, and by every method, if it has stopped by itself.
    offcut.rtl.build.BuildError
        If it cannot be compiled.
    """

    def __init__(self, config: Config, wire: int, *, mac: bytes, mtu: int, seed: int = 0) -> None:
        text = _verilog(config)
        self._stats = [name for name in verilog.ports(text, nic.TOP) if name.startswith("stat_")]
        self._library = _bind(_compiled(text))
        settings = _Settings(wire=wire, mac=int.from_bytes(mac, "little"), mtu=mtu, frame_limit=config.mtu_max, seed=seed)
        message = ctypes.create_string_buffer(MESSAGE_BYTES)
        self._guest = self._library.guest_start(settings, message, MESSAGE_BYTES)
        if not self._guest:
            raise GuestError(message.value.decode())
        self._memory = Memory()
        self._queues: list[Queue] = []
        self._last = Counters()
        try:
            self._driver = Driver(self.read, self.write)
            self.features = self._driver.features()
        except BaseException:
            self.close()
            raise

    def read(self, register: int) -> int:
        """A register's value, as the driver reads it."""
        return self._access(register, 0, False)

    def write(self, register: int, value: int) -> None:
        """As the driver writes it."""
        self._access(register, value, True)

    def start(self, memory: Memory, features: int, queues: list[Queue]) -> None:
        if any(queue.base for queue in queues):
            raise GuestError("the gateware's rings begin with entry 0, and QEMU wants to go on where they stood")
        self._set_memory(memory)
        self._driver.start(features, queues)
        self._set_bells(queues)

    def update(self, memory: Memory, queues: list[Queue]) -> None:
        self._set_memory(memory)
        self._set_bells(queues)

    def stop(self) -> list[int]:
        self._set_bells([])
        if not self.failure():
            self._driver.reset()
        views = [self._memory.view(queue.used + USED_INDEX_AT, 2) for queue in self._queues]
        positions = [int.from_bytes(view, "little") for view in views]
        self._set_memory(Memory())
        return positions

    def counters(self) -> Counters:
        if self._guest:
            counts, strobes = _Counters(), (ctypes.c_uint64 * len(self._stats))()
            self._library.guest_counters(self._guest, counts, strobes)
            dropped = {name.removeprefix(DROP): n for name, n in zip(self._stats, strobes, strict=True) if n and name.startswith(DROP)}
            self._last = Counters(**{name: getattr(counts, name) for name in COUNTS}, dropped=dropped)
        return self._last

    def failure(self) -> str:
        said = str(self._library.guest_failure(self._guest).decode()) if self._guest else ""
        return f"the gateware: {said}" if said else ""

    def close(self) -> None:
        if self._guest:
            self.counters()
            self._library.guest_stop(self._guest)
            self._guest = None

    def _access(self, register: int, value: int, write: bool) -> int:
        cell = ctypes.c_uint32(value)
        if not self._library.guest_access(self._guest, register, ctypes.byref(cell), write):
            raise GuestError(self.failure())
        return cell.value

    def _set_memory(self, memory: Memory) -> None:
        regions = [_Region(*addresses) for addresses in memory.host_addresses()]
        self._library.guest_memory(self._guest, (_Region * len(regions))(*regions), len(regions))
        self._memory = memory

    def _set_bells(self, queues: list[Queue]) -> None:
        bells = [_Bells(queue.kick, queue.call, queue.used + USED_INDEX_AT) for queue in queues]
        self._library.guest_bells(self._guest, (_Bells * len(bells))(*bells), len(bells))
        self._queues = list(queues) or self._queues


def prepare(config: Config) -> None:
    """Compile the gateware of ``config``, unless that has been done: it takes a minute."""
    _compiled(_verilog(config))


def _compiled(text: str) -> Path:
    return build.shared_library(text, harness=HARNESS, top=nic.TOP)


def _verilog(config: Config) -> str:
    """The card's Verilog, kept: writing it takes seconds."""
    sources = [Path(nic.__file__), *sorted(build.PACKAGE.rglob("*.py"))]
    ingredients = [verilog.switches(config), importlib.metadata.version("amaranth"), *(path.read_text() for path in sources)]
    path = build.kept(
        build.cache_directory(),
        nic.TOP,
        ingredients,
        ".v",
        lambda new: new.write_text(verilog.convert(nic.Nic(config), name=nic.TOP)),
    )
    return path.read_text()


def _bind(path: Path) -> ctypes.CDLL:
    """The library, its functions with their types."""
    library = ctypes.CDLL(str(path))
    guest = ctypes.c_void_p
    functions = {
        "guest_start": (guest, [ctypes.POINTER(_Settings), ctypes.c_char_p, ctypes.c_size_t]),
        "guest_memory": (None, [guest, ctypes.POINTER(_Region), ctypes.c_size_t]),
        "guest_bells": (None, [guest, ctypes.POINTER(_Bells), ctypes.c_size_t]),
        "guest_access": (ctypes.c_bool, [guest, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32), ctypes.c_bool]),
        "guest_counters": (None, [guest, ctypes.POINTER(_Counters), ctypes.POINTER(ctypes.c_uint64)]),
        "guest_failure": (ctypes.c_char_p, [guest]),
        "guest_stop": (None, [guest]),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
