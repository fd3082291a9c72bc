"""What the register list looks like as a Markdown table and as a C header. Pure Python."""

from collections.abc import Iterator

from offcut import __version__
from offcut.config import Config
from offcut.core.registers import COUNTERS, MAGIC, REGISTERS, Register, built, initial

__all__ = ["c_header", "markdown"]

BUILT = "as built"
"""In place of a value after reset that differs from build to build."""

INCLUDE_GUARD = "OFFCUT_REGS_H"


def _bits(low: int, width: int) -> str:
    return str(low) if width == 1 else f"{low + width - 1}:{low}"


def _is_built(register: Register) -> bool:
    return register.name in built(Config()) and register.name != "magic"


def markdown() -> str:
    """The registers as Markdown: a table of words, then one of the fields of each word that has several."""
    lines = ["| offset | register | access | after reset | |", "|---:|---|---|---:|---|"]
    for register in REGISTERS:
        if register.access == "high":  # stands with its low half
            continue
        reset = BUILT if _is_built(register) else f"0x{initial(register):X}" if initial(register) else "0"
        names, access = f"`{register.name}`", register.access
        if access == "low":
            names, access = f"{names}, `_high`", "ro"
        lines.append(f"| 0x{register.offset:03X} | {names} | {access} | {reset} | {register.doc} |")
    for register in REGISTERS:
        if [field.name for field in register.fields] == [register.name]:
            continue
        lines += ["", f"### {register.name}", "", "| bits | field | |", "|---:|---|---|"]
        lines += [f"| {_bits(field.low, field.width)} | `{field.name}` | {field.doc} |" for field in register.fields]
    return "\n".join(lines) + "\n"


def c_header() -> str:
    """The registers as a C header: offsets, masks and shifts as macros, the counters as a table; for the kernel, for U-Boot and user space."""
    return "\n".join([*_header_lines(), ""])


def _header_lines() -> Iterator[str]:
    yield "/* SPDX-License-Identifier: Apache-2.0 */"
    yield f"/* Registers of offcut_core, Offcut {__version__}. Made by scripts/docs from hw/offcut/core/registers.py: do not edit. */"
    yield f"#ifndef {INCLUDE_GUARD}"
    yield f"#define {INCLUDE_GUARD}"
    yield ""
    yield f"#define OFFCUT_MAGIC_VALUE 0x{MAGIC:08X}U"
    for register in REGISTERS:
        name = _macro(register.name)
        if register.access not in ("low", "high"):
            yield ""
            yield f"/* {_plain(register.doc)} */"
        yield f"#define OFFCUT_{name} 0x{register.offset:03X}U"
        if register.access in ("low", "high"):
            continue
        for field in register.fields:
            # A word with a single field from bit 0 on is its field, but may be narrower than the word.
            base = f"OFFCUT_{name}" if field.name == register.name else f"OFFCUT_{name}_{_macro(field.name)}"
            yield f"#define {base}_SHIFT {field.low}"
            yield f"#define {base}_MASK 0x{((1 << field.width) - 1) << field.low:08X}U"
    yield ""
    yield "/*"
    yield " * Counters: X(name as ethtool -S shows it, offset of the low half). The high half is 4 bytes further."
    yield " * Read the low half first: that keeps the high half of the same moment. Whoever else may read counters"
    yield " * between the two must be kept out."
    yield " */"
    yield "#define OFFCUT_COUNTERS(X) \\"
    for number, name in enumerate(COUNTERS):
        end = " \\" if number < len(COUNTERS) - 1 else ""
        yield f"\tX({name}, OFFCUT_{_macro(name)}_LOW){end}"
    yield ""
    yield f"#endif /* {INCLUDE_GUARD} */"


def _macro(name: str) -> str:
    return name.upper().replace("-", "_")


def _plain(text: str) -> str:
    return text.replace("`", "")
