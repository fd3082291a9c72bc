"""What the engine does, feature by feature. docs/features.md is made of this table, and the tests ask the model, the gateware and Linux each row."""

from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import GRE, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop, Jumbo
from scapy.layers.l2 import LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from offcut_model import FEATURES

from .row import Row

__all__ = ["AUTO", "TABLE"]

ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
INNER = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
A4, B4, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"

TCPV4, UFO, TCPV6, UDP_L4, ECN = 1, 3, 4, 5, 0x80
TUNNEL4, TUNNEL6 = 0x20, 0x40
NEEDS_CSUM, TUNNEL_CSUM = 1, 8

NO_INPUT = "Linux has no such input"
NO_BITS = "virtio_net_hdr has no bits for it, so a TAP device cannot ask Linux"


GENEVE_OPTION = GeneveOptions(classid=0x0102, type=3, data=b"abcd")


def ip4(**fields):
    return ETHERNET / IP(src=A4, dst=B4, **fields)


def ip6(**fields):
    return ETHERNET / IPv6(src=A6, dst=B6, **fields)


def tcp(flags="A", payload=250, **fields):
    return TCP(sport=40000, dport=443, flags=flags, seq=fields.pop("seq", 1000), **fields) / data(payload)


def udp(payload=250, **fields):
    return UDP(sport=40000, dport=53, **fields) / data(payload)


def data(length):
    return Raw(bytes(index * 7 & 0xFF for index in range(length)))


def vxlan(*, outer, inner, **fields):
    return outer / UDP(sport=50000, dport=4789, **fields) / VXLAN(vni=7) / INNER / inner


