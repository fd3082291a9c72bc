"""What a run did: counted, and told as a table or as JSON."""

import json
from dataclasses import dataclass, field

from offcut.cli.engines import Request, Result
from offcut_model import REASONS

__all__ = ["Report"]


@dataclass(slots=True)
class Report:
    """The sums over a run. ``width`` (bits), ``clocks`` and ``beats`` are None for an engine without a clock.

    ``bytes_in`` and ``bytes_out`` count frames, without their requests and without FCS.
    """

    engine: str
    width: int | None
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    clocks: int | None = None
    beats: int | None = None

    def add(self, requests: list[Request], result: Result) -> None:
        """Count one batch."""
        self.frames_in += len(requests)
        self.frames_out += len(result.frames)
        self.bytes_in += sum(len(request.frame) for request in requests)
        self.bytes_out += sum(map(len, result.frames))
        for reason, count in result.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        if result.clocks is not None and result.beats is not None:
            self.clocks = (self.clocks or 0) + result.clocks
            self.beats = (self.beats or 0) + result.beats

    def json(self) -> str:
        """One JSON object, with the keys that the interface promises."""
        keys = ("frames_in", "frames_out", "bytes_in", "bytes_out", "dropped", "engine", "width", "clocks", "beats")
        return json.dumps({key: getattr(self, key) for key in keys})

    def table(self) -> str:
        """The same for people."""
        rows = [
            ("engine", self.engine, "" if self.width is None else f"{self.width} bits wide"),
            ("frames in", f"{self.frames_in:,}", ""),
            ("segments out", f"{self.frames_out:,}", ""),
            ("bytes in", f"{self.bytes_in:,}", ""),
            ("bytes out", f"{self.bytes_out:,}", ""),
        ]
        if self.clocks is not None and self.beats is not None and self.width is not None:
            clocks = max(self.clocks, 1)
            rows += [
                ("clocks", f"{self.clocks:,}", ""),
                ("bytes per clock", f"{self.bytes_out / clocks:.3f}", f"of {self.width // 8}"),
                ("clocks with a beat", f"{self.beats / clocks:.2%}", ""),
            ]
        rows.append(("dropped", f"{sum(self.dropped.values()):,}", ""))
        rows += [(f"  {reason}", f"{count:,}", REASONS.get(reason, "")) for reason, count in sorted(self.dropped.items())]
        label, value = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{row[0]:<{label}}  {row[1]:>{value}}  {row[2]}".rstrip() for row in rows)
