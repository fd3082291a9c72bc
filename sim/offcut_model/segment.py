"""From one frame of the host to the frames on the wire: which request it carries, and the order in which it is judged.

The judgements come in this order; the first that applies is the reason:

1. there is no such gso_type: ``bad_request``
2. its feature is not built in: ``disabled``
3. the request's own numbers: ``bad_request``
4. the headers, as far as the length that was told: ``bad_header``, ``truncated`` if that length is right (in auto: ``too_big``)
5. the length that was told is not the frame's: ``length_mismatch``
6. a wire frame would be too long: ``too_long``
7. the checksum field is not inside the frame: ``bad_request``

Planning does the first four, :func:`_judge_length` the next two, carrying the plan out the last.
"""

from .auto import plan_auto
from .options import Options
from .plans import Plan, Whole
from .refused import Refused
from .requests import plan_checksum, plan_segments
from .vnet import GSO_NONE, NEEDS_CSUM, VirtioNetHdr

__all__ = ["segment"]

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
    told = options.frame_len or len(frame)
    try:
        # What lies behind the end that was told is not looked at: the contradiction comes before it.
        plan = _plan(frame[:told], vnet_hdr or _NO_REQUEST, options)
    except Refused as refused:
        if refused.reason == "truncated" and told != len(frame):
            raise Refused("length_mismatch", f"{told} bytes were told, the frame has {len(frame)}") from None
        raise
    _judge_length(frame, plan, options)
    return plan.frames(frame)


def _plan(frame: bytes, request: VirtioNetHdr, options: Options) -> Plan:
    if request.gso_type != GSO_NONE:
        return plan_segments(frame, request, options)
    if request.flags & NEEDS_CSUM:
        return plan_checksum(request, options)
    if options.auto and request.asks_nothing():
        return plan_auto(frame, options)
    return Whole()


def _judge_length(frame: bytes, plan: Plan, options: Options) -> None:
    """Hold the frame's length against what was told and against ``mtu_max``; of two contradictions the earlier byte counts."""
    real = len(frame)
    told = options.frame_len or real
    longest = plan.longest(told)
    is_too_long = longest > options.mtu_max
    if told != real:
        # The first byte that should not be there, or the last one that should not have been the last.
        contradiction = told if real > told else real - 1
        if not (is_too_long and options.mtu_max < contradiction):
            raise Refused("length_mismatch", f"{told} bytes were told, the frame has {real}", plan.left(frame, min(told, real)))
    if is_too_long:
        raise Refused("too_long", f"a wire frame would have {longest} bytes, at most {options.mtu_max} may leave")
