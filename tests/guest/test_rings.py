"""The rings, served over vhost-user to a driver that lays them out awkwardly: every wire frame is the model's, and every frame back arrives whole."""

import random
import socket
import time

import pytest

from bench.difference import difference
from bench.harness import ufo_buffer
from bench.scoreboard import Answers
from guest.backend import Backend
from guest.features import OFFERED, bits, names
from guest.front_end import FrontEnd
from guest.gateware import GatewareDevice
from guest.rings import RECEIVE
from guest.software import SoftwareDevice
from offcut.config import Config
from traffic import requests

COUNT, LONG_COUNT = 300, 5000
INDICES = (1 << 16) + 200
CONFIG = Config()
MAC, MTU = bytes.fromhex("020ffc070001"), 1500
HEADER_BYTES = 12
LONGEST_BYTES = 1 << 16
PATIENCE_SECONDS = 120

DEVICES = {
    "rtl": lambda wire: GatewareDevice(CONFIG, wire, mac=MAC, mtu=MTU),
    "model": lambda wire: SoftwareDevice(CONFIG, wire),
}
REFUSED = {
    "all features": set(),
    "no event index": {"EVENT_IDX"},
    "no indirect descriptors": {"INDIRECT_DESC"},
    "neither": {"EVENT_IDX", "INDIRECT_DESC"},
}


@pytest.fixture(params=DEVICES)
def plugged(request, tmp_path):
    """Makes a device with a driver: ``driver, wire, device = plugged()``. The wire is a socket; in the end, nothing may have failed that was not
    said to."""
    ends, forgiven = [], []

    def plug(*, fails=False, **driver):
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        far.settimeout(PATIENCE_SECONDS)
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        device = DEVICES[request.param](near.fileno())
        backend = Backend(tmp_path / f"rings-{len(ends)}", device)
        ends.append((backend, device, near, far))
        forgiven.append(fails)
        front_end = FrontEnd(tmp_path / f"rings-{len(ends) - 1}", **driver)
        ends[-1] += (front_end,)
        return front_end, far, device

    yield plug
    failures = [bool(backend.failure()) for backend, *_ in ends]
    for backend, device, near, far, *front_end in ends:
        for end in front_end:
            end.close()
        backend.close()
        device.close()
        near.close()
        far.close()
    assert failures == forgiven


def cases(seed, count):
    """Requests as a driver can make them."""
    for case in requests(seed, count, width=CONFIG.width):
        if len(case.frame) + HEADER_BYTES <= LONGEST_BYTES:
            yield case.by_virtio()


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_every_wire_frame_is_the_models(plugged, seed, long_campaign, refused):
    driver, wire, device = plugged(refuse=frozenset(refused), seed=seed)
    driver.start()
    answers = Answers(mtu_max=CONFIG.mtu_max, features=CONFIG.features, ufo_order=CONFIG.ufo_order, ufo_buffer=ufo_buffer(CONFIG))
    dropped, count = 0, 0
    for case in cases(seed, LONG_COUNT if long_campaign else COUNT):
        driver.send(case.vnet_hdr + bytes(2) + case.frame)
        count += 1
        segments, reason = answers(case)
        dropped += reason is not None
        for expected in segments:
            came = wire.recv(LONGEST_BYTES)
            assert came == expected, f"{case.note}\n{difference(expected, came)}"
    settle(driver, count)
    counters = device.counters()
    assert (counters.frames_in, sum(counters.dropped.values()), counters.refused, counters.unwritten) == (count, dropped, 0, 0)


