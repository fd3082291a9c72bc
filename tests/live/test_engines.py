"""What stands between the devices, with sockets that keep frames apart in place of the devices: no root needed."""

import random
import select
import socket
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut import verilog
from offcut.config import Config
from offcut.live.compiled import CompiledEngine
from offcut.live.model import ModelEngine
from offcut.rtl import build
from offcut_model import Options, Refused, VirtioNetHdr, segment
from traffic import requests

ENGINES = {"rtl": CompiledEngine, "model": ModelEngine}
SECONDS = 120.0
KIND, FRAGMENTS = 0x1F, 3
"""Of gso_type. Linux has handed out no request for fragments since 4.14; over IPv6 they have an identification that counts."""
SILENCE_SECONDS = 0.3
"""After which nothing more comes."""
SOCKET_BYTES = LONGEST_BYTES = 1 << 20


class Ends:
    """The far ends of both sockets."""

    def __init__(self, engine, host, peer):
        self.engine, self._host, self._peer = engine, host, peer
        self._sent = self._came = self._wires = self._drops = 0

    def send(self, frames, *, wires=None, drops=0):
        """Hand over the host's frames, each with its virtio_net_hdr, and take what comes to the peer, until all has come and nothing more does.
        As many frames become ``wires``, or as many as they are, and ``drops`` of them are dropped."""
        self._wires += len(frames) if wires is None else wires
        self._drops += drops
        return self._exchange(self._host, [header + frame for header, frame in frames], self._peer)

    def send_back(self, frames):
        """The same from the peer to the host; what comes has its virtio_net_hdr."""
        return self._exchange(self._peer, frames, self._host)

    def _exchange(self, source, messages, sink):
        came, waiting = [], messages[::-1]
        deadline = time.monotonic() + SECONDS
        while True:
            assert not self.engine.failure()
            assert time.monotonic() < deadline, self.engine.counters()
            readable, writable, _ = select.select([sink], [source] if waiting else [], [], SILENCE_SECONDS)
            if readable:
                came.append(sink.recv(LONGEST_BYTES))
                self._came += 1
            if writable:
                source.send(waiting.pop())
                self._sent += 1
            if not readable and not writable and self._is_through():
                return came

    def _is_through(self):
        """Whether all that was sent has been dealt with, and all that came of it has arrived: on a busy machine, silence alone says nothing."""
        counters = self.engine.counters()
        taken, arrived = counters.frames_in + counters.back_frames, counters.frames_out + counters.back_frames - counters.lost
        dealt_with = (taken, counters.frames_out, sum(counters.dropped.values())) == (self._sent, self._wires, self._drops)
        return dealt_with and self._came == arrived


@contextmanager
def standing(kind, *, width=64, header_bytes=10, **options):
    """An engine between two sockets."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    for pair in pairs:
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
            end.setblocking(False)
    (host, host_device), (peer, peer_device) = pairs
    wiring = {"host": host_device.fileno(), "peer": peer_device.fileno(), "header_bytes": header_bytes}
    try:
        engine = ENGINES[kind](Config(width=width), **wiring, **options)
        try:
            yield Ends(engine, host, peer)
        finally:
            engine.stop()
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


def answer(frame, header):
    """The model's wire frames, and its reason to drop what is missing."""
    try:
        return segment(frame, VirtioNetHdr.parse(header), Options(mtu_max=Config().mtu_max, features=Config().features)), None
    except Refused as refused:
        return list(refused.segments), refused.reason


