"""Debian's kernel, unchanged, drives the device with its own virtio_net, and its TCP and the peer's find nothing to complain about."""

import hashlib
import random
import re

import pytest

from guest.features import OFFERED, SHOWN, bits, names
from guest.machine import known_features
from guest.peer import PATIENCE_SECONDS, PORT, Peer
from offcut.live.network import HOST, PEER
from offcut.live.report import CLEAN

MEGABYTES, LONG_MEGABYTES = 4, 100
ADDRESSES = {"IPv4": PEER.ipv4, "IPv6": PEER.ipv6}
WIRE_BYTES = 1514

QEMU_OWN = {"MAC", "STATUS", "ACCESS_PLATFORM"}
"""Features that QEMU itself answers for: it holds the configuration space, and has no IOMMU here."""
NOT_IN_QEMU = {"ORDER_PLATFORM"}


@pytest.fixture
def size(long_campaign):
    """Bytes to transfer."""
    return (LONG_MEGABYTES if long_campaign else MEGABYTES) * 1_000_000


@pytest.fixture
def peer(guest):
    """Takes connections at the peer's end."""
    with Peer(guest.namespace) as peer:
        yield peer


def assert_clean(guest):
    """Nothing was dropped anywhere, no frame was above the MTU, and no checksum was wrong in either kernel."""
    counters, peer = guest.counters(), guest.statistics()
    assert counters.dropped == {} and (counters.refused, counters.unwritten) == (0, 0)
    assert counters.longest_out <= WIRE_BYTES
    assert {name: peer.get(name, 0) for name in CLEAN} == dict.fromkeys(CLEAN, 0)
    snmp = [line.split() for line in guest.console.run("grep ^Tcp: /proc/net/snmp").splitlines()]
    tcp = dict(zip(*snmp, strict=True))
    assert (tcp["InErrs"], tcp["InCsumErrors"]) == ("0", "0")
    errors = guest.console.run("cat /sys/class/net/eth0/statistics/*_errors /sys/class/net/eth0/statistics/*_dropped").split()
    assert set(errors) == {"0"}


def test_the_stock_driver_takes_the_device_and_accepts_all_that_qemu_passes_on(guest):
    told = guest.console.run("ethtool -i eth0; uname -r; cat /sys/bus/virtio/devices/virtio0/features")
    assert "driver: virtio_net" in told and re.search(r"^\S+-cloud-amd64$", told, re.M)
    accepted = names(int(told.split()[-1][::-1], 2))
    assert accepted == (OFFERED & known_features()) - NOT_IN_QEMU
    assert guest.device.features == bits(OFFERED)
    assert guest.accepted() == accepted - QEMU_OWN


def test_ethtool_shows_the_offloads_on(guest):
    lines = guest.console.run("ethtool -k eth0").splitlines()
    shown = dict(line.strip().split(": ", 1) for line in lines[1:])
    for feature, lines in SHOWN.items():
        for line in lines:
            assert shown[line].startswith("on") == (feature in known_features()), line
    assert shown["large-receive-offload"].startswith("off")


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_the_peer_answers(guest, address):
    assert "5 packets received" in guest.console.run(f"ping -c 5 -i 0.1 -s 1000 {address}")
    assert_clean(guest)


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_a_file_leaves_the_guest_cut_into_wire_frames_and_arrives_with_its_hash(guest, peer, size, address):
    digest = guest.console.run(f"head -c {size} /dev/urandom >/tmp/file; sha256sum /tmp/file").split()[0]
    before, served = guest.counters(), peer.serve()
    guest.console.run(f"nc {address} {PORT} </tmp/file", PATIENCE_SECONDS)
    served.join()
    after = guest.counters()
    assert (served.length, served.digest.hexdigest()) == (size, digest)
    assert after.super_frames_in - before.super_frames_in > size / 65536 / 2
    assert after.frames_out - before.frames_out > size / WIRE_BYTES > after.frames_in - before.frames_in
    assert after.longest_out == WIRE_BYTES
    assert_clean(guest)


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_a_file_comes_into_the_guest_with_its_hash(guest, peer, size, seed, address):
    data = random.Random(seed).randbytes(size // 4)
    served = peer.serve(data)
    said = guest.console.run(f"nc {address} {PORT} </dev/null | sha256sum", PATIENCE_SECONDS)
    served.join()
    assert said.split()[0] == hashlib.sha256(data).hexdigest()
    assert_clean(guest)


def test_files_go_both_ways_at_once(guest, peer, size, seed):
    data = random.Random(seed).randbytes(size // 4)
    digest = guest.console.run(f"head -c {size // 4} /dev/urandom >/tmp/file; sha256sum /tmp/file").split()[0]
    served = peer.serve(data)
    said = guest.console.run(f"nc {PEER.ipv4} {PORT} </tmp/file | sha256sum", PATIENCE_SECONDS)
    served.join()
    assert (said.split()[0], served.digest.hexdigest()) == (hashlib.sha256(data).hexdigest(), digest)
    assert_clean(guest)


def test_the_driver_can_be_unbound_and_bound_again(guest):
    drivers = "/sys/bus/virtio/drivers/virtio_net"
    for _ in range(3):
        guest.console.run(f"echo virtio0 >{drivers}/unbind")
        guest.console.run(f"echo virtio0 >{drivers}/bind; ip link set eth0 up; ip address add {HOST.ipv4}/24 dev eth0")
        assert "3 packets received" in guest.console.run(f"ping -c 3 -i 0.1 {PEER.ipv4}")
    assert_clean(guest)
