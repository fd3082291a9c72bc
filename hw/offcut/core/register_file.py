"""The registers of ``offcut_core`` as gateware, decoded as the list says."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .axi_lite import WORD_BITS, RegisterPort
from .registers import ADDR_WIDTH, COUNTERS, REGISTERS, SETTINGS, built

__all__ = ["CONTROL", "SETTINGS_LAYOUT", "STATUS", "RegisterFile"]

NAMED = {register.name: register for register in REGISTERS}


def _layout(register, but=()):
    return data.StructLayout({field.name: field.width for field in register.fields if field.name not in but})


SETTINGS_LAYOUT = data.StructLayout({
    register.name.removeprefix("cfg_"): max(field.low + field.width for field in register.fields) for register in SETTINGS
})
"""What the ``cfg_`` registers hold, by their names without it."""

CONTROL = _layout(NAMED["control"])
STATUS = _layout(NAMED["status"], but=("pending",))
"""The states that are not the register file's own."""

LANE_BITS = 8


class RegisterFile(wiring.Component):
    """Serves every register of the list: holds those that are written, knows those that were built in, and asks the counters.

    A write takes effect in its clock; a read takes 2 clocks, that of a counter's lower half what the counters take.

    Parameters
    ----------
    config : offcut.config.Config
    requests : str
        As of :class:`.core.OffcutCore`.

    Members
    -------
    port : In(RegisterPort)
    settings : Out(SETTINGS_LAYOUT)
        They change together, with ``control.apply``.
    control : Out(CONTROL)
        1 for a clock where a 1 was written.
    status : In(STATUS)
    counter_read, counter_number, counter_done, counter_low, counter_high
        Of :class:`.counters.Counters`.
    """

    def __init__(self, config, requests="tuser"):
        self._config = config
        self._requests = requests
        super().__init__({
            "port": In(RegisterPort(ADDR_WIDTH - WORD_BITS)),
            "settings": Out(SETTINGS_LAYOUT),
            "control": Out(CONTROL),
            "status": In(STATUS),
            "counter_read": Out(1),
            "counter_number": Out(range(len(COUNTERS))),
            "counter_done": In(1),
            "counter_low": In(32),
            "counter_high": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        port = self.port
        constants = built(self._config, self._requests)

        # --- What is written: each byte with its strobe. Settings are collected in `asked`.
        lanes = Cat(port.write_lanes[bit // LANE_BITS] for bit in range(32))
        asked = Signal(SETTINGS_LAYOUT)
        scratch = Signal(32)
        held = {"scratch": scratch} | {f"cfg_{name}": asked[name] for name, _ in SETTINGS_LAYOUT}
        pending = Signal()
        m.d.comb += port.write_error.eq(1)
        with m.Switch(port.write_word):
            for register in REGISTERS:
                with m.Case(register.offset >> WORD_BITS):
                    if register.access == "rw":
                        value = held[register.name]
                        m.d.comb += port.write_error.eq(0)
                        with m.If(port.write):
                            m.d.sync += value.eq(value & ~lanes | port.write_data & lanes)
                            if register in SETTINGS:
                                m.d.sync += pending.eq(1)
                    elif register.access == "wo":
                        m.d.comb += port.write_error.eq(0)
                        with m.If(port.write):
                            for field in register.fields:
                                m.d.sync += self.control[field.name].eq((port.write_data & lanes)[field.low])
        for field in NAMED["control"].fields:  # for a clock
            with m.If(self.control[field.name]):
                m.d.sync += self.control[field.name].eq(0)
        with m.If(self.control.apply):
            m.d.sync += [self.settings.eq(asked), pending.eq(0)]

        # --- What is read: a word into a register first, and then it is there.
        status = {name: self.status[name] for name, _ in STATUS} | {"pending": pending}
        word = Signal(32)
        unknown = Signal()
        counter = Signal()
        found = Signal()
        m.d.sync += [found.eq(port.read & ~port.read_done), word.eq(0), unknown.eq(0), counter.eq(0)]
        with m.Switch(port.read_word):
            for register in REGISTERS:
                with m.Case(register.offset >> WORD_BITS):
                    if register.access == "low":
                        m.d.sync += counter.eq(1)
                    elif register.access == "high":
                        m.d.sync += word.eq(self.counter_high)
                    elif register.name in constants:
                        m.d.sync += word.eq(Const(constants[register.name], 32))
                    elif register.access == "rw":
                        m.d.sync += word.eq(held[register.name])
                    elif register.access == "ro":
                        for field in register.fields:
                            m.d.sync += word[field.low : field.low + field.width].eq(status[field.name])
            with m.Default():
                m.d.sync += unknown.eq(1)
        first = next(register for register in REGISTERS if register.access == "low")
        index = ceil_log2(len(COUNTERS))
        assert first.offset % (1 << WORD_BITS + 1 + index) == 0, "a counter's number stands in its address"
        m.d.comb += [
            self.counter_number.eq(port.read_word[1 : 1 + index]),
            self.counter_read.eq(found & counter & port.read),
        ]
        with m.If(counter):
            m.d.comb += [port.read_data.eq(self.counter_low), port.read_done.eq(found & self.counter_done)]
        with m.Else():
            m.d.comb += [port.read_data.eq(word), port.read_done.eq(found)]
        m.d.comb += port.read_error.eq(unknown & ~counter)

        return m
