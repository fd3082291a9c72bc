"""The network device: registers, two queues, one AXI4 port, a stream each way."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4, AxiLite, AxiStream

__all__ = ["VirtioNet"]

TUSER_BITS = 160
"""What stands beside a frame's first beat, as `OffcutTx` takes it."""


class VirtioNet(wiring.Component):
    """A virtio network device.

    Members
    -------
    s_axil : In(AxiLite(12))
        The registers (virtio 1.2, 4.2.2).
    m_axi : Out(Axi4(addr_width, data_width))
        Rings and buffers.
    irq : Out(1)
        Level: InterruptStatus is not 0.
    mac : In(48), mtu : In(16), link : In(1)
        Of the configuration space; the first byte of the address in 7:0.
    window_base, window_size : In(64)
        Addresses outside are never issued; with a size of 0 all are allowed.
    tx : Out(AxiStream(data_width, 160))
        The frames that the driver sends.
    rx : In(AxiStream(data_width))
        The frames for the driver.
    """

    def __init__(self, config, *, data_width=64, addr_width=64, max_queue=256):
        super().__init__({
            "s_axil": In(AxiLite(12)),
            "m_axi": Out(Axi4(addr_width, data_width, id_width=1)),
            "irq": Out(1),
            "mac": In(48),
            "mtu": In(16),
            "link": In(1),
            "window_base": In(64),
            "window_size": In(64),
            "tx": Out(AxiStream(data_width, TUSER_BITS)),
            "rx": In(AxiStream(data_width)),
        })

    def elaborate(self, platform):
        return Module()
