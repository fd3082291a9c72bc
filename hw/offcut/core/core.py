"""The transmit engine behind AXI4-Lite registers.

::

    s_axil ─▶ AxiLiteSubordinate ─▶ RegisterFile ─▶ settings
                                        │ ▲
                                        ▼ │
                                      Counters ◀─ strobes
                                                    │
    s_axis ─▶ [adapter] ────────────────────────▶ OffcutTx ─▶ [StatusStream] ─▶ m_axis

The adapter stands where requests do not come on tuser (``offcut.ip``).
"""

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import AxiLite
from offcut.ip.control_stream import ControlStream
from offcut.ip.inline_header import InlineHeader
from offcut.ip.layouts import check, header_bytes
from offcut.ip.status_stream import StatusStream
from offcut.tx import OffcutTx

from .axi_lite import AxiLiteSubordinate
from .counters import Counters
from .popcount import PopCount
from .register_file import SETTINGS_LAYOUT, RegisterFile
from .registers import ADDR_WIDTH, COUNTERS
from .restart import Restart

__all__ = ["OffcutCore"]

CONTROL_PORTS = {"data": 32, "keep": 4, "valid": 1, "last": 1}
"""Ports of a control or status stream, but for ``tready``. All bytes of a word count, whatever ``tkeep`` says."""

MADE_BY_ENGINE = {"m_axis_tdata", "m_axis_tkeep", "m_axis_tlast", "m_axis_tuser"}

BYTE_COUNTERS = ("tx_bytes", "tx_segment_bytes")
STROBES = {"tx_frames": "stat_frame", "tx_segments": "stat_segment"}
"""Counters of what is not dropped, and the engine's strobes. Those of drops have the same name behind ``tx_`` and ``stat_``."""


