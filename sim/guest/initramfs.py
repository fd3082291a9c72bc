"""The guest's root: an archive of a few files out of Debian's packages and our ``init``, as the kernel unpacks it (initramfs, format newc)."""

import lzma
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from guest.errors import GuestError

__all__ = ["initramfs", "kernel_image", "kernel_release"]

INIT = Path(__file__).with_name("init")

MODULES = ("virtio", "virtio_ring", "virtio_mmio", "failover", "net_failover", "virtio_net")
"""Drivers, as far as Debian's kernel has not built them in."""

LIBRARIES = ("libmnl.so.0", "libm.so.6", "libc.so.6")
INTERPRETER = "ld-linux-x86-64.so.2"
"""Of ethtool."""

DIRECTORIES = ("bin", "dev", "etc", "lib", "lib/modules", "lib64", "proc", "root", "sys", "tmp")


class Entry(NamedTuple):
    """One file of the archive; ``device`` is a device node's major and minor number."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def initramfs(packages: Path) -> bytes:
    """The archive, made of the ``packages`` (:func:`guest.packages.packages`)."""
    return b"".join(_newc(number, entry) for number, entry in enumerate([*_entries(packages), Entry("TRAILER!!!", 0)]))


def kernel_image(packages: Path) -> Path:
    return _only(packages, ["boot/vmlinuz-*"])


def kernel_release(packages: Path) -> str:
    """As ``uname -r`` tells it in the guest."""
    return kernel_image(packages).name.removeprefix("vmlinuz-")


def _entries(packages: Path) -> Iterator[Entry]:
    for name in DIRECTORIES:
        yield Entry(name, stat.S_IFDIR | 0o755)
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield Entry("init", stat.S_IFREG | 0o755, INIT.read_bytes())
    yield _program("bin/busybox", _only(packages, ["bin/busybox", "usr/bin/busybox"]))
    yield _program("bin/ethtool", _only(packages, ["sbin/ethtool", "usr/sbin/ethtool"]))
    for name in LIBRARIES:
        yield _program(f"lib/{name}", _library(packages, name))
    yield _program(f"lib64/{INTERPRETER}", _library(packages, INTERPRETER))
    modules = f"lib/modules/{kernel_release(packages)}"
    yield Entry(modules, stat.S_IFDIR | 0o755)
    built_in = _only(packages, [f"{modules}/modules.builtin", f"usr/{modules}/modules.builtin"])
    for name in MODULES:
        if f"/{name}.ko" in built_in.read_text():
            continue
        path = _only(packages, [f"{built_in.parent.relative_to(packages)}/kernel/**/{name}.{suffix}" for suffix in ("ko", "ko.xz")])
        content = path.read_bytes()
        yield Entry(f"{modules}/{name}.ko", stat.S_IFREG | 0o644, lzma.decompress(content) if path.suffix == ".xz" else content)


def _library(packages: Path, name: str) -> Path:
    return _only(packages, [f"lib/*/{name}", f"usr/lib/*/{name}"])


def _program(name: str, path: Path) -> Entry:
    return Entry(name, stat.S_IFREG | 0o755, path.read_bytes())


def _only(packages: Path, patterns: Iterable[str]) -> Path:
    """The first file that a pattern finds; where a link leads, inside the folder."""
    for pattern in patterns:
        for path in sorted(packages.glob(pattern)):
            if path.is_file():
                return path
    raise GuestError(f"Debian's packages hold no {' or '.join(patterns)}: remove {packages} to fetch them again")


def _newc(number: int, entry: Entry) -> bytes:
    """One file as the archive holds it (Documentation/driver-api/early-userspace/buffer-format.rst): 13 numbers of 8 digits, name, content."""
    name = entry.name.encode() + b"\0"
    links, (major, minor) = 1 + stat.S_ISDIR(entry.mode), entry.device
    numbers = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, major, minor, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % value for value in numbers) + name
    return _padded(head) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
