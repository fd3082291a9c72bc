"""Frames that come with a request: segmentation, or one checksum."""

from .checksum import ones_negative
from .headers import PROTOCOL_TCP, Ipv4, Tcp
from .layers import Ipv4Layer, TcpLayer, pseudo_sum
from .options import CHECKSUM, TSO, Options
from .plans import Cut, Fill, Plan, Whole
from .refused import Refused
from .vnet import GSO_ECN, GSO_TCPV4, GSO_TYPES, NEEDS_CSUM, VirtioNetHdr
from .walk import Offsets, walk

__all__ = ["plan_checksum", "plan_segments"]

_FEATURE_OF_TYPE = {GSO_TCPV4: TSO}
_GSO_BY_FRAGS = 0xFFFF
"""The ``gso_size`` that Linux keeps for itself (``include/linux/skbuff.h``) and refuses."""


def plan_checksum(request: VirtioNetHdr, options: Options) -> Plan:
    """*Checksum only*: the sum from csum_start to the end of the frame, the field's own value included (``skb_checksum_help``).

    0x0000 becomes 0xFFFF whatever the protocol.
    """
    if CHECKSUM not in options.features:
        raise Refused("disabled", f"{CHECKSUM} is not built in")
    return Whole((_partial(request),))


def plan_segments(frame: bytes, request: VirtioNetHdr, options: Options) -> Plan:
    """TCP segmentation as asked for by ``request``."""
    _judge_request(request, options)
    offsets = walk(frame, request)
    told = len(frame) if options.frame_len is None else options.frame_len
    pseudo = _pseudo_without_length(frame, request, offsets, told)
    if (told or len(frame)) - offsets.payload <= request.gso_size:
        # Exactly checksum only, unless the length is unknown and the one in the partial sum is not the frame's.
        initial = pseudo + len(frame) - offsets.l4
        return Whole((_partial(request)._replace(initial=initial),) if request.flags & NEEDS_CSUM else ())

    headers = frame[: offsets.payload]
    layers = (
        TcpLayer(headers, offsets.l4, pseudo, options),
        Ipv4Layer(headers, offsets.l3, offsets.l4),
    )
    return Cut(offsets.payload, None, request.gso_size, layers)


def _judge_request(request: VirtioNetHdr, options: Options) -> None:
    """What ``__virtio_net_hdr_to_skb`` refuses."""
    if request.gso_type not in GSO_TYPES:
        raise Refused("bad_request", f"there is no gso_type 0x{request.gso_type:02x}")
    feature = _FEATURE_OF_TYPE.get(request.gso_type & ~GSO_ECN)
    if feature not in options.features:
        raise Refused("disabled", f"{feature or f'the feature for gso_type 0x{request.gso_type:02x}'} is not built in")
    if request.gso_size in (0, _GSO_BY_FRAGS):
        raise Refused("bad_request", f"gso_size must lie between 1 and {_GSO_BY_FRAGS - 1}, not {request.gso_size}")
    if request.flags & NEEDS_CSUM and request.csum_offset != Tcp.CHECKSUM.offset:
        raise Refused("bad_request", f"TCP has its checksum at byte {Tcp.CHECKSUM.offset}, not {request.csum_offset}")


def _partial(request: VirtioNetHdr) -> Fill:
    return Fill(request.csum_start, None, request.csum_start + request.csum_offset)


def _pseudo_without_length(frame: bytes, request: VirtioNetHdr, offsets: Offsets, told: int) -> int:
    """The pseudo-header's sum but for the length.

    With NEEDS_CSUM it stands in the checksum field, not inverted, with the super-frame's length L in it (``tcp_gso_segment``); taking L out
    keeps whatever else is in it. L is the length that was told, or else the one that the IP header declares. Without NEEDS_CSUM, or with
    neither length, it is summed from the addresses (``tcp4_gso_segment``).
    """
    declared = Ipv4.TOTAL_LENGTH.of(frame, offsets.l3)
    if not request.flags & NEEDS_CSUM or not (told or declared):
        return pseudo_sum(frame, offsets.l3, PROTOCOL_TCP)
    length = told - offsets.l4 if told else declared - offsets.ip_header_bytes
    return Tcp.CHECKSUM.of(frame, offsets.l4) + ones_negative(length)
