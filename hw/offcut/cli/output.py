"""Files that appear whole or not at all."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from offcut.cli.errors import CommandError, reason

__all__ = ["STANDARD", "Output", "replacing"]

STANDARD = "-"
"""The name of standard input and standard output."""


class Output:
    """A file being written, whose errors name it as its user does."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = file

    def write(self, data: bytes) -> None:
        with _explained(self._name):
            self._file.write(data)

    def flush(self) -> None:
        with _explained(self._name):
            self._file.flush()


@contextmanager
def replacing(name: str) -> Iterator[Output]:
    """Open ``name`` for writing; it gets its new contents at the end, and keeps the old ones if anything fails.

    What is written goes to a file beside it first. Devices, pipes and standard output (``-``) are written directly.

    Raises
    ------
    CommandError
        If it cannot be written.
    """
    if name == STANDARD:
        output = Output("standard output", sys.stdout.buffer)
        try:
            yield output
            output.flush()
        except CommandError:
            # What is still in its buffer cannot be written either: Python would try once more when it ends, and say so in its own words.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            raise
        return
    path = Path(os.path.realpath(name))  # a link stays a link, and what it points to is replaced
    with _explained(name):
        if path.is_dir():
            raise IsADirectoryError(0, "it is a directory; name a file in it")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(0, "permission denied")
        replace = path.is_file() or not path.exists()
        file: IO[bytes]
        if replace:
            file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
        else:
            file = path.open("wb")
    try:
        yield Output(name, file)
        with _explained(name):
            file.close()
            if replace:
                os.chmod(file.name, _mode(path))
                os.replace(file.name, path)
    except BaseException:
        with suppress(OSError):
            file.close()
        if replace:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
        raise


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot write {name}: {reason(error)}") from None


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
