"""Everything that a design on a board is built from, as files of one folder."""

import re
from collections.abc import Callable
from importlib.resources import files

import amaranth

from offcut import __version__
from offcut.config import FEATURES, Config
from offcut.verilog import tidy

from .catalogue import CLOCK_PERIOD_NS, FCLK0_HZ, Board
from .overlay import overlay
from .readme import folder_readme
from .toolchains import DESIGNS, TOOLCHAINS

__all__ = ["files_of"]


CLOCK_PIN = 'get_pins -of_objects [get_cells -hierarchical -filter {REF_NAME == PS7}] -filter {REF_PIN_NAME == "FCLKCLK[0]"}'


def files_of(
    board: Board,
    config: Config,
    design: str,
    toolchain: str,
    *,
    coherent: bool = False,
    switches: str = "",
    progress: Callable[[str], None] = print,
) -> dict[str, str]:
    """The files of a build folder, by name.

    Parameters
    ----------
    board : Board
    config : offcut.config.Config
        Of the engines, 64 bits wide.
    design, toolchain : str
        Out of :data:`DESIGNS` and :data:`TOOLCHAINS`.
    coherent : bool
        Whether the devices go through the accelerator coherency port.
    switches : str
        What makes this folder again, for comments.
    progress : callable of str
        Told what begins.

    Raises
    ------
    ValueError
        If the engine is not 64 bits wide.
    ModuleNotFoundError
        If Amaranth or amaranth-boards is missing.
    """
    if config.width != 64:
        raise ValueError(f"A design's engine is as wide as the ports into memory, 64 bits, not {config.width}")
    top = DESIGNS[design].top
    progress(f"{design}: elaborating the gateware")
    plan = _plan(board, config, design, toolchain, coherent)
    progress(f"{design}: writing the folder")

    verilog = re.sub(r"\A(?:\s*/\*.*?\*/)+", "", plan[f"{top}.v"], flags=re.S).strip()
    header = [
        f"Offcut {__version__}: {DESIGNS[design].what}, on the {board.title} ({board.part}).",
        f"Made by: offcut build {switches}".rstrip(),
        f"Written by Amaranth {amaranth.__version__}; edit the gateware, not this file.",
        "",
        f"Longest wire frame: {config.mtu_max} bytes with Ethernet header",
        f"Ports into memory:  {'S_AXI_ACP, coherent' if coherent else 'S_AXI_HP, not coherent'}",
        "Features of the engine:",
        *(f"  {'+' if config.has(name) else '-'} {name}: {what}" for name, what in FEATURES.items()),
    ]
    made = {
        f"{top}.v": tidy(verilog, header),
        f"{top}.xdc": _constraints(plan.get(f"{top}.xdc", ""), toolchain),
        "offcut.dtso": overlay(board, devices=DESIGNS[design].devices, coherent=coherent),
        "bit2bin.py": (files("offcut.boards") / "bitstream.py").read_text(),
        "README.md": folder_readme(board, design, toolchain, config, coherent),
    }
    if toolchain == "vivado":
        made[f"{top}.tcl"] = plan[f"{top}.tcl"] if design == "veth" else _synthesis_alone(board, top)
    made["build.sh"] = _script(board, top, toolchain, bitstream=design == "veth")
    return made


def _plan(board, config, design, toolchain, coherent):
    """What Amaranth makes of a design: its files by name."""
    from amaranth.back import verilog

    from offcut.axi import flat_ports

    from .platforms import platform  # only here: what is told of a folder needs no amaranth-boards
    from .top import CoreTop, VethTop

    name = DESIGNS[design].top
    made = platform(board, TOOLCHAINS[toolchain].platform)
    if design == "core":
        top = CoreTop(board, config, coherent=coherent)
        text = verilog.convert(top, name=name, platform=made, ports=flat_ports(top), emit_src=False, strip_internal_attrs=True)
        return {f"{name}.v": text, f"{name}.xdc": f"create_clock -name fclk0 -period {CLOCK_PERIOD_NS:.3f} [{CLOCK_PIN}]\n"}
    overrides = {
        "add_constraints": f"create_clock -name fclk0 -period {CLOCK_PERIOD_NS:.3f} [{CLOCK_PIN}]",
        "script_before_bitstream": _TIMING_CHECK.format(
            design_ns=CLOCK_PERIOD_NS, limit_ns=1e9 / FCLK0_HZ, margin_ns=CLOCK_PERIOD_NS - 1e9 / FCLK0_HZ
        ),
    }
    plan = made.build(
        VethTop(board, config, coherent=coherent), name=name, do_build=False, emit_src=False, debug_verilog=False, **overrides
    )
    return {file: content if isinstance(content, str) else content.decode() for file, content in plan.files.items()}