class OffcutCore(wiring.Component):
    """The transmit engine with registers: settings, features, counters. docs/registers.md lists them, the README the streams' ports.

    Parameters
    ----------
    config : offcut.config.Config
    requests : str
        Out of :data:`offcut.ip.layouts.REQUESTS`: where each frame's request comes from.

    Members
    -------
    s_axis_*, m_axis_* : as of :class:`offcut.tx.OffcutTx`, without ``s_axis_tuser`` unless ``requests`` is ``"tuser"``
    s_axis_control_*, m_axis_status_* : with ``"control"``
        AXI4-Stream, 32 bits wide: the control packets of AXI DMA, and a status packet for each frame that leaves.
    s_axil : In(AxiLite(ADDR_WIDTH))

    Raises
    ------
    ValueError
        If there are no such requests, or they have no room for the user bits.
    """

    def __init__(self, config, requests="tuser"):
        check(config, requests)
        self._config = config
        self._requests = requests
        self._engine = OffcutTx(config)
        streams = {name: member for name, member in self._engine.signature.members.items() if "_axis_" in name}
        if requests != "tuser":
            del streams["s_axis_tuser"]
        if requests == "control":
            streams |= {f"s_axis_control_t{name}": In(bits) for name, bits in CONTROL_PORTS.items()} | {"s_axis_control_tready": Out(1)}
            streams |= {f"m_axis_status_t{name}": Out(bits) for name, bits in CONTROL_PORTS.items()} | {"m_axis_status_tready": In(1)}
        super().__init__({**streams, "s_axil": In(AxiLite(ADDR_WIDTH))})

    def elaborate(self, platform):
        m = Module()
        engine = self._engine
        bus_bytes = self._config.width // 8

        m.submodules.subordinate = subordinate = AxiLiteSubordinate(ADDR_WIDTH)
        m.submodules.registers = registers = RegisterFile(self._config, self._requests)
        m.submodules.restart = restart = Restart()
        wiring.connect(m, wiring.flipped(self.s_axil), subordinate.axil)
        wiring.connect(m, subordinate.registers, registers.port)

        # --- Frames in. What comes from the host is one stream, `given`, whose user bits an adapter makes if there is one.
        restarted = ResetInserter(restart.reset)
        m.submodules.engine = restarted(engine)
        take = self.s_axis_tvalid & restart.take
        names = ("data", "keep", "last")
        settings = registers.settings
        m.d.comb += [getattr(engine, f"cfg_{name}").eq(settings[name]) for name, _ in SETTINGS_LAYOUT]
        if self._requests == "tuser":
            m.d.comb += [
                *(getattr(engine, f"s_axis_t{name}").eq(getattr(self, f"s_axis_t{name}")) for name in (*names, "user")),
                engine.s_axis_tvalid.eq(take),
                self.s_axis_tready.eq(engine.s_axis_tready & restart.take),
            ]
        else:
            at_front = header_bytes(self._requests)
            adapter = InlineHeader(self._config, at_front) if at_front else ControlStream(self._config)
            m.submodules.adapter = restarted(adapter)
            given = adapter.o.payload
            m.d.comb += [
                *(adapter.i.payload[name].eq(getattr(self, f"s_axis_t{name}")) for name in names),
                adapter.i.valid.eq(take),
                self.s_axis_tready.eq(adapter.i.ready & restart.take),
                *(getattr(engine, f"s_axis_t{name}").eq(given[name]) for name in (*names, "user")),
                engine.s_axis_tvalid.eq(adapter.o.valid),
                adapter.o.ready.eq(engine.s_axis_tready),
                # What a frame brings along goes before what the registers hold.
                engine.cfg_auto.eq(Mux(given.own, given.auto, settings.auto)),
                engine.cfg_mtu.eq(Mux(given.own & given.mtu.any(), given.mtu, settings.mtu)),
                engine.cfg_uso_size.eq(Mux(given.own_uso_size, given.uso_size, settings.uso_size)),
            ]
        if self._requests == "control":
            m.d.comb += [
                adapter.control.payload.data.eq(self.s_axis_control_tdata),
                adapter.control.payload.last.eq(self.s_axis_control_tlast),
                adapter.control.valid.eq(self.s_axis_control_tvalid & restart.take),
                self.s_axis_control_tready.eq(adapter.control.ready & restart.take),
            ]

        # --- Frames out.
        show = engine.m_axis_tvalid & restart.show
        m.d.comb += [getattr(self, name).eq(getattr(engine, name)) for name in self.signature.members if name in MADE_BY_ENGINE]
        if self._requests == "control":
            m.submodules.statuses = statuses = StatusStream(self._config.width)
            m.d.comb += [
                *(statuses.i.payload[name].eq(getattr(engine, f"m_axis_t{name}")) for name in names),
                statuses.i.valid.eq(show),
                engine.m_axis_tready.eq(statuses.i.ready & restart.show),
                self.m_axis_tvalid.eq(statuses.o.valid),
                statuses.o.ready.eq(self.m_axis_tready),
                self.m_axis_status_tdata.eq(statuses.status.payload.data),
                self.m_axis_status_tkeep.eq(~0),
                self.m_axis_status_tlast.eq(statuses.status.payload.last),
                self.m_axis_status_tvalid.eq(statuses.status.valid),
                statuses.status.ready.eq(self.m_axis_status_tready),
            ]
        else:
            m.d.comb += [
                self.m_axis_tvalid.eq(show),
                engine.m_axis_tready.eq(self.m_axis_tready & restart.show),
            ]
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
        with m.Elif(self.s_axis_tvalid & self.s_axis_tready):
            m.d.sync += receiving.eq(~self.s_axis_tlast)
        m.d.comb += [
            registers.status.resetting.eq(restart.resetting),
            registers.status.receiving.eq(receiving),
        ]

        # --- Counters.
        greatest = {name: bus_bytes if name in BYTE_COUNTERS else 1 for name in COUNTERS}
        m.submodules.counters = counters = Counters(greatest)
        m.submodules.bytes_in = bytes_in = PopCount(bus_bytes)
        m.submodules.bytes_out = bytes_out = PopCount(bus_bytes)
        m.d.comb += [
            bytes_in.valid.eq(engine.s_axis_tvalid & engine.s_axis_tready),
            bytes_in.bits.eq(engine.s_axis_tkeep),
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
