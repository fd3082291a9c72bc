"""A block design around the core, as a Tcl script for Vivado: the processor, AXI DMA, the core between its two directions.

The design is a table of cells, of interfaces that are joined and of nets; the script is printed from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from offcut import __version__
from offcut.config import Config
from offcut.core.registers import ADDR_WIDTH
from offcut.ip.boards import PARTS
from offcut.ip.ipxact import ADDRESS_BLOCK, MEMORY_MAP, vlnv

__all__ = ["CORE_BASE", "DMA_BASE", "DESIGN", "FCLK0_MHZ", "Design", "design", "script"]

DESIGN = "offcut_dma"

FCLK0_MHZ = "142.857132"
"""The IO PLL's 1 GHz by 7: the step below 156.25 MHz."""

CORE_BASE = 0x43C0_0000
DMA_BASE = 0x4040_0000
DMA_BYTES = 0x1_0000
LENGTH_BITS = 23
"""Of a descriptor's buffer length: all that AXI DMA has."""
HP_BITS = 64


@dataclass
class Design:
    """What a block design is made of.

    Attributes
    ----------
    cells : dict of str to (str, dict)
        By name: which block, and its configuration.
    joined : list of (str, str)
        Interfaces, from who drives to who is driven, as ``cell/interface``.
    nets : dict of str to list of str
        Pins by the one that drives them, as ``cell/pin``.
    """

    cells: dict[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)
    joined: list[tuple[str, str]] = field(default_factory=list)
    nets: dict[str, list[str]] = field(default_factory=dict)


def design(config: Config, requests: str) -> Design:
    """The design around a core: what the DMA sends comes back to it, cut. A MAC may take the place of either direction.

    With ``requests`` ``"control"`` the DMA has its control and status streams. With ``"tuser"`` nobody drives the requests, which are
    zeroes: `cfg_auto` makes the core parse.
    """
    control = requests == "control"
    width = config.width
    made = Design()
    made.cells = {
        "ps7": (
            "xilinx.com:ip:processing_system7",
            {
                "PCW_USE_M_AXI_GP0": 1,
                "PCW_USE_S_AXI_HP0": 1,
                "PCW_S_AXI_HP0_DATA_WIDTH": HP_BITS,
                "PCW_EN_CLK0_PORT": 1,
                "PCW_EN_RST0_PORT": 1,
                "PCW_FPGA0_PERIPHERAL_FREQMHZ": FCLK0_MHZ,
                "PCW_USE_FABRIC_INTERRUPT": 1,
                "PCW_IRQ_F2P_INTR": 1,
            },
        ),
        "reset": ("xilinx.com:ip:proc_sys_reset", {}),
        "core": (vlnv(), {}),
        "dma": (
            "xilinx.com:ip:axi_dma",
            {
                "c_include_sg": 1,
                "c_sg_include_stscntrl_strm": int(control),
                **({"c_sg_use_stsapp_length": 1} if control else {}),
                "c_sg_length_width": LENGTH_BITS,
                **{f"c_include_{way}_dre": 1 for way in ("mm2s", "s2mm") if width <= HP_BITS},
                **{f"c_m_axi_{way}_data_width": width for way in ("mm2s", "s2mm")},
                "c_m_axis_mm2s_tdata_width": width,
                "c_s_axis_s2mm_tdata_width": width,
                **{f"c_{way}_burst_size": 16 for way in ("mm2s", "s2mm")},
            },
        ),
        "registers": ("xilinx.com:ip:smartconnect", {"NUM_SI": 1, "NUM_MI": 2}),
        "memory": ("xilinx.com:ip:smartconnect", {"NUM_SI": 3, "NUM_MI": 1}),
        "interrupts": ("xilinx.com:ip:xlconcat", {"NUM_PORTS": 2}),
    }
    made.joined = [
        ("ps7/M_AXI_GP0", "registers/S00_AXI"),
        ("registers/M00_AXI", f"core/{MEMORY_MAP}"),
        ("registers/M01_AXI", "dma/S_AXI_LITE"),
        ("dma/M_AXI_SG", "memory/S00_AXI"),
        ("dma/M_AXI_MM2S", "memory/S01_AXI"),
        ("dma/M_AXI_S2MM", "memory/S02_AXI"),
        ("memory/M00_AXI", "ps7/S_AXI_HP0"),
        ("dma/M_AXIS_MM2S", "core/s_axis"),
        ("core/m_axis", "dma/S_AXIS_S2MM"),
    ]
    if control:
        made.joined += [("dma/M_AXIS_CNTRL", "core/s_axis_control"), ("core/m_axis_status", "dma/S_AXIS_STS")]
    made.nets = {
        "ps7/FCLK_CLK0": [
            *("ps7/M_AXI_GP0_ACLK", "ps7/S_AXI_HP0_ACLK", "reset/slowest_sync_clk", "core/clk", "registers/aclk", "memory/aclk"),
            *(f"dma/{name}_aclk" for name in ("s_axi_lite", "m_axi_sg", "m_axi_mm2s", "m_axi_s2mm")),
        ],
        "ps7/FCLK_RESET0_N": ["reset/ext_reset_in"],
        "reset/peripheral_aresetn": ["dma/axi_resetn", "registers/aresetn", "memory/aresetn"],
        "reset/peripheral_reset": ["core/rst"],
        "dma/mm2s_introut": ["interrupts/In0"],
        "dma/s2mm_introut": ["interrupts/In1"],
        "interrupts/dout": ["ps7/IRQ_F2P"],
    }
    return made


