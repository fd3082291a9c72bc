"""Questions that a TAP device cannot be asked, or that Linux stumbles over, put in another way, so that the kernel judges them all the same.

A tunnel that the request cannot name (GRE, IP in IP): what it carries leaves as it would without it. The frame is asked about with the tunnel's headers
taken away, and the model's segments are compared with those taken away, too; what was taken away must be that of the frame but for lengths, IPv4 ID and
checksums, which must be right (RFC 791, 2003, 2473, 2784, 2890, 4213).

A checksum that begins before byte 20, or a frame shorter than Ethernet's header: asked about with zeroes in front, which are in no sum.

One segment that the kernel takes for more: asked about as what it is, a checksum request.
"""

from collections.abc import Callable
from dataclasses import replace

from offcut_model import VirtioNetHdr

from .differences import LIKE_LINUX, NEEDS_CSUM, Asked, Disagreement, agreement, answer_of

__all__ = ["OTHERWISE", "compare_otherwise"]

ETHERNET_BYTES = 14
TEB = 0x6558
GRE, IPIP, IPV6 = 47, 4, 41
GRE_CHECKSUM, GRE_KEY = 0x8000, 0x2000

_PADDING = 64
"""Zeroes in front of a frame; EtherType 0 is nothing that the kernel knows."""

Ask = Callable[[VirtioNetHdr, bytes], list[bytes] | None]


def compare_otherwise(difference: str, header: VirtioNetHdr, frame: bytes, ask: Ask, note: str = "") -> str:
    """Hold the model's answer against the kernel's to the same question put otherwise.

    Parameters
    ----------
    difference : str
        What :func:`.compare` said of the question as it was; only those in :data:`OTHERWISE` can be put otherwise.
    ask : callable
        Asks the kernel about a header and a frame.

    Returns
    -------
    str
        ``otherwise`` if both agree, ``difference`` where there is no other way, or the name of another known difference.

    Raises
    ------
    Disagreement
        With ``note`` in front.
    """
    model = answer_of(header, frame, LIKE_LINUX)
    if difference not in OTHERWISE:
        return difference
    try:
        agreed = OTHERWISE[difference](header, frame, model, ask)
    except Disagreement as disagreement:
        raise Disagreement(f"{note}\n(asked otherwise, for {difference})\n{disagreement}") from None
    return "otherwise" if agreed in ("cut", "whole", "refused") else agreed or difference


def _padded(header: VirtioNetHdr, frame: bytes, model: list[bytes] | str, ask: Ask) -> str | None:
    if header.gso_type or (header.flags & NEEDS_CSUM and header.csum_start + _PADDING > 0xFFFF):
        return None
    kernel = ask(replace(header, csum_start=header.csum_start + _PADDING) if header.flags & NEEDS_CSUM else header, bytes(_PADDING) + frame)
    return agreement(Asked(header, frame, model, kernel and [wire[_PADDING:] for wire in kernel]))


def _as_checksum(header: VirtioNetHdr, frame: bytes, model: list[bytes] | str, ask: Ask) -> str | None:
    return agreement(Asked(header, frame, model, ask(replace(header, gso_type=0, gso_size=0), frame)))


def _peeled(header: VirtioNetHdr, frame: bytes, model: list[bytes] | str, ask: Ask) -> str | None:
    if isinstance(model, str) or len(model) < 2:
        return None
    asked = Asked(header, frame, model, model)
    protocol, at, _ = asked.behind_ip()
    inner, ethertype = _inner(frame, protocol, at)

    def peel(whole: bytes) -> bytes:
        return whole[:12] + ethertype + whole[inner:]

    shift = inner - ETHERNET_BYTES
    bare = replace(header, csum_start=header.csum_start - shift) if header.flags & NEEDS_CSUM else header
    kernel = ask(bare, peel(frame))
    kind = agreement(Asked(bare, peel(frame), [peel(wire) for wire in model], kernel))
    for number, wire in enumerate(model):
        _check_outer(asked, wire, number, inner, at if protocol == GRE else None)
    return kind


def _inner(frame: bytes, protocol: int, at: int) -> tuple[int, bytes]:
    """Where the inner IP header begins, and the EtherType that it would have."""
    if protocol != GRE:
        return at, b"\x08\x00" if protocol == IPIP else b"\x86\xdd"
    flags = int.from_bytes(frame[at : at + 2], "big")
    inner = at + 4 + 4 * bool(flags & GRE_CHECKSUM) + 4 * bool(flags & GRE_KEY)
    ethertype = frame[at + 2 : at + 4]
    if int.from_bytes(ethertype, "big") != TEB:
        return inner, ethertype
    inner += ETHERNET_BYTES
    while frame[inner - 2 : inner] in (b"\x81\x00", b"\x88\xa8"):
        inner += 4
    return inner, frame[inner - 2 : inner]


def _check_outer(asked: Asked, wire: bytes, number: int, inner: int, gre: int | None) -> None:
    """The tunnel's headers in one segment are those of the frame, with the lengths, IDs and checksums of this segment."""
    expected = bytearray(asked.frame[:inner])
    l3 = asked.l3
    if asked.ethertype == 0x0800:
        ihl = 4 * (expected[l3] & 15)
        expected[l3 + 2 : l3 + 4] = (len(wire) - l3).to_bytes(2, "big")
        ident = int.from_bytes(expected[l3 + 4 : l3 + 6], "big") + number
        expected[l3 + 4 : l3 + 6] = (ident & 0xFFFF).to_bytes(2, "big")
        expected[l3 + 10 : l3 + 12] = _checksum(expected, l3 + 10, l3, l3 + ihl)
    else:
        expected[l3 + 4 : l3 + 6] = (len(wire) - l3 - 40).to_bytes(2, "big")
    if gre is not None and expected[gre] & 0x80:
        expected[gre + 4 : gre + 6] = _checksum(bytes(expected) + wire[inner:], gre + 4, gre, len(wire))
    if wire[:inner] != expected:
        raise Disagreement(f"the tunnel's headers of segment {number} are\n{wire[:inner].hex(' ')}\nin place of\n{expected.hex(' ')}")


def _checksum(data: bytes, field: int, start: int, end: int) -> bytes:
    """RFC 1071 over ``data[start:end]`` with the field at ``field`` taken as 0; no 0 becomes 0xFFFF."""
    covered = bytearray(data[start:end])
    covered[field - start : field - start + 2] = bytes(2)
    total = sum(covered[0::2]) * 256 + sum(covered[1::2])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (0xFFFF - total).to_bytes(2, "big")


OTHERWISE = {
    "tunnel_that_a_tap_cannot_name": _peeled,
    "csum_start_below_20": _padded,
    "no_ethernet_header": _padded,
    "one_segment_taken_for_more": _as_checksum,
}
"""How to ask, by the difference that the question as it was ended in."""
