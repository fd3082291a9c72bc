"""Random requests that look for trouble: the one source of frames for every random test.

    for case in requests(seed=1, count=300, width=64):
        segment(case.frame, ...)

The frames are packed by hand here (:mod:`traffic.stack`), apart from the model's and the gateware's tables, so that a wrong offset in
either shows. What is drawn, and how often, stands in the tables of :mod:`traffic.kinds`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .dice import Dice
from .draft import Bounds
from .kinds import KINDS, LONG_KINDS

__all__ = ["FEATURES", "KINDS", "LONG_KINDS", "SIZES", "Case", "requests"]

SIZES = {
    "small": ((200, 60), (700, 30), (2500, 10)),
    "full": ((400, 35), (1500, 30), (5000, 25), (14000, 10)),
}
"""Bytes on the wire that one request may cost, each with its weight. A few edges (frames at ``mtu_max``) cost what they must."""

FEATURES = (
    "tx-checksum-ip-generic",
    "tx-checksum-sctp",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-udp-fragmentation",
    "tx-gre-segmentation",
    "tx-gre-csum-segmentation",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-udp_tnl-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-vlan-offload",
)
"""The features by bit of ``cfg_disable``."""


@dataclass(frozen=True)
class Case:
    """One request: a frame, its metadata, and the configuration inputs that are sampled with it.

    Attributes
    ----------
    frame : bytes
        The frame from its Ethernet header on, without FCS; at least one byte.
    vnet_hdr : bytes
        24 bytes of ``struct virtio_net_hdr``, little-endian; the directed tests also give 10.
    frame_len : int
        What the metadata says about the frame's length in bytes: 0 means unknown; it may be wrong.
    auto : bool
        The ``cfg_auto`` input.
    mtu : int
        The ``cfg_mtu`` input, 16 bits; 0 means 1500.
    note : str
        ``kind: what is special``, for messages and for counting what was covered.
    vlan_tci : int or None
        The 16 bits of a VLAN tag to insert.
    keep_id : bool
        Keep the IPv4 ID in this frame.
    id_mode : int
        The ``cfg_id_mode`` input: 0, 1 or 2.
    tcp_clear : tuple of int
        The ``cfg_tcp_clear_first``, ``_middle`` and ``_last`` inputs, 12 bits each.
    uso_size : int
        The ``cfg_uso_size`` input, 16 bits.
    disable : int
        The ``cfg_disable`` input, 16 bits: bit n switches off ``FEATURES[n]``.
    user : int
        The bits that travel with the frame.
    """

    frame: bytes
    vnet_hdr: bytes
    frame_len: int
    auto: bool
    mtu: int
    note: str
    vlan_tci: int | None = None
    keep_id: bool = False
    id_mode: int = 0
    tcp_clear: tuple[int, int, int] = (0, 0, 0)
    uso_size: int = 0
    disable: int = 0
    user: int = 0

    @property
    def kind(self) -> str:
        """The name in :data:`KINDS` or :data:`LONG_KINDS` that the case was drawn from."""
        return self.note.partition(":")[0]

    def by_virtio(self) -> "Case":
        """The same frame as a driver of virtio can ask for it: ten bytes of request, the true length, and nothing beside."""
        return Case(self.frame, self.vnet_hdr[:10], len(self.frame), auto=False, mtu=0, note=self.note)

    @property
    def disabled(self) -> frozenset[str]:
        """The features that ``disable`` switches off, by name."""
        return frozenset(name for bit, name in enumerate(FEATURES) if self.disable >> bit & 1)

    @property
    def tuser(self) -> int:
        """``s_axis_tuser`` of the frame's first beat: 160 bits, and the user bits above them."""
        offsets = self.vnet_hdr[20:24].ljust(4, b"\0")
        return (
            int.from_bytes(self.vnet_hdr[:10] + offsets, "little")
            | self.frame_len << 112
            | (self.vlan_tci or 0) << 132
            | (self.vlan_tci is not None) << 148
            | self.keep_id << 149
            | self.user << 160
        )


def requests(
    seed: int | str,
    count: int,
    *,
    width: int = 64,
    mtu_max: int = 9216,
    user_width: int = 0,
    size: str = "full",
    jumbo: float = 0.002,
    kinds: tuple[str, ...] | None = None,
    start: int = 0,
) -> Iterator[Case]:
    """Draw ``count`` requests. Each depends on the arguments and its own index alone, so number 4711 is had with ``start=4711, count=1``.

    Parameters
    ----------
    seed : int or str
        Equal seeds give equal requests.
    width : int
        Bus width in bits: lengths are drawn around its multiples.
    mtu_max : int
        The engine's longest wire frame in bytes: lengths are drawn around it.
    user_width : int
        Width of ``user`` in bits.
    size : str
        One of :data:`SIZES`.
    jumbo : float
        Share of requests out of :data:`LONG_KINDS`, of about 64 KiB and beyond, 0 to 1.
    kinds : tuple of str, optional
        Names out of :data:`KINDS` and :data:`LONG_KINDS` to draw from, with ``jumbo`` leaving out those that are not among them.
        All by default.
    start : int
        Index of the first request.

    Raises
    ------
    ValueError
        If a size or kind does not exist; the message names it.
    """
    if size not in SIZES:
        raise ValueError(f"Size must be one of {', '.join(SIZES)}, not {size!r}")
    for name in kinds or ():
        if name not in KINDS | LONG_KINDS:
            raise ValueError(f"There is no kind {name!r}; there are {', '.join(KINDS | LONG_KINDS)}")
    usual, long = (
        [((name, draw), weight) for name, (weight, draw) in table.items() if kinds is None or name in kinds]
        for table in (KINDS, LONG_KINDS)
    )
    for index in range(start, start + count):
        dice = Dice(f"{seed}/{index}")
        name, draw = dice.weighted(long if long and (dice.chance(jumbo) or not usual) else usual)
        draft = draw(dice, Bounds(bus=width // 8, mtu_max=mtu_max, budget=dice.weighted(SIZES[size])))
        draft.random_switches(dice)
        frame_len = draft.frame_len(dice, width // 8)
        yield Case(
            frame=bytes(draft.frame),
            vnet_hdr=draft.vnet_hdr(),
            frame_len=frame_len,
            auto=draft.auto,
            mtu=draft.mtu,
            note=f"{name}: {', '.join(draft.notes)}",
            vlan_tci=draft.vlan_tci,
            keep_id=draft.keep_id,
            id_mode=draft.id_mode,
            tcp_clear=draft.tcp_clear,
            uso_size=draft.uso_size,
            disable=draft.disable,
            user=dice.getrandbits(64) & (1 << user_width) - 1,
        )
