"""The whole of a board's programmable logic."""

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.wiring import In, Out

from offcut.axi import AxiStream

from .axi3 import Axi3
from .axi3_to_lite import Axi3ToLite
from .catalogue import REGISTERS_BASE
from .memory_port import MemoryPort
from .nic import WIRE, Nic
from .veth import Veth
from .zynq import ACP, HIGH_PERFORMANCE, Zynq

__all__ = ["COHERENT", "CoreTop", "VethLogic", "VethTop"]

COHERENT = {"cache": 0b1111, "user": 0b00001}
"""AxCACHE and AxUSER with which the accelerator coherency port asks the caches."""

HEARTBEAT_BITS = 27
"""A LED changes about once a second at FCLK0's rate."""

BLINK_CLOCKS = 1 << 23
"""For how long a LED shows that a wire frame has left."""


class VethLogic(wiring.Component):
    """The pair of network devices, between AXI3 ports as a processing system has them: :class:`VethTop` without the primitive and the pads.

    Parameters
    ----------
    config : offcut.config.Config
    memory_bytes : int
        The devices' window: nothing at this address or above is read or written.
    coherent : bool
        One port into memory for both devices, with AxCACHE and AxUSER as the accelerator coherency port wants them.

    Members
    -------
    registers : In(Axi3(data_width=32, id_width=12))
        Two windows at :data:`~offcut.boards.catalogue.REGISTERS_BASE`.
    memory : Out(Axi3).array(2), of 1 with ``coherent``
    irq : Out(2)
        Level.
    segments : Out(2)
        A strobe for each wire frame that has left an engine.
    """

    def __init__(self, config, *, memory_bytes, coherent=False):
        self._config, self._memory_bytes, self._coherent = config, memory_bytes, coherent
        super().__init__({
            "registers": In(Axi3(data_width=32, id_width=12)),
            "memory": Out(Axi3(**(ACP if coherent else HIGH_PERFORMANCE))).array(1 if coherent else 2),
            "irq": Out(2),
            "segments": Out(2),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.bridge = bridge = Axi3ToLite(base=REGISTERS_BASE, windows=2)
        m.submodules.veth = veth = Veth(self._config, memory_bytes=self._memory_bytes)
        wiring.connect(m, wiring.flipped(self.registers), bridge.i)
        for window, registers in zip(bridge.o, veth.registers, strict=True):
            wiring.connect(m, window, registers)
        _connect_memory(m, veth.memory, [wiring.flipped(port) for port in self.memory], self._coherent)
        m.d.comb += [self.irq.eq(veth.irq), self.segments.eq(veth.segments)]

        return m


class VethTop(Elaboratable):
    """The pair of network devices behind a processing system.

    Each device has a port into memory of its own, S_AXI_HP0 and S_AXI_HP1, or with ``coherent`` they share S_AXI_ACP. Their registers are the
    windows at :data:`~offcut.boards.catalogue.REGISTERS_BASE`, their interrupts IRQF2P[0] and [1]. LED 0 shows the clock, LED 1 traffic.

    Parameters
    ----------
    board : Board
    config : offcut.config.Config
    coherent : bool
    """

    def __init__(self, board, config, *, coherent=False):
        self._board, self._config, self._coherent = board, config, coherent

    def elaborate(self, platform):
        m = Module()

        m.submodules.zynq = zynq = Zynq(memory=1 if self._coherent else 2, coherent=self._coherent, interrupts=2, mii=self._board.mii)
        _clock_from(m, zynq)
        m.submodules.logic = logic = VethLogic(self._config, memory_bytes=self._board.memory_bytes, coherent=self._coherent)
        wiring.connect(m, zynq.registers, logic.registers)
        for port, inlet in zip(logic.memory, zynq.memory, strict=True):
            wiring.connect(m, port, inlet)
        m.d.comb += zynq.irq.eq(logic.irq)

        if self._board.leds:
            beat, busy = Signal(HEARTBEAT_BITS), Signal(range(BLINK_CLOCKS))
            m.d.sync += beat.eq(beat + 1)
            with m.If(logic.segments.any()):
                m.d.sync += busy.eq(BLINK_CLOCKS - 1)
            with m.Elif(busy != 0):
                m.d.sync += busy.eq(busy - 1)
            for number, lit in enumerate((beat[-1], busy != 0)):
                m.submodules[f"led_{number}"] = led = io.Buffer("o", platform.request("led", number, dir="-"))
                m.d.comb += led.o.eq(lit)

        if self._board.mii:
            _connect_phy(m, platform.request("mii", 0, dir="-"), zynq.mii)

        return m


class CoreTop(wiring.Component):
    """One network device behind a processing system, its wire side as ports, for a design that brings a MAC.

    The windows at :data:`~offcut.boards.catalogue.REGISTERS_BASE` are the device's registers, and those of the engine behind it.

    Parameters
    ----------
    board : Board
    config : offcut.config.Config
    coherent : bool

    Members
    -------
    wire_clk, wire_rst : In(1)
        The MAC's clock, and its reset, at any moment; at least 4 clocks of the slower side long.
    wire_link : In(1)
        Whether there is a link; of any clock.
    wire_tx : Out(AxiStream(64, 1)), wire_rx : In(AxiStream(64, 1))
        As :class:`~offcut.boards.nic.Nic` has them.
    """

    def __init__(self, board, config, *, coherent=False):
        self._board, self._config, self._coherent = board, config, coherent
        super().__init__({
            "wire_clk": In(1),
            "wire_rst": In(1),
            "wire_link": In(1),
            "wire_tx": Out(AxiStream(64, 1)),
            "wire_rx": In(AxiStream(64, 1)),
        })

    def elaborate(self, platform):
        m = Module()

        m.domains += ClockDomain(WIRE)
        m.d.comb += ClockSignal(WIRE).eq(self.wire_clk)
        m.submodules.wire_reset = ResetSynchronizer(self.wire_rst, domain=WIRE)

        m.submodules.zynq = zynq = Zynq(memory=1, coherent=self._coherent, interrupts=1)
        _clock_from(m, zynq)
        m.submodules.bridge = bridge = Axi3ToLite(base=REGISTERS_BASE, windows=2)
        m.submodules.nic = nic = Nic(self._config, memory_bytes=self._board.memory_bytes)
        m.submodules.link = FFSynchronizer(self.wire_link, nic.link)
        wiring.connect(m, zynq.registers, bridge.i)
        for window, registers in zip(bridge.o, nic.registers, strict=True):
            wiring.connect(m, window, registers)
        _connect_memory(m, [nic.memory], zynq.memory, self._coherent)
        wiring.connect(m, nic.wire_tx, wiring.flipped(self.wire_tx))
        wiring.connect(m, wiring.flipped(self.wire_rx), nic.wire_rx)
        m.d.comb += zynq.irq.eq(nic.irq)

        return m


def _clock_from(m, zynq):
    """The clock domain ``sync``: FCLK0, and a reset that is asserted at once and released with the clock."""
    m.domains.sync = ClockDomain("sync")
    m.d.comb += ClockSignal("sync").eq(zynq.clk)
    m.submodules.reset = ResetSynchronizer(zynq.reset, domain="sync")


def _connect_memory(m, devices, inlets, coherent):
    """Each device to a port into memory, or all to the coherent one."""
    if coherent:
        m.submodules.memory = port = MemoryPort(managers=len(devices), id_width=ACP["id_width"], **COHERENT)
        ports, managers = [port], list(port.i)
    else:
        ports = [MemoryPort(managers=1, id_width=HIGH_PERFORMANCE["id_width"]) for _ in devices]
        managers = [port.i[0] for port in ports]
        for number, port in enumerate(ports):
            m.submodules[f"memory_{number}"] = port
    for device, manager in zip(devices, managers, strict=True):
        wiring.connect(m, device, manager)
    for port, inlet in zip(ports, inlets, strict=True):
        wiring.connect(m, port.o, inlet)


def _connect_phy(m, pins, mii):
    """The processor's Ethernet to its pins."""
    for name in ("clk25", "mdc", "tx_en", "txd"):
        m.submodules[f"mii_{name}"] = buffer = io.Buffer("o", getattr(pins, name))
        m.d.comb += buffer.o.eq(getattr(mii, name))
    for name in ("tx_clk", "rx_clk", "rx_dv", "rxd"):
        m.submodules[f"mii_{name}"] = buffer = io.Buffer("i", getattr(pins, name))
        m.d.comb += getattr(mii, name).eq(buffer.i)
    m.submodules.mii_mdio = mdio = io.Buffer("io", pins.mdio)
    m.d.comb += [mdio.o.eq(mii.mdio_o), mdio.oe.eq(mii.mdio_oe), mii.mdio_i.eq(mdio.i)]
