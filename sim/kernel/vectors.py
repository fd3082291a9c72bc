"""Requests with the kernel's answers, recorded, for machines where the kernel cannot be asked.

Make them again with ``PYTHONPATH=sim python -m kernel.vectors FILE`` as root.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from offcut.oracle import KernelOracle
from offcut_model import VirtioNetHdr
from traffic import KINDS as KINDS_DRAWN
from traffic import LONG_KINDS, Case, requests

from .differences import without_identification

__all__ = ["KINDS", "Vector", "load", "question", "record"]

_NOT_ASKED = ("auto", "gre", "ipip")
KINDS = tuple(name for name in (*KINDS_DRAWN, *LONG_KINDS) if not name.startswith(_NOT_ASKED))
"""The kinds of :mod:`traffic` that a kernel can be asked about: not ``auto``, which is Offcut's own, nor tunnels that a request cannot name."""

_SEED = "vectors"
_DRAWS = 8000
_EACH_TRAIT = 1
_NUMBER = re.compile(r"\d+")
_FRAME_BYTES = 260
_ANSWER_BYTES = 800


@dataclass(frozen=True)
class Vector:
    """One request and the kernel's ``answer``, as :meth:`.KernelOracle.ask` gives it but for what is random; ``note`` says what is special."""

    note: str
    header: VirtioNetHdr
    frame: bytes
    answer: list[bytes] | None


def question(case: Case) -> tuple[VirtioNetHdr, bytes]:
    """A case of :mod:`traffic` as the kernel is asked: without hdr_len, which the kernel holds against the frame's length."""
    return replace(VirtioNetHdr.parse(case.vnet_hdr), hdr_len=0), case.frame


def record() -> list[Vector]:
    """Small requests, each with a trait that few before it had, and what this machine's kernel answers. The requests are always the same."""
    seen: Counter[str] = Counter()
    vectors = []
    with KernelOracle() as kernel:
        for case in requests(_SEED, _DRAWS, size="small", jumbo=0, kinds=KINDS):
            traits = {f"{case.kind}: {trait}" for trait in _NUMBER.sub("n", case.note.partition(": ")[2]).split(", ")}
            header, frame = question(case)
            if len(frame) > _FRAME_BYTES or all(seen[trait] >= _EACH_TRAIT for trait in traits):
                continue
            answer = without_identification(header, frame, kernel.ask(header.pack(24), frame))
            if sum(map(len, answer or ())) <= _ANSWER_BYTES:
                seen.update(traits)
                vectors.append(Vector(case.note, header, frame, answer))
    return vectors


def load(path: Path) -> list[Vector]:
    """The vectors that :func:`main` wrote."""
    return [
        Vector(
            one["note"],
            VirtioNetHdr.parse(bytes.fromhex(one["virtio_net_hdr"])),
            bytes.fromhex(one["frame"]),
            None if one["kernel"] is None else [bytes.fromhex(wire) for wire in one["kernel"]],
        )
        for one in json.loads(path.read_text())
    ]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kernel.vectors FILE")
    lines = [
        json.dumps({
            "note": vector.note,
            "virtio_net_hdr": vector.header.pack(24).hex(),
            "frame": vector.frame.hex(),
            "kernel": None if vector.answer is None else [wire.hex() for wire in vector.answer],
        })
        for vector in record()
    ]
    Path(sys.argv[1]).write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
