"""The READMEs of the boards and of build folders, from one text, so that they cannot drift apart."""

from offcut.config import Config

from .catalogue import CLOCK_PERIOD_NS, FCLK0_HZ, REGISTERS_BASE, SPI_FIRST, Board
from .overlay import WINDOW_BYTES
from .toolchains import DESIGNS, TOOLCHAINS

__all__ = ["board_readme", "ethtool_lines", "folder_readme"]

OFFLOADS = [
    # the device's feature bits, what `ethtool -k` then says, the engine's features that it takes
    ("CSUM", "tx-checksumming: on", ["tx-checksum-ip-generic"]),
    ("CSUM", "\ttx-checksum-ip-generic: on", ["tx-checksum-ip-generic"]),
    ("CSUM", "scatter-gather: on", ["tx-checksum-ip-generic"]),
    ("HOST_TSO4 or HOST_TSO6", "tcp-segmentation-offload: on", ["tx-tcp-segmentation"]),
    ("HOST_TSO4", "\ttx-tcp-segmentation: on", ["tx-tcp-segmentation"]),
    ("HOST_ECN", "\ttx-tcp-ecn-segmentation: on", ["tx-tcp-ecn-segmentation"]),
    ("HOST_TSO6", "\ttx-tcp6-segmentation: on", ["tx-tcp6-segmentation"]),
    ("", "generic-segmentation-offload: on", []),
    ("HOST_USO", "tx-udp-segmentation: on", ["tx-udp-segmentation"]),
]


def ethtool_lines(config: Config) -> list[str]:
    """What ``ethtool -k`` prints of a device whose engine is ``config``, the lines that matter."""
    return [line for _, line, needs in OFFLOADS if all(config.has(name) for name in needs)]


KERNEL_OPTIONS = [
    ("CONFIG_VIRTIO_MMIO", "the transport: registers at an address out of the device tree"),
    ("CONFIG_VIRTIO_NET", "the driver"),
    ("CONFIG_NET_NS", "namespaces, for the run below"),
    ("CONFIG_OF_OVERLAY", "only to apply the overlay at run time"),
    ("CONFIG_FPGA, CONFIG_FPGA_MGR_ZYNQ_FPGA", "only to load the bitstream from Linux"),
    ("CONFIG_XILINX_FCLK", "likewise, in AMD's kernel: holds the clock for the overlay"),
]


def _boot(board: Board) -> str:
    base = (
        f"The base device tree is `arch/arm/boot/dts/xilinx/{board.device_tree}` of Linux"
        if board.device_tree
        else "The base device tree is the one of your image (Linux has none for this board; that of the zybo-z7 or zc702 shows how)"
    )
    return f"""\
## Boot
{base}, compiled with symbols
(`make DTC_FLAGS=-@ dtbs`), since the overlay names `clkc` and `intc`.

    dtc -@ -I dts -O dtb -o offcut.dtbo offcut.dtso

**From U-Boot**, with any maintained kernel. Copy the `.bit`, `offcut.dtbo`, kernel and base device tree to the boot partition, and say:

    load mmc 0 0x4000000 offcut_veth.bit && fpga loadb 0 0x4000000 $filesize
    load mmc 0 0x2000000 zImage
    load mmc 0 0x2a00000 board.dtb && fdt addr 0x2a00000 && fdt resize 0x2000
    load mmc 0 0x2b00000 offcut.dtbo && fdt apply 0x2b00000
    setenv bootargs console=ttyPS0,115200 root=/dev/mmcblk0p2 rw rootwait
    bootz 0x2000000 - 0x2a00000

The overlay sets `fclk-enable`, so Linux leaves the clock on, and the rate of FCLK0 ({FCLK0_HZ / 1e6:.3f} MHz; the IO PLL must run at 1 GHz, as it does unless
your first-stage loader was made otherwise).

**From Linux**, with AMD's kernel (PYNQ's and PetaLinux's images have it), which can apply overlays through configfs:

    cp offcut_veth.bit.bin offcut.dtbo /lib/firmware/
    echo 0 > /sys/class/fpga_manager/fpga0/flags
    echo offcut_veth.bit.bin > /sys/class/fpga_manager/fpga0/firmware
    mount -t configfs none /sys/kernel/config 2>/dev/null
    mkdir /sys/kernel/config/device-tree/overlays/offcut
    cat offcut.dtbo > /sys/kernel/config/device-tree/overlays/offcut/dtbo

A read of the registers hangs the processor if the logic is not loaded or FCLK0 stands still: load the bitstream first, and boot with `clk_ignore_unused`
if your kernel has no `xlnx,fclk` driver.

The ports into memory must be 64 bits wide, as they are after reset. If frames arrive as garbage, your first-stage loader was made with narrow ones:
`devmem 0xF8008000` and `devmem 0xF8008014` (and `0xF8009000`, `0xF8009014`) must read 0 in bit 0.
"""


