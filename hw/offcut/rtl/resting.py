"""Let modules rest in the compiled engine: evaluate them only in clocks in which they can change.

Verilator evaluates all logic behind a clock's edge, and most of an engine has nothing to do in most clocks: between two headers the parser stands
still. So each module named in :data:`RESTING` is put behind a register that *holds* its inputs, and onto a clock of its own, ``clk_resting``.
The C++ around it (``clock.h``) gives that clock an edge together with ``clk``, but only if one of them is stirred:

- an input differs from what is held. Then all take their inputs anew, at once, before anyone looks at an output (``resting_look`` turns), until
  nothing differs: what is held is what is there, always.
- or one of its registers changed, or a memory was written, at the last edge.

If neither is so, the module's next state is the one that it has: the edge would change nothing, and is left out. Which modules are named is
therefore a matter of speed alone. A module whose clocked processes are not all understood keeps the common clock, as does one around such a module.
"""

import re

__all__ = ["RESTING", "lay_to_rest", "stirred_by"]

RESTING = frozenset({"feed", "identification", "plans", "register"})
"""The last part of the names of modules that mostly stand still in bulk traffic, without Amaranth's ``$`` and number: see ``scripts/resting``."""

_MODULE = re.compile(r"^module \\?(\S+?) ?\(.*?^endmodule\n", flags=re.M | re.S)
_INSTANCE = re.compile(r"^  \\?(\S+) +\\?(\S+) +\(\n(.*?)^  \);\n", flags=re.M | re.S)
_REGISTER = re.compile(r"^  always @\(posedge clk\)\n    (\S+ ?) <= (\S+ ?);\n", flags=re.M)
_WRITE = re.compile(r"^  always @\(posedge clk\) begin\n    if \((.*)\)\n      \S+ ?\[.*\] <= .*;\n  end\n", flags=re.M)
_PORT = re.compile(r"^  (input|output) (\[(\d+):0\] )?(\S+) ?;$", flags=re.M)


def lay_to_rest(text: str, top: str) -> tuple[str, list[str]]:
    """Put the modules that rest behind their held inputs.

    Parameters
    ----------
    text : str
        Verilog as Amaranth writes it.
    top : str
        The module which a module ``bench`` holds as its instance of the same name.

    Returns
    -------
    text : str
        With ``bench.clk_resting`` and ``bench.resting_look`` read where a module rests.
    paths : list of str
        The modules that rest, as paths from ``bench``: each has the signals ``resting_differs`` and ``resting_changed``. Empty if there is none.
    """
    modules = _modules(text)
    inside = {name: _INSTANCE.findall(body) for name, body in modules.items()}
    parents = {child: (name, instance) for name, instances in inside.items() for child, instance, _ in instances}
    resting = {name for name, body in modules.items() if _last(name) in RESTING and name in parents and _is_understood(body)}
    while awake := {name for name in resting for child, _, pins in inside[name] if ".clk(" in pins and child not in resting}:
        resting -= awake
    for name in sorted(resting):
        text = text.replace(modules[name], _held(name, modules[name]))
    return text, [_path(name, top, parents, resting) for name in sorted(resting)]


def stirred_by(text: str, top: str) -> dict[str, list[str]]:
    """For each module that could rest, by its path in ``top``, the inputs and registers that would wake it (``scripts/resting`` counts them)."""
    bodies = {name.removeprefix(f"{top}."): body for name, body in _modules(text).items() if _is_understood(body)}
    return {
        name: [_bare(port) for direction, _, _, port in _PORT.findall(body) if direction == "input" and port != "clk"]
        + [_bare(register) for register, _ in _REGISTER.findall(body)]
        for name, body in bodies.items()
    }


def _modules(text: str) -> dict[str, str]:
    return {match[1]: match[0] for match in _MODULE.finditer(text)}


def _bare(name: str) -> str:
    return name.strip().removeprefix("\\")


def _last(name: str) -> str:
    return re.sub(r"\$\d+$", "", name.rpartition(".")[2])


def _is_understood(body: str) -> bool:
    """Whether every clocked process is a register, or writes a memory."""
    known = sum(len(pattern.findall(body)) for pattern in (_REGISTER, _WRITE))
    return 0 < known == len(re.findall(r"\b(?:posedge|negedge|always_ff|initial begin)\b", body))


def _path(name: str, top: str, parents: dict[str, tuple[str, str]], resting: set[str]) -> str:
    steps: list[str] = []
    while name != top:
        parent, instance = parents[name]
        steps[:0] = [f"\\{instance} ", *(["resting_inside"] if steps and name in resting else [])]
        name = parent
    return ".".join([top, *steps])


def _held(name: str, body: str) -> str:
    """The module under another name, and one of its name around it that holds its inputs."""
    registers = _REGISTER.findall(body)
    busy = (
        [f"{{{', '.join(now for now, _ in registers)}}} != {{{', '.join(following for _, following in registers)}}}"] if registers else []
    )
    busy += [f"({enable})" for enable in _WRITE.findall(body)]
    changed = f"  reg changed_at_edge;\n  always @(posedge clk) changed_at_edge <= {' | '.join(busy)};\n"
    inner = f"\\{name}.inside "
    head = re.compile(rf"^module \\?{re.escape(name)} ?\(")
    body = head.sub(lambda _: f"module {inner}(", body, count=1).replace("endmodule\n", f"{changed}endmodule\n")

    ports = [(direction, width, int(high or 0) + 1, f"\\{_bare(port)} ") for direction, width, high, port in _PORT.findall(body)]
    inputs = [(width, bits, port) for direction, width, bits, port in ports if direction == "input" and port != "\\clk "]
    outputs = [(width, port) for direction, width, _, port in ports if direction == "output"]
    there = f"{{{', '.join(port for *_, port in inputs)}}}"
    pins, high = [".clk(bench.clk_resting)"], sum(bits for _, bits, _ in inputs)
    lines = [
        f"module \\{name} ({', '.join([*(port for *_, port in inputs), *(port for _, port in outputs), 'clk'])});",
        "  input clk;",
        *(f"  input {width}{port};" for width, _, port in inputs),
        *(f"  output {width}{port};" for width, port in outputs),
        f"  reg [{high - 1}:0] held;",
        f"  wire resting_differs = held != {there};",
        "  wire resting_changed = resting_inside.changed_at_edge;",
        f"  always @(posedge bench.resting_look or negedge bench.resting_look) held <= {there};",
    ]
    for _, bits, port in inputs:
        pins.append(f".{port}(held[{high - 1}:{high - bits}])")
        high -= bits
    pins += [f".{port}({port})" for _, port in outputs]
    return body + "\n".join([*lines, f"  {inner} resting_inside({', '.join(pins)});", "endmodule", ""])
