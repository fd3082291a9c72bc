"""The registers of ``offcut_core``: the one list that the gateware, docs/registers.md, the C header and the IP-XACT description are made of.

Pure Python: importable without Amaranth.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from offcut import __version__
from offcut.config import FEATURES, UFO_ORDERS, Config
from offcut.ip.layouts import REQUESTS

__all__ = [
    "ADDR_WIDTH",
    "COUNTERS",
    "COUNTERS_AT",
    "COUNTER_BITS",
    "MAGIC",
    "REGISTERS",
    "SETTINGS",
    "WORD_BYTES",
    "Field",
    "Register",
    "built",
    "initial",
]

WORD_BYTES = 4
"""Every register is one word."""

ADDR_WIDTH = 12
"""Bits of a byte address on ``s_axil``: the registers have a page."""

MAGIC = int.from_bytes(b"OFCT", "little")

COUNTER_BITS = 64
COUNTERS_AT = 0x100

COUNTERS = {
    "tx_frames": "frames taken from the host",
    "tx_bytes": "their bytes: the lanes that were kept, beat by beat, without a `virtio_net_hdr` in front",
    "tx_segments": "frames that left for the wire",
    "tx_segment_bytes": "their bytes, without FCS",
    "tx_drop_bad_keep": "dropped: the input contract is broken",
    "tx_drop_length_mismatch": "dropped: the frame's length is not the one that was told",
    "tx_drop_truncated": "dropped: the frame ends inside the headers that its request needs",
    "tx_drop_header_too_long": "dropped: the headers that its request needs do not fit into 256 bytes",
    "tx_drop_too_long": "dropped: a wire frame would exceed mtu_max",
    "tx_drop_too_big": "dropped: the frame is above the MTU and nothing says how to cut it",
    "tx_drop_bad_request": "dropped: the request asks for what does not exist",
    "tx_drop_bad_header": "dropped: the headers contradict the request",
    "tx_drop_disabled": "dropped: the feature is not built in, or switched off",
}
"""The counters by the names that ``ethtool -S`` is to show, and what they count."""


@dataclass(frozen=True)
class Field:
    """Bits of a register: ``width`` of them from bit ``low`` on. The rest of the word is reserved: 0 when read, ignored when written."""

    name: str
    low: int
    width: int
    doc: str
    reset: int = 0


@dataclass(frozen=True)
class Register:
    """One word.

    Parameters
    ----------
    name : str
    offset : int
        In bytes, a multiple of 4.
    access : str
        ``"ro"`` is fixed when the core is built, or shows a state; ``"rw"`` holds what was written; ``"wo"`` does something where a 1 is
        written, and reads as 0; ``"low"`` and ``"high"`` are the halves of a counter.
    doc : str
    fields : tuple of Field
    """

    name: str
    offset: int
    access: str
    doc: str
    fields: tuple[Field, ...]

    @property
    def mask(self) -> int:
        """The bits that mean something."""
        return sum(((1 << field.width) - 1) << field.low for field in self.fields)


def _one(name: str, offset: int, access: str, doc: str, width: int = 32) -> Register:
    """A register with a single field of its own name."""
    return Register(name, offset, access, doc, (Field(name, 0, width, doc),))


def _per_feature(what: str) -> tuple[Field, ...]:
    return tuple(Field(name, bit, 1, what) for bit, name in enumerate(FEATURES))


SETTINGS = (
    Register(
        "cfg_auto",
        0x40,
        "rw",
        "whether the engine parses by itself",
        (Field("auto", 0, 1, "1: frames whose request is all zeroes are handled by parsing"),),
    ),
    _one("cfg_mtu", 0x44, "rw", "IP MTU for `cfg_auto`, in bytes; 0 means 1500", 16),
    Register(
        "cfg_disable",
        0x48,
        "rw",
        "switches features off: frames that ask for one are dropped",
        _per_feature("1: off"),
    ),
    _one("cfg_tcp_clear_first", 0x4C, "rw", "XORed with 0x009, the TCP flags that the first segment loses", 12),
    _one("cfg_tcp_clear_middle", 0x50, "rw", "XORed with 0x089, those of the segments between", 12),
    _one("cfg_tcp_clear_last", 0x54, "rw", "XORed with 0x080, those of the last segment", 12),
    _one("cfg_id_mode", 0x58, "rw", "the IPv4 ID from segment to segment: 0 counts, 1 stays, 2 counts in the low 15 bits", 2),
    _one("cfg_uso_size", 0x5C, "rw", "payload bytes of the datagrams that `cfg_auto` cuts UDP into; 0: it fragments", 16),
    _one("cfg_frag_seed", 0x60, "rw", "keys the identification of IPv6 fragments"),
)
"""What the engine is told. Written values wait until ``control.apply``, then count together."""


def _counter(number: int, name: str, doc: str) -> tuple[Register, Register]:
    at = COUNTERS_AT + number * COUNTER_BITS // 8
    high = _one(f"{name}_high", at + WORD_BYTES, "high", "the upper half, as it was when a lower one was read last")
    return _one(f"{name}_low", at, "low", doc), high


REGISTERS = (
    _one("magic", 0x00, "ro", f'0x{MAGIC:08X}: "OFCT" in memory'),
    Register(
        "version",
        0x04,
        "ro",
        "of Offcut, as `offcut --version` prints it",
        (Field("major", 24, 8, "major"), Field("minor", 16, 8, "minor"), Field("patch", 0, 16, "patch")),
    ),
    Register(
        "build",
        0x08,
        "ro",
        "what the core was built with",
        (
            Field("width", 0, 10, "bus width in bits"),
            Field("ufo_first", 10, 1, "1: of a fragmented datagram the fragment with the UDP header leaves first"),
            Field("user_width", 16, 7, "user bits beside each frame"),
            Field("requests", 24, 3, f"where requests come from: {', '.join(f'{number} {name}' for number, name in enumerate(REQUESTS))}"),
        ),
    ),
    _one("mtu_max", 0x0C, "ro", "the longest frame that may leave, in bytes with its Ethernet header", 16),
    Register(
        "features",
        0x10,
        "ro",
        "the features that are built in, by their names in `ethtool -k`",
        _per_feature("1: built in"),
    ),
    _one("scratch", 0x14, "rw", "holds what is written, for whoever wants to see the bus work"),
    Register(
        "control",
        0x18,
        "wo",
        "a 1 does something",
        (
            Field("apply", 0, 1, "what was written to the `cfg_` registers counts from the next frame on, all of it at once"),
            Field("reset", 1, 1, "resets the engine when no frame is in the middle of leaving; see `status`"),
        ),
    ),
    Register(
        "status",
        0x1C,
        "ro",
        "what the core is doing",
        (
            Field("resetting", 0, 1, "1: a reset was asked for and waits for the end of the frame that is leaving"),
            Field("pending", 1, 1, "1: a `cfg_` register was written and not applied yet"),
            Field("receiving", 2, 1, "1: the host is in the middle of a frame"),
        ),
    ),
    *SETTINGS,
    *(register for number, (name, doc) in enumerate(COUNTERS.items()) for register in _counter(number, name, doc)),
)
"""Every register, in the order of their offsets."""


def initial(register: Register) -> int:
    """A register's value after reset, as far as it is the same in every build."""
    if register.name == "magic":
        return MAGIC
    return sum(field.reset << field.low for field in register.fields)


def built(config: Config, requests: str = REQUESTS[0]) -> Mapping[str, int]:
    """The values of the registers that are fixed when a core is built, by name."""
    major, minor, patch = (int(part) for part in re.findall(r"\d+", __version__)[:3])
    return {
        "magic": MAGIC,
        "version": major << 24 | minor << 16 | patch,
        "build": config.width | UFO_ORDERS.index(config.ufo_order) << 10 | config.user_width << 16 | REQUESTS.index(requests) << 24,
        "mtu_max": config.mtu_max,
        "features": sum(1 << Config.bit(name) for name in config.features),
    }
