"""The processing system as a design sees it: a clock, a reset, AXI3 ports, interrupts."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from .axi3 import Axi3
from .ps7 import INPUT, PORTS, ps7

__all__ = ["ACP", "HIGH_PERFORMANCE", "INTERRUPTS", "MII", "Zynq"]

HIGH_PERFORMANCE = {"data_width": 64, "id_width": 6}
"""Of S_AXI_HP0 to S_AXI_HP3: into memory, past the caches."""

ACP = {"data_width": 64, "id_width": 3, "user_width": 5}
"""Of S_AXI_ACP: into memory through the caches."""

INTERRUPTS = 16
"""Lines from the programmable logic, the first ones of IRQF2P."""

MII = {
    # the PHY's signal: (the primitive's port, how many of its bits)
    "mdc": ("EMIOENET0MDIOMDC", 1),
    "mdio_o": ("EMIOENET0MDIOO", 1),
    "mdio_oe": ("EMIOENET0MDIOTN", 1),
    "mdio_i": ("EMIOENET0MDIOI", 1),
    "tx_clk": ("EMIOENET0GMIITXCLK", 1),
    "tx_en": ("EMIOENET0GMIITXEN", 1),
    "txd": ("EMIOENET0GMIITXD", 4),
    "rx_clk": ("EMIOENET0GMIIRXCLK", 1),
    "rx_dv": ("EMIOENET0GMIIRXDV", 1),
    "rxd": ("EMIOENET0GMIIRXD", 4),
}
"""The processor's own Ethernet, on boards whose PHY hangs on the programmable logic."""


class Zynq(wiring.Component):
    """The primitive ``PS7`` with what a network device needs of it.

    Its ports are in the clock domain ``sync``, which a design makes of ``clk`` and ``reset``.

    Parameters
    ----------
    memory : int
        Ports into memory: as many of S_AXI_HP0 to S_AXI_HP3, or 1 with ``coherent``.
    coherent : bool
        S_AXI_ACP in their place.
    interrupts : int
        Lines, up to 16, from IRQF2P[0] on.
    mii : bool
        Whether the processor's Ethernet comes out, with FCLK3 for its PHY.

    Members
    -------
    clk : Out(1)
        FCLK0 behind a BUFG.
    reset : Out(1)
        FCLK_RESET0_N, inverted: of no clock. Linux asserts it while it loads the programmable logic.
    registers : Out(Axi3(data_width=32, id_width=12))
        M_AXI_GP0, 0x40000000 to 0x7FFFFFFF.
    memory : In(Axi3).array(memory)
        Ports into memory.
    irq : In(interrupts)
        Level, active high.
    mii : Out(Signature)
        With ``mii``: the members of :data:`MII`, and ``clk25``, which is FCLK3.

    Raises
    ------
    ValueError
        If there are not that many ports or lines.
    """

    def __init__(self, *, memory=1, coherent=False, interrupts=1, mii=False):
        most = 1 if coherent else 4
        if not 1 <= memory <= most:
            raise ValueError(f"There are 1 to {most} {'coherent ' if coherent else ''}ports into memory, not {memory}")
        if not 1 <= interrupts <= INTERRUPTS:
            raise ValueError(f"There are 1 to {INTERRUPTS} interrupt lines, not {interrupts}")
        self._names = ["SAXIACP"] if coherent else [f"SAXIHP{number}" for number in range(memory)]
        signals = {name: (In if PORTS[port][0] == INPUT else Out)(bits) for name, (port, bits) in MII.items()}
        self._has_mii = mii
        super().__init__({
            "clk": Out(1),
            "reset": Out(1),
            "registers": Out(Axi3(data_width=32, id_width=12)),
            "memory": In(Axi3(**(ACP if coherent else HIGH_PERFORMANCE))).array(memory),
            "irq": In(interrupts),
            **({"mii": Out(Signature(signals | {"clk25": Out(1)}))} if mii else {}),
        })

    def elaborate(self, platform):
        m = Module()

        fclk, fclk_resets_n = Signal(4), Signal(4)
        m.submodules.clock = Instance("BUFG", i_I=fclk[0], o_O=self.clk)
        m.d.comb += self.reset.eq(~fclk_resets_n[0])

        connections = {"FCLKCLK": fclk, "FCLKRESETN": fclk_resets_n, "IRQF2P": _filled(self.irq, "IRQF2P")}
        for prefix, port in (("MAXIGP0", self.registers), *zip(self._names, self.memory, strict=True)):
            connections |= {f"{prefix}{path[0].upper()}": value for path, _, value in port.signature.flatten(port)}
            connections[f"{prefix}ACLK"] = ClockSignal("sync")
        if self._has_mii:
            m.d.comb += self.mii.clk25.eq(fclk[3])
            for name, (port, _) in MII.items():
                signal = getattr(self.mii, name)
                if PORTS[port][0] == INPUT:
                    connections[port] = _filled(signal, port)
                else:
                    whole = Signal(PORTS[port][1], name=port)
                    connections[port] = whole
                    m.d.comb += signal.eq(whole)
        m.submodules.ps7 = ps7(**connections)

        return m


def _filled(value, port):
    """``value`` in the low bits of an input of the primitive, the others 0."""
    return Cat(value, Const(0, PORTS[port][1] - len(value)))
