"""Which headers a frame has: tags, IP with options or extension headers, tunnels."""

from struct import pack

from .frames import sctp, tcp, udp
from .stack import DESTINATION, HOP_BY_HOP, ROUTING, Stack

__all__ = ["GRE", "IPIP", "PLAIN", "SCTP", "TCP", "UDP", "UDP_TUNNEL", "headers", "tags"]

TCP, UDP, SCTP = 6, 17, 132
PLAIN, UDP_TUNNEL, GRE, IPIP = "plain", "UDP tunnel", "GRE", "IPIP"
IP_IN_IP = {(4, 4): "IPIP", (4, 6): "SIT", (6, 6): "IP6IP6", (6, 4): "IPv4 in IPv6"}
VXLAN, GENEVE, OTHER = "VXLAN", "Geneve", "another tunnel"


def headers(dice, notes, protocol, path=PLAIN, *, version=None, fragment=None, flags=None, unfragmentable=False):
    """A :class:`Stack` from Ethernet to the transport header, and in ``notes`` what is special about it.

    ``version`` is that of the IP header in front of the transport header, ``fragment`` the IPv4 flags and offset, ``flags`` TCP's; with
    ``unfragmentable`` no destination header stands behind a routing header.
    """
    stack = Stack(dice, tags(dice, notes))
    version = version or dice.choice((4, 6))
    if path != PLAIN:
        outer = dice.choice((4, 6))
        _network(dice, stack, notes, outer, few=True)
        if path == UDP_TUNNEL:
            _udp_tunnel(dice, stack, notes, outer, version)
        elif path == GRE:
            _gre(dice, stack, notes)
        else:
            notes.append(IP_IN_IP[outer, version])
    _network(dice, stack, notes, version, few=path != PLAIN, fragment=fragment, unfragmentable=unfragmentable)
    if protocol == TCP:
        options = dice.words(40) if path == PLAIN else dice.weighted(((0, 2), (12, 2), (dice.words(40), 1)))
        notes += [f"tcp options {options}"] * bool(options)
        header = tcp(dice, options=options, flags=flags)
    else:
        header = udp(dice, 0) if protocol == UDP else sctp(dice) if protocol == SCTP else dice.randbytes(8)
    stack.transport(protocol, header)
    return stack


def tags(dice, notes):
    """802.1Q and 802.1ad tags as ``(TPID, TCI)``: mostly none or one, sometimes stacked."""
    drawn = dice.weighted((
        ((), 6),
        ((0x8100,), 2),
        ((0x88A8, 0x8100), 1),
        (tuple(dice.choice((0x8100, 0x88A8)) for _ in range(dice.randint(1, 4))), 0.6),
    ))
    notes += ["vlan"] * (len(drawn) == 1) + ["stacked tags"] * (len(drawn) > 1)
    return tuple((tpid, dice.getrandbits(16)) for tpid in drawn)


def _network(dice, stack, notes, version, *, few, fragment=None, unfragmentable=False):
    """An IP header; with ``few``, seldom options or extension headers."""
    if version == 4:
        options = 0 if few and dice.chance(0.8) else dice.words(40)
        notes += [f"ip options {options}"] * bool(options)
        if fragment is None:
            fragment = dice.weighted(((0x4000, 4), (0, 3), (dice.getrandbits(16), 1)))
        stack.ipv4(options=options, fragment=fragment)
    else:
        extensions = () if few and dice.chance(0.8) else _extensions(dice, unfragmentable)
        notes += [f"extension headers {len(extensions)}"] * bool(extensions)
        stack.ipv6(extensions)


def _extensions(dice, unfragmentable):
    count = dice.weighted(((0, 4), (1, 3), (2, 1.5), (3, 0.5)))
    numbers = [dice.choice((HOP_BY_HOP, ROUTING, DESTINATION)) for _ in range(count)]
    if dice.chance(0.9):  # a hop-by-hop header elsewhere is not what RFC 8200 allows; nobody checks
        numbers = [number for index, number in enumerate(numbers) if number != HOP_BY_HOP or not index]
    if unfragmentable and dice.chance(0.9):
        numbers.sort(key=(HOP_BY_HOP, DESTINATION, ROUTING).index)
    return tuple((number, _body(dice, number)) for number in numbers)


def _body(dice, number):
    """What stands behind the first two bytes; of a routing header a type, and how many segments are left."""
    body = dice.randbytes(6 + 8 * dice.weighted(((0, 5), (1, 2), (dice.randint(0, 5), 1))))
    return (
        bytes((dice.choice((0, 2, 4)), dice.weighted(((0, 2), (1, 1), (dice.randint(0, 3), 1))))) + body[2:] if number == ROUTING else body
    )


def _udp_tunnel(dice, stack, notes, outer, inner):
    kind = dice.weighted(((VXLAN, 3), (GENEVE, 2), (OTHER, 2)))
    if kind == OTHER:
        opaque = dice.randbytes(2 * dice.weighted(((0, 1), (dice.randint(0, 8), 3), (dice.randint(0, 40), 1))))
    else:
        options = 4 * dice.weighted(((0, 1), (dice.randint(1, 4), 2), (dice.randint(1, 16), 1))) if kind == GENEVE else 0
        head = pack(">BBH", options // 4, 0, 0x6558) if kind == GENEVE else b"\x08\0\0\0"
        inner_tags = b"".join(pack(">HH", *tag) for tag in tags(dice, [])) if dice.chance(0.3) else b""
        ethertype = b"\x08\x00" if inner == 4 else b"\x86\xdd"
        opaque = head + dice.randbytes(3) + b"\0" + dice.randbytes(options + 12) + inner_tags + ethertype
    stack.udp_tunnel(opaque)
    notes.append(f"{kind} v{outer} v{inner}")


def _gre(dice, stack, notes):
    checksum, key, transparent = dice.chance(0.4), dice.chance(0.4), dice.chance(0.3)
    stack.gre_tunnel(checksum=checksum, key=key)
    if transparent:
        stack.ethernet(tags(dice, []))
    notes.append("GRE" + " checksum" * checksum + " key" * key + " Ethernet" * transparent)
