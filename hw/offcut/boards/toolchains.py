"""Designs and toolchains, as tables. Pure Python: importable without Amaranth."""

from dataclasses import dataclass

__all__ = ["DESIGNS", "TOOLCHAINS", "Design", "Toolchain"]


@dataclass(frozen=True)
class Design:
    """What can be built: its ``top`` module, what it is, and how many network ``devices`` Linux then has."""

    top: str
    what: str
    devices: int


DESIGNS = {
    "veth": Design("offcut_veth", "two network devices, joined through an engine each way", 2),
    "core": Design("offcut_core_top", "one network device with AXI4-Stream ports for a MAC, to be instantiated", 1),
}


@dataclass(frozen=True)
class Toolchain:
    """Who builds: its name among Amaranth's, the ``programs`` that ``build.sh`` runs, and how to get them."""

    platform: str
    programs: tuple[str, ...]
    remedy: str


TOOLCHAINS = {
    "vivado": Toolchain("Vivado", ("vivado",), "install AMD Vivado (the free edition has these parts) and source its settings64.sh"),
    "openxc7": Toolchain(
        "Xray",
        ("yosys", "nextpnr-xilinx", "bbasm", "fasm2frames", "xc7frames2bit"),
        "install openXC7 (github.com/openXC7/toolchain-installer, or toolchain-nix)",
    ),
}
