"""The tables of docs/virtio.md. Pure Python."""

from .features import FEATURES
from .registers import CONFIG, REGISTERS

__all__ = ["tables"]


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---' for _ in head)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]) + "\n"


def tables():
    """Each table by the name between its marks."""
    return {
        "registers": table(
            ("offset", "register", "", "what"),
            [(f"0x{one.offset:03x}", one.name, one.access, one.what) for one in REGISTERS],
        ),
        "config": table(
            ("offset", "field", "bytes", "what"),
            [(f"0x{0x100 + one.at:03x}", f"`{one.name}`", one.size, one.what) for one in CONFIG],
        ),
        "features": table(
            ("bit", "feature", "what", "only with one of", "offered if the engine has"),
            [(one.bit, one.name, one.what, ", ".join(one.needs), f"`{one.engine}`" if one.engine else "") for one in FEATURES],
        ),
    }
