"""The header processor's program: the walk through a frame's headers, the judgement, the plan (docs/semantics.md).

What most frames go through stands in one piece, from ``start`` to ``done``, since a jump costs three clocks. What a header is judged by stands
behind the word that tells it and before the next word is needed, so the first contradiction counts.

Names in capitals are registers, flags and words of the request; those of conditions are :class:`processor.HeaderProcessor`'s. PLACE is where the
transport header leaves, L4 where it came; END is behind the last byte of the frame, as told or declared; REST is what there is from L4 on.
"""

from ..headers import EtherType, ExtensionHeader, Gre, Protocol
from ..layouts import Drop, Field
from .instruction import TRAPPED, Assembler, Control, Count, Emit, Patch, Plan, Sum

__all__ = ["VALUES", "assemble"]

VALUES = (
    "FRAME_LEN",
    "GSO",
    "GSO_128",
    "CSUM_START",
    "CSUM_LOW",
    "OUTER_TH",
    "INNER_NH",
    "TCI",
    "KEEP_FIRST",
    "KEEP_MIDDLE",
    "KEEP_LAST",
    "ID_HIGH",
    "ID_LOW",
)
"""Words of the request. GSO is gso_size, or the MTU for auto, and CSUM_START the uso_size there; GSO_128 is 128 times as much; KEEP are the TCP
flags that a segment keeps; ID is the identification of an IPv6 datagram that is fragmented."""

HALF = 0x8000
"""Of 65536, which is more than an immediate operand holds."""
MINUS_IPV6_BYTES = -40 & 0xFFFF
TAG_BYTES = 4
ADDRESSES_BYTES = 12
TCP_LEAST_BYTES, UDP_BYTES = 20, 8
TCP_CSUM_LOW, UDP_CSUM_LOW, IPV4_CSUM_LOW = 17, 7, 11
"""Where the second byte of a checksum stands in its header."""


def assemble(g):
    """The program of an engine.

    Parameters
    ----------
    g : Geometry

    Returns
    -------
    Program
    """
    a = Assembler(VALUES, [name for name, built in {"ip": True, "l4": True, "tunnel": g.tunnel_csum}.items() if built], g.tag)
    ethernet(a, g)
    ipv4(a, g)
    if g.tcp:
        tcp(a, g)
    if g.segments:
        verdict(a, g)
    done(a, g)
    ethernet_else(a, g)
    ipv4_else(a, g)
    ipv6(a, g)
    judgement(a, g)
    if g.segments:
        verdict_else(a, g)
    if g.uso:
        uso(a, g)
    if g.ufo:
        ufo(a, g)
    if g.tunnel:
        inner_ipv4(a)
        inner_ipv6(a)
        if g.gre:
            gre(a, g)
        if g.udp_tunnel:
            udp_tunnel(a, g)
    auto(a, g)
    if g.segments:
        auto_above(a, g)
    return a.program()


# --- The way of most: TCP over IPv4, cut as asked for.


def ethernet(a, g):
    do, label = a.do, a.label
    label("start")
    do(need=1, copy=1, r="0 + 0", store="ADDED")
    do(copy=1, r="0 + FRAME_LEN", store="END")
    do(need=1, copy=1)
    do(copy=1)
    do(need=1, copy=1, set="PAST")
    if g.vlan:
        do(copy=1, r=f"0 + {EtherType.CUSTOMER_TAG}", goto="insert", when="insert")
    else:
        do(copy=1)
    label("ethertype")
    do(need=1, copy=1, linked="transport")
    do(r="AT + 0", store="L3", goto="ethertype_else", unless="right_ipv4")


def ipv4(a, g):
    do, label = a.do, a.label
    do(need=1, copy=1, sums="ip=", r="0 - OUT", count=Count.IHL)
    do(copy=1, tag=Field.LENGTH, patch=Patch.LENGTH, r="H + 0", store="LEN", goto="bad", unless="ipv4_sound")
    if g.ufo:
        do(need=1, copy=1, tag=Field.IDENTIFICATION, r="H + 0", store="IDENT", goto="ipv4_ufo", when="asks_ufo")
    else:
        do(need=1, copy=1, tag=Field.IDENTIFICATION, r="H + 0", store="IDENT")
    do(copy=1, sums="ip", r="H + 0", store="FRAG", patch=Patch.IDENTIFICATION, goto="ipv4_no_length", when="zero")
    label("ipv4_protocol")
    do(need=1, copy=1, sums="ip", control=Control.PROTOCOL_LOW)
    do(copy=1, tag=Field.IP_CSUM, goto="judge", unless="straight")
    label("ipv4_addresses")
    do(need=1, copy=1, sums="ip l4=")
    do(copy=1, sums="ip l4")
    do(need=1, copy=1, sums="ip l4", goto="declared", unless="end_told")
    label("ipv4_last_address")
    do(copy=1, sums="ip l4")
    do(repeat=1, copy=1, sums="ip")
    do(r="AT + 0", store="L4", set="IP_WHOLE")
    do(r="OUT + 0", store="PLACE")
    do(r="AT - CSUM_START")
    do(patch=Patch.IP_CSUM, goto="link", unless="straight_tcp")


