"""The subordinate's side of AXI4-Lite (AMBA AXI, IHI 0022), with what it serves behind a plain port."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from offcut.axi import RESP_OKAY, RESP_SLVERR, AxiLite

__all__ = ["AxiLiteSubordinate", "RegisterPort"]

WORD_BITS = 2
"""Bits of a byte address within a word."""


class RegisterPort(Signature):
    """Reads and writes of words, seen from who asks.

    ``write`` is 1 for the one clock of a write; ``write_error`` answers in that clock. ``read`` stays 1, with ``read_word``, until the clock in
    which ``read_done`` is 1, with ``read_data`` and ``read_error``.

    Parameters
    ----------
    word_width : int
        Bits of a word's address.
    """

    def __init__(self, word_width):
        self.word_width = word_width
        super().__init__({
            "write": Out(1), "write_word": Out(word_width), "write_data": Out(32), "write_lanes": Out(4), "write_error": In(1),
            "read": Out(1), "read_word": Out(word_width), "read_done": In(1), "read_data": In(32), "read_error": In(1),
        })  # fmt: skip


class AxiLiteSubordinate(wiring.Component):
    """Takes requests from AXI4-Lite one at a time in each direction, and answers each once.

    Address and data of a write come in either order and any distance. ``ready`` never waits for ``valid``, nor the other way round, no output
    depends on an input in the same clock, and an answer stays until it is taken. A write is answered 2 clocks after the later of address
    and data, a read 2 clocks after its address plus those that the registers take. An error becomes SLVERR. Protection bits are ignored.

    Parameters
    ----------
    addr_width : int
        Bits of a byte address; its two lowest do not matter.

    Members
    -------
    axil : In(AxiLite(addr_width))
    registers : Out(RegisterPort(addr_width - 2))
    """

    def __init__(self, addr_width):
        super().__init__({
            "axil": In(AxiLite(addr_width)),
            "registers": Out(RegisterPort(addr_width - WORD_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        bus, registers = self.axil, self.registers

        # --- Writes: address and data are held, each by itself, until both are there and the answer before has gone.
        has_address = Signal()
        has_data = Signal()
        m.d.comb += [
            bus.awready.eq(~has_address),
            bus.wready.eq(~has_data),
            registers.write.eq(has_address & has_data & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [has_address.eq(1), registers.write_word.eq(bus.awaddr[WORD_BITS:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [has_data.eq(1), registers.write_data.eq(bus.wdata), registers.write_lanes.eq(bus.wstrb)]
        with m.If(registers.write):
            m.d.sync += [
                has_address.eq(0),
                has_data.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(registers.write_error, RESP_SLVERR, RESP_OKAY)),
            ]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        # --- Reads.
        asked = Signal()
        m.d.comb += [
            bus.arready.eq(~asked),
            registers.read.eq(asked & ~bus.rvalid),
        ]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [asked.eq(1), registers.read_word.eq(bus.araddr[WORD_BITS:])]
        with m.If(registers.read & registers.read_done):
            m.d.sync += [
                asked.eq(0),
                bus.rvalid.eq(1),
                bus.rdata.eq(registers.read_data),
                bus.rresp.eq(Mux(registers.read_error, RESP_SLVERR, RESP_OKAY)),
            ]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)

        return m
