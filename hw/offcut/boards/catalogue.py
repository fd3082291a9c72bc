"""The boards, as tables. Pure Python: importable without Amaranth."""

from dataclasses import dataclass

from offcut.config import Config

__all__ = ["BOARDS", "CLOCK_PERIOD_NS", "FCLK0_HZ", "LUT", "RAMB36", "REGISTERS_BASE", "SPI_FIRST", "VIRTIO_FEATURES", "Board"]

VIRTIO_FEATURES = frozenset({
    "tx-checksum-ip-generic",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-udp-fragmentation",
})
"""What a virtio network driver can ask for (virtio 1.2, 5.1.3): an engine behind a virtio device needs no more."""

CLOCK_PERIOD_NS = 6.4
"""What is routed for: 156.25 MHz, at which 64 bits are 10 Gb/s."""

FCLK0_HZ = 142_857_143
"""What it runs at: an IO PLL of 1 GHz by 7, the next step below."""

REGISTERS_BASE = 0x43C0_0000
"""Of the first register window, behind M_AXI_GP0."""

SPI_FIRST = 29
"""The shared peripheral interrupt of IRQF2P[0]: interrupt 61 of the controller, whose first shared one is 32."""

LUT = {"xc7z010": 17_600, "xc7z020": 53_200}
RAMB36 = {"xc7z010": 60, "xc7z020": 140}


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name : str
        On the command line, and of its folder.
    title : str
        What its maker calls it.
    device : str
        ``xc7z010`` or ``xc7z020``; the package is clg400, the speed grade 1.
    platform : str
        ``module:class`` of its Amaranth platform.
    memory_mib : int
        Memory at address 0, in MiB: nothing else is ever read or written.
    device_tree : str
        Its file in the Linux sources, below ``arch/arm/boot/dts/xilinx``; "" if there is none.
    fclk_enable : int
        A bit for each FCLK that must run.
    mii : bool
        Whether the processor's Ethernet goes to its PHY through the programmable logic.
    console : str
        How to reach its serial console.
    leds : int
        LEDs of the programmable logic that are used.
    """

    name: str
    title: str
    device: str
    platform: str
    memory_mib: int
    device_tree: str
    console: str
    leds: int
    fclk_enable: int = 0b0001
    mii: bool = False

    @property
    def part(self) -> str:
        """The part's full name."""
        return f"{self.device}clg400-1"

    @property
    def memory_bytes(self) -> int:
        return self.memory_mib << 20

    @property
    def config(self) -> Config:
        """The engine that a design has here unless another one is chosen. The small device does without what Linux no longer asks for."""
        if self.device == "xc7z010":
            return Config(width=64, features=VIRTIO_FEATURES - {"tx-udp-fragmentation"}, mtu_max=1522)
        return Config(width=64, features=VIRTIO_FEATURES, mtu_max=9216)


OURS = "offcut.boards.platforms"
USB_CONSOLE = "the micro USB connector that also carries JTAG, 115200 baud"

BOARDS = {
    board.name: board
    for board in (
        Board("arty-z7-20", "Digilent Arty Z7-20", "xc7z020", "amaranth_boards.arty_z7:ArtyZ720Platform", 512, "", USB_CONSOLE, 2),
        Board("pynq-z1", "Digilent PYNQ-Z1", "xc7z020", f"{OURS}:PynqZ1Platform", 512, "", USB_CONSOLE, 2),
        Board("pynq-z2", "TUL PYNQ-Z2", "xc7z020", f"{OURS}:PynqZ2Platform", 512, "", USB_CONSOLE, 2),
        Board(
            "ebaz4205",
            "Ebang EBAZ4205",
            "xc7z010",
            "amaranth_boards.ebaz4205:EBAZ4205Platform",
            256,
            "zynq-ebaz4205.dts",
            "the UART header J7 (3.3 V), 115200 baud",
            2,
            fclk_enable=0b1001,  # FCLK3 is the PHY's 25 MHz
            mii=True,
        ),
        Board("zybo-z7-10", "Digilent Zybo Z7-10", "xc7z010", f"{OURS}:ZyboZ710Platform", 1024, "zynq-zybo-z7.dts", USB_CONSOLE, 2),
        Board("zybo-z7-20", "Digilent Zybo Z7-20", "xc7z020", f"{OURS}:ZyboZ720Platform", 1024, "zynq-zybo-z7.dts", USB_CONSOLE, 2),
        Board(
            "microzed-7010",
            "Avnet MicroZed 7010",
            "xc7z010",
            "amaranth_boards.microzed_z010:MicroZedZ010Platform",
            1024,
            "zynq-microzed.dts",
            "the micro USB connector J2, 115200 baud",
            0,
        ),
        Board(
            "microzed-7020",
            "Avnet MicroZed 7020",
            "xc7z020",
            "amaranth_boards.microzed_z020:MicroZedZ020Platform",
            1024,
            "zynq-microzed.dts",
            "the micro USB connector J2, 115200 baud",
            0,
        ),
    )
}
"""By name."""