def tcp(a, g):
    """Its checksum begins with what is the same in every segment."""
    do, label = a.do, a.label
    label("tcp")
    do(need=1, copy=1, sums="l4=?")
    do(copy=1, sums="l4", goto="bad", when="start_wrong")
    do(need=1, copy=1, tag=Field.HIGH, r="H + 0", store="HIGH")
    do(copy=1, tag=Field.LOW, r="H + 0")
    do(need=1, copy=1, sums="l4", patch=Patch.LOW)
    do(copy=1, sums="l4", r="0 + HIGH")
    do(need=1, r="H & KEEP_FIRST", patch=Patch.HIGH)
    do(r="H & KEEP_MIDDLE", patch=Patch.FLAGS, last=1)
    do(r="H & KEEP_LAST", patch=Patch.FLAGS_MIDDLE, last=1)
    do(copy=1, tag=Field.FLAGS, r="H + 0", patch=Patch.FLAGS_LAST, last=1)
    do(copy=1, sums="l4", patch=Patch.FLAGS_ONLY, last=1, goto="bad", unless="data_offset_sound")
    do(need=1, copy=1, sums="l4? -tunnel", r="OUT + 1", count=Count.DATA_OFFSET)
    do(copy=1, sums="l4", plan=Plan.CSUM_LOW)
    do(repeat=1, copy=1, sums="l4")
    # A partial checksum has a length in it, and a tunnel's the opposite.
    do(r="AT + 0", store="HEADER_END", goto="auto_cut_tcp", when="auto")
    do(r="0 + END", goto="tcp_scratch", when="SCRATCH")
    do(r="R - L4", goto="tcp_tunnel", when="inner_bare")
    do(r="R + PLACE")
    do(sums="-l4", of=Sum.R_HIGH)
    do(sums="-l4", of=Sum.R)


def verdict(a, g):
    """Is the frame cut? Then these are the numbers of its plan, from which the slicer's others follow."""
    do, label = a.do, a.label
    label("verdict")
    do(r="0 + END", goto="long", when="out_long")
    do(r="R - HEADER_END", store="PAYLOAD", goto="verdict_unknown", when="NO_END")
    if g.uso or g.ufo:
        do(r="GSO - R", goto="verdict_udp", when="UDP")
    else:
        do(r="GSO - R")
    label("verdict_fits")
    do(r="0 + GSO", store="SIZE", goto="plain", unless="negative")
    label("cut")
    do(r="OUT + 0", set="HEADED")
    do(r="R - 1", plan=Plan.HEADER_LEN)
    do(r="R + SIZE")
    do(r="0 + HEADER_END", plan=Plan.LAST)
    do(r="0 + SIZE", plan=Plan.HEADER_END)
    do(patch=Patch.CONSTANTS, **({"goto": "cut_tunnel", "when": "TUNNEL_CSUM"} if g.tunnel_csum else {}))


def done(a, g):
    """The end of every frame; one that is not cut."""
    do, label = a.do, a.label
    label("done")
    do(control=Control.DONE)
    if g.sctp:
        label("sctp")
        do(r="AT - CSUM_START")
        do()
        do(goto="plain", unless="zero")
        do(set="CRC")
    label("plain")
    do(r="0 + CSUM_LOW")
    do(r="R + ADDED")
    do(plan=Plan.CSUM_LOW)
    do(plan=Plan.END, r="0 + CSUM_START")
    do(r="R + ADDED")
    do(plan=Plan.SUM_FIRST)
    label("plain_insert")
    if g.vlan:
        header_len = ADDRESSES_BYTES + TAG_BYTES
        do(r=f"0 + {header_len}", goto="done", unless="insert")
        do(plan=Plan.HEADER_LEN, r=f"0 + {ADDRESSES_BYTES}")
        do(plan=Plan.HEADER_END)
        do(set="HEADED", goto="done")
    else:
        do(goto="done")


# --- Other headers.