def _kernel() -> str:
    rows = "\n".join(f"| `{name}` | {why} |" for name, why in KERNEL_OPTIONS)
    return f"""\
## Kernel options
| option | for |
|---|---|
{rows}
"""


def _run(config: Config) -> str:
    features = "\n".join(f"    {line}" for line in ethtool_lines(config))
    return f"""\
## What to see
    $ dmesg | grep virtio
    $ ip -br link                    # two more devices, 02:4f:46:43:55:00 and 02:4f:46:43:55:01; call them eth1 and eth2 below
    $ ethtool -i eth1                # driver: virtio_net
    $ ethtool -k eth1                # among other lines:
{features}

`virtio_net` offers no more. UFO left Linux in 4.14, so the device's HOST_UFO stays unused there; the tunnels that the engine can cut
(`tx-ipxip4-segmentation` and `tx-ipxip6-segmentation` are what Linux calls IPIP and SIT) have no feature bit in virtio 1.2. `tx-udp-segmentation` needs
Linux 6.2, the first with HOST_USO.

## iperf3 through the hardware
Each device into a namespace of its own, or Linux would take the short way and the frames would never see the logic:

    ip netns add a; ip link set eth1 netns a
    ip netns add b; ip link set eth2 netns b
    ip -n a addr add 10.77.0.1/24 dev eth1; ip -n a link set eth1 mtu 1500 up
    ip -n b addr add 10.77.0.2/24 dev eth2; ip -n b link set eth2 mtu 1500 up
    ip netns exec b iperf3 -s -D
    ip netns exec a iperf3 -c 10.77.0.2
    ip netns exec a ethtool -K eth1 tso off && ip netns exec a iperf3 -c 10.77.0.2   # the same, cut by the processor

`ip netns exec b tcpdump -ni eth2` shows wire frames of at most 1514 bytes, whose checksums are right; `ip netns exec a tcpdump -ni eth1` what the
stack handed over, up to 64 KiB at a time.
"""


def _map(devices: int, coherent: bool) -> str:
    rows = "\n".join(
        f"| {number} | `{REGISTERS_BASE + number * WINDOW_BYTES:#x}` | SPI {SPI_FIRST + number} (IRQF2P[{number}]) | "
        f"{'S_AXI_ACP' if coherent else f'S_AXI_HP{number}'} |"
        for number in range(devices)
    )
    return f"""\
| device | registers, {WINDOW_BYTES} bytes | interrupt, level high | memory |
|---:|---|---|---|
{rows}
"""


