"""A pair of network devices with an engine each way between them."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4, AxiLite
from offcut.tx import OffcutTx
from offcut.virtio import VirtioNet

__all__ = ["MAC_ADDRESSES", "Veth", "mtu"]

MAC_ADDRESSES = (0x02_4F_46_43_55_00, 0x02_4F_46_43_55_01)
"""Locally administered."""

VLAN_HEADERS_BYTES = 14 + 2 * 4
"""An Ethernet header with two tags."""

FRAGMENT_SEEDS = (0x9E37_79B9, 0x7F4A_7C15)
"""Of the identifications of IPv6 fragments: any two numbers that differ."""


def mtu(config):
    """The MTU that a device offers: the standard ones if they fit, so that a host's peers agree."""
    most = config.mtu_max - VLAN_HEADERS_BYTES
    return next((usual for usual in (9000, 1500) if usual <= most), most)


class Veth(wiring.Component):
    """What the driver of one device sends arrives at the other one, cut by the engine between them.

    ::

        registers[0] ─▶ VirtioNet ─tx─▶ OffcutTx ─rx─▶ VirtioNet ◀─ registers[1]
          memory[0] ◀──     0     ◀─rx─ OffcutTx ◀─tx─     1     ──▶ memory[1]

    Parameters
    ----------
    config : offcut.config.Config
        Of both engines; 64 bits wide.
    memory_bytes : int
        The devices' window: nothing at this address or above is read or written.

    Members
    -------
    registers : In(AxiLite(12)).array(2)
    memory : Out(Axi4(addr_width=32)).array(2)
    irq : Out(2)
        Level.
    segments : Out(2)
        A strobe for each wire frame that has left an engine.
    """

    def __init__(self, config, *, memory_bytes):
        self._config, self._memory_bytes = config, memory_bytes
        super().__init__({
            "registers": In(AxiLite(12)).array(2),
            "memory": Out(Axi4(addr_width=32)).array(2),
            "irq": Out(2),
            "segments": Out(2),
        })

    def elaborate(self, platform):
        m = Module()

        devices = [VirtioNet(self._config, addr_width=32) for _ in range(2)]
        for number, device in enumerate(devices):
            m.submodules[f"device_{number}"] = device
            wiring.connect(m, wiring.flipped(self.registers[number]), device.s_axil)
            wiring.connect(m, device.m_axi, wiring.flipped(self.memory[number]))
            m.d.comb += [
                device.mac.eq(int.from_bytes(MAC_ADDRESSES[number].to_bytes(6, "big"), "little")),
                device.mtu.eq(mtu(self._config)),
                device.link.eq(1),
                device.window_base.eq(0),
                device.window_size.eq(self._memory_bytes),
                self.irq[number].eq(device.irq),
            ]

        for number, (source, target) in enumerate(((devices[0].tx, devices[1].rx), (devices[1].tx, devices[0].rx))):
            m.submodules[f"engine_{number}"] = engine = OffcutTx(self._config)
            m.d.comb += [
                engine.s_axis_tdata.eq(source.tdata),
                engine.s_axis_tkeep.eq(source.tkeep),
                engine.s_axis_tuser.eq(source.tuser),
                engine.s_axis_tlast.eq(source.tlast),
                engine.s_axis_tvalid.eq(source.tvalid),
                source.tready.eq(engine.s_axis_tready),
                engine.cfg_frag_seed.eq(FRAGMENT_SEEDS[number]),
                target.tdata.eq(engine.m_axis_tdata),
                target.tkeep.eq(engine.m_axis_tkeep),
                target.tlast.eq(engine.m_axis_tlast),
                target.tvalid.eq(engine.m_axis_tvalid),
                engine.m_axis_tready.eq(target.tready),
                self.segments[number].eq(engine.stat_segment),
            ]

        return m
