"""Where the running kernel and the model are known to differ, and a comparison that lets nothing else pass.

A difference is here for one of three reasons, and its docstring says which: it is the kernel's own bug or limit; a TAP device cannot be asked the
question; or Offcut differs on purpose (docs/semantics.md). Everything else must be answered alike, byte for byte.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from struct import pack, unpack_from

from offcut_model import Options, Refused, VirtioNetHdr, segment

__all__ = ["DIFFERENCES", "LIKE_LINUX", "Asked", "Disagreement", "agreement", "answer_of", "compare", "without_identification"]

LIKE_LINUX = Options(mtu_max=0xFFFFF, ufo_order="first")
"""The kernel's devices have no ``mtu_max``, it always knows a frame's length, and sends the first fragment first."""

NEEDS_CSUM = 1
TCPV4, UFO, TCPV6, UDP_L4 = 1, 3, 4, 5
UDP_TUNNEL = 0x60
TAGS = (0x8100, 0x88A8)
EXTENSIONS = (0, 43, 60)
FRAGMENT = 44
VLAN_MAX_DEPTH = 8


class Disagreement(AssertionError):
    """The kernel and the model answer differently, and it is not known why; the message shows both."""


@dataclass(frozen=True)
class Asked:
    """One question with its two answers.

    Attributes
    ----------
    header : VirtioNetHdr
    frame : bytes
    model : list of bytes or str
        The wire frames, or the reason for the drop.
    kernel : list of bytes or None
        As :meth:`.KernelOracle.ask` gives it.
    """

    header: VirtioNetHdr
    frame: bytes
    model: list[bytes] | str
    kernel: list[bytes] | None

    @property
    def base(self) -> int:
        """The request's type without tunnel and ECN."""
        return self.header.gso_type & 7

    @property
    def needs_csum(self) -> bool:
        return bool(self.header.flags & NEEDS_CSUM)

    @property
    def model_cuts(self) -> bool:
        return isinstance(self.model, list) and len(self.model) > 1

    @property
    def model_sends_one(self) -> bool:
        return isinstance(self.model, list) and len(self.model) == 1

    @property
    def model_drops(self) -> bool:
        return isinstance(self.model, str)

    @property
    def kernel_sends_one(self) -> bool:
        return self.kernel is not None and len(self.kernel) == 1

    @property
    def kernel_cuts(self) -> bool:
        return self.kernel is not None and len(self.kernel) > 1

    @property
    def kernel_drops(self) -> bool:
        """Dropped after it was accepted."""
        return self.kernel == []

    @property
    def tags(self) -> list[int]:
        """The frame's tags, each by its TPID."""
        tags: list[int] = []
        while (tpid := self.word(12 + 4 * len(tags))) in TAGS:
            tags.append(tpid)
        return tags

    @property
    def ethertype(self) -> int:
        """The first that is no tag; -1 if the frame ends before it."""
        return self.word(12 + 4 * len(self.tags))

    @property
    def l3(self) -> int:
        """Where the first IP header would begin."""
        return 14 + 4 * len(self.tags)

    def byte(self, at: int) -> int:
        return self.frame[at] if at < len(self.frame) else -1

    def word(self, at: int) -> int:
        """16 bits of the frame; -1 if it ends before them."""
        return unpack_from(">H", self.frame, at)[0] if at + 2 <= len(self.frame) else -1

    def behind_ip(self) -> tuple[int, int, list[int]]:
        """What the first IP header carries: its protocol, where it begins, and the extension headers before it by number."""
        at, passed = self.l3 + 4 * (self.byte(self.l3) & 15), []
        protocol = self.byte(self.l3 + 9)
        if self.ethertype == 0x86DD:
            at, protocol = self.l3 + 40, self.byte(self.l3 + 6)
            while protocol in EXTENSIONS and at + 2 <= len(self.frame):
                passed.append(protocol)
                at, protocol = at + 8 + 8 * self.frame[at + 1], self.frame[at]
        return protocol, at, passed

    def kernel_sees_one_segment(self) -> bool:
        """Whether Linux takes payload <= gso_size for true (``__virtio_net_hdr_to_skb``).

        It has not looked at the headers then. It takes TCP's for 20 bytes; and without NEEDS_CSUM IP's for its least, and Ethernet's for none at all.
        """
        network = self.header.csum_start if self.needs_csum else 40 if self.base == TCPV6 else 20
        transport = {UFO: 0, UDP_L4: 8}.get(self.base, 20)
        return len(self.frame) - network - transport <= self.header.gso_size


