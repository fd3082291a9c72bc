"""Frames that come with a request: segmentation, or one checksum."""

from .checksum import ones_negative
from .cutting import cut_datagram, cut_payload, from_addresses
from .headers import IP_VERSIONS, PROTOCOL_SCTP, Extension, Fragment, Sctp, Tcp, Udp, Vlan
from .options import SCTP_CHECKSUM, Options
from .plans import CrcFill, Fill, Plan, Whole
from .refused import Refused
from .vnet import GSO_UDP, GSO_UDP_L4, UDP_TUNNEL_CSUM, VirtioNetHdr
from .walk import HEADER_BYTES, Kind, Layer, Reader, Walked, declared_end, ip, link, walk

__all__ = ["plan_checksum", "plan_segments", "walk_request"]

_USO_SEGMENTS = 128
"""The most segments of one USO request (``UDP_MAX_SEGMENTS``)."""
_LONGEST_DATAGRAM = 0xFFFF
_CHECKSUM_FIELDS = {Kind.TCP: Tcp.CHECKSUM, Kind.UDP: Udp.CHECKSUM, Kind.UDP_TUNNEL: Udp.CHECKSUM}


def plan_checksum(frame: bytes, request: VirtioNetHdr, options: Options) -> Plan:
    """*Checksum only*: the sum from csum_start to the end of the frame, the field's own value included (``skb_checksum_help``).

    0x0000 becomes 0xFFFF whatever the protocol. In SCTP it is a CRC32c instead (``skb_crc32c_csum_help``).
    """
    field = request.csum_start + request.csum_offset
    if options.has(SCTP_CHECKSUM) and request.csum_offset == Sctp.CHECKSUM.offset and _is_sctp(frame, request.csum_start):
        return Whole((CrcFill(request.csum_start, field),))
    return Whole((Fill(request.csum_start, None, field),))


def _is_sctp(frame: bytes, start: int) -> bool:
    """Whether the headers end at byte ``start`` with SCTP behind them."""
    reader = Reader(frame)
    try:
        ethertype, l3 = link(reader)
        if ethertype not in IP_VERSIONS:
            return False
        version = IP_VERSIONS[ethertype]
        return any((upper.protocol, upper.start) == (PROTOCOL_SCTP, start) for upper in ip(reader, l3, version))
    except Refused:
        return False


def plan_segments(frame: bytes, request: VirtioNetHdr, options: Options, told: int) -> Plan:
    """Segmentation as asked for by ``request``, which has been judged; ``frame`` ends where it was told to end."""
    walked = walk_request(frame, request, options, told)
    is_fragmented = request.base == GSO_UDP
    payload = walked.transport.start if is_fragmented else walked.transport.end
    end = told or _declared(frame, walked)
    if request.base == GSO_UDP_L4 and end - payload > _USO_SEGMENTS * request.gso_size:
        raise Refused("bad_request", f"{end - payload} bytes of payload are more than {_USO_SEGMENTS} segments of {request.gso_size}")
    if is_fragmented and end - payload > _LONGEST_DATAGRAM:
        raise Refused("bad_request", f"a UDP datagram has at most {_LONGEST_DATAGRAM} bytes, not {end - payload}")

    if end and end - payload <= request.gso_size:
        return Whole((Fill(request.csum_start, None, request.csum_start + request.csum_offset),) if request.needs_csum else ())
    if is_fragmented:
        return cut_datagram(frame, walked, request.gso_size, options, length=end - payload)
    outer_pseudo = None
    if request.tunnel and request.flags & UDP_TUNNEL_CSUM:
        outer_pseudo = _pseudo(frame, walked.outermost, walked.layers[1], end)
    if not request.needs_csum:
        pseudo = from_addresses(frame, walked.innermost, walked.transport)
    elif request.base == GSO_UDP_L4:
        udp = walked.transport.start
        pseudo = Udp.CHECKSUM.of(frame, udp) + ones_negative(Udp.LENGTH.of(frame, udp))
    else:
        pseudo = _pseudo(frame, walked.innermost, walked.transport, end)
    return cut_payload(frame, walked, request.gso_size, options, pseudo=pseudo, outer_pseudo=outer_pseudo)


def walk_request(frame: bytes, request: VirtioNetHdr, options: Options, told: int) -> Walked:
    """Walk a segment request's headers, and see whether they can leave in front of each segment."""
    walked = walk(frame, request, options, told)
    is_fragmented = request.base == GSO_UDP
    leaves = walked.transport.start if is_fragmented else walked.transport.end
    if is_fragmented and walked.outermost.kind is Kind.IPV6:
        leaves += Fragment.BYTES
    if walked.is_jumbo:
        leaves -= Extension.JUMBO_BYTES
    if options.vlan_tci is not None:
        leaves += Vlan.BYTES
    if leaves > HEADER_BYTES:
        raise Refused("header_too_long", f"the headers would leave with {leaves} bytes, and may have {HEADER_BYTES}")
    if (is_fragmented or len(walked.layers) > 2) and not (told or _declared(frame, walked)):
        raise Refused("bad_header", "nothing says how long the packet is")
    return walked


def _declared(frame: bytes, walked: Walked) -> int:
    outermost = walked.outermost
    return declared_end(frame, outermost.start, 4 if outermost.kind is Kind.IPV4 else 6)


def _pseudo(frame: bytes, ip_header: Layer, carried: Layer, end: int) -> int:
    """The pseudo-header's sum but for the length, of a header with a partial checksum.

    It stands in the checksum field, not inverted, with the super-frame's length in it (``tcp_gso_segment``); taking that out keeps whatever
    else is in it. Where nothing says where the super-frame ends (0) it is summed from the addresses (``tcp4_gso_segment``).
    """
    if not end:
        return from_addresses(frame, ip_header, carried)
    return _CHECKSUM_FIELDS[carried.kind].of(frame, carried.start) + ones_negative(end - carried.start)
