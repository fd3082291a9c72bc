"""The command, called in this process, and the captures that it is called on."""

import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from offcut.cli import main
from offcut.cli.capture import read_capture

DATA = Path(__file__).parent.parent / "data"


class Outcome(NamedTuple):
    """What a command gave back and printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def offcut(capsys):
    """Call the command: ``offcut("segment", path, ...)``."""

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # --help and --version
            status = end.code
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture
def capture():
    """The path of a bundled capture by its name."""
    return lambda name: DATA / f"{name}.pcap"


@pytest.fixture
def records():
    """The records of a capture by its path."""

    def read(path, **options):
        with open(path, "rb") as file:
            return list(read_capture(file, str(path), **options))

    return read


@pytest.fixture
def pcap(tmp_path):
    """Write a pcap of (time in the file's unit, frame[, bytes on the wire]) and give its path."""

    def write(frames, *, order="<", magic=0xA1B2C3D4, link_type=1, name="in.pcap"):
        data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)
        for (seconds, fraction), frame, *wire_bytes in frames:
            data += struct.pack(order + "4I", seconds, fraction, len(frame), *(wire_bytes or [len(frame)])) + frame
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
