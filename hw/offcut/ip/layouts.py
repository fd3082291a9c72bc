"""How a frame's request can come otherwise than on ``tuser``: the tables that adapters and documents are made of. Pure Python."""

from collections.abc import Mapping
from dataclasses import dataclass

from offcut.config import Config

__all__ = [
    "APP_WORDS",
    "CONTROL_TAG",
    "ETHERNET_BYTES",
    "LENGTHS",
    "MARK",
    "PACKET_WORDS",
    "REQUEST",
    "REQUESTS",
    "STATUS_TAG",
    "USER_BITS",
    "AppField",
    "check",
    "header_bytes",
    "markdown",
    "pack",
]

APP_WORDS = 5
PACKET_WORDS = 1 + APP_WORDS
"""Words of 32 bits of a packet on AXI DMA's control or status stream (PG021): a tag, and the descriptor's APP0 to APP4."""

CONTROL_TAG = 0xA
STATUS_TAG = 0x5
"""Bits 31:28 of the tag."""

ETHERNET_BYTES = 14
"""AMD's driver does not count them in the total length."""

USER_BITS = 16
"""User bits that a control packet has room for."""


@dataclass(frozen=True)
class AppField:
    """Bits of an APP word: ``width`` of them from bit ``low`` of word ``word`` on."""

    word: int
    low: int
    width: int
    doc: str


MARK = AppField(1, 15, 1, "1: this layout")

REQUEST: Mapping[str, AppField] = {
    "frame_len": AppField(0, 0, 20, "the frame's length in bytes; 0 if it is not known"),
    "flags": AppField(0, 24, 8, "of the `virtio_net_hdr`"),
    "gso_type": AppField(1, 0, 8, "likewise"),
    "keep_id": AppField(1, 12, 1, "every segment keeps the IPv4 ID"),
    "insert_vlan": AppField(1, 13, 1, "insert a VLAN tag"),
    "mark": MARK,
    "gso_size": AppField(1, 16, 16, "payload bytes a segment"),
    "csum_start": AppField(2, 0, 16, "where the sum begins"),
    "csum_offset": AppField(2, 16, 16, "where it is stored, from csum_start"),
    "outer_th_offset": AppField(3, 0, 16, "for UDP tunnels"),
    "inner_nh_offset": AppField(3, 16, 16, "likewise"),
    "vlan_tci": AppField(4, 0, 16, "the TCI of the VLAN tag"),
    "user": AppField(4, 16, USER_BITS, "user bits, as many as are built in"),
}
"""A control packet that carries a whole request."""

LENGTHS: Mapping[str, AppField] = {
    "total_len": AppField(
        0, 0, 24, "the frame's length in bytes without its Ethernet header; with header_len 0 as well: not known, and nothing is cut"
    ),
    "header_len": AppField(0, 24, 8, "bytes before the payload, Ethernet to TCP options or UDP"),
    "whole": AppField(1, 8, 1, "1: not to be cut"),
    "no_checksum": AppField(1, 9, 1, "1: no checksum is completed, unless the frame is cut"),
    "no_tcp": AppField(1, 10, 1, "0: TCP is cut"),
    "no_udp": AppField(1, 11, 1, "0: UDP is cut into datagrams"),
    "mark": AppField(1, 15, 1, "0: this layout"),
    "mss": AppField(1, 16, 14, "the IP MTU of what leaves; 0: that of `cfg_mtu`"),
}
"""A control packet as AMD's own offload engine takes it. It says no more than lengths, so the engine parses the frame."""

REQUESTS = ("tuser", "control", "vnet10", "vnet12", "vnet20", "vnet24")
"""Where a core's requests come from: beside the frame, on a control stream, or in front of the frame in so many bytes."""

VNET = "vnet"


def header_bytes(requests: str) -> int:
    """Bytes of ``virtio_net_hdr`` in front of each frame: 0 unless the requests stand there."""
    return int(requests.removeprefix(VNET)) if requests.startswith(VNET) else 0


def check(config: Config, requests: str) -> None:
    """Refuse what cannot be built.

    Raises
    ------
    ValueError
        If there are no such requests, or they have no room for the user bits.
    """
    if requests not in REQUESTS:
        raise ValueError(f"Requests come by {', '.join(REQUESTS)}, not {requests!r}")
    room = config.user_width if requests == "tuser" else USER_BITS if requests == "control" else 0
    if config.user_width > room:
        raise ValueError(f"Requests by {requests!r} have room for {room} user bits, not {config.user_width}")


def pack(layout: Mapping[str, AppField], **values: int) -> list[int]:
    """The words of a control packet, tag first. What is not named is 0, the mark apart.

    Raises
    ------
    ValueError
        If a value does not fit, or the layout has no such field.
    """
    words = [CONTROL_TAG << 28] + [0] * APP_WORDS
    for name, value in ({"mark": int(layout is REQUEST)} | values).items():
        if name not in layout or not 0 <= value < 1 << layout[name].width:
            raise ValueError(f"There is no place for {name} = {value}")
        words[1 + layout[name].word] |= value << layout[name].low
    return words


def markdown(layout: Mapping[str, AppField]) -> str:
    """A layout as a table."""
    lines = ["| word | bits | field | |", "|---|---:|---|---|"]
    for name, field in layout.items():
        bits = str(field.low) if field.width == 1 else f"{field.low + field.width - 1}:{field.low}"
        lines.append(f"| APP{field.word} | {bits} | `{name}` | {field.doc} |")
    return "\n".join(lines) + "\n"