def board_readme(board: Board) -> str:
    """``boards/NAME/README.md``."""
    config = board.config
    return "\n".join([
        f"# {board.title}",
        f"""\
Two network devices that Linux drives with its own `virtio_net`, joined by an engine each way: a hardware veth pair on an {board.part}. What a program sends
into one comes out of the other, cut and with its checksums made by the logic. [docs/boards.md](../../docs/boards.md) shows how it works.

**It has not run on this board yet**: what is shown is simulation, lint, synthesis and the overlay's syntax. Tell us how it went.

    offcut build --board {board.name}                                # build/{board.name}-veth, for Vivado
    offcut build --board {board.name} --toolchain openxc7            # the same for openXC7
    offcut build --board {board.name} --coherent                     # memory through the caches
""",
        f"## Wiring\n{_wiring(board)}",
        _map(2, coherent=False),
        _boot(board),
        _kernel(),
        _run(config),
        """\
## This folder
[offcut.dtso](offcut.dtso) is the overlay of the command above without options; the build folder holds that of its own. Files here are made by
`scripts/boards --write` and compared by the tests.
""",
    ])


def _wiring(board: Board) -> str:
    lines = [f"Power and the serial console: {board.console}. No network cable is needed."]
    if board.leds:
        lines.append("LED 0 changes once a second while the clock runs, LED 1 is lit while wire frames pass.")
    else:
        lines.append("No LED of this board hangs on the logic, so none shows life.")
    if board.mii:
        lines.append(
            "The processor's own Ethernet reaches its PHY through the logic on this board. The design passes it on (MII at pins U14 to Y19, 25 MHz from "
            "FCLK3 at U18), so the board's own socket keeps working."
        )
    return "\n".join(lines) + "\n"


def folder_readme(board: Board, design: str, toolchain: str, config: Config, coherent: bool) -> str:
    """The README of a build folder."""
    known, what = TOOLCHAINS[toolchain], DESIGNS[design]
    features = ", ".join(sorted(config.features))
    head = f"""\
# {board.title}: {what.what}
Made by `offcut build --board {board.name} --design {design} --toolchain {toolchain}`{" with `--coherent`" if coherent else ""}.

    sh build.sh

It runs {", ".join(f"`{program}`" for program in known.programs)}; if one is missing: {known.remedy}.
Constraint: {CLOCK_PERIOD_NS} ns. FCLK0 runs at {FCLK0_HZ / 1e6:.3f} MHz. Engine: 64 bits, frames of up to {config.mtu_max} bytes, {features}.
"""
    if design == "core":
        tail = f"""\
`offcut_core_top` holds the processing system, the network device and the engine. Instantiate it beside a MAC:

| port | | bits | |
|---|---|---:|---|
| `wire_clk`, `wire_rst`, `wire_link` | in | 1 | the MAC's clock; its reset, at any moment, at least 4 clocks of the slower side long; whether there is a link |
| `wire_tx_tdata/tkeep/tvalid/tready/tlast` | out | 64, 8, 1, 1, 1 | frames to send, without FCS, not padded; a frame never pauses once begun |
| `wire_tx_tuser` | out | 1 | with `tlast`: spoil this frame (the other side was reset in its middle) |
| `wire_rx_tdata/tkeep/tvalid/tready/tlast` | in | 64, 8, 1, 1, 1 | frames received, without FCS; taken in every clock |
| `wire_rx_tuser` | in | 1 | with `tlast`: this frame was bad |

The engine's own registers, with its counters, are in the window behind the device's, at `{REGISTERS_BASE + WINDOW_BYTES:#x}` (docs/registers.md):
`devmem` reads them, no driver is needed, and what they hold after reset is right.

Constrain the MAC's clock against `fclk0` as asynchronous: `set_clock_groups -asynchronous -group fclk0 -group YOUR_CLOCK`.
"""
        return "\n".join([head, tail, _map(1, coherent), _kernel()])
    files = "`offcut_veth.bit` is for U-Boot, `offcut_veth.bit.bin` for Linux's FPGA manager (`bit2bin.py` makes it), `offcut.dtso` the overlay.\n"
    return "\n".join([head, files, _map(2, coherent), _boot(board), _kernel(), _run(config)])
