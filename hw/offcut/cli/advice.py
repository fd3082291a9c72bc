"""What to try when frames were dropped."""

from collections.abc import Iterator, Sequence

from offcut.cli.inputs import Inputs
from offcut.cli.report import Report
from offcut.config import MTU_MAX, Config

__all__ = ["advice", "likelier_size"]

ETHERTYPES = frozenset({b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8", b"\x08\x06"})
"""What nearly every frame has at byte 12: IPv4, IPv6, the two VLAN tags, ARP."""

SAMPLE = 1000
"""Records that are looked at."""


def likelier_size(records: Sequence[bytes], size: int, sizes: Sequence[int]) -> int | None:
    """The size of the ``virtio_net_hdr`` behind which most of the records are frames of a known EtherType, if that is not ``size``."""

    def known(size: int) -> int:
        return sum(record[size + 12 : size + 14] in ETHERTYPES for record in records[:SAMPLE])

    best = max(sizes, key=lambda candidate: (known(candidate), candidate == size))
    return best if 2 * known(size) < known(best) else None


def advice(report: Report, inputs: Inputs, config: Config, header_bytes: int, likelier: int | None) -> Iterator[str]:
    """A line for each thing that would help."""
    if likelier:
        yield f"behind a virtio_net_hdr of {header_bytes} bytes these are hardly frames; behind one of {likelier} they are: try --vnet-hdr-size {likelier}"
    elif header_bytes and report.frames_in and not report.frames_out:
        yield f"every frame was dropped; does each record begin with a virtio_net_hdr of {header_bytes} bytes? (--vnet-hdr-size)"
    if report.dropped.get("too_big"):
        yield f"too_big: {_too_big(inputs, config)}"
    if report.dropped.get("disabled"):
        yield "disabled: `offcut features` tells what an engine has with the same --features and --disable"
    if report.dropped.get("too_long") and config.mtu_max < MTU_MAX[1]:
        yield f"too_long: wire frames of more than {config.mtu_max} bytes; raise --mtu-max"


def _too_big(inputs: Inputs, config: Config) -> str:
    if not inputs.auto:
        return "the fragments of a datagram do not fit the buffer in which they wait for each other; with --ufo-order last only one waits"
    needed = ["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation" if inputs.uso_size else "tx-udp-fragmentation"]
    missing = [name for name in needed if not config.has(name) or name in inputs.disable]
    hints = [f"{', '.join(missing)} would cut more"] if missing else []
    if not inputs.uso_size:
        hints.append("--uso-size BYTES cuts UDP that must not be fragmented, and UDP over IPv6, into datagrams")
    hints.append(f"a higher --mtu than {inputs.mtu} lets more pass")
    return f"packets above the MTU that this engine may not cut; {'; '.join(hints)}"