def ethernet_else(a, g):
    do, label = a.do, a.label
    label("ethertype_else")
    do(goto="ipv6", when="right_ipv6")
    do(goto="bad", unless="ethertype_tag")
    do(copy=1, goto="ethertype")
    if g.vlan:
        label("insert")
        do(emit=Emit.R, r="0 + TCI", set="MOVED")
        do(emit=Emit.R, r=f"0 + {TAG_BYTES}", store="ADDED", goto="ethertype", unless="only_insert")
        do(goto="plain")


def unless_long(a, goto, least):
    """Go there unless what was told is so many bytes or more from the IP header on."""
    a.do(r="0 + L3")
    a.do(r="FRAME_LEN - R")
    a.do(r=f"R - {HALF}")
    a.do(r=f"R - {least - HALF}")
    a.do(goto=goto, when="negative")


def ipv4_else(a, g):
    do, label = a.do, a.label
    if g.ufo:
        label("ipv4_ufo")
        do(copy=1, tag=Field.FRAGMENT, r="0 + 0x2000", patch=Patch.IDENTIFICATION)
        do(patch=Patch.FRAGMENT, r="0 + LEN")
        do()
        do(goto="ipv4_protocol", unless="zero")
    label("ipv4_no_length")
    do(goto="ipv4_told", when="told")
    do(set="NO_END", goto="ipv4_protocol", unless="base_tcp")
    do(set="SCRATCH", goto="ipv4_protocol")
    label("ipv4_told")
    do(goto="ipv4_protocol", unless="auto")
    unless_long(a, "ipv4_protocol", 1 << 16)
    do(set="BIG", goto="ipv4_protocol")
    label("declared")
    do(r="0 + L3")
    do(r="R + LEN", store="END", goto="ipv6_address", when="IPV6")
    do(goto="ipv4_last_address")


def ipv6(a, g):
    do, label = a.do, a.label
    label("ipv6")
    do(need=1, copy=1, set="IPV6")
    do(copy=1, r=f"{MINUS_IPV6_BYTES + 2} - OUT", goto="bad", unless="ipv6_sound")
    do(need=1, copy=1, tag=Field.LENGTH, patch=Patch.LENGTH, r="H + 0")
    do(control=Control.PROTOCOL_HIGH, r="R + 40", store="LEN")
    do(goto="ipv6_no_length", when="zero")
    label("ipv6_protocol")
    if g.segments_ipv6:
        do(goto="ipv6_hop_by_hop", when="is_hop_by_hop")
    label("ipv6_next_header")
    if g.ufo:
        do(goto="ipv6_ufo", when="asks_ufo")
    do(copy=1, goto="judge", unless="straight")
    label("ipv6_addresses")
    do(need=1, copy=1, sums="l4=", r="0 + 28")
    do(copy=1, sums="l4", count=Count.R, goto="declared", unless="end_told")
    label("ipv6_address")
    do()
    do(repeat=1, copy=1, sums="l4")
    label("ipv6_end")
    do(r="AT + 0", store="L4", set="IP_WHOLE")
    do(r="OUT + 0", store="PLACE", goto="link", when="always")

    label("ipv6_no_length")
    do(goto="ipv6_told", when="told")
    do(set="NO_END", goto="ipv6_no_end", unless="base_tcp")
    do(set="SCRATCH")
    label("ipv6_no_end")
    do(goto="jumbo" if g.segments_ipv6 else "ipv6_next_header", when="is_hop_by_hop")
    do(goto="ipv6_next_header")
    label("ipv6_told")
    do(goto="ipv6_protocol", unless="auto")
    unless_long(a, "ipv6_protocol", 1 << 16)
    do(set="BIG", goto="ipv6_protocol")
    if g.ufo:
        label("ipv6_ufo")
        do(goto="ipv6_ufo_header", when="is_udp")
        do(copy=1, goto="judge")
        label("ipv6_ufo_header")
        do(r="H & 0xFF")
        do(r=f"R + {ExtensionHeader.FRAGMENT << 8}")
        do(take=1, emit=Emit.R, goto="ipv6_addresses")
    if g.segments_ipv6:
        jumbo(a)

    label("extension")
    do(need=1, count=Count.EXTENSION, goto="extension_kind", unless="is_routing")
    do(set="ROUTED")
    do(set="LEADS")
    label("extension_kind")
    do(control=Control.PROTOCOL_HIGH)
    if g.ufo:
        do(goto="extension_ufo", when="asks_ufo")
    label("extension_copy")
    do(copy=1)
    label("extension_type")
    do(copy=1, r="H & 0xFF", set="EXTENSION")
    do()
    do(goto="extension_judge", when="zero")
    do(goto="extension_judge", unless="LEADS")
    do(set="ELSEWHERE")  # segments left
    label("extension_judge")
    do(clear="LEADS")
    do(linked="transport")
    do(goto="judge", unless="straight")
    label("extension_body")
    do(repeat=1, copy=1)
    do(goto="ipv6_end")
    if g.ufo:
        label("extension_ufo")
        do(goto="extension_ufo_next", unless="is_destination")
        do(goto="bad", when="ROUTED")
        label("extension_ufo_next")
        do(goto="extension_copy", unless="is_udp")
        do(r="H & 0xFF")
        do(r=f"R + {ExtensionHeader.FRAGMENT << 8}")
        do(take=1, emit=Emit.R, goto="extension_type")


