"""How far a long command is, on a terminal."""

import sys
import time
from types import TracebackType

__all__ = ["Progress"]

INTERVAL_S = 0.1


class Progress:
    """One line on standard error that is rewritten in place and gone at the end; nothing at all where that is no terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._on:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, text: str, *, now: bool = False) -> None:
        """Show ``text``, at most ten times a second unless it has to be seen ``now``."""
        if self._on and (now or time.monotonic() - self._last > INTERVAL_S):
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._last = time.monotonic()
