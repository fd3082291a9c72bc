"""The walk through a frame's headers, in words of four bytes and in byte order.

:class:`Reader`, :func:`link` and :func:`ip` are the steps, without an opinion; :func:`walk` holds them against a segment request.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from .headers import (
    ETHERTYPE_TEB,
    EXTENSIONS,
    IP_VERSIONS,
    PROTOCOL_DESTINATION,
    PROTOCOL_GRE,
    PROTOCOL_HOP_BY_HOP,
    PROTOCOL_IPV4,
    PROTOCOL_IPV6,
    PROTOCOL_ROUTING,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    TAGS,
    Ethernet,
    Extension,
    Field,
    Gre,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
    Vlan,
)
from .options import GRE, GRE_CHECKSUM, IPXIP4, IPXIP6, Options
from .refused import Refused
from .vnet import GSO_TCPV4, GSO_TCPV6, GSO_UDP, GSO_UDP_L4, GSO_UDP_TUNNEL_IPV6, VirtioNetHdr

__all__ = ["HEADER_BYTES", "Kind", "Layer", "Next", "Reader", "Walked", "declared_end", "ip", "is_jumbo", "link", "walk"]

HEADER_BYTES = 256
"""How much of a frame is walked, and how long a header may be that leaves in front of each segment."""

_WORD = 4
_LEGACY_GSO_BYTES = 65536
"""The longest packet that Linux takes for no jumbogram (``GRO_LEGACY_MAX_SIZE``)."""


class Kind(Enum):
    """What a layer is."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    UDP_TUNNEL = "UDP tunnel"
    GRE = "GRE"
    TCP = "TCP"
    UDP = "UDP"


class Layer(NamedTuple):
    """One header of the frame: what it is, its first byte, the first byte behind it."""

    kind: Kind
    start: int
    end: int
    named_at: int = 0
    """Of an IP header: the byte that says what follows it and its extension headers."""


class Walked(NamedTuple):
    """Every header behind Ethernet that changes when the frame is cut, outermost first."""

    layers: tuple[Layer, ...]
    is_jumbo: bool
    """Whether a jumbo payload header stands behind the first 40 bytes of the first of them."""

    @property
    def outermost(self) -> Layer:
        """The first IP header."""
        return self.layers[0]

    @property
    def innermost(self) -> Layer:
        """The last IP header."""
        return self.layers[-2]

    @property
    def transport(self) -> Layer:
        """TCP or UDP."""
        return self.layers[-1]


class Next(NamedTuple):
    """A header that an IP header or an extension header announces."""

    protocol: int
    start: int
    named_at: int
    """The byte that holds ``protocol``."""


