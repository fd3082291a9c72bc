"""What is drawn, and how often: the weights in a hundred or so."""

from . import auto, checksum, odd, segment
from .draft import Bounds

__all__ = ["KINDS", "jumbo"]

KINDS = {
    "tso": (22, segment.tso),
    "tso-zero-sum": (3, segment.zero_sum),
    "tso-limit": (1, segment.at_limit),
    "tso-refused": (9, segment.refused),
    "tso-fuzzed": (5, segment.fuzzed),
    "other-type": (3, segment.other_type),
    "csum": (7, checksum.transport),
    "csum-anywhere": (6, checksum.anywhere),
    "csum-zero": (3, checksum.zero),
    "csum-refused": (3, checksum.out_of_frame),
    "limit": (0.7, checksum.at_limit),
    "auto": (8, auto.transport),
    "auto-zero-sum": (2, auto.zero_sum),
    "auto-fragment": (2, auto.fragment),
    "auto-other": (5, auto.other),
    "auto-cut": (6, auto.cut),
    "auto-cut-limit": (0.3, auto.cut_at_limit),
    "auto-limit": (2, auto.at_limit),
    "auto-too-big": (3, auto.too_big),
    "auto-fuzzed": (3, auto.fuzzed),
    "pass": (3, odd.passed),
    "pass-nearly-auto": (2, odd.nearly_auto),
    "tiny": (5, odd.tiny),
    "noise": (3, odd.noise),
}
"""``name: (weight, draw)``; a draw takes dice and :class:`Bounds` and gives a draft."""


def jumbo(dice, bounds):
    """Around 64 KiB and beyond, as a segment request, in auto, or too long for the wire."""
    if dice.chance(0.4):
        return auto.jumbo(dice, bounds)
    draft = segment.tso(dice, Bounds(bounds.bus, bounds.mtu_max, budget=1500))
    draft.gso_size = dice.weighted(((1448, 4), (1460, 2), (dice.randint(500, 9000), 2), (65534, 1)))
    draft.frame += dice.randbytes(dice.randint(60000, 65535) - len(draft.frame))
    draft.notes.append("64 KiB")
    return draft
