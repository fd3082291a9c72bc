"""From one frame of the host to the frames on the wire: which request it carries, and the order in which it is judged.

The judgements come in this order; the first that applies is the reason:

1. there is no such gso_type: ``bad_request``
2. a feature that is asked for is not built in or switched off: ``disabled``
3. the request's own numbers: ``bad_request``
4. the headers, as far as the length that was told: ``bad_header``, ``disabled``, ``header_too_long``, ``truncated`` if that length is right
5. more payload than there may be: ``bad_request`` (in auto, ``too_big`` in place of these two)
6. the length that was told is not the frame's: ``length_mismatch``
7. a wire frame would be too long: ``too_long``
8. the checksum field is not inside the frame: ``bad_request``

:func:`.judge` does the first three, planning the next two, :func:`_judge_length` the two after them, carrying the plan out the last.
"""

from .auto import plan_auto
from .headers import Ethernet
from .judge import judge
from .options import Options
from .plans import Plan, Tagged, Whole
from .refused import Refused
from .requests import plan_checksum, plan_segments, walk_request
from .vnet import GSO_NONE, GSO_UDP, VirtioNetHdr
from .walk import Kind

__all__ = ["segment", "takes_identification"]

_NO_REQUEST = VirtioNetHdr()
_DEFAULTS = Options()


def segment(frame: bytes | bytearray | memoryview, vnet_hdr: VirtioNetHdr | None = None, options: Options = _DEFAULTS) -> list[bytes]:
    """The wire frames that one frame becomes, in the order in which they leave.

    Parameters
    ----------
    frame : bytes, bytearray or memoryview
        From the Ethernet destination address on, without FCS.
    vnet_hdr : VirtioNetHdr or None
        What is asked for; None is the header of all zeroes.
    options : Options
        The engine's configuration.

    Raises
    ------
    Refused
        If the frame is dropped; its ``reason`` says why.
    """
    frame = bytes(frame)
    real = len(frame)
    told = options.told(real)
    try:
        # What lies behind the end that was told is not looked at: the contradiction comes before it.
        plan = _plan(frame[:told] if told else frame, vnet_hdr or _NO_REQUEST, options, told)
    except Refused as refused:
        if refused.reason == "truncated" and told not in (0, real):
            raise Refused("length_mismatch", f"{told} bytes were told, the frame has {real}") from None
        raise
    _judge_length(frame, plan, options, told or real)
    return plan.frames(frame)


def takes_identification(frame: bytes | bytearray | memoryview, vnet_hdr: VirtioNetHdr, options: Options = _DEFAULTS) -> bool:
    """Whether a frame takes one of the numbers of :func:`.fragment_identification`, cut or dropped: the next one is then the next frame's.

    So does every request for UDP fragmentation over IPv6 whose headers are right.
    """
    frame = bytes(frame)
    told = options.told(len(frame))
    try:
        judge(vnet_hdr, options)
        if vnet_hdr.gso_type != GSO_UDP:
            return False
        return walk_request(frame[:told] if told else frame, vnet_hdr, options, told).outermost.kind is Kind.IPV6
    except Refused:
        return False


def _plan(frame: bytes, request: VirtioNetHdr, options: Options, told: int) -> Plan:
    judge(request, options)
    plan: Plan = Whole()
    if request.gso_type != GSO_NONE:
        plan = plan_segments(frame, request, options, told)
    elif request.needs_csum:
        plan = plan_checksum(frame, request, options)
    elif options.auto and request.asks_nothing():
        plan = plan_auto(frame, options, told)
    if options.vlan_tci is None:
        return plan
    if len(frame) < Ethernet.ADDRESSES.size:
        raise Refused("truncated", f"the frame has {len(frame)} bytes, and a tag goes in at byte {Ethernet.ADDRESSES.size}")
    return Tagged.with_tci(plan, options.vlan_tci)


def _judge_length(frame: bytes, plan: Plan, options: Options, told: int) -> None:
    """Hold the frame's length against what was told and against ``mtu_max``; of two contradictions the earlier byte counts."""
    real = len(frame)
    longest = plan.longest(told)
    is_too_long = longest > options.mtu_max
    bus_bytes, words = options.ufo_buffer or (1, 1 << 20)
    outgrows = plan.words(min(told, real), bus_bytes) >= words
    if told != real:
        # The first byte that should not be there, or that should have been.
        if not (outgrows or (is_too_long and options.mtu_max - plan.growth < min(told, real))):
            raise Refused("length_mismatch", f"{told} bytes were told, the frame has {real}", plan.left(frame, min(told, real)))
    if is_too_long:
        raise Refused("too_long", f"a wire frame would have {longest} bytes, at most {options.mtu_max} may leave")
    if outgrows:
        raise Refused("too_big", f"the fragments wait in a buffer that holds less than {words} words of {bus_bytes} bytes")
