"""The records of a capture as requests, in batches."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from offcut.cli.engines import Request
from offcut.cli.errors import CommandError, reason
from offcut.cli.output import STANDARD

if TYPE_CHECKING:
    from tqdm import tqdm

    from offcut.cli.capture import Record

__all__ = ["VNET_HDR_BYTES", "as_request", "batches", "distinct", "no_terminal", "opened", "ticker"]

VNET_HDR_BYTES = (10, 12, 20, 24)
"""The sizes of ``virtio_net_hdr`` that there are."""

LONGEST_FRAME_BYTES = (1 << 20) - 1
"""What tuser's frame_len can tell."""

BATCH_BYTES = 1 << 26
"""Frames are cut in batches of this many bytes, so a capture may be longer than the memory."""


def distinct(source: str, *outputs: str | None) -> None:
    """No file may be read and written, or written twice. (Devices and pipes may.)"""
    seen: set[str] = set()
    if outputs.count(STANDARD) > 1:
        raise CommandError("- is named twice: only one of the output and the picture can go to standard output")
    for name in filter(None, (source, *outputs)):
        path = os.path.realpath(name)
        if name != STANDARD and path in seen and (os.path.isfile(path) or not os.path.exists(path)):
            raise CommandError(f"{name} is named twice: the capture, the output and the picture must be three files")
        seen.add(path)


def ticker(progress: "tqdm[Any]", what: str, before: int) -> Callable[[int], None]:
    """Tell how far an engine is in this batch."""
    progress.set_description_str(what)
    return lambda done: progress.update(before + done - progress.n)


def no_terminal(output: str, json: bool) -> None:
    """Standard output can take a capture, or JSON, or show neither on a screen."""
    if output == STANDARD:
        if json:
            raise CommandError("--json prints on standard output, where the capture goes with -o -; name a file with -o")
        if sys.stdout.isatty():
            raise CommandError("standard output is a terminal, which shows no capture; name a file with -o, or pipe it on")


def opened(name: str) -> io.BufferedReader:
    """A capture, or standard input."""
    if name == STANDARD:
        if sys.stdin is None:
            raise CommandError("cannot read standard input: it is closed")
        return cast(io.BufferedReader, sys.stdin.buffer)
    try:
        if os.path.isdir(name):
            raise IsADirectoryError(0, "it is a directory; name a capture in it")
        return open(name, "rb")
    except OSError as error:
        raise CommandError(f"cannot read {name}: {reason(error)}") from None


def batches(first: "Record | None", records: "Iterator[Record]") -> "Iterator[list[Record]]":
    """The records in lists of about :data:`BATCH_BYTES`."""
    batch = [first] if first else []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.data)
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def as_request(record: "Record", header_bytes: int, name: str) -> Request:
    """A record's frame behind its ``virtio_net_hdr`` of ``header_bytes``."""
    if len(record.data) <= header_bytes > 0:
        raise CommandError(
            f"{name}: record {record.number} has {len(record.data)} bytes, which leaves no frame behind a virtio_net_hdr of {header_bytes}; "
            "was it captured with one? (--vnet-hdr-size)"
        )
    frame = record.data[header_bytes:]
    if len(frame) > LONGEST_FRAME_BYTES:
        raise CommandError(
            f"{name}: record {record.number} has {len(frame)} bytes; the longest frame there can be has {LONGEST_FRAME_BYTES}"
        )
    return Request(frame, record.data[:header_bytes])
