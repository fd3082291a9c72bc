"""A network device with an engine and a wire side, for a MAC with a clock of its own."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4, AxiLite, AxiStream
from offcut.core.core import OffcutCore
from offcut.virtio import VirtioNet

from .frame_fifo import FrameFifo
from .veth import MAC_ADDRESSES, mtu

__all__ = ["WIRE", "Nic"]

WIRE = "wire"
"""The MAC's clock domain."""


class Nic(wiring.Component):
    """A network device whose frames leave through the engine, and its wire side in the clock domain ``wire``.

    ::

        registers[1] ───────────────────▶┐
        registers[0] ─▶ VirtioNet ─tx─▶ OffcutCore ─▶ FrameFifo ─▶ wire_tx
              memory ◀──          ◀─rx─────────────── FrameFifo ◀─ wire_rx

    ``wire_tx`` never pauses within a frame; its ``tuser`` in a last beat says that the frame must be spoiled. ``wire_rx`` takes a beat in every clock;
    ``tuser`` in a last beat says that the frame was bad, and it is dropped, as is one for which there is no room. Neither carries an FCS.

    Parameters
    ----------
    config : offcut.config.Config
        Of the engine; 64 bits wide.
    memory_bytes : int
        The device's window: nothing at this address or above is read or written.

    Members
    -------
    registers : In(AxiLite(12)).array(2)
        Of the device, and of the engine.
    memory : Out(Axi4(addr_width=32)), irq : Out(1)
    link : In(1)
        Whether the MAC has a link.
    wire_tx : Out(AxiStream(64, 1))
    wire_rx : In(AxiStream(64, 1))
    """

    def __init__(self, config, *, memory_bytes):
        self._config, self._memory_bytes = config, memory_bytes
        super().__init__({
            "registers": In(AxiLite(12)).array(2),
            "memory": Out(Axi4(addr_width=32)),
            "irq": Out(1),
            "link": In(1),
            "wire_tx": Out(AxiStream(64, 1)),
            "wire_rx": In(AxiStream(64, 1)),
        })

    def elaborate(self, platform):
        m = Module()
        frame_bytes = self._config.mtu_max

        m.submodules.device = device = VirtioNet(self._config, addr_width=32)
        m.submodules.core = engine = OffcutCore(self._config)
        m.submodules.leaving = leaving = FrameFifo(frame_bytes=frame_bytes, i_domain="sync", o_domain=WIRE)
        m.submodules.coming = coming = FrameFifo(frame_bytes=frame_bytes, i_domain=WIRE, o_domain="sync", lossy=True)
        wiring.connect(m, wiring.flipped(self.registers[0]), device.s_axil)
        wiring.connect(m, wiring.flipped(self.registers[1]), engine.s_axil)
        wiring.connect(m, device.m_axi, wiring.flipped(self.memory))
        wiring.connect(m, leaving.o, wiring.flipped(self.wire_tx))
        wiring.connect(m, wiring.flipped(self.wire_rx), coming.i)
        m.d.comb += [
            device.mac.eq(int.from_bytes(MAC_ADDRESSES[0].to_bytes(6, "big"), "little")),
            device.mtu.eq(mtu(self._config)),
            device.link.eq(self.link),
            device.window_base.eq(0),
            device.window_size.eq(self._memory_bytes),
            self.irq.eq(device.irq),
            engine.s_axis_tdata.eq(device.tx.tdata),
            engine.s_axis_tkeep.eq(device.tx.tkeep),
            engine.s_axis_tuser.eq(device.tx.tuser),
            engine.s_axis_tlast.eq(device.tx.tlast),
            engine.s_axis_tvalid.eq(device.tx.tvalid),
            device.tx.tready.eq(engine.s_axis_tready),
            leaving.i.tdata.eq(engine.m_axis_tdata),
            leaving.i.tkeep.eq(engine.m_axis_tkeep),
            leaving.i.tlast.eq(engine.m_axis_tlast),
            leaving.i.tvalid.eq(engine.m_axis_tvalid),
            engine.m_axis_tready.eq(leaving.i.tready),
            device.rx.tdata.eq(coming.o.tdata),
            device.rx.tkeep.eq(coming.o.tkeep),
            device.rx.tlast.eq(coming.o.tlast),
            device.rx.tvalid.eq(coming.o.tvalid),
            coming.o.tready.eq(device.rx.tready),
        ]
        return m
