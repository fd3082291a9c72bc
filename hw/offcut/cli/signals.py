"""Signals that end a command: as an exception, so that it leaves nothing half written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["Terminated", "terminable"]

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """A signal asked the process to end.

    Attributes
    ----------
    status : int
        What a shell expects as exit status.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`Terminated` where the process would have ended at once. A signal that is ignored, as by ``nohup``, stays ignored."""
    if threading.current_thread() is not threading.main_thread():  # nobody else may set handlers
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(number)
