"""The feature table as Markdown."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable

from kernel.differences import DIFFERENCES
from offcut.config import DEFAULT_FEATURES, FEATURES
from offcut_model import REASONS

from .row import Row
from .table import AUTO, TABLE

__all__ = ["differences", "features"]

LAYERS = {
    "IP": "IPv4",
    "Dot1Q": "802.1Q",
    "Dot1AD": "802.1ad",
    "IPv6ExtHdrHopByHop": "hop-by-hop",
    "SCTPChunkData": "DATA",
    "Ether": "Ethernet",
    "Raw": "",
}
TYPES = {0: "", 1: "TCPv4", 3: "UDP", 4: "TCPv6", 5: "UDP_L4"}
BITS = {0x20: "UDP_TUNNEL_IPV4", 0x40: "UDP_TUNNEL_IPV6", 0x80: "ECN"}
FLAGS = {1: "NEEDS_CSUM", 8: "UDP_TUNNEL_CSUM"}

HEXADECIMAL = ("tcp_clear_first", "tcp_clear_middle", "tcp_clear_last", "vlan_tci")

SHOWN = 4
"""Most wire frames that are shown; of more, all but the middle ones are left out."""

KINDS = {
    "On purpose": "Where Offcut differs on purpose",
    "Kernel's bug": "Where Linux is wrong",
    "Kernel's limit": "Where Linux has a limit",
    "The question cannot be asked": "What Linux cannot be asked through a TAP device",
}
"""The sections of the differences, by how their docstrings begin."""


def features() -> str:
    """A section a feature, and one for `auto`."""
    sections = [(f"### {name}", _about(name), TABLE[name]) for name in FEATURES]
    sections.append(("### auto", "What becomes of frames that carry no request, with `cfg_auto` 1 and `cfg_mtu` 576.", AUTO))
    return "\n".join(f"{title}\n{about}\n\n{_table(rows)}" for title, about, rows in sections)


def differences() -> str:
    """Every known difference to the running kernel, by its reason."""
    found = defaultdict(list)
    for difference in DIFFERENCES:
        kind, sentence = _docstring(difference)
        found[kind].append(f"- {_sentence(sentence)}")
    return "\n".join("\n".join([f"### {title}", *found[kind], ""]) for kind, title in KINDS.items() if found[kind])


def _about(name: str) -> str:
    return f"{_sentence(FEATURES[name])}{'' if name in DEFAULT_FEATURES else ' (not built in unless asked for)'}."


def _sentence(text: str) -> str:
    """With a capital, unless it begins with the name of a field."""
    return text if "_" in text.split()[0] else f"{text[:1].upper()}{text[1:]}"


def _table(rows: Iterable[Row]) -> str:
    lines = ["| what it does | a request | what leaves | Linux |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(_cell(text) for text in (row.says, _asked(row), _leaves(row), _linux(row)))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def _asked(row: Row) -> str:
    layers = [LAYERS.get(layer.__name__, layer.__name__) for layer in row.frame.layers()]
    names = [name for name in layers if name]
    names = names[1:] or names
    payload = len(row.frame.lastlayer()) if row.frame.lastlayer().__class__.__name__ == "Raw" else 0
    parts = [f"{' / '.join(names)}{f', {payload:,} bytes' if payload else ''}", *_request(row)]
    implied = ("auto", "mtu") if row in AUTO else ()
    parts += [f"`{name}` {_value(name, value)}" for name, value in row.tells.items() if name not in implied]
    return "; ".join(parts)


def _request(row: Row) -> list[str]:
    if row.asks is None:
        return [] if row in AUTO else ["no request"]
    header = row.header
    kind = [TYPES[header.gso_type & 7], *(name for bit, name in BITS.items() if header.gso_type & bit)]
    flags = [name for bit, name in FLAGS.items() if header.flags & bit]
    if not header.gso_type:
        where = [f"csum_start {header.csum_start}, csum_offset {header.csum_offset}"] if "csum_start" in row.asks else []
        return [" + ".join(flags), *where]
    shown = [" + ".join(kind)]
    if flags != ["NEEDS_CSUM"]:
        shown.append(" + ".join(flags) or "no flags")
    return [*shown, f"gso_size {header.gso_size}"]


def _value(name: str, value: object) -> str:
    if name in HEXADECIMAL:
        return f"{value:#x}"
    if isinstance(value, set | frozenset):
        left_out = sorted(DEFAULT_FEATURES - value)
        return "all" if not left_out else ", ".join(sorted(value))
    return str(value)


def _leaves(row: Row) -> str:
    if isinstance(row.leaves, str):
        return f"nothing: `{row.leaves}`, {REASONS[row.leaves]}"
    lines = list(row.leaves)
    if len(lines) > SHOWN:
        lines[2:-1] = [f"… {len(lines)} in all"]
    return "\n".join(lines)


def _linux(row: Row) -> str:
    if not row.linux:
        return f"the same, {row.but}" if row.but else "the same"
    if not row.asks_linux:
        return row.linux
    kind, sentence = _docstring(next(difference for difference in DIFFERENCES if difference.__name__ == row.linux))
    return f"{kind.lower()}: {sentence}"


def _docstring(difference: Callable[..., bool]) -> tuple[str, str]:
    """How a difference's docstring begins, and the rest of it as one line."""
    kind, _, sentence = " ".join((inspect.getdoc(difference) or "").split()).partition(": ")
    return kind, sentence