TABLE = {
    "tx-checksum-ip-generic": [
        Row(
            says="Completes one sum: from csum_start to the frame's end, into csum_start + csum_offset.",
            frame=ip4() / udp(100),
            asks={},
            shows="checksum %UDP.chksum%",
            leaves=("checksum 0x392b",),
        ),
        Row(
            says="A sum of 0x0000 becomes 0xFFFF, for TCP, too.",
            frame=ip4() / TCP(sport=40000, dport=443, flags="A") / Raw(b"\xdd\xd4"),
            asks={},
            shows="checksum %TCP.chksum%",
            leaves=("checksum 0xffff",),
        ),
        Row(
            says="It needs to know no protocol: any EtherType, an odd start, a field anywhere behind it.",
            frame=Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x88B5) / Raw(bytes(9) + b"\1\2\3\4\0\0"),
            asks={"csum_start": 23, "csum_offset": 4},
            shows="%Raw.load%",
            leaves=(r"b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\xfb\xf9'",),
        ),
        Row(
            says="A field that is not inside the frame is refused.",
            frame=ip4() / udp(100),
            asks={"csum_start": 34, "csum_offset": 200},
            shows="",
            leaves="bad_request",
        ),
        Row(
            says="Without a request and without `auto`, a frame passes as it is, right or wrong.",
            frame=ip4() / UDP(sport=40000, dport=53, chksum=0x1234) / data(10),
            asks=None,
            shows="checksum %UDP.chksum%",
            leaves=("checksum 0x1234",),
        ),
    ],
    "tx-checksum-sctp": [
        Row(
            says="With csum_offset 8 at an SCTP header, the sum is its CRC32c.",
            frame=ip4() / SCTP(sport=1, dport=2, tag=3, chksum=0) / SCTPChunkData(data=b"offcut"),
            asks={},
            tells={"features": set(FEATURES)},
            shows="CRC32c %SCTP.chksum%",
            leaves=("CRC32c 0xe4de7e6c",),
            linux="a TAP device cannot say which sum is asked for: Linux makes an ordinary one",
        ),
    ],
    "tx-tcp-segmentation": [
        Row(
            says="Cuts at gso_size. Sequence number, length and IPv4 ID go on; the ID mod 2^16, the sequence number mod 2^32.",
            frame=ip4(id=0xFFFF) / tcp(seq=0xFFFFFFFE),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="sequence %TCP.seq%, length %IP.len%, ID %IP.id%",
            leaves=("sequence 4294967294, length 140, ID 65535", "sequence 98, length 140, ID 0", "sequence 198, length 90, ID 1"),
        ),
        Row(
            says="FIN and PSH stay on the last segment alone, CWR on the first; every other flag on all.",
            frame=ip4() / tcp("FSRPAUECN"),
            asks={"gso_type": TCPV4 | ECN, "gso_size": 100},
            shows="%TCP.flags%",
            leaves=("SRAUECN", "SRAUEN", "FSRPAUEN"),
        ),
        Row(
            says="The flags that are cleared are three masks. With CWR's bit flipped for middle and last, it stays (AccECN).",
            frame=ip4() / tcp("FPAEC"),
            asks={"gso_type": TCPV4, "gso_size": 100},
            tells={"tcp_clear_middle": 0x080, "tcp_clear_last": 0x080},
            shows="%TCP.flags%",
            leaves=("AEC", "AEC", "FPAEC"),
            linux=NO_INPUT,
        ),
        Row(
            says="Options of IP and TCP and any number of tags are copied into each.",
            frame=ETHERNET
            / Dot1AD(vlan=7)
            / Dot1Q(vlan=5, prio=3)
            / IP(src=A4, dst=B4, options=[IPOption(b"\x94\x04\x00\x00")])
            / tcp(options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]),
            asks={"gso_type": TCPV4, "gso_size": 200},
            shows="S-tag %Dot1AD.vlan%, C-tag %Dot1Q.vlan%, IP header %IP.ihl% words, TCP header %TCP.dataofs%",
            leaves=("S-tag 7, C-tag 5, IP header 6 words, TCP header 8", "S-tag 7, C-tag 5, IP header 6 words, TCP header 8"),
        ),
        Row(
            says="A payload of gso_size and less is not touched but for its checksum: all flags stay.",
            frame=ip4(id=9) / tcp("FPC", payload=100),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="%TCP.flags%, ID %IP.id%, length %IP.len%",
            leaves=("FPC, ID 9, length 140",),
        ),
        Row(
            says="What counts is the frame's real length: bytes beyond the IP length are payload.",
            frame=ip4(len=140) / tcp(payload=150),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="length %IP.len%",
            leaves=("length 140", "length 90"),
        ),
        Row(
            says="No limit at 64 KiB (BIG TCP): an IPv4 length of 0 stands for more.",
            frame=ip4(len=0) / tcp(payload=70000),
            asks={"gso_type": TCPV4, "gso_size": 9000},
            shows="length %IP.len%",
            leaves=("length 9040", "length 9040", "length 9040", "length 9040", "length 9040", "length 9040", "length 9040", "length 7040"),
        ),
        Row(
            says="A gso_size of 0 is refused.",
            frame=ip4() / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 0},
            shows="",
            leaves="bad_request",
        ),
        Row(
            says="Headers that contradict the request are dropped: here, IPv6 where IPv4 is said to be.",
            frame=ip6() / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="",
            leaves="bad_header",
        ),
        Row(
            says="That is so, too, where nothing would be cut.",
            frame=ip4(ihl=4) / tcp(payload=50),
            asks={"gso_type": TCPV4, "gso_size": 100, "csum_start": 34, "csum_offset": 16},
            shows="",
            leaves="bad_header",
            linux="one_segment_is_not_looked_into",
        ),
        Row(
            says="Switched off, it drops the request.",
            frame=ip4() / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            tells={"disable": {"tx-tcp-segmentation"}},
            shows="",
            leaves="disabled",
            linux="Linux would cut the frame before a device that cannot",
        ),
    ],
    "tx-tcp-ecn-segmentation": [
        Row(
            says="The bit in gso_type says that CWR may be set. What becomes of CWR depends on the flag alone.",
            frame=ip4() / tcp("AC"),
            asks={"gso_type": TCPV4 | ECN, "gso_size": 100},
            shows="%TCP.flags%",
            leaves=("AC", "A", "A"),
        ),
        Row(
            says="Not built in or switched off, it drops requests with the bit.",
            frame=ip4() / tcp("AC"),
            asks={"gso_type": TCPV4 | ECN, "gso_size": 100},
            tells={"disable": {"tx-tcp-ecn-segmentation"}},
            shows="",
            leaves="disabled",
            linux="Linux would cut the frame before a device that cannot",
        ),
    ],
    "tx-tcp-mangleid-segmentation": [
        Row(
            says="A frame's own bit keeps its IPv4 ID in all segments.",
            frame=ip4(id=7) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            tells={"keep_id": True},
            shows="ID %IP.id%",
            leaves=("ID 7", "ID 7", "ID 7"),
            linux="virtio_net_hdr has no bit for it, so a TAP device cannot ask Linux",
        ),
        Row(
            says="`cfg_id_mode` 1 does so for every frame.",
            frame=ip4(id=7) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            tells={"id_mode": 1},
            shows="ID %IP.id%",
            leaves=("ID 7", "ID 7", "ID 7"),
            linux=NO_INPUT,
        ),
        Row(
            says="With `cfg_id_mode` 2 the low 15 bits count, and the highest stays.",
            frame=ip4(id=0xFFFF) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            tells={"id_mode": 2},
            shows="ID %IP.id%",
            leaves=("ID 65535", "ID 32768", "ID 32769"),
            linux=NO_INPUT,
        ),
    ],
    "tx-tcp6-segmentation": [
        Row(
            says="Cuts TCP over IPv6 likewise; extension headers are copied and counted in the payload length.",
            frame=ip6() / IPv6ExtHdrHopByHop() / tcp(),
            asks={"gso_type": TCPV6, "gso_size": 100},
            shows="payload length %IPv6.plen%, sequence %TCP.seq%",
            leaves=("payload length 128, sequence 1000", "payload length 128, sequence 1100", "payload length 78, sequence 1200"),
        ),
        Row(
            says="Above 64 KiB (BIG TCP) the jumbo-payload header is taken out.",
            frame=ip6(plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70028)]) / tcp(payload=70000),
            asks={"gso_type": TCPV6, "gso_size": 9000},
            shows="next header %IPv6.nh%, payload length %IPv6.plen%",
            leaves=(
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 9020",
                "next header TCP, payload length 7020",
            ),
        ),
    ],
    "tx-udp-segmentation": [
        Row(
            says="Each piece is a datagram of its own: 8192 bytes at 1272 give six of 1272 and one of 560.",
            frame=ip4(id=7) / udp(8192),
            asks={"gso_type": UDP_L4, "gso_size": 1272},
            shows="UDP length %UDP.len%, ID %IP.id%",
            leaves=(
                "UDP length 1280, ID 7",
                "UDP length 1280, ID 8",
                "UDP length 1280, ID 9",
                "UDP length 1280, ID 10",
                "UDP length 1280, ID 11",
                "UDP length 1280, ID 12",
                "UDP length 568, ID 13",
            ),
        ),
        Row(
            says="Over IPv6, too.",
            frame=ip6() / udp(250),
            asks={"gso_type": UDP_L4, "gso_size": 100},
            shows="payload length %IPv6.plen%, UDP length %UDP.len%",
            leaves=("payload length 108, UDP length 108", "payload length 108, UDP length 108", "payload length 58, UDP length 58"),
        ),
        Row(
            says="A checksum of 0x0000 becomes 0xFFFF in each.",
            frame=ip4() / UDP(sport=40000, dport=53) / Raw(b"\x4f\x62" * 2),
            asks={"gso_type": UDP_L4, "gso_size": 2},
            shows="checksum %UDP.chksum%",
            leaves=("checksum 0xffff", "checksum 0xffff"),
        ),
        Row(
            says="More than 128 segments are refused.",
            frame=ip4() / udp(129),
            asks={"gso_type": UDP_L4, "gso_size": 1},
            shows="",
            leaves="bad_request",
        ),
        Row(
            says="So is a request without NEEDS_CSUM.",
            frame=ip4() / udp(250),
            asks={"flags": 0, "gso_type": UDP_L4, "gso_size": 100},
            shows="",
            leaves="bad_request",
        ),
    ],
    "tx-udp-fragmentation": [
        Row(
            says="One datagram becomes IP fragments of one ID, with one UDP checksum; DF goes. The fragment with the UDP header leaves last.",
            but="but that fragment leaves first",
            frame=ip4(id=7, flags="DF") / udp(2000),
            asks={"gso_type": UFO, "gso_size": 800},
            shows="offset 8 * %IP.frag%, flags %IP.flags%, length %IP.len%, ID %IP.id%",
            leaves=(
                "offset 8 * 100, flags MF, length 820, ID 7",
                "offset 8 * 200, flags , length 428, ID 7",
                "offset 8 * 0, flags MF, length 820, ID 7",
            ),
        ),
        Row(
            says="Built with `--ufo-order first`, it leaves first, as from Linux.",
            frame=ip4(id=7) / udp(2000),
            asks={"gso_type": UFO, "gso_size": 800},
            tells={"ufo_order": "first"},
            shows="offset 8 * %IP.frag%, flags %IP.flags%, checksum %UDP.chksum%",
            leaves=(
                "offset 8 * 0, flags MF, checksum 0xe415",
                "offset 8 * 100, flags MF, checksum ??",
                "offset 8 * 200, flags , checksum ??",
            ),
        ),
        Row(
            says="Over IPv6 a fragment header goes in. Its identification is a keyed cipher of the datagram's number.",
            but="but the identification is random",
            frame=ip6() / udp(2000),
            asks={"gso_type": UFO, "gso_size": 800},
            tells={"ufo_order": "first"},
            shows="offset 8 * %IPv6ExtHdrFragment.offset%, more %IPv6ExtHdrFragment.m%, payload length %IPv6.plen%, identification %IPv6ExtHdrFragment.id%",
            leaves=(
                "offset 8 * 0, more 1, payload length 808, identification 2874501334",
                "offset 8 * 100, more 1, payload length 808, identification 2874501334",
                "offset 8 * 200, more 0, payload length 416, identification 2874501334",
            ),
        ),
        Row(
            says="A size that is no multiple of 8 is refused.",
            frame=ip4() / udp(2000),
            asks={"gso_type": UFO, "gso_size": 801},
            shows="",
            leaves="bad_request",
            linux="fragments_overlap",
        ),
    ],
    "tx-gre-segmentation": [
        Row(
            says="Cuts TCP or UDP behind GRE, whose key is copied; every IPv4 ID goes on from its own start.",
            frame=ip4(id=7) / GRE(key_present=1, key=99) / IP(src=A4, dst=B4, id=70) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="outer length %IP.len%, ID %IP.id%; key %GRE.key%; inner length %IP:2.len%, ID %IP:2.id%",
            leaves=(
                "outer length 168, ID 7; key 0x63; inner length 140, ID 70",
                "outer length 168, ID 8; key 0x63; inner length 140, ID 71",
                "outer length 118, ID 9; key 0x63; inner length 90, ID 72",
            ),
            linux=NO_BITS,
        ),
        Row(
            says="GRE with a sequence number is dropped: it would have to go on.",
            frame=ip4() / GRE(seqnum_present=1, sequence_number=1) / IP(src=A4, dst=B4) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="",
            leaves="bad_header",
            linux=NO_BITS,
        ),
    ],
    "tx-gre-csum-segmentation": [
        Row(
            says="GRE's own checksum is made anew for each segment.",
            frame=ip4() / GRE(chksum_present=1) / IPv6(src=A6, dst=B6) / tcp(),
            asks={"gso_type": TCPV6, "gso_size": 100},
            shows="GRE checksum %GRE.chksum%, inner payload length %IPv6.plen%",
            leaves=(
                "GRE checksum 0x92e7, inner payload length 120",
                "GRE checksum 0x92e7, inner payload length 120",
                "GRE checksum 0x92e7, inner payload length 70",
            ),
            linux=NO_BITS,
        ),
    ],
    "tx-ipxip4-segmentation": [
        Row(
            says="Cuts behind IPv4 in IPv4.",
            frame=ip4(id=7) / IP(src=A4, dst=B4, id=70) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="outer length %IP.len%, ID %IP.id%; inner length %IP:2.len%, ID %IP:2.id%",
            leaves=(
                "outer length 160, ID 7; inner length 140, ID 70",
                "outer length 160, ID 8; inner length 140, ID 71",
                "outer length 110, ID 9; inner length 90, ID 72",
            ),
            linux=NO_BITS,
        ),
        Row(
            says="And behind IPv6 in IPv4 (SIT).",
            frame=ip4(id=7) / IPv6(src=A6, dst=B6) / udp(),
            asks={"gso_type": UDP_L4, "gso_size": 100},
            shows="outer length %IP.len%, ID %IP.id%; inner payload length %IPv6.plen%",
            leaves=(
                "outer length 168, ID 7; inner payload length 108",
                "outer length 168, ID 8; inner payload length 108",
                "outer length 118, ID 9; inner payload length 58",
            ),
            linux=NO_BITS,
        ),
    ],
    "tx-ipxip6-segmentation": [
        Row(
            says="Cuts behind IPv4 in IPv6.",
            frame=ip6() / IP(src=A4, dst=B4, id=70) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 100},
            shows="outer payload length %IPv6.plen%; inner length %IP.len%, ID %IP.id%",
            leaves=(
                "outer payload length 140; inner length 140, ID 70",
                "outer payload length 140; inner length 140, ID 71",
                "outer payload length 90; inner length 90, ID 72",
            ),
            linux=NO_BITS,
        ),
        Row(
            says="And behind IPv6 in IPv6.",
            frame=ip6() / IPv6(src=A6, dst=B6) / tcp(),
            asks={"gso_type": TCPV6, "gso_size": 100},
            shows="outer payload length %IPv6.plen%, inner %IPv6:2.plen%",
            leaves=("outer payload length 160, inner 120", "outer payload length 160, inner 120", "outer payload length 110, inner 70"),
            linux=NO_BITS,
        ),
    ],
    "tx-udp_tnl-segmentation": [
        Row(
            says="Cuts what VXLAN, Geneve or any other UDP tunnel carries: all up to the inner IP header is copied; an outer checksum of 0 stays.",
            frame=vxlan(outer=ip4(id=7), inner=IP(src=A4, dst=B4, id=70) / tcp("PA"), chksum=0),
            asks={"gso_type": TCPV4 | TUNNEL4, "gso_size": 100},
            shows="outer length %IP.len%, ID %IP.id%, UDP length %UDP.len%, checksum %UDP.chksum%; VNI %VXLAN.vni%; inner ID %IP:2.id%, %TCP.flags%",
            leaves=(
                "outer length 190, ID 7, UDP length 170, checksum 0x0; VNI 0x7; inner ID 70, A",
                "outer length 190, ID 8, UDP length 170, checksum 0x0; VNI 0x7; inner ID 71, A",
                "outer length 140, ID 9, UDP length 120, checksum 0x0; VNI 0x7; inner ID 72, PA",
            ),
        ),
        Row(
            says="Geneve's options are copied, too.",
            frame=ip4()
            / UDP(sport=50000, dport=6081, chksum=0)
            / GENEVE(vni=9, options=[GENEVE_OPTION])
            / INNER
            / IPv6(src=A6, dst=B6)
            / tcp(),
            asks={"gso_type": TCPV6 | TUNNEL4, "gso_size": 200},
            shows="outer length %IP.len%; VNI %GENEVE.vni%, options %GENEVE.optionlen%; inner payload length %IPv6.plen%",
            leaves=(
                "outer length 318; VNI 0x9, options 2; inner payload length 220",
                "outer length 168; VNI 0x9, options 2; inner payload length 70",
            ),
        ),
        Row(
            says="Over IPv6, with UDP inside.",
            frame=vxlan(outer=ip6(), inner=IPv6(src=A6, dst=B6) / udp(), chksum=0),
            asks={"gso_type": UDP_L4 | TUNNEL6, "gso_size": 100},
            shows="outer payload length %IPv6.plen%, UDP length %UDP.len%; inner UDP length %UDP:2.len%",
            leaves=(
                "outer payload length 178, UDP length 178; inner UDP length 108",
                "outer payload length 178, UDP length 178; inner UDP length 108",
                "outer payload length 128, UDP length 128; inner UDP length 58",
            ),
        ),
        Row(
            says="Offsets that are not in order are refused.",
            frame=vxlan(outer=ip4(), inner=IP(src=A4, dst=B4) / tcp(), chksum=0),
            asks={"gso_type": TCPV4 | TUNNEL4, "gso_size": 100, "inner_nh_offset": 36},
            shows="",
            leaves="bad_request",
        ),
        Row(
            says="An outer header of another family than the type names is dropped.",
            frame=vxlan(outer=ip6(), inner=IP(src=A4, dst=B4) / tcp(), chksum=0),
            asks={"gso_type": TCPV4 | TUNNEL4, "gso_size": 100},
            shows="",
            leaves="bad_header",
            linux="tunnel_family_is_not_looked_at",
        ),
    ],
    "tx-udp_tnl-csum-segmentation": [
        Row(
            says="With UDP_TUNNEL_CSUM the outer checksum is completed in each segment.",
            frame=vxlan(outer=ip4(), inner=IP(src=A4, dst=B4) / tcp()),
            asks={"flags": NEEDS_CSUM | TUNNEL_CSUM, "gso_type": TCPV4 | TUNNEL4, "gso_size": 100},
            shows="outer checksum %UDP.chksum%, inner %TCP.chksum%",
            leaves=("outer checksum 0xa09, inner 0xc417", "outer checksum 0xa09, inner 0xafa", "outer checksum 0xa3b, inner 0xab18"),
        ),
    ],
    "tx-vlan-offload": [
        Row(
            says="Puts a tag in behind the addresses, before any other, into every wire frame; any frame may ask for it.",
            frame=ETHERNET / Dot1Q(vlan=9) / IP(src=A4, dst=B4) / tcp(),
            asks={"gso_type": TCPV4, "gso_size": 200},
            tells={"vlan_tci": 3 << 13 | 5},
            shows="%Dot1Q.prio% %Dot1Q.vlan%, then %Dot1Q:2.vlan%",
            leaves=("3 5, then 9", "3 5, then 9"),
            linux="a TAP device takes no tag beside the frame",
        ),
    ],
}
"""The rows of each feature, by its ``ethtool -k`` name."""