@pytest.mark.parametrize(
    "kind, width, header_bytes", [("rtl", 64, 10), ("rtl", 64, 12), ("rtl", 64, 24), ("rtl", 512, 12), ("model", 64, 20)]
)
def test_random_requests_leave_as_the_model_says_and_all_is_counted(kind, width, header_bytes, seed):
    drawn = requests(seed, 2000, width=width, jumbo=0)
    cases = [(case.vnet_hdr.ljust(24, b"\0")[:header_bytes], case.frame) for case in drawn if case.vnet_hdr[1] & KIND != FRAGMENTS]
    expected, reasons = [], Counter()
    for header, frame in cases:
        segments, reason = answer(frame, header)
        expected += segments
        reasons.update([reason] if reason else [])
    with standing(kind, width=width, header_bytes=header_bytes, seed=seed) as ends:
        came = ends.send(cases, wires=len(expected), drops=sum(reasons.values()))
        counters = ends.engine.counters()
    assert came == expected
    assert counters.dropped == reasons and len(reasons) > 2
    assert (counters.frames_in, counters.frames_out) == (len(cases), len(expected))
    assert (counters.bytes_in, counters.bytes_out) == (sum(len(frame) for _, frame in cases), sum(map(len, expected)))
    assert counters.super_frames_in == sum(header[1] != 0 for header, _ in cases)
    if kind == "rtl":
        assert counters.beats_out == sum(-(-len(frame) * 8 // width) for frame in expected)


def plain(count, dice):
    """Frames that pass unchanged, each of its own."""
    return [bytes(12) + b"\x88\xb5" + number.to_bytes(4) + dice.randbytes(dice.randrange(1000)) for number in range(count)]


def handed(frames):
    return [(bytes(10), frame) for frame in frames]


@pytest.mark.parametrize("kind", ENGINES)
def test_frames_from_the_peer_reach_the_host_unchanged_with_an_empty_header(kind, seed):
    frames = plain(100, random.Random(seed))
    with standing(kind, header_bytes=24) as ends:
        assert ends.send_back(frames) == [bytes(24) + frame for frame in frames]
        counters = ends.engine.counters()
    assert (counters.back_frames, counters.back_bytes) == (100, sum(map(len, frames)))


@pytest.mark.parametrize("kind", ENGINES)
def test_the_wire_loses_the_share_that_it_was_told_and_the_rest_keeps_its_order(kind, seed):
    frames = plain(3000, random.Random(seed))
    with standing(kind, loss=0.1, seed=seed) as ends:
        came = ends.send(handed(frames))
        lost = ends.engine.counters().lost
    assert len(came) + lost == len(frames) and 200 < lost < 400
    remaining = iter(frames)
    assert all(frame in remaining for frame in came)


@pytest.mark.parametrize("kind", ENGINES)
def test_late_frames_come_behind_four_others_and_none_is_lost(kind, seed):
    frames = plain(3000, random.Random(seed))
    with standing(kind, reorder=0.02, seed=seed) as ends:
        came = ends.send(handed(frames))
        late = ends.engine.counters().reordered
    assert sorted(came) == sorted(frames) and 30 < late < 90
    place = {frame: number for number, frame in enumerate(came)}
    moved = [place[frame] - number for number, frame in enumerate(frames)]
    assert max(moved) == 4 and moved.count(4) >= late // 2


@pytest.mark.parametrize("kind", ENGINES)
def test_a_late_frame_that_nothing_follows_comes_all_the_same(kind, seed):
    (frame,) = plain(1, random.Random(seed))
    with standing(kind, reorder=0.999999, seed=seed) as ends:
        assert ends.send(handed([frame])) == [frame] and ends.engine.counters().reordered == 1


def test_the_gateware_runs_no_clock_while_it_is_empty():
    with standing("rtl") as ends:
        ends.send(handed(plain(10, random.Random(1))))
        deadline = time.monotonic() + SECONDS
        before, clocks = 0, ends.engine.counters().clocks
        while before != clocks:  # it may be in the last of its clocks, on a machine that is busy with other things
            assert time.monotonic() < deadline
            before = clocks
            time.sleep(0.2)
            clocks = ends.engine.counters().clocks
        assert clocks > 0


def test_runs_with_equal_seeds_lose_the_same_frames(seed):
    frames = plain(300, random.Random(seed))
    came = []
    for number in (seed, seed, seed + 1):
        with standing("rtl", loss=0.2, seed=number) as ends:
            came.append(ends.send(handed(frames)))
    assert came[0] == came[1] != came[2]


class Faulty(wiring.Component):
    """Passes beats on as they come, until the first byte of a frame asks for a fault."""

    HANGS, PAUSES, NEVER_ENDS = 2, 4, 6

    def __init__(self):
        super().__init__({
            "s_axis_tdata": In(64),
            "s_axis_tkeep": In(8),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "s_axis_tuser": In(160),
            "m_axis_tdata": Out(64),
            "m_axis_tkeep": Out(8),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            "cfg_auto": In(1),
            "stat_frame": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        first, second, fault = Signal(init=1), Signal(), Signal(8)
        hangs = first & (fault == self.HANGS)
        m.d.comb += [
            self.m_axis_tdata.eq(self.s_axis_tdata),
            self.m_axis_tkeep.eq(self.s_axis_tkeep),
            self.m_axis_tvalid.eq((self.s_axis_tvalid & ~hangs & ~(second & (fault == self.PAUSES))) | (fault == self.NEVER_ENDS)),
            self.m_axis_tlast.eq(self.s_axis_tlast & (fault != self.NEVER_ENDS)),
            self.s_axis_tready.eq(self.m_axis_tready & ~hangs),
            self.stat_frame.eq(self.s_axis_tvalid & self.s_axis_tlast),
        ]
        with m.If(self.s_axis_tvalid & self.s_axis_tready):
            m.d.sync += [first.eq(self.s_axis_tlast), second.eq(first)]
            with m.If(first & (fault == 0)):
                m.d.sync += fault.eq(self.s_axis_tdata[:8])
        return m


FAULTS = {
    Faulty.HANGS: "takes no beat any more",
    Faulty.PAUSES: "m_axis_tvalid fell within a frame",
    Faulty.NEVER_ENDS: "a wire frame is too long",
}


@pytest.mark.parametrize("fault, words", FAULTS.items())
def test_gateware_that_breaks_its_contract_is_told_and_does_not_stand_in_the_way_of_the_end(fault, words):
    dut = verilog.convert(Faulty(), name=verilog.TOP)
    with standing("rtl", dut=dut) as ends:
        assert ends.send(handed(plain(1, random.Random(1))))
        deadline = time.monotonic() + SECONDS
        frame = bytes([fault]) + bytes(1400)
        with pytest.raises(AssertionError, match=f"the engine: .*{words}"):
            while time.monotonic() < deadline:
                ends.send(handed([frame] * 10))


@pytest.fixture
def without_engines(tmp_path):
    """A cache in which no engine is kept, but Verilator's own runtime, which takes longer to compile than a small one."""
    for runtime in build.cache_directory().glob("runtime-*"):
        if runtime.is_dir():
            (tmp_path / runtime.name).symlink_to(runtime)
    return tmp_path


def test_gateware_compiled_by_a_profile_of_itself_is_another_library_that_does_the_same(without_engines, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("OFFCUT_CACHE", str(tmp_path))
    dut = verilog.convert(Faulty(), name=verilog.TOP)
    frames = [bytes([0, *frame[1:]]) for frame in plain(50, random.Random(seed))]
    for tuned in (False, True):
        with standing("rtl", dut=dut, tuned=tuned) as ends:
            assert ends.send(handed(frames)) == frames
        assert len(list(tmp_path.glob("*.so"))) == 1 + tuned
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".so", ".lock"}


def test_a_training_run_that_fails_is_told_and_leaves_no_library(without_engines, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import sys; sys.exit('no, not this one: ' + sys.argv[1])")
    with pytest.raises(build.BuildError, match="The training run failed:\nno, not this one: .*so"):
        build.shared_library(verilog.convert(Faulty(), name=verilog.TOP), directory=tmp_path, harness=build.LIVE, training=program)
    assert list(tmp_path.glob("*.so")) == []