def jumbo(a):
    """RFC 2675: the option is left out of what leaves."""
    do, label = a.do, a.label
    label("ipv6_hop_by_hop")
    do(goto="ipv6_next_header", unless="told")
    unless_long(a, "ipv6_next_header", (1 << 16) + 1)
    label("jumbo")
    do(r="H & 0xFF", linked="jumbo_option")
    do(r=f"R + {Protocol.TCP << 8}")
    do(take=1, emit=Emit.R, goto="ipv6_addresses")
    label("jumbo_option")
    do(need=1, take=1, r=f"H - {Protocol.TCP << 8}", control=Control.PROTOCOL_HIGH)
    do(take=1, r=f"H - {ExtensionHeader.JUMBO_PAYLOAD}")
    do(goto="bad", unless="zero")
    do(goto="bad", unless="zero")
    do(linked="transport")
    do(goto="jumbo_rest", when="straight")
    do(goto="bad", when="segment")
    do(linked="auto_transport")
    label("jumbo_rest")
    do(need=1, take=1)
    do(take=1, set="MOVED", goto="ipv6_end")


# --- Judgement.


def judgement(a, g):
    """What may follow the outermost IP header, if it is not simply the transport header that was asked for; why frames are given up."""
    do, label = a.do, a.label
    label("judge")
    do(goto="judge_no_extension", unless="IPV6")
    do(linked="extension")
    do(goto="judged", when="is_extension")
    label("judge_no_extension")
    do(goto="judge_segment", when="segment")
    if g.sctp:
        do(goto="judge_auto", when="auto")
        do(goto="plain", unless="is_sctp")
        do(linked="sctp")
        do(goto="judged")
        label("judge_auto")
    do(linked="auto_no_transport")
    do(goto="judged", when="ELSEWHERE")
    do(goto="judge_transport", when="is_tcp")
    do(goto="judged", unless="is_udp")
    label("judge_transport")
    do(r="0 + FRAG")
    do(r="R & 0x3FFF", linked="auto_transport")
    do(goto="judged", when="IPV6")
    do(goto="judged", when="zero")
    do(linked="auto_no_transport")
    label("judged")
    do(goto="ipv4_addresses", unless="IPV6")
    do(goto="extension_body", when="EXTENSION")
    do(goto="ipv6_addresses")

    label("judge_segment")
    if g.segments:
        if g.udp_tunnel:
            do(goto="judge_udp_tunnel", when="wants_tunnel")
        do(goto="bad", when="asks_ufo")
        do(goto="judge_ip_in_ip", when="is_ipv4")
        do(goto="judge_ip_in_ip", when="is_ipv6")
        do(goto="bad", unless="is_gre")
        do(goto="off", unless="on_gre")
        if g.tunnel and g.gre:
            do(linked="gre")
            do(goto="judged")
        label("judge_ip_in_ip")
        do(goto="off", unless="on_ip_in_ip")
        if g.tunnel and (g.ipxip4 or g.ipxip6):
            do(linked="inner_ipv4")
            do(goto="judged", when="is_ipv4")
            do(linked="inner_ipv6")
            do(goto="judged")
        if g.udp_tunnel and g.tunnel:
            label("judge_udp_tunnel")
            do(linked="udp_tunnel")
            do(goto="judged", when="is_udp")
    if not g.tcp:
        label("transport")
        if g.uso or g.ufo:
            do(r="AT - CSUM_START", goto="udp", when="is_udp")
    label("bad")
    do(drop=Drop.BAD_HEADER, goto="failed")
    if not (g.uso or g.ufo):
        label("udp")
    label("off")
    do(drop=Drop.DISABLED, goto="failed")
    label("trap")
    do(drop=TRAPPED)
    label("failed")
    do(goto="done", when="segment")
    if g.vlan:
        do(goto="failed_past", unless="insert")
        do(goto="done", unless="PAST")
        label("failed_past")
    do(drop=Drop.NONE, goto="auto_no_transport", when="auto")
    do(goto="plain")


