"""The registers of virtio-mmio (virtio 1.2, 4.2.2). Pure Python."""

from dataclasses import dataclass
from enum import IntFlag

__all__ = ["CONFIG", "DEVICE_ID", "MAGIC", "REGISTERS", "VENDOR_ID", "VERSION", "ConfigField", "Interrupt", "Register", "Status", "offset"]

MAGIC = 0x74726976
"""Spells "virt"."""

VERSION = 2
DEVICE_ID = 1
VENDOR_ID = int.from_bytes(b"OFCT", "little")


class Status(IntFlag):
    """2.1."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    NEEDS_RESET = 64
    FAILED = 128


class Interrupt(IntFlag):
    """Of InterruptStatus."""

    USED = 1
    CONFIG = 2


@dataclass(frozen=True)
class Register:
    """A register of 32 bits: its name in the standard, its place, who may do what, and what this device makes of it."""

    name: str
    offset: int
    access: str
    what: str


REGISTERS = (
    Register("MagicValue", 0x000, "R", '0x74726976, "virt"'),
    Register("Version", 0x004, "R", "2"),
    Register("DeviceID", 0x008, "R", "1, a network card"),
    Register("VendorID", 0x00C, "R", '"OFCT"'),
    Register("DeviceFeatures", 0x010, "R", "32 of the features offered"),
    Register("DeviceFeaturesSel", 0x014, "W", "which 32: 0 or 1; from others there is nothing"),
    Register("DriverFeatures", 0x020, "W", "32 of the features accepted; ignored once FEATURES_OK is set"),
    Register("DriverFeaturesSel", 0x024, "W", "which 32"),
    Register("QueueSel", 0x030, "W", "the queue that the registers below mean: 0 receives, 1 transmits"),
    Register("QueueNumMax", 0x034, "R", "the longest queue; 0 if there is no such queue"),
    Register("QueueNum", 0x038, "W", "its length, a power of two"),
    Register("QueueReady", 0x044, "RW", "1: use it. Back to 0, both queues stop until the next reset"),
    Register("QueueNotify", 0x050, "W", "the queue that has new buffers"),
    Register("InterruptStatus", 0x060, "R", "bit 0: used buffers; bit 1: configuration or status changed"),
    Register("InterruptACK", 0x064, "W", "bits to clear"),
    Register("Status", 0x070, "RW", "0 resets: answered when nothing is under way on `m_axi` any more"),
    Register("QueueDescLow", 0x080, "W", "descriptors, a multiple of 16"),
    Register("QueueDescHigh", 0x084, "W", ""),
    Register("QueueDriverLow", 0x090, "W", "available ring, a multiple of 2"),
    Register("QueueDriverHigh", 0x094, "W", ""),
    Register("QueueDeviceLow", 0x0A0, "W", "used ring, a multiple of 4"),
    Register("QueueDeviceHigh", 0x0A4, "W", ""),
    Register("SHMLenLow", 0x0B0, "R", "all ones: there is no shared memory"),
    Register("SHMLenHigh", 0x0B4, "R", ""),
    Register("SHMBaseLow", 0x0B8, "R", ""),
    Register("SHMBaseHigh", 0x0BC, "R", ""),
    Register("ConfigGeneration", 0x0FC, "R", "counts the changes of the configuration"),
    Register("Config", 0x100, "R", "`struct virtio_net_config`, below"),
)


def offset(name):
    """Where a register is."""
    return next(register.offset for register in REGISTERS if register.name == name)


@dataclass(frozen=True)
class ConfigField:
    """A field of ``struct virtio_net_config`` (5.1.4): its place behind Config, and its bytes."""

    name: str
    at: int
    size: int
    what: str


CONFIG = (
    ConfigField("mac", 0, 6, "the port `mac`"),
    ConfigField("status", 6, 2, "bit 0: the port `link`"),
    ConfigField("max_virtqueue_pairs", 8, 2, "1"),
    ConfigField("mtu", 10, 2, "the port `mtu`"),
)
