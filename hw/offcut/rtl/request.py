"""A frame with what is asked of it, and how the harness reads both."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from offcut.config import Config
from offcut.rtl.build import FRAG_SEED
from offcut.verilog import Port

__all__ = ["CONFIGURATION", "Packer", "Request"]

FRAME_LEN_MAX = (1 << 20) - 1
VNET_HDR_BYTES = (10, 12, 20, 24)

TUNNEL_OFFSETS = slice(20, 24)
"""Where the 24-byte header has outer_th_offset and inner_nh_offset."""

FRAME_LEN, VLAN_TCI, INSERT_VLAN, KEEP_ID, USER = 112, 132, 148, 149, 160
"""The lowest bits of these fields in ``s_axis_tuser``; below them stand the header's first ten bytes and the tunnel offsets."""

GREATEST = {
    "auto": 1,
    "mtu": 0xFFFF,
    "tcp_clear_first": 0xFFF,
    "tcp_clear_middle": 0xFFF,
    "tcp_clear_last": 0xFFF,
    "id_mode": 2,
    "uso_size": 0xFFFF,
}
"""The configuration inputs that are numbers, without ``cfg_``, and their greatest value. ``disable`` is a set of names."""

CONFIGURATION = ("disable", *GREATEST)
"""All that is sampled with a frame's first beat, without ``cfg_``."""


@dataclass(frozen=True)
class Request:
    """A frame for the engine, with what is asked of it.

    A ``frame_len`` that is not the frame's length makes ``tlast`` come early or late; ``keep`` breaks the contract of ``tkeep``. Whatever does
    not fit its port is refused with a :class:`ValueError` by the engine that is given it.

    Parameters
    ----------
    frame : bytes
        From the Ethernet header on, without FCS; at least one byte.
    vnet_hdr : bytes
        The request: a ``virtio_net_hdr`` of 10, 12, 20 or 24 bytes, or none for all zeroes.
    frame_len : int, optional
        What is claimed in tuser, below 2**20: None for the truth, 0 for unknown.
    auto, mtu, disable, tcp_clear_first, tcp_clear_middle, tcp_clear_last, id_mode, uso_size : optional
        The ``cfg_`` inputs with this frame, where they are not the run's; ``disable`` is a set of feature names.
    keep : mapping of int to int
        ``tkeep`` in place of the right one, by the number of the beat in the frame.
    vlan_tci : int, optional
        The TCI of a VLAN tag to insert.
    keep_id : bool
        Every segment of this frame keeps the IPv4 ID.
    user : int
        The user bits.
    """

    frame: bytes
    vnet_hdr: bytes = b""
    frame_len: int | None = None
    auto: bool | None = None
    mtu: int | None = None
    keep: Mapping[int, int] = field(default_factory=dict)
    vlan_tci: int | None = None
    keep_id: bool = False
    user: int = 0
    disable: frozenset[str] | None = None
    tcp_clear_first: int | None = None
    tcp_clear_middle: int | None = None
    tcp_clear_last: int | None = None
    id_mode: int | None = None
    uso_size: int | None = None

    def __post_init__(self) -> None:
        if self.disable is not None:
            if isinstance(self.disable, str):
                raise ValueError(f"disable is a set of feature names, not the text {self.disable!r}")
            object.__setattr__(self, "disable", frozenset(self.disable))

    def tuser(self) -> int:
        """The bits of ``s_axis_tuser``: 160 and the user bits.

        Raises
        ------
        ValueError
            If the header has no known length, or a number does not fit its field.
        """
        header = bytes(self.vnet_hdr)
        if header and len(header) not in VNET_HDR_BYTES:
            raise ValueError(f"A virtio_net_hdr has 10, 12, 20 or 24 bytes, not {len(header)}")
        frame_len = len(self.frame) if self.frame_len is None else self.frame_len
        if not 0 <= frame_len <= FRAME_LEN_MAX:
            raise ValueError(f"frame_len must lie below {FRAME_LEN_MAX + 1} bytes, not be {frame_len}")
        bits = int.from_bytes(header[:10].ljust(10, b"\0") + header[TUNNEL_OFFSETS], "little") | frame_len << FRAME_LEN
        if self.vlan_tci is not None:
            if not 0 <= self.vlan_tci < 1 << 16:
                raise ValueError(f"vlan_tci must lie between 0 and 65535, not be {self.vlan_tci}")
            bits |= self.vlan_tci << VLAN_TCI | 1 << INSERT_VLAN
        if self.keep_id:
            bits |= 1 << KEEP_ID
        return bits | self.user << USER if self.user else bits


