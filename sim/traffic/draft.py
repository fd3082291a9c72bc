"""A request while it is being drawn: still open to a change anywhere."""

from dataclasses import dataclass, field
from struct import pack

from .stack import Stack

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
    flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, outer_th_offset, inner_nh_offset : int
        The fields of ``struct virtio_net_hdr``.
    auto, mtu, vlan_tci, keep_id, id_mode, tcp_clear, uso_size, disable
        As in :class:`traffic.Case`.
    stack : Stack or None
        The headers, where the draw built any; its ``frame`` is this one.
    payload : int
        Offset of what is cut.
    length_is_right : bool
        Never lie in frame_len about this frame: its point would be lost.
    length_is_known : bool
        Always tell frame_len.
    is_plain : bool
        Draw nothing beside the request: its point would be lost.
    """

    frame: bytearray
    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    outer_th_offset: int = 0
    inner_nh_offset: int = 0
    auto: bool = False
    mtu: int = 1500
    vlan_tci: int | None = None
    keep_id: bool = False
    id_mode: int = 0
    tcp_clear: tuple[int, int, int] = (0, 0, 0)
    uso_size: int | None = None
    disable: int = 0
    stack: Stack | None = None
    payload: int = 54
    length_is_right: bool = False
    length_is_known: bool = False
    is_plain: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def l3(self):
        """Offset of the outermost IP header."""
        return self.stack.ips[0].at

    @property
    def l4(self):
        """Offset of the innermost transport header."""
        return self.stack.l4

    def insert(self, at, data):
        """Put bytes in front of what is cut; the offsets follow, those in the metadata do not."""
        self.stack.insert(at, data)
        self.payload += len(data)

    def vnet_hdr(self):
        """The 24 bytes."""
        fields = (self.hdr_len, self.gso_size, self.csum_start, self.csum_offset, 0, 0, 0, 0, 0, self.outer_th_offset, self.inner_nh_offset)
        return pack("<BB11H", self.flags & 0xFF, self.gso_type & 0xFF, *(value & 0xFFFF for value in fields))

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

    def random_switches(self, dice):
        """What stands beside the request: VLAN insertion, IPv4 IDs, TCP flags, USO size, features switched off."""
        if self.uso_size is None:
            self.uso_size = dice.weighted(((0, 4), (dice.u16(), 1)))
        if self.is_plain:
            return
        if dice.chance(0.1):
            self.vlan_tci = dice.u16()
            self.notes.append("insert a tag")
        if dice.chance(0.06):
            self.keep_id = True
            self.notes.append("keep the ID")
        self.id_mode = dice.weighted(((0, 8), (1, 1), (2, 1.5)))
        if dice.chance(0.1):
            self.tcp_clear = tuple(dice.weighted(((dice.getrandbits(12), 2), (0x080, 1), (0, 1))) for _ in range(3))
            self.notes.append("masks")
        if dice.chance(0.04):
            self.disable |= dice.weighted(((1 << dice.randrange(15), 4), (dice.getrandbits(16), 1)))
            self.notes.append("switched off")
