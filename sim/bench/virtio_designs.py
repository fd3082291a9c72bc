"""What the network device's benches simulate, as Verilog."""

from amaranth import Module
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4, AxiLite, AxiStream, flat_ports
from offcut.tx import OffcutTx
from offcut.virtio import VirtioNet

__all__ = ["Nic", "as_verilog"]


class Nic(wiring.Component):
    """The device with the engine behind it: ports as of `VirtioNet`, but ``wire`` in place of ``tx``."""

    def __init__(self, config, **options):
        self._device = VirtioNet(config, **options)
        self._engine = OffcutTx(config)
        bus = self._device.m_axi.signature
        super().__init__({
            "s_axil": In(AxiLite(12)),
            "m_axi": Out(Axi4(bus.addr_width, bus.data_width)),
            "irq": Out(1),
            "mac": In(48),
            "mtu": In(16),
            "link": In(1),
            "window_base": In(64),
            "window_size": In(64),
            "wire": Out(AxiStream(64)),
            "rx": In(AxiStream(64)),
            "stat_length_mismatch": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self._device
        m.submodules.engine = engine = self._engine
        wiring.connect(m, wiring.flipped(self.s_axil), device.s_axil)
        wiring.connect(m, device.m_axi, wiring.flipped(self.m_axi))
        wiring.connect(m, wiring.flipped(self.rx), device.rx)
        m.d.comb += [getattr(device, name).eq(getattr(self, name)) for name in ("mac", "mtu", "link", "window_base", "window_size")]
        m.d.comb += [
            self.irq.eq(device.irq),
            device.tx.tready.eq(engine.s_axis_tready),
            *(getattr(engine, f"s_axis_{name}").eq(getattr(device.tx, name)) for name in ("tdata", "tkeep", "tuser", "tlast", "tvalid")),
            *(getattr(self.wire, name).eq(getattr(engine, f"m_axis_{name}")) for name in ("tdata", "tkeep", "tlast", "tvalid")),
            engine.m_axis_tready.eq(self.wire.tready),
            self.stat_length_mismatch.eq(engine.stat_drop_length_mismatch),
        ]
        return m


def as_verilog(component, name):
    """A component as Verilog text, its ports by their flat names."""
    return verilog.convert(component, name=name, ports=flat_ports(component), emit_src=False, strip_internal_attrs=True)
