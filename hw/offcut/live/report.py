"""What a live NIC has done, told as a line, as a table, or as JSON."""

import json
from dataclasses import asdict

from offcut.live.counters import Counters
from offcut_model import REASONS

__all__ = ["CLEAN", "Report", "status_line"]

CLEAN = ("TcpInCsumErrors", "IpInHdrErrors", "UdpInCsumErrors", "Ip6InHdrErrors")
"""Counters of the peer's kernel that stay 0 behind an engine that is right."""


def status_line(before: Counters, now: Counters, seconds: float) -> str:
    """One line about the last ``seconds``."""
    rates = [f"{(now.bytes_out - before.bytes_out) * 8e-6 / seconds:8.1f} Mb/s"]
    if now.clocks:
        rates.append(f"{(now.clocks - before.clocks) * 1e-6 / seconds:6.2f} M clocks/s")
    counts = {
        "host": f"{now.frames_in:,} ({now.super_frames_in:,} cut)",
        "wire": f"{now.frames_out:,}",
        "back": f"{now.back_frames:,}",
        "dropped": f"{sum(now.dropped.values()):,}",
    }
    if now.lost or now.reordered:
        counts |= {"lost": f"{now.lost:,}", "late": f"{now.reordered:,}"}
    return "  ".join([*rates, *(f"{name} {value}" for name, value in counts.items())])


class Report:
    """A whole run.

    Parameters
    ----------
    counters : Counters
    host, peer : dict of str to int
        What the kernels counted at either end (:meth:`offcut.live.Session.statistics`).
    seconds : float
        How long it took.
    engine : str
    width : int or None
        Bus width in bits; None for an engine without a bus.
    mtu : int
    """

    def __init__(
        self, counters: Counters, host: dict[str, int], peer: dict[str, int], *, seconds: float, engine: str, width: int | None, mtu: int
    ) -> None:
        self._counters, self._host, self._peer = counters, host, peer
        self._seconds, self._engine, self._width, self._mtu = seconds, engine, width, mtu

    def numbers(self) -> dict[str, object]:
        """Everything, by name."""
        return {
            "engine": self._engine,
            "width": self._width,
            "mtu": self._mtu,
            "seconds": self._seconds,
            **asdict(self._counters),
            "tap_dropped": {"host": self._host.get("DeviceTxDropped", 0), "peer": self._peer.get("DeviceTxDropped", 0)},
            "retransmitted": self._host.get("TcpRetransSegs", 0),
            "peer_errors": {name: self._peer.get(name, 0) for name in CLEAN},
        }

    def json(self) -> str:
        """One JSON object."""
        return json.dumps(self.numbers())

    def table(self) -> str:
        """For people."""
        counters = self._counters
        rows = [
            ("engine", self._engine, "" if self._width is None else f"{self._width} bits wide"),
            ("seconds", f"{self._seconds:,.2f}", ""),
            ("frames from the host", f"{counters.frames_in:,}", f"{counters.super_frames_in:,} of them to cut"),
            ("wire frames", f"{counters.frames_out:,}", f"of at most {self._mtu + 14:,} bytes"),
            ("frames back", f"{counters.back_frames:,}", ""),
            ("bytes in", f"{counters.bytes_in:,}", ""),
            ("bytes out", f"{counters.bytes_out:,}", f"{counters.bytes_out * 8e-6 / max(self._seconds, 1e-9):,.1f} Mb/s"),
        ]
        if counters.clocks and self._width:
            speed = counters.clocks * 1e-6 / max(counters.engine_seconds, 1e-9)
            rows += [
                ("clocks", f"{counters.clocks:,}", f"{speed:.2f} million in a second of CPU time"),
                ("bytes per clock", f"{counters.bytes_out / counters.clocks:.3f}", f"of {self._width // 8}"),
            ]
        rows.append(("dropped by the engine", f"{sum(counters.dropped.values()):,}", ""))
        rows += [(f"  {reason}", f"{count:,}", REASONS.get(reason, "")) for reason, count in sorted(counters.dropped.items())]
        rows += [
            (
                "dropped by the TAPs",
                f"{self._host.get('DeviceTxDropped', 0) + self._peer.get('DeviceTxDropped', 0) + counters.unwritten:,}",
                "",
            ),
            ("lost on the wire", f"{counters.lost:,}", f"{counters.reordered:,} more came late"),
            ("retransmitted by TCP", f"{self._host.get('TcpRetransSegs', 0):,}", ""),
            *((f"peer: {name}", f"{self._peer.get(name, 0):,}", "") for name in CLEAN),
        ]
        label, value = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{row[0]:<{label}}  {row[1]:>{value}}  {row[2]}".rstrip() for row in rows)