CUT = {"auto": True, "mtu": 576}

AUTO = [
    Row(
        says="A frame with no request has its checksums made from scratch: IPv4's own, TCP's, UDP's.",
        frame=ip4(chksum=0) / TCP(sport=40000, dport=443, chksum=0) / data(10),
        asks=None,
        tells={"auto": True},
        shows="IP %IP.chksum%, TCP %TCP.chksum%",
        leaves=("IP 0x66c3, TCP 0x512b",),
        linux="no such mode",
    ),
    Row(
        says="A UDP checksum of 0 over IPv4 (none) stays 0.",
        frame=ip4() / UDP(sport=40000, dport=53, chksum=0) / data(10),
        asks=None,
        tells={"auto": True},
        shows="checksum %UDP.chksum%",
        leaves=("checksum 0x0",),
        linux="no such mode",
    ),
    Row(
        says="TCP above `cfg_mtu` is cut to it.",
        frame=ip4(id=7) / tcp(payload=1200),
        asks=None,
        tells=CUT,
        shows="length %IP.len%, ID %IP.id%",
        leaves=("length 576, ID 7", "length 576, ID 8", "length 168, ID 9"),
        linux="no such mode",
    ),
    Row(
        says="UDP above it is cut into datagrams of `cfg_uso_size`, if that is set.",
        frame=ip6() / udp(1200),
        asks=None,
        tells={**CUT, "uso_size": 512},
        shows="UDP length %UDP.len%",
        leaves=("UDP length 520", "UDP length 520", "UDP length 184"),
        linux="no such mode",
    ),
    Row(
        says="If it is not, UDP over IPv4 is fragmented, unless DF forbids it.",
        frame=ip4() / udp(1200),
        asks=None,
        tells=CUT,
        shows="offset 8 * %IP.frag%, length %IP.len%",
        leaves=("offset 8 * 69, length 572", "offset 8 * 138, length 124", "offset 8 * 0, length 572"),
        linux="no such mode",
    ),
    Row(
        says="Whatever else is above the MTU is dropped.",
        frame=ip4(flags="DF") / udp(1200),
        asks=None,
        tells=CUT,
        shows="",
        leaves="too_big",
        linux="no such mode",
    ),
    Row(
        says="What is not IP passes: LLC/SNAP here.",
        frame=Dot3(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / LLC() / SNAP() / IP(src=A4, dst=B4) / tcp(payload=1200),
        asks=None,
        tells=CUT,
        shows="802.3 length %Dot3.len%, IP length %IP.len%",
        leaves=("802.3 length 1248, IP length 1240",),
        linux="no such mode",
    ),
]
"""What ``cfg_auto`` does with frames that carry no request."""
