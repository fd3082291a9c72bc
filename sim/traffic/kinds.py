"""What is drawn, and how often: the weights in a hundred or so."""

from . import auto, checksum, faults, long, odd, segment

__all__ = ["KINDS", "LONG_KINDS"]

KINDS = {
    "tso": (10, segment.tso),
    "tso6": (8, segment.tso6),
    "uso": (7, segment.uso),
    "ufo": (6, segment.ufo),
    "udp-tunnel": (8, segment.udp_tunnel),
    "gre": (5, segment.gre),
    "ipip": (4, segment.ipip),
    "segment-zero-sum": (5, segment.zero_sum),
    "segment-limit": (1, segment.at_limit),
    "segment-long-header": (1.5, segment.long_headers),
    "segment-refused": (12, faults.refused),
    "segment-fuzzed": (6, segment.fuzzed),
    "other-type": (3, segment.other_type),
    "csum": (6, checksum.transport),
    "csum-sctp": (4, checksum.crc32c),
    "csum-anywhere": (6, checksum.anywhere),
    "csum-zero": (3, checksum.zero),
    "csum-refused": (3, checksum.out_of_frame),
    "limit": (0.7, checksum.at_limit),
    "auto": (8, auto.transport),
    "auto-zero-sum": (2, auto.zero_sum),
    "auto-fragment": (2, auto.fragment),
    "auto-other": (5, auto.other),
    "auto-cut": (6, auto.cut),
    "auto-uso": (3, auto.datagrams),
    "auto-ufo": (3, auto.fragments),
    "auto-cut-limit": (0.3, auto.cut_at_limit),
    "auto-limit": (2, auto.at_limit),
    "auto-too-big": (3, auto.too_big),
    "auto-fuzzed": (3, auto.fuzzed),
    "pass": (3, odd.passed),
    "pass-nearly-auto": (2, odd.nearly_auto),
    "tiny": (5, odd.tiny),
    "noise": (4, odd.noise),
}
"""``name: (weight, draw)``; a draw takes dice and :class:`Bounds` and gives a draft."""

LONG_KINDS = {
    "64k": (3, long.near_64k),
    "big-tcp": (5, long.big_tcp),
    "big-ufo": (1.5, long.big_ufo),
    "big-uso": (1.5, long.big_uso),
    "auto-big-tcp": (4, long.auto_big_tcp),
}
"""As :data:`KINDS`, for requests that cost 64 KiB and more."""