def verdict_else(a, g):
    do, label = a.do, a.label
    if g.tunnel_csum:
        label("cut_tunnel")
        do(control=Control.PATCH_MARK, goto="done")
    label("long")
    do(drop=Drop.HEADER_TOO_LONG, goto="done")
    label("verdict_unknown")
    if g.tunnel:
        do(goto="bad", when="INNER")
    if g.ufo:
        do(goto="bad", when="asks_ufo")
    do(r="0 + GSO", store="SIZE", goto="cut")
    if g.tcp:
        label("transport")
        do(r="AT - CSUM_START", goto="udp", when="is_udp")
        do(goto="tcp")
        label("tcp_tunnel")
        if g.tunnel:
            do(sums="-l4 tunnel", of=Sum.R_HIGH)
            do(sums="-l4 tunnel", of=Sum.R, r="0 + PLACE")
            do(sums="-l4 tunnel", of=Sum.R, goto="verdict")
        label("tcp_scratch")
        do(r=f"0 + {Protocol.TCP}")
        do(r="0 + PLACE", sums="l4", of=Sum.R)
        do(sums="-l4", of=Sum.R, goto="verdict")
    if g.uso or g.ufo:
        label("verdict_udp")
        if g.ufo:
            do(goto="verdict_ufo", when="asks_ufo")
        # (128 times 8,192 is more than R holds, and than any frame has.)
        do(r="0 + GSO")
        do(r="R - 8192")
        do(r="0 + GSO_128", goto="verdict_in_reach", unless="negative")
        do(r="R - PAYLOAD")
        do(goto="verdict_in_reach", unless="negative")
        label("verdict_far")
        do(drop=Drop.BAD_REQUEST, goto="done")
        label("verdict_in_reach")
        do(r="0 + PAYLOAD")
        do(r="GSO - R", goto="verdict_fits")
    if g.ufo:
        label("verdict_ufo")
        do(r="0 + PAYLOAD", goto="verdict_datagram", unless="IPV6")
        do(control=Control.NUMBERED)
        label("verdict_datagram")
        do(r=f"R - {HALF}")
        do(r=f"R - {HALF}")
        do(goto="verdict_in_reach", when="negative")
        do(goto="verdict_far")


# --- UDP.


def uso(a, g):
    do, label = a.do, a.label
    if not g.ufo:
        label("udp")
        do(set="UDP")
    label("uso")
    do(need=1, copy=1, sums="l4=?")
    do(copy=1, sums="l4", r="2 - OUT", goto="bad", when="start_wrong")
    do(need=1, copy=1, tag=Field.LOW, patch=Patch.LOW, last=1, sums="-l4? tunnel", r="H + 0", store="UDP_LENGTH")
    do(copy=1, sums="l4? -tunnel", r="H + 0")
    do(r="AT + 0", store="HEADER_END")
    do(r="OUT - 1", goto="uso_csum", unless="zero")
    do(set="NO_CSUM")
    label("uso_csum")
    do(plan=Plan.CSUM_LOW, r="0 + PLACE")
    do(sums="-l4", of=Sum.R, goto="auto_cut_uso", when="auto")
    do(sums="-l4", of=Sum.R, goto="uso_tunnel", when="inner_bare")
    if g.udp_tunnel:
        do(goto="verdict", unless="TUNNEL_UDP")
        do(r="0 + END")
        do(r="R - L4")
        do(sums="-tunnel", of=Sum.R_HIGH)
        do(sums="-tunnel", of=Sum.R, goto="verdict")
    else:
        do(goto="verdict")
    label("uso_tunnel")
    do(sums="tunnel", of=Sum.R, goto="verdict")


def ufo(a, g):
    """The UDP header is payload. An IPv6 fragment header stands in its place."""
    do, label = a.do, a.label
    label("udp")
    do(set="UDP", **({"goto": "uso", "unless": "asks_ufo"} if g.uso else {}))
    do(need=1, take=1)
    do(take=1, goto="bad", when="start_wrong")
    do(need=1, take=1, r="0 + L4", store="HEADER_END")
    do(take=1, sums="-l4", r="0 + END")
    do(r="R - L4")
    do(sums="l4", of=Sum.R, r=f"0 + {Protocol.UDP}")
    do(sums="l4", of=Sum.R, set="UFO", goto="ufo_ipv6", when="IPV6")
    do(control=Control.BACK)
    do(patch=Patch.IP_CSUM, last=1)
    do(r=f"OUT + {UDP_CSUM_LOW}", goto="ufo_end")
    label("ufo_ipv6")
    do(r=f"0 + {Protocol.UDP << 8}")
    do(emit=Emit.R, r="0 + 1", set="MOVED")
    do(emit=Emit.R, tag=Field.FRAGMENT, patch=Patch.FRAGMENT, last=1, r="0 + ID_HIGH")
    do(emit=Emit.R, r="0 + ID_LOW")
    do(emit=Emit.R)
    do(r=f"OUT + {UDP_CSUM_LOW}")
    label("ufo_end")
    do(plan=Plan.CSUM_LOW, goto="verdict")