def settle(driver, count):
    """All that was sent is given back."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (reaped := driver.reap()) < count:
        assert time.monotonic() < deadline, f"{reaped} of {count} frames were given back"
        time.sleep(0.001)


RECEIVE_BUFFERS = {
    "one buffer a frame": lambda dice: (1600,),
    "small buffers": lambda dice: (dice.randrange(64, 400),),
    "buffers in pieces": lambda dice: (12, dice.randrange(50, 300), dice.randrange(1, 900)),
}


@pytest.mark.parametrize("buffers", RECEIVE_BUFFERS.values(), ids=RECEIVE_BUFFERS)
def test_every_frame_from_the_wire_arrives_whole(plugged, seed, buffers):
    dice = random.Random(seed)
    driver, wire, device = plugged(seed=seed)
    driver.start()
    frames = [dice.randbytes(dice.choice((14, 60, 61, 64, 590, 1514, dice.randrange(14, 1515)))) for _ in range(COUNT)]
    sent, came = 0, []
    for _ in range(64):
        driver.provide(*buffers(dice))
    while len(came) < len(frames):
        while sent < len(frames) and sent < len(came) + 16:
            wire.send(frames[sent])
            sent += 1
        driver.rings[RECEIVE].wait()
        for used, data in driver.receive():
            assert data[:10] == bytes(10) and len(data) == HEADER_BYTES + len(frames[len(came)])
            assert data[HEADER_BYTES:] == frames[len(came)], difference(frames[len(came)], data[HEADER_BYTES:])
            came.append(used)
            for _ in range(used):
                driver.provide(*buffers(dice))
    assert device.counters().back_frames == len(frames)


def marked(dice, mark):
    return bytes([mark]) * 6 + dice.randbytes(dice.randrange(8, 1500))


@pytest.mark.parametrize("busy", [0, 1, 40])
def test_a_reset_in_mid_transfer_loses_nothing_of_what_comes_behind_it(plugged, seed, busy):
    dice = random.Random(seed)
    driver, wire, _ = plugged(seed=seed)
    for round_ in range(1, 6):
        driver.start()
        frames = [marked(dice, round_) for _ in range(10)]
        for _ in range(32):
            driver.provide(1600)
        for frame in frames:
            driver.send(bytes(HEADER_BYTES) + frame)
        came = []
        while len(came) < len(frames):
            frame = wire.recv(LONGEST_BYTES)
            if frame[0] == round_:
                came.append(frame)
        assert came == frames
        for frame in frames:
            wire.send(frame)
        came = []
        while len(came) < len(frames):
            driver.rings[RECEIVE].wait()
            for _, data in driver.receive():
                driver.provide(1600)
                came += [data[HEADER_BYTES:]] * (data[HEADER_BYTES] == round_)
        assert came == frames
        for _ in range(busy):
            driver.send(bytes(HEADER_BYTES) + marked(dice, 0))
            wire.send(marked(dice, 0))
        assert all(base <= 0xFFFF for base in driver.stop())


def test_memory_may_be_mapped_anew_while_frames_are_under_way(plugged, seed):
    dice = random.Random(seed)
    driver, wire, _ = plugged(seed=seed)
    driver.start()
    frames = [marked(dice, 1) for _ in range(100)]
    for number, frame in enumerate(frames):
        driver.send(bytes(HEADER_BYTES) + frame)
        if number % 7 == 0:
            driver.share_memory()
    assert [wire.recv(LONGEST_BYTES) for _ in frames] == frames


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("plugged", ["rtl"], indirect=True)
def test_the_rings_go_round_and_so_do_their_indices(plugged, seed):
    """Both indices of both rings are of 16 bits, the events', too: frames arrive either way behind the 65,536th."""
    driver, wire, device = plugged(seed=seed)
    driver.start()
    for _ in range(64):
        driver.provide(80)
    sent = came = 0
    while came < INDICES:
        batch = min(64, INDICES - sent)
        for _ in range(batch):
            driver.send(bytes(HEADER_BYTES) + sent.to_bytes(14, "big"))
            sent += 1
        for number in range(sent - batch, sent):
            assert wire.recv(LONGEST_BYTES) == number.to_bytes(14, "big")
            wire.send(number.to_bytes(14, "little"))
        settle(driver, sent)
        while came < sent:
            driver.rings[RECEIVE].wait()
            for _, data in driver.receive():
                assert data[HEADER_BYTES:] == came.to_bytes(14, "little")
                came += 1
                driver.provide(80)
    assert device.counters().back_frames == INDICES


@pytest.mark.parametrize("plugged", ["rtl"], indirect=True)
@pytest.mark.parametrize(("address", "asked"), [(0x8000_0000, True), (0x2_0000_0000, False)], ids=["in a hole", "beyond the window"])
def test_a_frame_that_lies_outside_the_guests_memory_makes_the_gateware_ask_for_a_reset(plugged, seed, address, asked):
    driver, _, device = plugged(seed=seed, fails=True)
    driver.start()
    driver.send_from(address, 100)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not device.failure() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "asks for a reset" in device.failure()
    assert (device.counters().refused > 0) == asked


def test_the_gateware_offers_what_it_should():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        device = DEVICES["rtl"](near.fileno())
        assert names(device.features) == OFFERED and bits(OFFERED) == device.features
        device.close()
