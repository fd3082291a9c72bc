"""Write an engine as one self-contained Verilog file, and read a file's ports back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import amaranth
from amaranth.back import verilog
from amaranth.lib import wiring

from offcut import __version__
from offcut.axi import flat_ports
from offcut.config import FEATURES, Config
from offcut.ip.layouts import REQUESTS, check

__all__ = ["CORE", "TOP", "Port", "convert", "generate", "ports", "switches", "tidy"]

TOP = "offcut_tx"
"""Name of the top module of a transmit engine."""

CORE = "offcut_core"
"""Name of the top module of the same behind AXI4-Lite registers."""

LINT_OFF = {
    "DECLFILENAME": "the file has the name that its user gave it, and holds every module",
    "UNUSEDSIGNAL": "the carry of a sum, the reserved bits of tuser, and the inputs of features that are not built in are read by nobody",
    "WIDTHEXPAND": "constants are as wide as their value, operators as their result",
    "WIDTHTRUNC": "a logical not of a vector is one bit; a shift is as wide as its operand, its result cut to what is used",
    "CASEINCOMPLETE": "each case is preceded by the default of all that it assigns",
    "CMPCONST": "comparisons are written once for every lane and offset; at the outermost some are always true",
    "UNSIGNED": "likewise",
    "PROCASSINIT": "a register's power-up value stands at its declaration, its next value in a process",
}
"""What generated code cannot avoid under ``verilator --lint-only -Wall``, and why it is harmless here. All else stays on."""


@dataclass(frozen=True)
class Port:
    """One port of a module: its ``name``, its ``direction`` ("input" or "output") and its ``width`` in bits."""

    name: str
    direction: str
    width: int


def switches(config: Config) -> str:
    """The command-line switches that make the engine of ``config`` again, as one string."""
    features = ",".join(name for name in FEATURES if config.has(name))
    optional = ["--ufo-order first"] if config.ufo_order == "first" else []
    optional += [f"--user-width {config.user_width}"] if config.user_width else []
    return " ".join([f"--width {config.width} --features '{features}' --mtu-max {config.mtu_max}", *optional])


def generate(config: Config, top: str = TOP, requests: str = REQUESTS[0]) -> str:
    """The engine of ``config`` as Verilog text.

    One file with every module, with the flat port names of the interface. The same configuration gives the same text, on any machine.

    Parameters
    ----------
    config : offcut.config.Config
    top : str
        The top module: :data:`TOP`, or :data:`CORE`.
    requests : str
        Out of :data:`offcut.ip.layouts.REQUESTS`, for :data:`CORE`: where each frame's request comes from.

    Raises
    ------
    ValueError
        If ``top`` or ``requests`` is none of these.
    """
    # Only here, so that the port table and stand-ins need no engine.
    component: wiring.Component
    if top == TOP:
        if requests != REQUESTS[0]:
            raise ValueError(f"{TOP} takes requests by {REQUESTS[0]} alone, not {requests!r}; {CORE} has adapters")
        from offcut.tx import OffcutTx

        component, switch = OffcutTx(config), ""
    elif top == CORE:
        check(config, requests)
        from offcut.core.core import OffcutCore

        component, switch = OffcutCore(config, requests), "--top core " + f"--requests {requests} " * (requests != REQUESTS[0])
    else:
        raise ValueError(f"The top module is {TOP} or {CORE}, not {top}")

    header = [
        f"Offcut {__version__}: TCP segmentation and checksum offload, transmit side.",
        f"Made by: offcut verilog {switch}{switches(config)}",
        f"Written by Amaranth {amaranth.__version__}; edit the gateware, not this file.",
        "",
        f"Bus width:          {config.width} bits",
        f"Longest wire frame: {config.mtu_max} bytes with Ethernet header",
        f"UDP fragments:      the one with the UDP header leaves {config.ufo_order}",
        f"User bits:          {config.user_width or 'none'}",
        *([f"Requests:           by {requests}"] if top == CORE else []),
        "Features:",
        *(f"  {'+' if config.has(name) else '-'} {name}: {what}" for name, what in FEATURES.items()),
    ]
    return convert(component, name=top, header=header)


def convert(component: wiring.Component, *, name: str, header: Sequence[str] = ()) -> str:
    """Any component with flat ports as Verilog text, its clock and reset ports named ``clk`` and ``rst``.

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
        The ports have the names of its members, flat, and their order.
    name : str
        Name of the top module.
    header : sequence of str
        Lines of the comment on top.
    """
    flat = flat_ports(component)
    text = verilog.convert(component, name=name, ports=flat, emit_src=False, strip_internal_attrs=True)
    body = text.split("*/\n", 1)[1].strip()
    order = ["clk", "rst", *flat]
    body = re.sub(rf"^module {name}\((.*?)\);", lambda match: _port_list(name, match[1], order), body, count=1, flags=re.S)
    return tidy(body, header)


def tidy(body: str, header: Sequence[str] = ()) -> str:
    """What Amaranth wrote, shorter and behind a comment: memories' power-up values as loops, signals without bits gone.

    Parameters
    ----------
    body : str
        Modules, without a comment before the first.
    header : sequence of str
        Lines of the comment on top.
    """
    body = _NO_BITS.sub("", _POWER_UP.sub(_power_up_loop, body))
    lines = [*(f"// {line}".rstrip() for line in header), ""] if header else []
    lines += ["/* verilator lint_save */"]
    lines += [f"/* verilator lint_off {warning} */ // {why}" for warning, why in LINT_OFF.items()]
    return "\n".join([*lines, "", body, "", "/* verilator lint_restore */", ""])


def _port_list(name: str, names: str, order: list[str]) -> str:
    listed = sorted((port.strip() for port in names.split(",")), key=order.index)
    return f"module {name}({', '.join(listed)});"


_NO_BITS = re.compile(r"^  (?:wire|reg) \[-1:0\] .*;\n", flags=re.M)
"""Declarations of signals without bits, as a feature that is not built in leaves them: nothing reads them, and Verilog would take them for two bits."""

_POWER_UP = re.compile(
    r"^  initial begin\n    (\S+ ?)\[0\] = (\S+);\n(?:    \S+ ?\[\d+\] = \2;\n)*    \S+ ?\[(\d+)\] = \2;\n  end$", flags=re.M
)


def _power_up_loop(match: re.Match[str]) -> str:
    """A memory's power-up value, one line a word, as a loop."""
    memory, value, last = match.groups()
    index = re.sub(r"\W", "_", memory.strip()) + "_word"
    loop = f"for ({index} = 0; {index} <= {last}; {index} = {index} + 1)"
    return f"  integer {index};\n  initial {loop} {memory}[{index}] = {value};"


def ports(text: str, top: str = TOP) -> dict[str, Port]:
    """The ports of module ``top`` in Verilog ``text`` as this module writes it: a dict of :class:`Port` by name.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    module = re.search(rf"^module {re.escape(top)}\s*\((.*?)\);(.*?)^endmodule", text, flags=re.S | re.M)
    if module is None:
        raise ValueError(f"There is no module {top!r} in this Verilog text")
    found = {}
    for direction, high, name in re.findall(r"^\s*(input|output) (?:\[(\d+):0\] )?(\w+);", module[2], flags=re.M):
        found[name] = Port(name, direction, int(high or 0) + 1)
    return {name: found[name] for name in re.findall(r"\w+", module[1])}