# --- Tunnels.


def inner_ipv4(a):
    do, label = a.do, a.label
    label("inner_ipv4")
    do(linked="transport")
    do(need=1, copy=1, sums="ip=", r="0 - OUT", count=Count.IHL)
    do(copy=1, tag=Field.INNER_LENGTH, patch=Patch.INNER_LENGTH, goto="bad", unless="ipv4_sound")
    do(need=1, copy=1, tag=Field.INNER_IDENTIFICATION, r="H + 0", set="INNER")
    do(copy=1, sums="ip", patch=Patch.INNER_IDENTIFICATION)
    do(need=1, copy=1, sums="ip", control=Control.PROTOCOL_LOW)
    do(copy=1, tag=Field.INNER_IP_CSUM, goto="bad", unless="inner_straight")
    do(need=1, copy=1, sums="ip l4=")
    do(copy=1, sums="ip l4")
    do(need=1, copy=1, sums="ip l4")
    do(copy=1, sums="ip l4")
    do(repeat=1, copy=1, sums="ip")
    do(r="AT + 0", store="L4")
    do(r="OUT + 0", store="PLACE")
    do()
    do(patch=Patch.INNER_IP_CSUM, goto="link", when="always")


def inner_ipv6(a):
    do, label = a.do, a.label
    label("inner_ipv6")
    do(need=1, copy=1, sums="tunnel", set="INNER_IPV6")
    do(copy=1, sums="tunnel", r="OUT + 38", goto="bad", unless="ipv6_sound")
    do(need=1, copy=1, tag=Field.INNER_LENGTH, sums="-tunnel", of=Sum.R, r="0 - R")
    do(patch=Patch.INNER_LENGTH)
    do(control=Control.PROTOCOL_HIGH, r="0 + 28")
    do(copy=1, sums="tunnel", linked="inner_extension")
    do(goto="inner_ipv6_addresses", when="is_extension")
    do(goto="bad", unless="inner_straight")
    do(linked="transport")
    label("inner_ipv6_addresses")
    do(need=1, copy=1, sums="l4= tunnel", count=Count.R)
    do(copy=1, sums="l4 tunnel")
    do(repeat=1, copy=1, sums="l4 tunnel")
    label("inner_ipv6_end")
    do(r="AT + 0", store="L4")
    do(r="OUT + 0", store="PLACE", goto="link", when="always")
    label("inner_extension")
    do(need=1, count=Count.EXTENSION)
    do(control=Control.PROTOCOL_HIGH)
    do(copy=1, sums="tunnel")
    do(copy=1, sums="tunnel")
    do(goto="inner_extension_body", when="is_extension")
    do(goto="bad", unless="inner_straight")
    do(linked="transport")
    label("inner_extension_body")
    do(repeat=1, copy=1, sums="tunnel")
    do(goto="inner_ipv6_end")


def gre(a, g):
    do, label = a.do, a.label
    label("gre")
    do(need=1, r=f"H & {0xFFFF ^ (Gre.CHECKSUM | Gre.KEY)}")
    do(r=f"H & {Gre.CHECKSUM}")
    do(r=f"H & {Gre.KEY}", goto="bad", unless="zero")
    do(copy=1, sums="tunnel=", goto="gre_key", when="zero")
    do(set="GRE_CSUM")
    label("gre_key")
    do(copy=1, sums="tunnel", goto="gre_carries", when="zero")
    do(set="GRE_KEY")
    label("gre_carries")
    do(linked="inner_ipv4")
    do(goto="gre_csum", when="ethertype_ipv4")
    do(linked="inner_ipv6")
    do(goto="gre_csum", when="ethertype_ipv6")
    do(linked="inner_ethernet")
    do(goto="bad", unless="ethertype_ethernet")
    label("gre_csum")
    do(goto="gre_rest", unless="GRE_CSUM")
    do(goto="bad", unless="needs_csum")
    do(goto="off", unless="on_gre_csum")
    if g.tunnel_csum:
        do(need=1, copy=1, tag=Field.TUNNEL_CSUM, control=Control.MARK)
        do(copy=1, sums="tunnel", set="TUNNEL_CSUM")
    label("gre_rest")
    do(goto="link", unless="GRE_KEY")
    do(need=1, copy=1, sums="tunnel")
    do(copy=1, sums="tunnel", goto="link", when="always")
    label("inner_ethernet")
    do(r=f"0 + {ADDRESSES_BYTES}")
    do(count=Count.R)
    do()
    do(repeat=1, copy=1, sums="tunnel")
    label("inner_ethertype")
    do(need=1, copy=1, sums="tunnel")
    do(goto="inner_ipv4", when="ethertype_ipv4")
    do(goto="inner_ipv6", when="ethertype_ipv6")
    do(goto="bad", unless="ethertype_tag")
    do(copy=1, sums="tunnel", goto="inner_ethertype")


