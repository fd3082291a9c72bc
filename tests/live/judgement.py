"""What must hold after any run over a live NIC."""

import itertools
import os

from offcut.live.network import HOST, PEER
from offcut.live.report import CLEAN

__all__ = ["assert_clean", "frames_of", "own_name"]

NUMBERS = itertools.count()


def own_name():
    """A NIC's name that no other test uses."""
    return f"offcut-test-{os.getpid()}-{next(NUMBERS)}"


def assert_clean(nic, *, retransmits=False):
    """No error that the peer's kernel saw, no drop by the engine or a TAP; and no retransmission, unless some are to be expected."""
    counters, host, peer = nic.counters(), nic.statistics(HOST), nic.statistics(PEER)
    assert {name: peer.get(name, 0) for name in CLEAN} == dict.fromkeys(CLEAN, 0)
    assert counters.dropped == {} and counters.unwritten == 0
    assert (host["DeviceTxDropped"], peer["DeviceTxDropped"]) == (0, 0)
    if not retransmits:
        assert host["TcpRetransSegs"] == 0


def frames_of(path):
    """The records of a pcap."""
    data = path.read_bytes()
    at, frames = 24, []
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        frames.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return frames
