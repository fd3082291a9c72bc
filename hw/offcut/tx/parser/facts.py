"""What is known of a frame at the end of its walk."""

from amaranth import signed
from amaranth.lib import data

from ..layouts import DROP_BITS, FRAME_LEN_BITS, HEADER_LEN_BITS

__all__ = ["facts_layout"]


def facts_layout(geometry):
    """What is known of a frame at the end of its walk. Places and lengths are in bytes; ``at`` is as it came, ``out`` as it leaves."""
    place = HEADER_LEN_BITS
    return data.StructLayout(
        {
            "drop": DROP_BITS,  # why the walk broke off, if that is an error for such a request
            "early": 1,  # it did so in the addresses
            "end": FRAME_LEN_BITS,  # of the frame, as told or declared; in auto, of the packet
            "no_end": 1,
            "at": place,  # of the window, and at last of the payload
            "out": place,
            "rest": signed(FRAME_LEN_BITS + 1),  # of the frame or packet, from the last header's first byte on
            "payload": signed(FRAME_LEN_BITS + 1),  # as much as is sure to be there: as told or declared, but in auto as told
            "l3": place,
            "ipv6": 1,
            "length": 17,  # of the outermost IP packet, as declared
            "big": 1,  # too long to be declared
            "above": 1,  # auto: longer than the MTU
            "identification": 16,
            "fragment": 16,
            "ip_whole": 1,
            "tcp": 1,
            "udp": 1,
            "l4": place,
            "place": place,  # out: of the last header
            "behind": place,  # the byte before it
            "l4_whole": 1,  # as much of it as is needed
            "udp_length": 16,
            "csum": 16,
            "shrunk": 1,  # by a jumbo payload option
            "length_behind": place,  # the byte before those that the outermost IP length counts
        }
        | ({"sctp": 1} if geometry.sctp else {})
        | ({"seq": 32, "flags": 16} if geometry.tcp else {})
        | (
            {
                "inner_ipv6": 1,
                "inner_length_behind": place,
                "inner_identification": 16,
                "tunnel_behind": place,
                "tunnel_udp": 1,
                "tunnel_csum": 1,
                "inner": 1,
            }
            if geometry.tunnel
            else {}
        )
    )
