"""A peer that shares nothing with us: DPDK's rte_gso cuts the same TCP/IPv4 frames.

What it is known to do otherwise, and how the comparison allows for it:

- it counts the headers, Ethernet's too, into the size of a segment: it is told that much more;
- it computes no checksums: what stood in the frame's two fields must stand in every segment's;
- it does not clear CWR: every segment must have the frame's;
- it leaves IP fragments alone, and does not look at versions or gso_type.
"""

import shlex
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from offcut_model import Options, Refused, VirtioNetHdr, segment
from traffic import requests

SOURCE = Path(__file__).with_name("dpdk_gso.c")
COUNT = 4000
CWR = 0x80
ENVIRONMENT = (
    "--no-huge",
    "-m",
    "256",
    "--no-pci",
    "--no-shconf",
    "--no-telemetry",
    "-l",
    "0",
    "--log-level",
    "error",
    "-d",
    "librte_mempool_ring.so",
)
LONGEST_BYTES = 65_000
"""What one of DPDK's buffers holds."""


def libdpdk(what):
    """Flags for the compiler, or None where there is no libdpdk."""
    if not shutil.which("pkg-config") or not shutil.which("cc"):
        return None
    told = subprocess.run(["pkg-config", what, "libdpdk"], capture_output=True, text=True)
    return shlex.split(told.stdout) if told.returncode == 0 else None


@pytest.fixture(scope="module")
def dpdk(tmp_path_factory):
    """Cut one frame by rte_gso: ``dpdk(frame, segment_bytes, l2, l3, l4)`` gives its segments, none where it leaves the frame alone."""
    if libdpdk("--libs") is None:
        pytest.skip("DPDK's rte_gso needs libdpdk-dev, pkg-config and a C compiler")
    program = tmp_path_factory.mktemp("dpdk") / "dpdk_gso"
    build = ["cc", "-O1", "-Wall", "-Werror", *libdpdk("--cflags"), SOURCE, "-o", program, *libdpdk("--libs")]
    subprocess.run(build, check=True)
    with subprocess.Popen([program, *ENVIRONMENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:

        def cut(frame, *sizes):
            peer.stdin.write(struct.pack("=I4H", len(frame), *sizes) + frame)
            peer.stdin.flush()
            return [peer.stdout.read(*struct.unpack("=I", peer.stdout.read(4))) for _ in range(*struct.unpack("=i", peer.stdout.read(4)))]

        yield cut
        peer.stdin.close()


def layers(frame):
    """Lengths of the Ethernet, IPv4 and TCP headers."""
    l2 = 14
    while frame[l2 - 2 : l2] in (b"\x81\x00", b"\x88\xa8"):
        l2 += 4
    l3 = 4 * (frame[l2] & 15)
    return l2, l3, 4 * (frame[l2 + l3 + 12] >> 4)


def as_dpdk_would(wire, frame):
    """A segment of the model with the frame's checksums and CWR."""
    l2, l3, _ = layers(frame)
    changed = bytearray(wire)
    for field in (l2 + 10, l2 + l3 + 16):
        changed[field : field + 2] = frame[field : field + 2]
    changed[l2 + l3 + 13] = changed[l2 + l3 + 13] & ~CWR | frame[l2 + l3 + 13] & CWR
    return bytes(changed)


def test_rte_gso_cuts_tcp_over_ipv4_as_the_model_does(dpdk, seed):
    compared = 0
    for case in requests(seed, COUNT, kinds=("tso",), jumbo=0):
        header = VirtioNetHdr.parse(case.vnet_hdr)
        try:
            expected = segment(case.frame, header, Options(mtu_max=0xFFFFF))
        except Refused:
            continue
        l2, l3, l4 = layers(case.frame)
        is_fragment = int.from_bytes(case.frame[l2 + 6 : l2 + 8], "big") & 0x3FFF
        size = l2 + l3 + l4 + header.gso_size
        if len(expected) < 2 or is_fragment or len(case.frame) > LONGEST_BYTES or size > 0xFFFF:
            continue
        assert dpdk(case.frame, size, l2, l3, l4) == [as_dpdk_would(wire, case.frame) for wire in expected], case.note
        compared += 1
    assert compared > COUNT / 4


KNOWN = {
    "it counts the headers into the size": (0, lambda ours, theirs: (len(ours[0]), len(theirs[0])) == (1054, 1000)),
    "it computes no checksums": (54, lambda ours, theirs: [w[50:52] for w in theirs] == [b"\x12\x34"] * 3 != [w[50:52] for w in ours]),
    "it does not clear CWR": (
        54,
        lambda ours, theirs: ([w[47] & CWR for w in ours], [w[47] & CWR for w in theirs]) == ([CWR, 0, 0], [CWR] * 3),
    ),
}


@pytest.mark.parametrize("what", KNOWN)
def test_a_known_difference_is_still_there(dpdk, what):
    headers = bytes.fromhex(
        "020000000002 020000000001 0800 450005dc 00010000 40060000 0a000001 0a000002 9c400050 00000001 00000002 50ff0200 12340000"
    )
    frame = headers + bytes(range(1, 251)) * 10
    more, differs = KNOWN[what]
    ours = segment(frame, VirtioNetHdr(gso_type=1, gso_size=1000))
    assert differs(ours, dpdk(frame, 1000 + more, 14, 20, 20))
