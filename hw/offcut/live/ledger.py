"""What a live NIC made, written down before it is made, so that the next start can clear away what a kill left behind.

One file for each live NIC, locked as long as it runs: the kernel frees the lock when its process ends, however it ends. A file that can be locked
is therefore stale. A process belongs to a NIC if it lies in one of its namespaces *and* has the NIC's mark in its environment, which
everything that the NIC started inherits; others (a shell that someone opened there) are left alone.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from offcut.live.network import LiveError, delete_namespace, namespace_path

__all__ = ["MARK", "Ledger", "clear_stale", "end_processes"]

DIRECTORY = Path("/run/offcut")
MARK = "OFFCUT_LIVE"
"""The environment variable that names the NIC which started a process."""

PATIENCE_SECONDS = 2.0
"""Between asking a process to end and ending it."""


class Ledger:
    """The file of one live NIC, held as long as it runs.

    Parameters
    ----------
    name : str
        The NIC's name.
    namespaces : sequence of str
        What it will make.

    Raises
    ------
    LiveError
        If a NIC of this name runs, or somebody else has such a namespace.
    """

    def __init__(self, name: str, namespaces: tuple[str, ...]) -> None:
        DIRECTORY.mkdir(exist_ok=True)
        self._path = DIRECTORY / f"{name}.json"
        self._file = open(self._path, "a+")  # noqa: SIM115, held for long
        try:
            self._claim(name, namespaces)
        except BaseException:
            self._file.close()
            raise

    def _claim(self, name: str, namespaces: tuple[str, ...]) -> None:
        if not _lock(self._file.fileno()):
            raise LiveError(f"a live NIC named {name!r} is running already; end it, or choose another name with --name")
        for namespace in namespaces:
            if namespace_path(namespace).exists():
                self._path.unlink(missing_ok=True)
                raise LiveError(f"there is a network namespace {namespace!r} that offcut did not make; choose another name with --name")
        self._file.truncate(0)
        self._file.write(json.dumps({"namespaces": namespaces}))
        self._file.flush()

    def close(self) -> None:
        """Everything that was made is gone: so is the file."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def clear_stale() -> list[str]:
    """End what was started, and delete what was made, by live NICs that were killed. Returns their names."""
    cleared = []
    for path in sorted(DIRECTORY.glob("*.json")) if DIRECTORY.is_dir() else []:
        with suppress(FileNotFoundError), open(path, "r+") as file:
            if not _lock(file.fileno()) or not path.exists():
                continue
            with suppress(ValueError):  # killed before it had written, so before it had made anything
                namespaces = json.load(file)["namespaces"]
                end_processes(path.stem, namespaces)
                for namespace in namespaces:
                    delete_namespace(namespace)
                cleared.append(path.stem)
            path.unlink()
    return cleared


def end_processes(name: str, namespaces: list[str] | tuple[str, ...]) -> None:
    """End every process that the live NIC ``name`` started in its namespaces; returns when they have gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while found := list(_processes(name, namespaces)):
        late = time.monotonic() > deadline
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.02)


def _processes(name: str, namespaces: list[str] | tuple[str, ...]) -> Iterator[int]:
    inodes = {path.stat().st_ino for path in map(namespace_path, namespaces) if path.exists()}
    mark = f"{MARK}={name}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # it has ended
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and (entry / "ns/net").stat().st_ino in inodes and mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