Difference = Callable[[Asked], bool]


def no_ethernet_header(a: Asked) -> bool:
    """The question cannot be asked: a TAP device takes no frame below 14 bytes."""
    return len(a.frame) < 14 and a.kernel is None


def tag_without_what_follows(a: Asked) -> bool:
    """Kernel's limit: it takes the outermost tag off on the way in, and what should follow it is missing."""
    return a.word(12) in TAGS and len(a.frame) < 20 and a.kernel_drops


def too_many_tags(a: Asked) -> bool:
    """Kernel's limit: a frame with eight tags or more is not cut (VLAN_MAX_DEPTH), wherever csum_start is."""
    return len(a.tags) >= VLAN_MAX_DEPTH and a.model_cuts and a.kernel_drops


def csum_start_below_20(a: Asked) -> bool:
    """Kernel's limit: an IP header is taken to stand before csum_start, and Ethernet's is not counted."""
    return a.needs_csum and a.header.csum_start < 20 and a.kernel is None


def one_segment_is_not_looked_into(a: Asked) -> bool:
    """On purpose: the walk is made all the same, where the kernel has seen that nothing is to be cut and looks no further."""
    return a.model in ("bad_header", "truncated", "header_too_long") and a.kernel_sees_one_segment() and a.kernel_sends_one


def one_segment_taken_for_more(a: Asked) -> bool:
    """Kernel's bug: gso_size < payload + options (without NEEDS_CSUM: headers), so the frame is to be cut; then nothing is, and it is dropped."""
    return bool(a.header.gso_type) and a.model_sends_one and not a.kernel_sees_one_segment() and a.kernel_drops


def tunnel_that_a_tap_cannot_name(a: Asked) -> bool:
    """The question cannot be asked: virtio_net_hdr has no type for GRE and IP in IP, and the kernel drops what is not of its type."""
    return not a.header.gso_type & UDP_TUNNEL and a.behind_ip()[0] in (4, 41, 47) and (a.model_cuts or a.model_sends_one) and a.kernel_drops


def ip_version_is_not_looked_at(a: Asked) -> bool:
    """On purpose: the kernel goes by the EtherType, and by the request's type in a tunnel, and believes it."""
    outer = {0x0800: 4, 0x86DD: 6}.get(a.ethertype)
    wrong = a.byte(a.l3) >> 4 != outer
    if a.header.gso_type & UDP_TUNNEL:
        inner = a.byte(a.header.inner_nh_offset) >> 4
        wrong |= inner not in {TCPV4: (4,), TCPV6: (6,)}.get(a.base, (4, 6))
    return a.model == "bad_header" and bool(a.kernel) and wrong


def tunnel_offset_is_believed(a: Asked) -> bool:
    """On purpose: the kernel takes the outer transport header to stand at outer_th_offset, whatever the outer IP header says."""
    wrong = a.behind_ip()[:2] != (17, a.header.outer_th_offset)
    return bool(a.header.gso_type & UDP_TUNNEL) and wrong and a.model == "bad_header" and bool(a.kernel)


def tunnel_family_is_not_looked_at(a: Asked) -> bool:
    """On purpose: the kernel goes by the EtherType, whatever family the request's type names."""
    wrong = a.ethertype != {0x20: 0x0800, 0x40: 0x86DD}.get(a.header.gso_type & UDP_TUNNEL)
    return bool(a.header.gso_type & UDP_TUNNEL) and wrong and a.model == "bad_header" and bool(a.kernel)


def tunnel_offset_may_be_odd(a: Asked) -> bool:
    """On purpose: no tunnel header has an odd length, and the gateware patches words; the kernel does not care."""
    odd = a.header.inner_nh_offset & 1
    return bool(a.header.gso_type & UDP_TUNNEL) and bool(odd) and a.model == "bad_request" and bool(a.kernel)