_TIMING_CHECK = """\
set slack [get_property SLACK [get_timing_paths -max_paths 1]]
puts "offcut: worst slack $slack ns at {design_ns} ns"
if {{$slack < {margin_ns:.3f}}} {{ puts "ERROR: offcut: not even {limit_ns:.3f} ns, FCLK0's period, are met"; exit 1 }}"""


def _constraints(made, toolchain):
    """The constraints file without what nextpnr cannot read."""
    lines = [line for line in made.splitlines() if line.startswith(("set_property", "create_clock"))]
    if toolchain == "openxc7":
        lines = [line.replace('"', "").replace("\\", "") for line in lines if line.startswith("set_property")]
    return "\n".join(["# Made by offcut build.", *lines, ""])


_HEAD = """\
#!/bin/sh
# Made by offcut build.
set -e
cd "$(dirname "$0")"
"""

_VIVADO = """\
"${{VIVADO:-vivado}}" -mode batch -nojournal -log {top}.log -source {top}.tcl
"""

_SYNTHESIS = """\
yosys -q -l {top}_yosys.log -p "read_verilog {top}.v; synth_xilinx -family xc7 -flatten -abc9 -nodsp {options}-top {top}; write_json {top}.json"
"""

_OPENXC7 = """\
# Where openXC7 is (the snap's place, unless told otherwise), and the chip database, which is made once if it is not there.
: "${{NEXTPNR_XILINX_DIR:=/snap/openxc7/current/opt/nextpnr-xilinx}}"
: "${{PRJXRAY_DB_DIR:=$NEXTPNR_XILINX_DIR/external/prjxray-db}}"
: "${{CHIPDB:={chip}.bin}}"
if [ ! -f "$CHIPDB" ]; then
  echo "making the chip database $CHIPDB, once"
  "${{PYPY3:-python3}}" "$NEXTPNR_XILINX_DIR/python/bbaexport.py" --device {part} --bba {chip}.bba
  bbasm -l {chip}.bba "$CHIPDB"
fi
nextpnr-xilinx --chipdb "$CHIPDB" --xdc {top}.xdc --json {top}.json --freq {freq:.2f} --fasm {top}.fasm
fasm2frames --part {part} --db-root "$PRJXRAY_DB_DIR/zynq7" {top}.fasm > {top}.frames
xc7frames2bit --part_file "$PRJXRAY_DB_DIR/zynq7/{part}/part.yaml" --part_name {part} --frm_file {top}.frames --output_file {top}.bit
"""

_OUT_OF_CONTEXT = """\
# Made by offcut build. Synthesis alone: the module is to be instantiated beside a MAC.
create_project -in_memory -part {part}
read_verilog {top}.v
read_xdc -mode out_of_context {top}.xdc
synth_design -top {top} -mode out_of_context
report_utilization -hierarchical -file {top}_utilization.rpt
report_timing_summary -file {top}_timing.rpt
write_checkpoint -force {top}.dcp
quit
"""


def _script(board, top, toolchain, *, bitstream):
    if toolchain == "vivado":
        body = _VIVADO
    else:
        body = _SYNTHESIS + (_OPENXC7 if bitstream else "")
    last = "python3 bit2bin.py {top}.bit {top}.bit.bin\n" if bitstream else ""
    return (_HEAD + body + last).format(
        top=top, chip=f"{board.device}clg400", part=board.part, freq=1e3 / CLOCK_PERIOD_NS, options="" if bitstream else "-noiopad "
    )


def _synthesis_alone(board, top):
    return _OUT_OF_CONTEXT.format(part=board.part, top=top)
