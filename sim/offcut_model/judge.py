"""What is wrong with a request before its frame is looked at."""

from collections.abc import Iterator

from .headers import Ethernet, Ipv4, Ipv6, Tcp, Udp
from .options import CHECKSUM, FIXED_ID, TSO, TSO6, TSO_ECN, UDP_TUNNEL, UDP_TUNNEL_CHECKSUM, UFO, USO, VLAN, Options
from .refused import Refused
from .vnet import (
    GSO_ECN,
    GSO_NONE,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_TYPES,
    GSO_UDP,
    GSO_UDP_L4,
    GSO_UDP_TUNNEL_IPV6,
    UDP_TUNNEL_CSUM,
    VirtioNetHdr,
)

__all__ = ["judge"]

_FEATURES = {GSO_TCPV4: TSO, GSO_TCPV6: TSO6, GSO_UDP: UFO, GSO_UDP_L4: USO}
_CSUM_OFFSETS = {
    GSO_TCPV4: Tcp.CHECKSUM.offset,
    GSO_TCPV6: Tcp.CHECKSUM.offset,
    GSO_UDP: Udp.CHECKSUM.offset,
    GSO_UDP_L4: Udp.CHECKSUM.offset,
}
_GSO_BY_FRAGS = 0xFFFF
"""The ``gso_size`` that Linux keeps for itself (``include/linux/skbuff.h``) and refuses."""
_FRAGMENT_UNIT = 8


def judge(request: VirtioNetHdr, options: Options) -> None:
    """Hold a request against what there is, what is switched on, and itself (``virtio_net_hdr_tnl_to_skb``).

    Raises
    ------
    Refused
        ``bad_request`` or ``disabled``.
    """
    if request.gso_type not in GSO_TYPES | {GSO_NONE}:
        raise Refused("bad_request", f"there is no gso_type 0x{request.gso_type:02x}")
    for feature in _asked(request, options):
        if not options.has(feature):
            raise Refused("disabled", f"{feature} is not built in, or switched off")
    wrong = next(_wrong_numbers(request, options), None)
    if wrong is not None:
        raise Refused("bad_request", wrong)


def _asked(request: VirtioNetHdr, options: Options) -> Iterator[str]:
    """The features that a request and its metadata name."""
    if request.gso_type != GSO_NONE:
        yield _FEATURES[request.base]
        if request.gso_type & GSO_ECN:
            yield TSO_ECN
        if request.tunnel:
            yield UDP_TUNNEL
            if request.flags & UDP_TUNNEL_CSUM:
                yield UDP_TUNNEL_CHECKSUM
        if options.keep_id:
            yield FIXED_ID
    elif request.needs_csum:
        yield CHECKSUM
    if options.vlan_tci is not None:
        yield VLAN


def _wrong_numbers(request: VirtioNetHdr, options: Options) -> Iterator[str]:
    """A sentence for each number of a request that cannot be."""
    if request.gso_type != GSO_NONE:
        base, size = request.base, request.gso_size
        if size in (0, _GSO_BY_FRAGS):
            yield f"gso_size must lie between 1 and {_GSO_BY_FRAGS - 1}, not {size}"
        if base == GSO_UDP and size % _FRAGMENT_UNIT:
            yield f"fragments have a multiple of {_FRAGMENT_UNIT} bytes, not {size}"
        if request.needs_csum:
            offset = _CSUM_OFFSETS[base]
            if request.csum_offset != offset:
                yield f"the checksum stands at byte {offset} of this transport header, not {request.csum_offset}"
        elif base == GSO_UDP_L4 or request.tunnel:
            yield "UDP_L4 and UDP tunnels need NEEDS_CSUM"
        if request.tunnel:
            yield from _wrong_offsets(request)
    if options.vlan_tci is not None and request.needs_csum and request.csum_start < Ethernet.BYTES:
        yield f"a tag is inserted in front of byte {Ethernet.BYTES}, and csum_start is {request.csum_start}"


def _wrong_offsets(request: VirtioNetHdr) -> Iterator[str]:
    outer, inner = request.outer_th_offset, request.inner_nh_offset
    least = Ethernet.BYTES + (Ipv6.BYTES if request.tunnel == GSO_UDP_TUNNEL_IPV6 else Ipv4.LEAST_BYTES)
    if outer < least:
        yield f"outer_th_offset must be {least} at least, not {outer}"
    if inner < outer + Udp.BYTES or inner % 2:
        yield f"inner_nh_offset must be even and {outer + Udp.BYTES} at least, not {inner}"
    least = inner + (Ipv6.BYTES if request.base == GSO_TCPV6 else Ipv4.LEAST_BYTES)
    if request.csum_start < least:
        yield f"csum_start must be {least} at least, not {request.csum_start}"
