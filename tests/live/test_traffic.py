"""What real sockets see of the engine: offloads by name, segments on the wire, UDP_SEGMENT, VXLAN, many connections, ten minutes of mixed load."""

import json
import os
import socket
import sys
import threading
import time
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
from judgement import assert_clean, frames_of

from offcut.config import FEATURES, Config
from offcut.live.network import HOST, PEER, inside
from offcut_model import Options, VirtioNetHdr, segment

LOAD = Path(__file__).parents[2] / "scripts" / "load"
ETH_P_ALL, SO_RCVBUFFORCE = 3, 33
ETHERNET_BYTES = 14
LONG_SECONDS = 600
FLAT_BYTES = 4 << 20
"""By how much the memory may grow in ten minutes of load: the queues' slots are touched one by one."""


@pytest.fixture
def load(finished):
    """Run scripts/load from the host's side to its sink on the peer's; what it says."""

    def run(nic, *arguments):
        return json.loads(finished(nic, HOST, [sys.executable, str(LOAD), *map(str, arguments)]))

    return run


def serve(nic):
    nic.start_server(PEER, [sys.executable, str(LOAD), "sink"])


@contextmanager
def witness(nic, end):
    """The lengths in bytes of all frames that a packet socket sees at one end, by whether they go out."""
    seen = {True: [], False: []}
    with inside(nic.namespace(end)):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
    tap.settimeout(0.1)
    done = threading.Event()

    def look():
        while not done.is_set():
            try:
                length, (device, _, kind, *_) = tap.recvfrom_into(bytearray(1), 0, socket.MSG_TRUNC)
            except TimeoutError:
                continue
            if device == end.device:
                seen[kind == socket.PACKET_OUTGOING].append(length)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        time.sleep(0.2)
        done.set()
        thread.join()
        tap.close()


SHOWN = {
    "tx-checksum-ip-generic": "tx-checksum-ip-generic",
    "tx-tcp-segmentation": "tcp-segmentation-offload",
    "tx-tcp6-segmentation": "tx-tcp6-segmentation",
    "tx-tcp-ecn-segmentation": "tx-tcp-ecn-segmentation",
    "tx-udp-segmentation": "tx-udp-segmentation",
    "tx-udp_tnl-segmentation": "tx-udp_tnl-segmentation",
    "tx-udp_tnl-csum-segmentation": "tx-udp_tnl-csum-segmentation",
}
"""By what name `ethtool -k` shows an offload."""


def switches(text):
    return dict(line.strip().split(": ", 1) for line in text.decode().splitlines()[1:])


@pytest.mark.parametrize("features", [FEATURES.keys(), ["tx-checksum-ip-generic"], []], ids=["all", "checksum", "none"])
def test_ethtool_shows_what_the_engine_has_and_nothing_more(live, program, finished, features):
    ethtool = program("ethtool")
    with live(config=Config(features=frozenset(features)), engine="model") as nic:
        host, peer = (switches(finished(nic, end, [ethtool, "-k", end.device])) for end in (HOST, PEER))
        assert set(nic.offers) <= set(features) and ("tx-checksum-ip-generic" in nic.offers) == bool(features)
    for feature, shown in SHOWN.items():
        assert host[shown].startswith("on") == (feature in nic.offers), shown
        assert peer[shown].startswith("off"), shown


@pytest.mark.parametrize("engine", ["rtl", "model"])
def test_the_host_sends_frames_far_above_the_mtu_and_the_peer_sees_none(live, load, engine):
    with live(engine=engine) as nic:
        serve(nic)
        with witness(nic, HOST) as host, witness(nic, PEER) as peer:
            load(nic, "tcp", PEER.ipv4)
        assert_clean(nic)
    assert max(host[True]) > 10 * 1500
    assert max(peer[False]) == 1500 + ETHERNET_BYTES


@pytest.mark.parametrize("engine", ["rtl", "model"])
def test_the_wire_carries_what_the_model_makes_of_each_request_byte_for_byte(live, load, tmp_path, engine):
    with live(engine=engine, pcap=tmp_path) as nic:
        serve(nic)
        load(nic, "tcp", PEER.ipv4, "--bytes", 3_000_000)
        load(nic, "tcp", PEER.ipv6, "--bytes", 1_000_000)
        load(nic, "udp", PEER.ipv4, "--bytes", 300_000)
        header_bytes = 24 if "tx-udp_tnl-segmentation" in nic.offers else 10
    options = Options(features=Config().features)
    expected = []
    for data in frames_of(tmp_path / "request.pcap"):
        expected += segment(data[header_bytes:], VirtioNetHdr.parse(data, header_bytes), options)
    host = bytes.fromhex(HOST.mac.replace(":", ""))
    assert [frame for frame in frames_of(tmp_path / "peer.pcap") if frame[6:12] == host] == expected
    assert max(map(len, frames_of(tmp_path / "host.pcap"))) > 1500 + ETHERNET_BYTES