def udp_tunnel(a, g):
    do, label = a.do, a.label
    label("udp_tunnel")
    do(r="AT - OUTER_TH", set="TUNNEL_UDP")
    do(need=1, copy=1, sums="tunnel=")
    do(copy=1, sums="tunnel", r="2 - OUT", goto="bad", unless="zero")
    do(need=1, copy=1, tag=Field.TUNNEL_LENGTH, patch=Patch.TUNNEL_LENGTH, r="OUT + 0")
    do(r="R - 4")
    do(sums="-tunnel", of=Sum.R, r="INNER_NH - AT")
    if g.tunnel_csum:
        do(r="R - 2", goto="udp_tunnel_csum", when="tunnel_csum")
    else:
        do(r="R - 2")
    do(copy=1)
    label("opaque")
    do(count=Count.R)
    do()
    do(repeat=1, copy=1, sums="tunnel")
    do(goto="inner_either", unless="base_tcp")
    do(goto="inner_ipv6", when="base_tcp6")
    do(goto="inner_ipv4")
    if g.tunnel_csum:
        label("udp_tunnel_csum")
        do(copy=1, sums="tunnel", tag=Field.TUNNEL_CSUM, control=Control.MARK)
        do(set="TUNNEL_CSUM", goto="opaque")
    label("inner_either")
    do(need=1, r="H & 0xF000")
    do(r=f"R - {4 << 12}")
    do()
    do(goto="inner_ipv4", when="zero")
    do(goto="inner_ipv6")


# --- Auto: what was not asked for.


def auto(a, g):
    """Checksums, of a frame that is not above the MTU."""
    do, label = a.do, a.label
    label("auto_transport")
    do(r="0 + END", goto="auto_big", when="BIG")
    do(r="R - L4", store="REST")
    do(r="0 + LEN", goto="auto_length", unless="negative")
    do(goto="plain", unless="IPV6")
    label("auto_length")
    do(r="GSO - R")
    do(goto="auto_above", when="negative")
    do(goto="auto_udp", when="is_udp")

    # A whole TCP header, but for its options.
    do(r="0 + 16")
    do(count=Count.R)
    do()
    do(repeat=1, take=1)
    do(need=1, take=1, sums="-l4")
    do(take=1, r="0 + REST")
    do(sums="l4", of=Sum.R, r=f"R - {TCP_LEAST_BYTES}")
    do(r=f"0 + {Protocol.TCP}", goto="auto_no_transport", when="negative")
    do(sums="l4", of=Sum.R, r="0 + END")
    do(r="R + ADDED")
    do(r="R - 1")
    do(plan=Plan.SUM_LAST, r=f"0 + {TCP_CSUM_LOW}", goto="auto_csum")

    label("auto_udp")
    do(need=1, take=1)
    do(take=1)
    do(need=1, take=1, sums="l4", r="H + 0", store="UDP_LENGTH")
    do(take=1, sums="-l4", r="H + 0")
    do(r="0 + REST", goto="auto_udp_sum", when="IPV6")
    do(goto="auto_no_transport", when="zero")
    label("auto_udp_sum")
    do(r="R - UDP_LENGTH")
    do(r="0 + UDP_LENGTH", goto="auto_no_transport", when="negative")
    do(r=f"R - {UDP_BYTES}")
    do(r=f"0 + {Protocol.UDP}", goto="auto_no_transport", when="negative")
    do(sums="l4", of=Sum.R, r="0 + L4")
    do(r="R + ADDED")
    do(r="R + UDP_LENGTH")
    do(r="R - 1")
    do(plan=Plan.SUM_LAST, r=f"0 + {UDP_CSUM_LOW}")

    label("auto_csum")
    do(r="R + L4", goto="plain", unless="on_checksum")
    do(r="R + ADDED")
    do(plan=Plan.CSUM_LOW, r="0 + L4")
    do(r="R + ADDED")
    do(plan=Plan.SUM_FIRST)
    do(set="CSUM", goto="auto_ip")

    # Without it: the IP header alone.
    label("auto_no_transport")
    do(goto="plain", unless="IP_WHOLE")
    do(r="0 + END", goto="big", when="BIG")
    do(r="R - L4", goto="auto_no_transport_length", when="IPV6")
    do(goto="plain", when="negative")
    label("auto_no_transport_length")
    do(r="0 + LEN")
    do(r="GSO - R")
    do(goto="big", when="negative")
    do(goto="plain", unless="on_checksum")
    do(goto="plain", when="IPV6")
    label("auto_ip")
    do(r="0 + IDENT", goto="auto_end", when="IPV6")
    do(sums="ip", of=Sum.R, r="0 + LEN")
    do(sums="ip", of=Sum.R, r="0 + L3")
    do(r="R + ADDED")
    do(r=f"R + {IPV4_CSUM_LOW}", set="IP")
    do(plan=Plan.IP_LOW)
    label("auto_end")
    do(r="0 + END", set="AUTO")
    do(r="R + ADDED")
    do(r="R - 1")
    do(plan=Plan.END, goto="plain_insert")
    label("big")
    do(drop=Drop.TOO_BIG, goto="done")
    if not g.segments:
        label("auto_big")
        label("auto_above")
        do(goto="big")


