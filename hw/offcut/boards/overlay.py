"""The device tree overlay that shows a design's devices to Linux."""

from .catalogue import FCLK0_HZ, REGISTERS_BASE, SPI_FIRST, Board

__all__ = ["WINDOW_BYTES", "overlay"]

WINDOW_BYTES = 4096
"""Of each device's registers."""

FCLK0 = 15
"""Of the clock controller's outputs (binding ``xlnx,ps7-clkc``)."""

LEVEL_HIGH = 4
SHARED = 0
"""Kinds of interrupts (binding ``arm,gic``)."""


def overlay(board: Board, *, devices: int, coherent: bool = False) -> str:
    """The overlay's source.

    Parameters
    ----------
    board : Board
    devices : int
        Network devices, each with a window of registers and an interrupt, in order.
    coherent : bool
        Whether they go through the accelerator coherency port.
    """
    nodes = [_device(number, coherent) for number in range(devices)]
    ports = "S_AXI_ACP, coherent" if coherent else "S_AXI_HP0 and up, not coherent"
    return "\n".join([
        f"/* The network devices of Offcut on the {board.title}; memory through {ports}. Made by scripts/boards and offcut build. */",
        "/dts-v1/;",
        "/plugin/;",
        "",
        "/* Counts where the boot loader applies this overlay: Linux stops a clock of the logic that nobody holds. */",
        "&clkc {",
        f"\tfclk-enable = <{board.fclk_enable:#x}>;",
        "};",
        "",
        "&{/} {",
        "\t#address-cells = <1>;",
        "\t#size-cells = <1>;",
        "",
        "\t/* Holds the clock where the overlay is applied at run time, in AMD's kernel; others pass it by. */",
        "\toffcut-clock {",
        '\t\tcompatible = "xlnx,fclk";',
        f"\t\tclocks = <&clkc {FCLK0}>;",
        "\t};",
        "",
        "\toffcut {",
        '\t\tcompatible = "simple-bus";',
        "\t\t#address-cells = <1>;",
        "\t\t#size-cells = <1>;",
        "\t\tinterrupt-parent = <&intc>;",
        "\t\tranges;",
        "",
        "\n\n".join(nodes),
        "\t};",
        "};",
        "",
    ])


def _device(number: int, coherent: bool) -> str:
    address = REGISTERS_BASE + number * WINDOW_BYTES
    lines = [
        f"virtio@{address:x} {{",
        '\tcompatible = "virtio,mmio";',
        f"\treg = <{address:#x} {WINDOW_BYTES:#x}>;",
        f"\tinterrupts = <{SHARED} {SPI_FIRST + number} {LEVEL_HIGH}>;",
        *(["\tdma-coherent;"] if coherent else []),
        *([f"\tassigned-clocks = <&clkc {FCLK0}>;", f"\tassigned-clock-rates = <{FCLK0_HZ}>;"] if number == 0 else []),
        "};",
    ]
    return "\n".join(f"\t\t{line}" for line in lines)
