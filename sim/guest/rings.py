"""What stands behind the protocol: a network device with two rings, and what it must be told."""

from dataclasses import dataclass
from typing import Protocol

from guest.memory import Memory
from offcut.live.counters import Passed

__all__ = ["RECEIVE", "TRANSMIT", "Counters", "Queue", "RingDevice"]

RECEIVE, TRANSMIT = 0, 1


@dataclass
class Queue:
    """One split ring (virtio 1.2, 2.7): its size in entries, its parts' guest physical addresses, and two eventfds; -1 where there is none.

    Attributes
    ----------
    kick, call : int
        The driver's notification to the device, and the device's interrupt.
    base : int
        The ring index at which it begins.
    """

    size: int = 0
    descriptors: int = 0
    available: int = 0
    used: int = 0
    base: int = 0
    kick: int = -1
    call: int = -1
    enabled: bool = False

    @property
    def ready(self) -> bool:
        return self.enabled and self.kick >= 0 and self.size > 0 and self.used > 0


@dataclass
class Counters(Passed):
    """What a network device counts besides.

    Attributes
    ----------
    longest_out : int
        Bytes of the longest wire frame.
    interrupts, kicks : int
        Notifications, from and to the device.
    refused : int
        Words that the device wanted outside the guest's memory.
    """

    longest_out: int = 0
    interrupts: int = 0
    kicks: int = 0
    refused: int = 0


class RingDevice(Protocol):
    """A network device between the guest's rings and the wire."""

    @property
    def features(self) -> int:
        """The feature bits that it offers."""

    def start(self, memory: Memory, features: int, queues: list[Queue]) -> None:
        """Serve the rings; ``features`` are those that the driver has accepted."""

    def update(self, memory: Memory, queues: list[Queue]) -> None:
        """Memory has been mapped anew, or an eventfd exchanged, while rings may be served."""

    def stop(self) -> list[int]:
        """Serve them no more. Returns the index of the next entry of each ring."""

    def counters(self) -> Counters:
        """The sums since the device was made."""

    def failure(self) -> str:
        """Why it stopped by itself; empty while it works."""

    def close(self) -> None:
        """End it. May be called again."""