def script(board: str, config: Config, requests: str) -> str:
    """The Tcl script: it makes the project, the design and its wrapper, and with the argument ``build`` the bitstream.

    Raises
    ------
    ValueError
        If there is no such board.
    """
    if board not in PARTS:
        raise ValueError(f"There is no board {board!r}; there are {', '.join(PARTS)}")
    made = design(config, requests)
    lines = [
        f"# {DESIGN} for {board}. Made by Offcut {__version__}: offcut ip --board {board}",
        "#   vivado -mode batch -source block_design.tcl                  the project, to look at",
        "#   vivado -mode batch -source block_design.tcl -tclargs build   the bitstream as well",
        "",
        "set here [file dirname [file normalize [info script]]]",
        f"create_project -force {DESIGN} $here/vivado -part {PARTS[board]}",
        "# The board's own description knows its memory. Without it, the processor runs as its boot loader has set it up.",
        f"set board_part [lindex [get_board_parts -quiet -latest_file_version *:{board}:*] 0]",
        'if {$board_part ne ""} { set_property board_part $board_part [current_project] }',
        "set_property ip_repo_paths $here/ip [current_project]",
        "update_ip_catalog",
        f"create_bd_design {DESIGN}",
        "",
    ]
    for name, (block, settings) in made.cells.items():
        lines.append(f"create_bd_cell -type ip -vlnv {block} {name}")
        if name == "ps7":
            preset = '{make_external "FIXED_IO, DDR" apply_board_preset "1" Master "Disable" Slave "Disable"}'
            lines.append(f"apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {preset} [get_bd_cells ps7]")
        if settings:
            pairs = " ".join(f"CONFIG.{key} {{{value}}}" for key, value in settings.items())
            lines.append(f"set_property -dict [list {pairs}] [get_bd_cells {name}]")
    lines.append("")
    lines += [f"connect_bd_intf_net [get_bd_intf_pins {driver}] [get_bd_intf_pins {driven}]" for driver, driven in made.joined]
    lines.append("")
    for driver, pins in made.nets.items():
        lines.append(f"connect_bd_net {' '.join(f'[get_bd_pins {pin}]' for pin in (driver, *pins))}")
    lines += [
        "",
        _address(CORE_BASE, 1 << ADDR_WIDTH, f"core/{MEMORY_MAP}/{ADDRESS_BLOCK}"),
        _address(DMA_BASE, DMA_BYTES, "dma/S_AXI_LITE/Reg"),
        "assign_bd_address",
        "",
        "validate_bd_design",
        "save_bd_design",
        f"add_files -norecurse [make_wrapper -files [get_files {DESIGN}.bd] -top]",
        f"set_property top {DESIGN}_wrapper [current_fileset]",
        "update_compile_order -fileset sources_1",
        'if {[lindex $argv 0] eq "build"} {',
        "  launch_runs impl_1 -to_step write_bitstream",
        "  wait_on_run impl_1",
        "  write_hw_platform -fixed -include_bit -force $here/offcut.xsa",
        "}",
        "",
    ]
    return "\n".join(lines)


def _address(base: int, size: int, segment: str) -> str:
    where = f"-offset 0x{base:08X} -range 0x{size:X}"
    return f"assign_bd_address {where} -target_address_space [get_bd_addr_spaces ps7/Data] [get_bd_addr_segs {segment}] -force"