def auto_above(a, g):
    """A frame above the MTU is cut, or nothing."""
    do, label = a.do, a.label
    label("auto_big")
    do(r="0 + FRAME_LEN", store="END")
    do(r="R - L4", store="REST")
    label("auto_above")
    do(goto="auto_above_udp", when="is_udp")
    if g.tcp:
        do(goto="tcp", when="on_tcp")
    do(goto="big")
    if g.tcp:
        label("auto_cut_tcp")
        do(r="R - L3")
        do(r="GSO - R", store="SIZE")
        do(r="R - 1")
        do(r=f"0 + {Protocol.TCP}", goto="big", when="negative")
        do(r="0 + PLACE", sums="l4", of=Sum.R)
        do(sums="-l4", of=Sum.R, goto="auto_cut")
    label("auto_above_udp")
    do(goto="big", unless="on_udp")
    do(set="UDP", goto="auto_uso", when="uso_size")
    if g.ufo:
        do(goto="big", when="IPV6")
        do(need=1, take=1, r="0 + FRAG")
        do(take=1)
        do(need=1, take=1, r="H + 0", store="UDP_LENGTH", goto="big", unless="zero")
        do(take=1, sums="-l4", r="H + 0")
        do(r="0 + REST")
        do(sums="l4", of=Sum.R, r="R - UDP_LENGTH", goto="auto_ufo_sum", unless="zero")
        do(set="NO_CSUM")
        label("auto_ufo_sum")
        do(r=f"0 + {Protocol.UDP}")
        do(sums="l4", of=Sum.R, r="0 + 0x2000", goto="big", unless="zero")
        # The fragment field, which was none before.
        do(control=Control.BACK)
        do(patch=Patch.FRAGMENT, r="0 + L3")
        do(patch=Patch.IP_CSUM, last=1)
        do(r="R + ADDED")
        do(r="R + 6")
        do(emit=Emit.POKE, tag=Field.FRAGMENT, r="0 + L4", store="HEADER_END", set="UFO")
        do(r="R - L3")
        do(r="GSO - R")
        do(r="R & 0xFFF8", store="SIZE", goto="big", when="negative")
        do(r=f"OUT + {UDP_CSUM_LOW}")
        do(plan=Plan.CSUM_LOW, goto="big", when="zero")
        do(goto="auto_cut")
    label("auto_uso")
    if g.uso:
        do(goto="uso")
        # (A datagram is as long as its packet says.)
        label("auto_cut_uso")
        do(sums="-l4", of=Sum.R, r="0 + REST")
        do(r="R - UDP_LENGTH")
        do(r=f"0 + {Protocol.UDP}")
        do(sums="l4", of=Sum.R, goto="big", unless="zero")
        do(r="0 + CSUM_START", store="SIZE")
        do(r="R + HEADER_END")
        do(r="R - L3")
        do(r="GSO - R")
        do(goto="big", when="negative")
    label("auto_cut")
    do(r="0 + FRAME_LEN", goto="big", when="out_long")
    do(r="R - HEADER_END", goto="auto_limit", unless="told")
    do(r="R - SIZE")
    do(r="R - 1")
    do(goto="plain", when="negative")
    label("auto_limit")
    do(r="0 + END", set="AUTO")
    do(r="R - 1", goto="auto_unlimited", when="BIG")
    do(set="LIMIT")
    label("auto_unlimited")
    do(plan=Plan.END, goto="cut")
