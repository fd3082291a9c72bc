"""One process at a time: two runs of the tests may share a build folder."""

import fcntl
from contextlib import contextmanager

__all__ = ["locked"]


@contextmanager
def locked(path):
    """Hold the lock that is a file at ``path``, made if it is not there; others wait. It ends with the process at the latest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
