"""Make the thing to be measured: a component by name, its RTLIL, and the wrapper that routes it out of context."""

import ast
import hashlib
import importlib
import inspect

from amaranth import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Module, ResetSignal, Signal, Value
from amaranth.back import rtlil
from amaranth.lib import wiring

from offcut.config import Config
from offcut.tx.layouts import Geometry

__all__ = ["ENGINE", "OutOfContext", "build", "fingerprint", "parse_arguments", "to_rtlil"]

ENGINE = "offcut.tx:OffcutTx"


def parse_arguments(text):
    """The keyword arguments written in ``text`` as in a Python call, ``"width=64, depth=32"``. Literals only."""
    try:
        call = ast.parse(f"_({text})", mode="eval").body
        if call.args:
            raise ValueError("give every argument by its name")
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"Arguments must be like 'width=64, depth=32', not {text!r}: {error}") from None


def build(name, arguments, config):
    """The component called ``module:Class``.

    A constructor parameter named ``config`` gets ``config``, one named ``geometry`` what follows from it, and one named as a field of it
    (``width``, ``mtu_max``) that field, unless ``arguments`` says otherwise.

    Raises
    ------
    ValueError
        If there is no such component.
    """
    module, _, attribute = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no component {name!r}: {error}") from None
    known = {"config": config, "geometry": Geometry(config), **{field: getattr(config, field) for field in Config.__dataclass_fields__}}
    taken = {p: known[p] for p in inspect.signature(make).parameters if p in known}
    component = make(**{**taken, **arguments})
    if not isinstance(component, wiring.Component):
        raise ValueError(f"{name} is not a wiring.Component, so it has no ports to measure")
    return component


def to_rtlil(design):
    """RTLIL text of ``design`` as module ``top``. Without source lines, so that a moved comment does not make it a new design."""
    if isinstance(design, wiring.Component):
        ports = {"__".join(map(str, path)): (port, None) for path, _flow, port in _ports(design)}
    else:
        ports = design.ports
    return rtlil.convert(design, name="top", ports=ports, emit_src=False)


def _ports(component):
    """Path, flow and signal of each port; a ``ready`` or ``valid`` that is always 1 is a constant and no port."""
    for path, member, port in component.signature.flatten(component):
        if not isinstance(signal := Value.cast(port), Const):
            yield path, member.flow, signal


def fingerprint(text):
    """What a result belongs to: the SHA-256 of a design's RTLIL, which the engine's Verilog is printed from."""
    return hashlib.sha256(text.encode()).hexdigest()


class OutOfContext(Elaboratable):
    """``component`` with every port behind a flip-flop, and four pins whatever its width.

    Inputs are the taps of one long shift register, outputs are registered and then folded into another one by XOR: neither adds more than
    one 2-input function between two of its own registers, and nothing can be optimised away. The component's reset is a register too.
    """

    def __init__(self, component):
        self._component = component
        self.clk = Signal()
        self.scan_in = Signal()
        self.scan_out = Signal()
        self.ports = (self.clk, self.scan_in, self.scan_out)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.domains.scan = ClockDomain(reset_less=True)
        m.submodules.dut = dut = self._component

        flows = {wiring.In: [], wiring.Out: []}
        for _path, flow, port in _ports(dut):
            flows[flow].append(port)
        inputs, outputs = Cat(*flows[wiring.In]), Cat(*flows[wiring.Out])

        inlet = Signal(len(inputs) + 1)
        outlet = Signal(len(outputs))
        fold = Signal(len(outputs))
        m.d.comb += [
            ClockSignal("sync").eq(self.clk),
            ClockSignal("scan").eq(self.clk),
            Cat(inputs, ResetSignal("sync")).eq(inlet),
            self.scan_out.eq(fold[0]),
        ]
        m.d.scan += [
            inlet.eq(Cat(inlet[1:], self.scan_in)),
            outlet.eq(outputs),
            fold.eq(outlet ^ Cat(fold[1:], self.scan_in)),
        ]
        return m
