"""Amaranth platforms of the boards: those of amaranth-boards, and ours where it has none."""

import importlib

from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal
from amaranth.vendor import XilinxPlatform

from .catalogue import Board

__all__ = ["MII", "PynqZ1Platform", "PynqZ2Platform", "ZyboZ710Platform", "ZyboZ720Platform", "platform"]

LVCMOS33 = Attrs(IOSTANDARD="LVCMOS33")


def _leds(pins):
    return [Resource("led", number, Pins(pin, dir="o"), LVCMOS33) for number, pin in enumerate(pins.split())]


class PynqZ1Platform(XilinxPlatform):
    """Digilent PYNQ-Z1; its pins are those of the Arty Z7."""

    device, package, speed = "xc7z020", "clg400", "1"
    default_clk = "clk125"
    resources = [Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), LVCMOS33), *_leds("R14 P14 N16 M14")]
    connectors = []


class PynqZ2Platform(PynqZ1Platform):
    """TUL PYNQ-Z2; clock and LEDs are where the PYNQ-Z1 has them."""


class ZyboZ710Platform(XilinxPlatform):
    """Digilent Zybo Z7-10."""

    device, package, speed = "xc7z010", "clg400", "1"
    default_clk = "clk125"
    resources = [Resource("clk125", 0, Pins("K17", dir="i"), Clock(125e6), LVCMOS33), *_leds("M14 M15 G14 D18")]
    connectors = []


class ZyboZ720Platform(ZyboZ710Platform):
    """Digilent Zybo Z7-20."""

    device = "xc7z020"


MII = Resource(
    "mii",
    0,
    Subsignal("clk25", Pins("U18", dir="o")),
    Subsignal("mdc", Pins("W15", dir="o")),
    Subsignal("mdio", Pins("Y14", dir="io")),
    Subsignal("tx_clk", Pins("U15", dir="i")),
    Subsignal("tx_en", Pins("W19", dir="o")),
    Subsignal("txd", Pins("W18 Y18 V18 Y19", dir="o")),
    Subsignal("rx_clk", Pins("U14", dir="i")),
    Subsignal("rx_dv", Pins("W16", dir="i")),
    Subsignal("rxd", Pins("Y16 V16 V17 Y17", dir="i")),
    LVCMOS33,
)
"""The PHY of an EBAZ4205, which hangs on the programmable logic."""


def platform(board: Board, toolchain: str) -> XilinxPlatform:
    """The platform of a board, for one build.

    Raises
    ------
    ModuleNotFoundError
        If amaranth-boards is needed and not installed.
    """
    module, _, name = board.platform.partition(":")
    made = getattr(importlib.import_module(module), name)(toolchain=toolchain)
    if board.mii:
        made.add_resources([MII])
    return made