class Packer:
    """Packs requests as harness.cpp reads them.

    Parameters
    ----------
    ports : dict of Port by name
        Of the engine.
    config : Config
    defaults : Request
        It holds the configuration inputs for requests that do not bring their own.

    Raises
    ------
    ValueError
        If a value does not fit.
    """

    def __init__(self, ports: Mapping[str, Port], config: Config, defaults: Request) -> None:
        self._names = [name.removeprefix("cfg_") for name in ports if name.startswith("cfg_") and name != FRAG_SEED]
        self._lanes = config.width // 8
        self._user_width = config.user_width
        self._tuser_bytes = -(-ports["s_axis_tuser"].width // 32) * 4
        head = f"<QQ{self._tuser_bytes}s{len(self._names) * 4}s"
        self._head = struct.Struct(head + "x" * (-struct.calcsize(head) % 8))
        self._defaults = _configuration(defaults)
        self._packed: dict[tuple[object, ...], bytes] = {}
        self._pack_configuration(self._defaults)

    def pack(self, request: Request) -> list[bytes]:
        """Head, frame and faults, each from a multiple of 8.

        Raises
        ------
        ValueError
            If anything of the request does not fit; the message names it.
        """
        bytes_in = len(request.frame)
        if not bytes_in:
            raise ValueError("A frame has at least one byte")
        if not 0 <= request.user < 1 << self._user_width:
            raise ValueError(f"user must fit the engine's {self._user_width} user bits, not be {request.user}")
        tuser = request.tuser().to_bytes(self._tuser_bytes, "little")
        head = self._head.pack(bytes_in, len(request.keep), tuser, self._configuration(request))
        faults = self._faults(request) if request.keep else b""
        return [head, request.frame, bytes(-bytes_in % 8), faults]

    def _faults(self, request: Request) -> bytes:
        beats, masks = -(-len(request.frame) // self._lanes), 1 << self._lanes
        for beat, mask in request.keep.items():
            if not 0 <= beat < beats:
                raise ValueError(f"keep names beat {beat} of a frame that has {beats} (counted from 0)")
            if not 0 <= mask < masks:
                raise ValueError(f"keep must lie between 0 and {masks - 1:#x}, not be {mask:#x}")
        return b"".join(struct.pack("<QQ", beat, mask) for beat, mask in request.keep.items())

    def _configuration(self, request: Request) -> bytes:
        """The configuration inputs with this frame, 32 bits each."""
        own = _configuration(request)
        if own not in self._packed:
            values = (mine if mine is not None else theirs for mine, theirs in zip(own, self._defaults, strict=True))
            self._packed[own] = self._pack_configuration(values)
        return self._packed[own]

    def _pack_configuration(self, values: Iterable[Any]) -> bytes:
        numbers = dict(zip(CONFIGURATION, values, strict=True))
        numbers["disable"] = sum(1 << Config.bit(name) for name in numbers["disable"])
        for name, greatest in GREATEST.items():
            if not 0 <= numbers[name] <= greatest:
                raise ValueError(f"{name} must lie between 0 and {greatest}, not be {numbers[name]}")
        for name in numbers.keys() - set(self._names):
            if numbers[name]:
                raise ValueError(f"The engine has no port cfg_{name}, so {name} can only be 0")
        return struct.pack(f"<{len(self._names)}I", *(numbers.get(name, 0) for name in self._names))


_configuration = attrgetter(*CONFIGURATION)