def headers_may_be_longer(a: Asked) -> bool:
    """On purpose: no header RAM in the kernel."""
    return a.model == "header_too_long" and bool(a.kernel)


def fragments_overlap(a: Asked) -> bool:
    """Kernel's bug: a fragment size that is no multiple of 8 makes fragments that overlap."""
    return a.base == UFO and a.header.gso_size % 8 != 0 and a.model == "bad_request" and bool(a.kernel)


def fragments_beyond_64_kib(a: Asked) -> bool:
    """Kernel's bug: a datagram above 65,535 bytes is fragmented, and its offsets begin again at 0."""
    return a.base == UFO and len(a.frame) - a.behind_ip()[1] > 0xFFFF and a.model == "bad_request" and bool(a.kernel)


def fragments_with_ecn(a: Asked) -> bool:
    """On purpose: ECN means nothing with UFO; the kernel takes no notice of it."""
    return a.header.gso_type == UFO | 0x80 and a.model == "bad_request" and bool(a.kernel)


def fragments_with_any_checksum_field(a: Asked) -> bool:
    """On purpose: of a UFO request the kernel does not check where the checksum is said to be; it makes its own at the right place."""
    wrong = a.header.csum_offset != 6 or a.header.csum_start != a.behind_ip()[1]
    return a.base == UFO and a.needs_csum and wrong and a.model in ("bad_request", "bad_header") and bool(a.kernel)


def fragment_header_behind_routing(a: Asked) -> bool:
    """Kernel's bug: a destination header behind a routing header belongs to the fragments, and stands in their unfragmentable part."""
    passed = a.behind_ip()[2]
    return a.base == UFO and 43 in passed and 60 in passed[passed.index(43) :] and a.model == "bad_header" and bool(a.kernel)


def fragment_offsets_count_extension_headers(a: Asked) -> bool:
    """Kernel's bug: each IPv6 fragment's offset is too great by the extension headers of those before it."""
    at = a.behind_ip()[1]
    extensions = at - a.l3 - 40
    if not extensions or not _are_ipv6_fragments(a):
        return False
    corrected = []
    for index, wire in enumerate(a.kernel or []):
        offset = unpack_from(">H", wire, at + 2)[0] - index * extensions & 0xFFFF
        corrected.append(wire[: at + 2] + pack(">H", offset) + wire[at + 4 :])
    return _same_but_for_the_identification(replace(a, kernel=corrected))


def jumbo_header_is_left_in(a: Asked) -> bool:
    """Kernel's limit: behind more than one tag it does not find the jumbo-payload header, and leaves it in every segment."""
    behind = a.l3 + 40
    return (
        len(a.tags) > 1
        and a.frame[behind : behind + 4] == b"\x06\x00\xc2\x04"
        and a.model_cuts
        and [wire[:behind] + wire[behind + 8 :] for wire in _blanked(a.kernel or [], a.l3)] == _blanked(a.model, a.l3)
    )


def jumbo_header_may_be_another(a: Asked) -> bool:
    """On purpose: a packet above 64 KiB is TCP behind a jumbo-payload header, and nothing else; the kernel cuts whatever it finds."""
    return a.model == "bad_header" and a.ethertype == 0x86DD and len(a.frame) - a.l3 > 65536 and a.byte(a.l3 + 6) == 0 and a.kernel_cuts


DIFFERENCES: tuple[Difference, ...] = (
    no_ethernet_header,
    tag_without_what_follows,
    too_many_tags,
    csum_start_below_20,
    one_segment_is_not_looked_into,
    one_segment_taken_for_more,
    tunnel_that_a_tap_cannot_name,
    ip_version_is_not_looked_at,
    tunnel_offset_is_believed,
    tunnel_family_is_not_looked_at,
    tunnel_offset_may_be_odd,
    headers_may_be_longer,
    fragments_overlap,
    fragments_beyond_64_kib,
    fragments_with_ecn,
    fragments_with_any_checksum_field,
    fragment_header_behind_routing,
    fragment_offsets_count_extension_headers,
    jumbo_header_is_left_in,
    jumbo_header_may_be_another,
)
"""The first that holds names the difference."""


