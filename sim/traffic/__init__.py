"""Random requests that look for trouble: the one source of frames for every random test.

    for case in requests(seed=1, count=300, width=64):
        segment(case.frame, ...)

The frames are packed by hand here (:mod:`traffic.frames`), apart from the model's and the gateware's tables, so that a wrong offset in
either shows. What is drawn, and how often, stands in the tables of :mod:`traffic.kinds`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .dice import Dice
from .draft import Bounds
from .kinds import KINDS
from .kinds import jumbo as draw_jumbo

__all__ = ["KINDS", "SIZES", "Case", "requests"]

SIZES = {
    "small": ((200, 60), (700, 30), (2500, 10)),
    "full": ((400, 35), (1500, 30), (5000, 25), (14000, 10)),
}
"""Bytes on the wire that one request may cost, each with its weight. A few edges (frames at ``mtu_max``) cost what they must."""


@dataclass(frozen=True)
class Case:
    """One request: a frame, its metadata, and the configuration inputs that are sampled with it.

    Attributes
    ----------
    frame : bytes
        The frame from its Ethernet header on, without FCS; at least one byte.
    vnet_hdr : bytes
        Ten bytes of ``struct virtio_net_hdr``, little-endian.
    frame_len : int
        What the metadata says about the frame's length in bytes: 0 means unknown; it may be wrong.
    auto : bool
        The ``cfg_auto`` input.
    mtu : int
        The ``cfg_mtu`` input, 16 bits; 0 means 1500.
    note : str
        ``kind: what is special``, for messages and for counting what was covered.
    """

    frame: bytes
    vnet_hdr: bytes
    frame_len: int
    auto: bool
    mtu: int
    note: str

    @property
    def kind(self) -> str:
        """The name in :data:`KINDS` that the case was drawn from."""
        return self.note.partition(":")[0]

    @property
    def tuser(self) -> int:
        """``s_axis_tuser`` of the frame's first beat, 160 bits."""
        return int.from_bytes(self.vnet_hdr, "little") | self.frame_len << 112


def requests(
    seed: int | str,
    count: int,
    *,
    width: int = 64,
    mtu_max: int = 9216,
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
    size : str
        One of :data:`SIZES`.
    jumbo : float
        Share of requests of about 64 KiB, 0 to 1.
    kinds : tuple of str, optional
        Names out of :data:`KINDS` to draw from; all of them by default.
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
        if name not in KINDS:
            raise ValueError(f"There is no kind {name!r}; there are {', '.join(KINDS)}")
    table = {name: KINDS[name] for name in kinds or KINDS}
    weighted = [((name, draw), weight) for name, (weight, draw) in table.items()]
    for index in range(start, start + count):
        dice = Dice(f"{seed}/{index}")
        name, draw = dice.weighted(weighted)
        if dice.chance(jumbo):
            name, draw = "jumbo", draw_jumbo
        draft = draw(dice, Bounds(bus=width // 8, mtu_max=mtu_max, budget=dice.weighted(SIZES[size])))
        yield Case(
            frame=bytes(draft.frame),
            vnet_hdr=draft.vnet_hdr(),
            frame_len=draft.frame_len(dice, width // 8),
            auto=draft.auto,
            mtu=draft.mtu,
            note=f"{name}: {', '.join(draft.notes)}",
        )
