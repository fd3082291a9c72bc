"""One line of the feature table: a request small enough to be read, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from offcut_model import Options, VirtioNetHdr

from .ask import asked, handed_over

__all__ = ["Row"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a feature does, shown on one request.

    Parameters
    ----------
    says : str
        The sentence that the row proves.
    frame : scapy.packet.Packet
        What the host hands over, with right lengths and checksums; the pseudo-header's sum takes the place of those that are asked for.
    asks : mapping of str to int
        Fields of the ``virtio_net_hdr``; the others follow from the frame (:func:`.ask.asked`). None: the header is all zeroes.
    tells : mapping
        What stands beside the request, as :class:`offcut_model.Options` names it.
    shows : str
        What to show of each wire frame, for scapy's ``sprintf``.
    leaves : tuple of str or str
        For each wire frame in order, what ``shows`` gives; or the reason of the drop.
    linux : str
        Nothing if Linux does just that; else the name of a difference in :data:`kernel.differences.DIFFERENCES`, or, if it has a space in it, why
        Linux cannot be asked.
    but : str
        In what small thing Linux differs all the same, by its own choice of order or number.
    """

    says: str
    frame: Packet
    asks: Mapping[str, int] | None
    shows: str
    leaves: tuple[str, ...] | str
    tells: Mapping[str, object] = field(default_factory=dict)
    linux: str = ""
    but: str = ""

    @property
    def asks_linux(self) -> bool:
        """Whether the running kernel can be asked."""
        return " " not in self.linux

    @property
    def options(self) -> Options:
        return Options(**self.tells)  # type: ignore[arg-type]

    @cached_property
    def header(self) -> VirtioNetHdr:
        """The whole request."""
        return VirtioNetHdr() if self.asks is None else asked(self.frame, self.asks)

    @cached_property
    def raw(self) -> bytes:
        """The frame as the host hands it over."""
        return handed_over(self.frame, self.header)

    def seen(self, wire: bytes) -> str:
        """What is shown of a wire frame."""
        return str(Ether(wire).sprintf(self.shows))