DATAGRAMS = {"gso": {1272: 6, 560: 1}, "split": {1272: 6, 560: 1}, "fragment": {8192: 1}}


@pytest.mark.parametrize("address", [PEER.ipv4, PEER.ipv6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("how", DATAGRAMS)
def test_8192_bytes_of_udp_at_1272_arrive_as_six_datagrams_and_one_of_560(live, load, how, address):
    count = 100
    with live() as nic:
        serve(nic)
        before = nic.counters().super_frames_in
        said = load(nic, "udp", address, "--how", how, "--bytes", count * 8192)
        assert said["arrived"] == {str(size): number * count for size, number in DATAGRAMS[how].items()}
        assert_clean(nic)
        cut = nic.counters().super_frames_in - before
        assert cut == (count if how == "gso" and "tx-udp-segmentation" in nic.offers else 0)


VXLAN = (
    "ip link add vxlan0 type vxlan id 7 remote {there} local {here} dstport 4789 dev {device} {checksum}"
    " && ip link set vxlan0 up && ip address add {inner} dev vxlan0 nodad"
)
TUNNELS = {
    "IPv4 in IPv4": (4, ("192.0.2.1/24", "192.0.2.2/24"), "noudpcsum"),
    "IPv4 in IPv4 with outer checksum": (4, ("192.0.2.1/24", "192.0.2.2/24"), "udpcsum"),
    "IPv6 in IPv4": (4, ("2001:db8::1/64", "2001:db8::2/64"), "noudpcsum"),
    "IPv4 in IPv6": (6, ("192.0.2.1/24", "192.0.2.2/24"), ""),
    "IPv6 in IPv6": (6, ("2001:db8::1/64", "2001:db8::2/64"), ""),
}


@pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)
def test_vxlan_over_the_link_works(live, load, finished, tunnel):
    family, inner, checksum = tunnel
    with live() as nic:
        ends = (HOST, PEER)
        for here, there, address in zip(ends, ends[::-1], inner, strict=True):
            outer = [end.ipv4 if family == 4 else end.ipv6 for end in (here, there)]
            words = {"here": outer[0], "there": outer[1], "device": here.device, "inner": address, "checksum": checksum}
            try:
                finished(nic, here, VXLAN.format(**words))
            except AssertionError as error:
                if "Unknown device type" in str(error) or "not supported" in str(error):
                    pytest.skip("this kernel has no VXLAN devices")
                raise
        serve(nic)
        load(nic, "tcp", inner[1].partition("/")[0])
        assert_clean(nic)
        assert (nic.counters().super_frames_in > 100) == ("tx-udp_tnl-segmentation" in nic.offers)


def test_a_hundred_connections_at_once_lose_no_frame(live, load, long_campaign):
    megabytes = 100 if long_campaign else 10
    with live() as nic:
        serve(nic)
        load(nic, "tcp", PEER.ipv4, "--connections", 100, "--bytes", megabytes * 1_000_000)
        assert_clean(nic, retransmits=True)
        assert nic.counters().lost == 0


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS * 2)
@pytest.mark.parametrize("width", [64, 512])
def test_ten_minutes_of_mixed_load_lose_no_frame_and_leave_the_memory_flat(live, load, width):
    with live(config=Config(width=width)) as nic:
        serve(nic)
        begun, before = time.monotonic(), 0
        for number, address in enumerate(cycle((PEER.ipv4, PEER.ipv6))):
            for how in DATAGRAMS:
                load(nic, "udp", address, "--how", how, "--bytes", 3_000_000)
            load(nic, "tcp", address, "--bytes", 30_000_000)
            load(nic, "tcp", address, "--bytes", 10_000_000, "--connections", 20)
            if number == 3:
                before = resident_bytes()
            if time.monotonic() - begun > LONG_SECONDS:
                break
        assert_clean(nic, retransmits=True)
        assert resident_bytes() - before < FLAT_BYTES


def test_a_command_of_another_width_and_mtu_is_cut_at_its_own_mtu(live, load):
    with live(config=Config(width=512), mtu=9000) as nic:
        serve(nic)
        with witness(nic, PEER) as peer:
            load(nic, "tcp", PEER.ipv4)
        assert_clean(nic)
    assert max(peer[False]) == 9000 + ETHERNET_BYTES
