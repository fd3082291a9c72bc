"""What the guest is made of: packages of this machine's Debian, fetched by its own apt and unpacked in a folder; nothing is installed."""

import re
import shutil
import subprocess
from pathlib import Path

from guest.errors import Unavailable
from offcut.rtl.build import cache_directory, kept

__all__ = ["packages"]

KERNEL = "linux-image-cloud-amd64"
"""Debian's kernel for virtual machines. The package itself is empty: it depends on the newest one."""

PROGRAMS = ("busybox-static", "ethtool", "libmnl0", "libc6")
"""A shell with its tools, and ethtool with the libraries that it is linked with."""

RELEASE = Path("/etc/os-release")


def packages() -> Path:
    """The folder with the unpacked packages. The first time they are fetched: 30 MB.

    Raises
    ------
    Unavailable
        If this is no Debian, or its packages cannot be had.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Unavailable(f"the guest is made of Debian's packages, and there is no {program} here")
    ingredients = [RELEASE.read_text() if RELEASE.exists() else "", KERNEL, *PROGRAMS]
    return kept(cache_directory(), "guest-packages", ingredients, "", _fetch)


def _fetch(folder: Path) -> None:
    archives = folder / "archives"
    archives.mkdir(parents=True)
    try:
        _download(archives, [])
    except Unavailable:  # package lists are often missing in an image, and only root may renew them: so we take lists of our own
        try:
            _download(archives, _own_lists(archives))
        except Unavailable as error:
            raise Unavailable(f"the guest is made of Debian's packages, and they cannot be fetched here: {error}") from None
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(archive), str(folder)])
    shutil.rmtree(archives)


def _download(archives: Path, options: list[str]) -> None:
    shown = _run(["apt-cache", *options, "show", "--no-all-versions", KERNEL])
    named = re.search(r"^Depends: .*?\b(linux-image-[0-9][^ ,]*)", shown, flags=re.M)
    if named is None:
        raise Unavailable(f"apt knows no {KERNEL}")
    _run(["apt-get", *options, "download", named[1], *PROGRAMS], archives)


def _own_lists(archives: Path) -> list[str]:
    """The options with which apt uses package lists in our folder, fetched just now."""
    options = []
    for name, directory in (("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")):
        (archives / directory / "partial").mkdir(parents=True)
        options += ["-o", f"{name}={archives / directory}"]
    _run(["apt-get", *options, "update"])
    return options


def _run(command: list[str], directory: Path | None = None) -> str:
    run = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
        raise Unavailable(f"`{' '.join(command[:1] + command[-2:])}` failed: {lines[-1]}")
    return run.stdout
