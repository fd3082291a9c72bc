"""A virtio network device (virtio 1.2, MMIO version 2) in gateware: Linux drives it with its own ``virtio_net``."""

from .device import VirtioNet

__all__ = ["VirtioNet"]
