"""The transmit engine behind AXI4-Lite registers.

::

    s_axil ─▶ AxiLiteSubordinate ─▶ RegisterFile ─▶ settings
                                        │ ▲
                                        ▼ │
                                      Counters ◀─ strobes
                                                    │
    s_axis ─▶ [adapter] ────────────────────────▶ OffcutTx ─▶ m_axis
"""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from offcut.axi import AxiLite
from offcut.tx import OffcutTx

from .axi_lite import AxiLiteSubordinate
from .counters import Counters
from .popcount import PopCount
from .register_file import SETTINGS_LAYOUT, RegisterFile
from .registers import ADDR_WIDTH, COUNTERS
from .restart import Restart

__all__ = ["OffcutCore"]

BYTE_COUNTERS = ("tx_bytes", "tx_segment_bytes")
STROBES = {"tx_frames": "stat_frame", "tx_segments": "stat_segment"}
"""Counters of what is not dropped, and the engine's strobes. Those of drops have the same name behind ``tx_`` and ``stat_``."""


class OffcutCore(wiring.Component):
    """The transmit engine with registers: settings, features, counters. docs/registers.md lists them, the README the streams' ports.

    Parameters
    ----------
    config : offcut.config.Config

    Members
    -------
    s_axis_*, m_axis_* : as of :class:`offcut.tx.OffcutTx`
    s_axil : In(AxiLite(ADDR_WIDTH))
    """

    def __init__(self, config):
        self._config = config
        self._engine = OffcutTx(config)
        streams = {name: member for name, member in self._engine.signature.members.items() if "_axis_" in name}
        super().__init__({**streams, "s_axil": In(AxiLite(ADDR_WIDTH))})

    def elaborate(self, platform):
        m = Module()
        engine = self._engine
        bus_bytes = self._config.width // 8

        m.submodules.subordinate = subordinate = AxiLiteSubordinate(ADDR_WIDTH)
        m.submodules.registers = registers = RegisterFile(self._config)
        m.submodules.restart = restart = Restart()
        m.submodules.engine = ResetInserter(restart.reset)(engine)
        wiring.connect(m, wiring.flipped(self.s_axil), subordinate.axil)
        wiring.connect(m, subordinate.registers, registers.port)

        # --- Streams.
        taken = self.s_axis_tvalid & self.s_axis_tready
        m.d.comb += [
            engine.s_axis_tvalid.eq(self.s_axis_tvalid & restart.take),
            self.s_axis_tready.eq(engine.s_axis_tready & restart.take),
            self.m_axis_tvalid.eq(engine.m_axis_tvalid & restart.show),
            engine.m_axis_tready.eq(self.m_axis_tready & restart.show),
        ]
        for name in self.signature.members:
            if name.endswith(("_tdata", "_tkeep", "_tlast", "_tuser")):
                inside, outside = getattr(engine, name), getattr(self, name)
                m.d.comb += inside.eq(outside) if name.startswith("s_") else outside.eq(inside)
        m.d.comb += [
            restart.ask.eq(registers.control.reset),
            restart.valid.eq(self.m_axis_tvalid),
            restart.ready.eq(self.m_axis_tready),
            restart.last.eq(self.m_axis_tlast),
        ]

        # --- Settings and states.
        receiving = Signal()
        with m.If(restart.reset):
            m.d.sync += receiving.eq(0)
        with m.Elif(taken):
            m.d.sync += receiving.eq(~self.s_axis_tlast)
        m.d.comb += [
            *(getattr(engine, f"cfg_{name}").eq(registers.settings[name]) for name, _ in SETTINGS_LAYOUT),
            registers.status.resetting.eq(restart.resetting),
            registers.status.receiving.eq(receiving),
        ]

        # --- Counters.
        greatest = {name: bus_bytes if name in BYTE_COUNTERS else 1 for name in COUNTERS}
        m.submodules.counters = counters = Counters(greatest)
        m.submodules.bytes_in = bytes_in = PopCount(bus_bytes)
        m.submodules.bytes_out = bytes_out = PopCount(bus_bytes)
        m.d.comb += [
            bytes_in.valid.eq(taken),
            bytes_in.bits.eq(self.s_axis_tkeep),
            bytes_out.valid.eq(self.m_axis_tvalid & self.m_axis_tready),
            bytes_out.bits.eq(self.m_axis_tkeep),
            counters.add.tx_bytes.eq(bytes_in.count),
            counters.add.tx_segment_bytes.eq(bytes_out.count),
            *(
                counters.add[name].eq(getattr(engine, STROBES.get(name, name.replace("tx_", "stat_", 1))))
                for name in COUNTERS
                if name not in BYTE_COUNTERS
            ),
            counters.read.eq(registers.counter_read),
            counters.number.eq(registers.counter_number),
            registers.counter_done.eq(counters.done),
            registers.counter_low.eq(counters.low),
            registers.counter_high.eq(counters.high),
        ]

        return m