class Reader:
    """The first bytes of a frame, which must be there before they are looked at."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self._reach = min(len(frame), HEADER_BYTES)

    def holds(self, end: int) -> bool:
        """Whether all up to byte ``end`` can be walked."""
        return end <= self._reach

    def need(self, start: int, end: int) -> None:
        """Walk from ``start`` to ``end`` in words.

        Raises
        ------
        Refused
            ``header_too_long`` or ``truncated``, as the first word says that cannot be walked.
        """
        if self.holds(end):
            return
        for word in range(start, end, _WORD):
            behind = min(word + _WORD, end)
            if behind > HEADER_BYTES:
                raise Refused("header_too_long", f"the headers go on at byte {word}, and may have {HEADER_BYTES} bytes")
            if behind > len(self.frame):
                raise Refused("truncated", f"the frame has {len(self.frame)} bytes, and its headers go on at byte {word}")

    def read(self, field: Field, header: int) -> int:
        """A field that has been walked over."""
        return field.of(self.frame, header)


def link(reader: Reader, start: int = 0) -> tuple[int, int]:
    """Ethernet and any number of tags: the EtherType behind them, and where what it names begins."""
    reader.need(start, start + Ethernet.ADDRESSES.size)
    while True:
        reader.need(start + Ethernet.TYPE.offset, start + Ethernet.TYPE.offset + _WORD)
        ethertype = reader.read(Ethernet.TYPE, start)
        if ethertype not in TAGS:
            return ethertype, start + Ethernet.BYTES
        start += Vlan.BYTES


def ip(reader: Reader, start: int, version: int) -> Iterator[Next]:
    """An IP header with its extension headers: what each of them announces, as soon as that has been walked over.

    What comes last is the transport header, or what else there is. Whoever goes on behind that walks over the header's rest.

    Raises
    ------
    Refused
        As :meth:`Reader.need`, or ``bad_header`` if the header contradicts itself.
    """
    reader.need(start, start + _WORD)
    stands, ihl = divmod(reader.read(Ipv4.VERSION_IHL, start), 16)
    if stands != version:
        raise Refused("bad_header", f"an IPv{version} header at byte {start} has version {stands}")
    if version == 4:
        end = start + 4 * ihl
        if end - start < Ipv4.LEAST_BYTES:
            raise Refused("bad_header", f"an IPv4 header has at least {Ipv4.LEAST_BYTES} bytes, not {end - start}")
        walked = start + Ipv4.CHECKSUM.offset + Ipv4.CHECKSUM.size
        reader.need(start + _WORD, walked)
        yield Next(reader.read(Ipv4.PROTOCOL, start), end, start + Ipv4.PROTOCOL.offset)
        reader.need(walked, end)
        return

    walked = start + Ipv6.ADDRESSES.offset
    reader.need(start + _WORD, walked)
    upper = Next(reader.read(Ipv6.NEXT_HEADER, start), start + Ipv6.BYTES, start + Ipv6.NEXT_HEADER.offset)
    while True:
        yield upper
        reader.need(walked, upper.start)
        if upper.protocol not in EXTENSIONS:
            return
        walked = upper.start + _WORD
        reader.need(upper.start, walked)
        end = upper.start + Extension.LEAST_BYTES + Extension.UNIT_BYTES * reader.read(Extension.LENGTH, upper.start)
        upper = Next(reader.read(Extension.NEXT_HEADER, upper.start), end, upper.start)


def declared_end(frame: bytes, start: int, version: int) -> int:
    """Where the packet of the IP header at ``start`` ends by that header; 0 if it does not say, as in BIG TCP."""
    if version == 4:
        length = Ipv4.TOTAL_LENGTH.of(frame, start)
        return start + length if length else 0
    length = Ipv6.PAYLOAD_LENGTH.of(frame, start)
    return start + Ipv6.BYTES + length if length else 0


def is_jumbo(frame: bytes, start: int, told: int) -> bool:
    """Whether an IPv6 header at ``start`` is that of a jumbogram (``ipv6_has_hopopt_jumbo``): its hop-by-hop header is then left out."""
    if Ipv6.NEXT_HEADER.of(frame, start) != PROTOCOL_HOP_BY_HOP:
        return False
    return told - start > _LEGACY_GSO_BYTES if told else Ipv6.PAYLOAD_LENGTH.of(frame, start) == 0


_VERSIONS = {GSO_TCPV4: 4, GSO_TCPV6: 6}
"""Of the innermost IP header. UDP goes over both."""
_TRANSPORTS = {GSO_TCPV4: PROTOCOL_TCP, GSO_TCPV6: PROTOCOL_TCP, GSO_UDP: PROTOCOL_UDP, GSO_UDP_L4: PROTOCOL_UDP}
_CARRIED_VERSIONS = {PROTOCOL_IPV4: 4, PROTOCOL_IPV6: 6}
_IP_IN_IP = {4: IPXIP4, 6: IPXIP6}
_KINDS = {4: Kind.IPV4, 6: Kind.IPV6}


def walk(frame: bytes, request: VirtioNetHdr, options: Options, told: int) -> Walked:
    """Find the headers that a segment request is about, and hold each against the request.

    ``frame`` ends where it was told to end; ``told`` is 0 if it was not.

    Raises
    ------
    Refused
        At the first word that contradicts or cannot be walked.
    """
    return _Walk(Reader(frame), request, options, told).walked()


class _Walk:
    def __init__(self, reader: Reader, request: VirtioNetHdr, options: Options, told: int) -> None:
        self._reader = reader
        self._request = request
        self._options = options
        self._told = told
        self._layers: list[Layer] = []
        self._is_jumbo = False

    def walked(self) -> Walked:
        start, version = self._ethernet(0)
        upper = self._ip(start, version)
        if self._request.tunnel:
            upper = self._inside_udp(upper.start)
        elif upper.protocol in _CARRIED_VERSIONS:
            upper = self._ip(upper.start, _CARRIED_VERSIONS[upper.protocol])
        elif upper.protocol == PROTOCOL_GRE:
            upper = self._inside_gre(upper.start)
        self._transport(upper)
        return Walked(tuple(self._layers), self._is_jumbo)

    def _ethernet(self, at: int) -> tuple[int, int]:
        """Where the IP header behind Ethernet begins, and its version."""
        ethertype, start = link(self._reader, at)
        version = IP_VERSIONS.get(ethertype)
        if version is None:
            raise Refused("bad_header", f"the request is for IP, the EtherType is 0x{ethertype:04x}")
        if self._request.tunnel:
            outer = 6 if self._request.tunnel == GSO_UDP_TUNNEL_IPV6 else 4
            if version != outer:
                raise Refused("bad_header", f"the request is for a UDP tunnel over IPv{outer}, the frame is IPv{version}")
        return start, version

    def _ip(self, start: int, version: int) -> Next:
        """An IP header whose end announces something that may follow."""
        is_first = not self._layers
        is_routed = False
        chain = ip(self._reader, start, version)
        upper = next(chain)
        while version == 6 and upper.protocol in EXTENSIONS:
            if self._request.base == GSO_UDP and upper.protocol == PROTOCOL_DESTINATION and is_routed:
                raise Refused("bad_header", "a destination options header behind a routing header is fragmentable")
            is_routed |= upper.protocol == PROTOCOL_ROUTING
            announced, upper = upper, next(chain)
            if is_first and announced.start == start + Ipv6.BYTES:
                self._judge_jumbo(start)
        self._judge(upper, version, is_first)
        self._layers.append(Layer(_KINDS[version], start, upper.start, upper.named_at))
        for _ in chain:
            pass
        return upper

    def _judge_jumbo(self, start: int) -> None:
        frame = self._reader.frame
        self._is_jumbo = is_jumbo(frame, start, self._told)
        if self._is_jumbo and not frame.startswith(Extension.JUMBO, start + Ipv6.BYTES):
            raise Refused("bad_header", "a packet above 64 KiB may have no hop-by-hop header but that of the jumbo payload option")

    def _judge(self, upper: Next, version: int, is_first: bool) -> None:
        """Whether what an IP header announces may follow it."""
        request = self._request
        if request.tunnel and is_first:
            if upper.protocol != PROTOCOL_UDP:
                raise Refused("bad_header", f"the request is for a UDP tunnel, the outer IP protocol is {upper.protocol}")
        elif upper.protocol == _TRANSPORTS[request.base]:
            if version != _VERSIONS.get(request.base, version):
                raise Refused(
                    "bad_header", f"the request is for TCP over IPv{_VERSIONS[request.base]}, the innermost header is IPv{version}"
                )
        elif is_first and request.base != GSO_UDP and upper.protocol in _CARRIED_VERSIONS:
            self._need_feature(_IP_IN_IP[version])
        elif is_first and request.base != GSO_UDP and upper.protocol == PROTOCOL_GRE:
            self._need_feature(GRE)
        else:
            raise Refused(
                "bad_header",
                f"the request is for IP protocol {_TRANSPORTS[request.base]}, the header at byte {upper.start} is {upper.protocol}",
            )

    def _need_feature(self, feature: str) -> None:
        if not self._options.has(feature):
            raise Refused("disabled", f"{feature} is not built in, or switched off")

    def _inside_udp(self, start: int) -> Next:
        """The IP header that a UDP tunnel carries. What stands before it is nobody's business."""
        outer, inner = self._request.outer_th_offset, self._request.inner_nh_offset
        self._reader.need(start, start + _WORD)
        if start != outer:
            raise Refused("bad_header", f"outer_th_offset is {outer}, the outer UDP header begins at {start}")
        self._reader.need(start + _WORD, inner)
        self._layers.append(Layer(Kind.UDP_TUNNEL, start, inner))
        self._reader.need(inner, inner + _WORD)
        version = _VERSIONS.get(self._request.base)
        if version is None:
            version = self._reader.read(Ipv4.VERSION_IHL, inner) >> 4
            if version not in _KINDS:
                raise Refused("bad_header", f"what the UDP tunnel carries at byte {inner} has IP version {version}")
        return self._ip(inner, version)

    def _inside_gre(self, start: int) -> Next:
        """The IP header that GRE carries, with or without Ethernet."""
        self._reader.need(start, start + Gre.BYTES)
        flags = self._reader.read(Gre.FLAGS_VERSION, start)
        protocol = self._reader.read(Gre.PROTOCOL, start)
        if flags & ~(Gre.HAS_CHECKSUM | Gre.HAS_KEY):
            raise Refused("bad_header", f"GRE may have a checksum and a key, its flags are 0x{flags:04x}")
        if flags & Gre.HAS_CHECKSUM and not self._request.needs_csum:
            raise Refused("bad_header", "GRE with a checksum needs NEEDS_CSUM")
        if protocol not in IP_VERSIONS and protocol != ETHERTYPE_TEB:
            raise Refused("bad_header", f"the request is for IP, GRE carries 0x{protocol:04x}")
        if flags & Gre.HAS_CHECKSUM:
            self._need_feature(GRE_CHECKSUM)
        end = start + Gre.BYTES + Gre.OPTION_BYTES * flags.bit_count()
        self._reader.need(start + Gre.BYTES, end)
        self._layers.append(Layer(Kind.GRE, start, end))
        if protocol == ETHERTYPE_TEB:
            return self._ip(*self._ethernet(end))
        return self._ip(end, IP_VERSIONS[protocol])

    def _transport(self, upper: Next) -> None:
        start = upper.start
        self._reader.need(start, start + _WORD)
        if self._request.needs_csum and start != self._request.csum_start:
            raise Refused("bad_header", f"csum_start is {self._request.csum_start}, the transport header begins at {start}")
        if upper.protocol == PROTOCOL_UDP:
            self._reader.need(start + _WORD, start + Udp.BYTES)
            self._layers.append(Layer(Kind.UDP, start, start + Udp.BYTES))
            return
        self._reader.need(start + _WORD, start + Tcp.CHECKSUM.offset)
        tcp_bytes = 4 * (self._reader.read(Tcp.DATA_OFFSET, start) >> 4)
        if tcp_bytes < Tcp.LEAST_BYTES:
            raise Refused("bad_header", f"a TCP header has at least {Tcp.LEAST_BYTES} bytes, not {tcp_bytes}")
        self._reader.need(start + Tcp.CHECKSUM.offset, start + tcp_bytes)
        self._layers.append(Layer(Kind.TCP, start, start + tcp_bytes))
