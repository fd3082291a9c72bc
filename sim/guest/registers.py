"""The registers of a virtio device over MMIO, version 2 (virtio 1.2, 4.2.2), and how a driver brings such a device up (3.1.1, 4.2.3).

This side of it is played for the guest: its own driver talks to QEMU's registers, and what it chose there is written here into the gateware's.
"""

from collections.abc import Callable
from enum import IntEnum, IntFlag

from guest.errors import GuestError
from guest.rings import Queue

__all__ = ["Driver", "Register", "Status"]

MAGIC, VERSION, NETWORK_DEVICE = 0x74726976, 2, 1
RESET_READS = 10_000


class Register(IntEnum):
    MAGIC_VALUE = 0x000
    VERSION = 0x004
    DEVICE_ID = 0x008
    DEVICE_FEATURES = 0x010
    DEVICE_FEATURES_SEL = 0x014
    DRIVER_FEATURES = 0x020
    DRIVER_FEATURES_SEL = 0x024
    QUEUE_SEL = 0x030
    QUEUE_NUM_MAX = 0x034
    QUEUE_NUM = 0x038
    QUEUE_READY = 0x044
    QUEUE_NOTIFY = 0x050
    STATUS = 0x070
    QUEUE_DESC_LOW = 0x080
    QUEUE_DRIVER_LOW = 0x090
    QUEUE_DEVICE_LOW = 0x0A0


class Status(IntFlag):
    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    NEEDS_RESET = 64
    FAILED = 128


class Driver:
    """Brings the device up, and down again.

    Parameters
    ----------
    read : callable
        The value of a register.
    write : callable
        Given a register and a value.

    Raises
    ------
    GuestError
        If it is no such device, or does not do as it must.
    """

    def __init__(self, read: Callable[[int], int], write: Callable[[int, int], None]) -> None:
        self._read, self._write = read, write
        found = tuple(read(register) for register in (Register.MAGIC_VALUE, Register.VERSION, Register.DEVICE_ID))
        if found != (MAGIC, VERSION, NETWORK_DEVICE):
            raise GuestError("the gateware is no virtio network device: it says {:#x}, version {}, device {}".format(*found))

    def features(self) -> int:
        """What the device offers."""
        halves = []
        for half in (0, 1):
            self._write(Register.DEVICE_FEATURES_SEL, half)
            halves.append(self._read(Register.DEVICE_FEATURES))
        return halves[0] | halves[1] << 32

    def start(self, features: int, queues: list[Queue]) -> None:
        """From reset to DRIVER_OK."""
        self.reset()
        status = Status.ACKNOWLEDGE
        self._write(Register.STATUS, status)
        status |= Status.DRIVER
        self._write(Register.STATUS, status)
        for half in (0, 1):
            self._write(Register.DRIVER_FEATURES_SEL, half)
            self._write(Register.DRIVER_FEATURES, features >> 32 * half & 0xFFFF_FFFF)
        status |= Status.FEATURES_OK
        self._write(Register.STATUS, status)
        if self._read(Register.STATUS) != status:
            raise GuestError(f"the gateware refuses the features {features:#x}")
        for index, queue in enumerate(queues):
            self._set_up(index, queue)
        self._write(Register.STATUS, status | Status.DRIVER_OK)

    def reset(self) -> None:
        self._write(Register.STATUS, 0)
        for _ in range(RESET_READS):
            if self._read(Register.STATUS) == 0:
                return
        raise GuestError("the gateware does not finish its reset")

    def _set_up(self, index: int, queue: Queue) -> None:
        self._write(Register.QUEUE_SEL, index)
        if self._read(Register.QUEUE_READY):
            raise GuestError(f"queue {index} is ready behind a reset")
        most = self._read(Register.QUEUE_NUM_MAX)
        if queue.size > most:
            raise GuestError(f"queue {index} has {queue.size} entries, and the gateware takes {most}")
        self._write(Register.QUEUE_NUM, queue.size)
        addresses = {
            Register.QUEUE_DESC_LOW: queue.descriptors,
            Register.QUEUE_DRIVER_LOW: queue.available,
            Register.QUEUE_DEVICE_LOW: queue.used,
        }
        for register, address in addresses.items():
            self._write(register, address & 0xFFFF_FFFF)
            self._write(register + 4, address >> 32)
        self._write(Register.QUEUE_READY, 1)
