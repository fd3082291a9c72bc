"""The gateware of a network card without its buses: the device that Linux drives, and the transmit engine between it and the wire."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from offcut.axi import AxiStream
from offcut.tx import OffcutTx
from offcut.virtio import VirtioNet

__all__ = ["TOP", "Nic"]

TOP = "offcut_nic"
"""Name of the top module."""

QUEUE = 1024
"""Most entries of a ring: what QEMU tells the driver of every device behind virtio-mmio, whatever stands behind that."""

REQUEST_BITS = 160
"""What stands beside a frame between the two."""


class Nic(wiring.Component):
    """A ``VirtioNet`` whose frames an ``OffcutTx`` cuts; what comes from the wire goes to the driver as it is.

    Parameters
    ----------
    config : offcut.config.Config

    Members
    -------
    s_axil_…, m_axi_…, irq, mac, mtu, link, window_base, window_size, rx_…
        The device's own, by flat names.
    m_axis_… : the wire
    request : Out(160), request_valid : Out(1)
        A frame's request, in the clock behind the one in which its first beat went from the device to the engine.
    stat_… : the engine's strobes
    """

    def __init__(self, config):
        self._net = VirtioNet(config, data_width=config.width, max_queue=QUEUE)
        self._engine = OffcutTx(config)
        own = self._net.signature.members
        self._nested = {name: member for name, member in own.items() if member.is_signature and name != "tx"}
        self._plain = {name: member for name, member in own.items() if member.is_port}
        self._stats = [name for name in self._engine.signature.members if name.startswith("stat_")]
        flat = {}
        for name, member in self._nested.items():
            flat |= {f"{name}_{inner}": port for inner, port in member.signature.members.items()}
        wire = {f"m_axis_{inner}": port for inner, port in AxiStream(config.width).members.items()}
        super().__init__({
            **flat,
            **self._plain,
            **wire,
            "request": Out(REQUEST_BITS),
            "request_valid": Out(1),
            **{name: Out(1) for name in self._stats},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.net = net = self._net
        m.submodules.engine = engine = self._engine

        def join(name, inner, flow):
            here, there = getattr(self, f"{name}_{inner}" if inner else name), getattr(net, name)
            there = getattr(there, inner) if inner else there
            m.d.comb += here.eq(there) if flow == Out else there.eq(here)

        for name in self._plain:
            join(name, "", self.signature.members[name].flow)
        for name, member in self._nested.items():
            for inner in member.signature.members:
                join(name, inner, self.signature.members[f"{name}_{inner}"].flow)

        # --- From the device to the engine, and from there to the wire.
        tx = net.tx
        m.d.comb += [
            engine.s_axis_tdata.eq(tx.tdata),
            engine.s_axis_tkeep.eq(tx.tkeep),
            engine.s_axis_tuser.eq(tx.tuser),
            engine.s_axis_tlast.eq(tx.tlast),
            engine.s_axis_tvalid.eq(tx.tvalid),
            tx.tready.eq(engine.s_axis_tready),
            engine.m_axis_tready.eq(self.m_axis_tready),
            *(getattr(self, f"m_axis_{name}").eq(getattr(engine, f"m_axis_{name}")) for name in ("tdata", "tkeep", "tlast", "tvalid")),
            *(getattr(self, name).eq(getattr(engine, name)) for name in self._stats),
        ]

        moved = Signal()
        beginning = Signal(init=1)
        m.d.comb += moved.eq(tx.tvalid & tx.tready)
        m.d.sync += [self.request.eq(tx.tuser), self.request_valid.eq(moved & beginning)]
        with m.If(moved):
            m.d.sync += beginning.eq(tx.tlast)
        return m