def agreement(asked: Asked) -> str:
    """What kind of agreement it is (``cut``, ``whole``, ``refused``), or the name of a known difference.

    The identification of IPv6 fragments is the sender's own and is not compared; that of one datagram must be the same in all of its fragments.

    Raises
    ------
    Disagreement
        If the answers differ and it is not known why.
    """
    model, kernel = asked.model, asked.kernel
    if isinstance(model, list) and kernel is not None and (model == kernel or _same_but_for_the_identification(asked)):
        return "cut" if len(model) > 1 else "whole"
    if isinstance(model, str) and not kernel:
        return "refused"
    for difference in DIFFERENCES:
        if difference(asked):
            return difference.__name__
    raise Disagreement(side_by_side(asked))


def compare(header: VirtioNetHdr, frame: bytes, kernel: list[bytes] | None, note: str = "", options: Options = LIKE_LINUX) -> str:
    """Ask the model the same, and hold its answer against the kernel's; returns what :func:`agreement` says.

    Raises
    ------
    Disagreement
        With ``note`` in front.
    """
    try:
        return agreement(Asked(header, frame, answer_of(header, frame, options), kernel))
    except Disagreement as disagreement:
        raise Disagreement(f"{note}\n{disagreement}") from None


def answer_of(header: VirtioNetHdr, frame: bytes, options: Options) -> list[bytes] | str:
    """The model's wire frames, or its reason for a drop."""
    try:
        return segment(frame, header, options)
    except Refused as refused:
        return refused.reason


def side_by_side(asked: Asked) -> str:
    """Both answers, and of the first wire frame in which they differ the bytes that do."""
    kernel = "refused" if asked.kernel is None else asked.kernel or "dropped"
    lines = [f"request  {asked.header}", f"frame    {len(asked.frame)} bytes: {_hex(asked.frame)}"]
    for name, answer in (("model", asked.model), ("kernel", kernel)):
        lines.append(f"{name:<8} {answer if isinstance(answer, str) else f'{len(answer)} wire frames'}")
    if isinstance(asked.model, list) and isinstance(kernel, list):
        for number, (ours, theirs) in enumerate(zip_longest(asked.model, kernel, fillvalue=b"")):
            if ours != theirs:
                at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
                lines.append(
                    f"wire frame {number} differs from byte {at} on; the model's has {len(ours)} bytes, the kernel's {len(theirs)}"
                )
                lines += [f"model    {_hex(ours)}", f"kernel   {_hex(theirs)}", f"         {'   ' * min(at, _SHOWN_BYTES)}^^"]
                break
    return "\n".join(lines)


_SHOWN_BYTES = 160


def _hex(data: bytes) -> str:
    return data[:_SHOWN_BYTES].hex(" ") + " ..." * (len(data) > _SHOWN_BYTES)


def without_identification(header: VirtioNetHdr, frame: bytes, answer: list[bytes] | None) -> list[bytes] | None:
    """An answer of the kernel, in which the identification of IPv6 fragments, which is random, is 0."""
    if not answer or not _are_ipv6_fragments(asked := Asked(header, frame, answer, answer)):
        return answer
    at = asked.behind_ip()[1] + 4
    return [_without(wire, at, at + 4) for wire in answer]


def _are_ipv6_fragments(asked: Asked) -> bool:
    return asked.base == UFO and asked.ethertype == 0x86DD and asked.model_cuts and asked.kernel_cuts


def _same_but_for_the_identification(asked: Asked) -> bool:
    """Whether these are the same IPv6 fragments with another identification."""
    if not _are_ipv6_fragments(asked) or not isinstance(asked.model, list):
        return False
    at = asked.behind_ip()[1] + 4
    ours, theirs = (without_identification(asked.header, asked.frame, answer) for answer in (asked.model, asked.kernel))
    return ours == theirs and len({wire[at : at + 4] for wire in asked.kernel or ()}) == 1


def _blanked(frames: list[bytes], l3: int) -> list[bytes]:
    """Frames without IPv6's payload length and next header."""
    return [_without(wire, l3 + 4, l3 + 7) for wire in frames]


def _without(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + bytes(end - start) + data[end:]
