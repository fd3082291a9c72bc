"""From the headers that were found to the plan that cuts behind them."""

from collections.abc import Iterator

from .headers import PROTOCOL_FRAGMENT, PROTOCOL_TCP, PROTOCOL_UDP, Extension, Gre, Ipv6, Udp
from .identification import fragment_identification
from .layers import (
    FragmentPatch,
    GrePatch,
    Ipv4FragmentPatch,
    Ipv4Patch,
    Ipv6Patch,
    Patch,
    TcpPatch,
    TunnelPatch,
    UdpPatch,
    pseudo_sum,
)
from .options import FIXED_ID, Options
from .plans import Cut, Fill
from .walk import Kind, Layer, Walked

__all__ = ["cut_datagram", "cut_payload", "from_addresses"]

_FIXED_ID_MODE = 1
_PROTOCOLS = {Kind.TCP: PROTOCOL_TCP, Kind.UDP: PROTOCOL_UDP, Kind.UDP_TUNNEL: PROTOCOL_UDP}


def from_addresses(frame: bytes, ip: Layer, carried: Layer) -> int:
    """The pseudo-header's sum but for its length, as the IP header has it."""
    return pseudo_sum(frame, ip.start, 4 if ip.kind is Kind.IPV4 else 6, _PROTOCOLS[carried.kind])


def cut_payload(
    frame: bytes,
    walked: Walked,
    size: int,
    options: Options,
    *,
    pseudo: int | None,
    outer_pseudo: int | None = None,
    end: int | None = None,
) -> Cut:
    """Cut what stands behind the transport header, every ``size`` bytes.

    ``pseudo`` and ``outer_pseudo`` are the pseudo-headers' sums but for the length, of the transport header and of the UDP tunnel around
    it; None leaves that checksum as it is.
    """
    payload = walked.transport.end
    header, layers = frame[:payload], walked.layers
    if walked.is_jumbo:
        header, layers = _without_jumbo(header, layers)
    patches = tuple(patch for layer in reversed(layers) for patch in _patches(header, layer, options, pseudo, outer_pseudo))
    return Cut(payload, end, size, header, patches)


def _without_jumbo(header: bytes, layers: tuple[Layer, ...]) -> tuple[bytes, tuple[Layer, ...]]:
    """Leave the hop-by-hop header out: what it names is named by the IPv6 header (``ipv6_hopopt_jumbo_remove``)."""
    ip, transport = layers
    named_at = ip.start + Ipv6.NEXT_HEADER.offset
    jumbo = ip.start + Ipv6.BYTES
    short = bytearray(header)
    short[named_at] = Extension.NEXT_HEADER.of(header, jumbo)
    del short[jumbo : jumbo + Extension.JUMBO_BYTES]
    moved = transport._replace(start=transport.start - Extension.JUMBO_BYTES, end=transport.end - Extension.JUMBO_BYTES)
    return bytes(short), (ip._replace(end=moved.start), moved)


def _patches(header: bytes, layer: Layer, options: Options, pseudo: int | None, outer_pseudo: int | None) -> Iterator[Patch]:
    start = layer.start
    match layer.kind:
        case Kind.IPV4:
            fixed = options.keep_id and options.has(FIXED_ID)
            yield Ipv4Patch(header, start, layer.end, _FIXED_ID_MODE if fixed else options.id_mode)
        case Kind.IPV6:
            yield Ipv6Patch(header, start)
        case Kind.UDP_TUNNEL:
            yield TunnelPatch(header, start, outer_pseudo)
        case Kind.GRE:
            if Gre.FLAGS_VERSION.of(header, start) & Gre.HAS_CHECKSUM:
                yield GrePatch(start)
        case Kind.TCP:
            yield TcpPatch(header, start, pseudo or 0, options)
        case Kind.UDP:
            yield UdpPatch(header, start, pseudo)


def cut_datagram(frame: bytes, walked: Walked, size: int, options: Options, *, length: int | None, end: int | None = None) -> Cut:
    """Cut a UDP datagram with its header into fragments of ``size`` bytes (``udp4_ufo_fragment``, ``udp6_ufo_fragment``).

    Its checksum is made from scratch over ``length`` bytes; None leaves it as it is.
    """
    ip, udp = walked.outermost, walked.transport
    header = bytearray(frame[: udp.start])
    patches: tuple[Patch, ...]
    if ip.kind is Kind.IPV4:
        patches = (Ipv4FragmentPatch(header, ip.start, ip.end),)
    else:
        identification = fragment_identification(options.frag_seed, options.frag_number)
        header += bytes((header[ip.named_at], 0, 0, 0)) + identification.to_bytes(4, "big")
        header[ip.named_at] = PROTOCOL_FRAGMENT
        patches = (FragmentPatch(udp.start), Ipv6Patch(header, ip.start))
    fill = None
    if length is not None:
        fill = Fill(udp.start, end, udp.start + Udp.CHECKSUM.offset, from_addresses(frame, ip, udp) + length)
    return Cut(udp.start, end, size, bytes(header), patches, options.ufo_order, fill)
