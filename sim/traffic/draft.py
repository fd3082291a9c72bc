"""A request while it is being drawn: still open to a change anywhere."""

from dataclasses import dataclass, field
from struct import pack

__all__ = ["Bounds", "Draft"]


@dataclass(frozen=True)
class Bounds:
    """What a draw must know of the engine: bytes a beat, its longest wire frame, and the bytes that this request may cost."""

    bus: int
    mtu_max: int
    budget: int


@dataclass
class Draft:
    """A frame and its metadata, with the offsets at which its builder put the headers.

    Attributes
    ----------
    frame : bytearray
    flags, gso_type, hdr_len, gso_size, csum_start, csum_offset : int
        The fields of ``struct virtio_net_hdr``.
    l3, l4, payload : int
        Offsets of the IP header, the transport header and what follows that.
    length_is_right : bool
        Never lie in frame_len about this frame: its point would be lost.
    length_is_known : bool
        Always tell frame_len.
    """

    frame: bytearray
    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    auto: bool = False
    mtu: int = 1500
    l3: int = 14
    l4: int = 34
    payload: int = 54
    length_is_right: bool = False
    length_is_known: bool = False
    notes: list[str] = field(default_factory=list)

    def vnet_hdr(self):
        """The ten bytes."""
        fields = (self.hdr_len, self.gso_size, self.csum_start, self.csum_offset)
        return pack("<BBHHHH", self.flags & 0xFF, self.gso_type & 0xFF, *(value & 0xFFFF for value in fields))

    def frame_len(self, dice, bus):
        """Draw what the metadata says about the length: unknown, right or wrong."""
        length = len(self.frame)
        if self.length_is_known:
            return length
        told = dice.weighted((("unknown", 48), ("right", 45), ("wrong", 0 if self.length_is_right else 7)))
        if told == "unknown":
            return 0
        if told == "right":
            return length
        wrong = dice.weighted((
            (dice.near(length), 3),
            (dice.near(length, 2 * bus), 3),
            (dice.getrandbits(20), 1),
            (dice.randint(1, 60), 1),
            (length // 2, 1),
        ))
        if wrong not in (0, length):
            self.notes.append("frame_len wrong")
        return wrong

    def random_config(self, dice):
        """The cfg inputs where they do not matter to what is drawn."""
        self.auto = dice.chance(0.5)
        self.mtu = dice.weighted(((1500, 3), (0, 1), (dice.getrandbits(16), 1)))
        return self
