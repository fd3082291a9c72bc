"""Figures follow from when beats were taken, by hand; and wrong frames give no figure."""

from types import SimpleNamespace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from _bench import clocks
from _bench.frames import CHECKSUM, Asked, tcp, udp, vxlan
from offcut.config import WIDTHS, Config
from offcut.rtl import Result, Span


class Fake:
    """An engine 64 bits wide that answers rightly, in clocks told beforehand."""

    def __init__(self, spans_in, spans_out, wrong=False):
        self.config = SimpleNamespace(width=64)
        self._spans = [Span(*span) for span in spans_in], [Span(*span) for span in spans_out]
        self._wrong = wrong
        self.asked = []

    def run(self, requests, *, auto, mtu, spans):
        self.asked += requests
        spans_in, spans_out = self._spans
        frames = [wire for request in requests for wire in Asked(request.frame, FRAME.request).wire()]
        if self._wrong:
            frames[0] = frames[0][:-1] + b"?"
        beats = sum(-(-len(frame) // 8) for frame in frames)
        return Result(frames, beats=beats, bytes_out=sum(map(len, frames)), spans_in=spans_in, spans_out=spans_out)


FRAME = tcp(60, request=CHECKSUM)
"""8 beats."""


def test_beats_a_clock_count_from_the_first_beat_out_to_the_last():
    assert clocks._beats(Fake([], [(30, 37), (38, 45)]), FRAME, 2) == 1
    assert clocks._beats(Fake([], [(30, 37), (39, 46)]), FRAME, 2) == 0.9411, "16 of 17, rounded down"


def test_a_single_idle_clock_in_a_long_run_does_not_look_like_none():
    assert clocks._beats(Fake([], [(0, 7), (9, 8 * 30_000)]), FRAME, 30_000) < 1


def test_clocks_a_frame_are_those_of_the_second_half():
    half = clocks.SMALL_FRAMES // 2
    spans = [(20 * n, 20 * n + 7) for n in range(half)]
    spans += [(spans[-1][1] + 1 + 9 * n, spans[-1][1] + 9 * (n + 1)) for n in range(half)]
    assert clocks._clocks_a_frame(Fake([], spans), FRAME) == 9


def test_latency_is_from_the_last_beat_in_to_the_first_beat_out():
    assert clocks._latency(Fake([(0, 2)], [(21, 22)]), FRAME) == 19


@pytest.mark.parametrize("width", WIDTHS)
def test_the_last_beat_of_a_request_whose_latency_is_measured_makes_the_first_wire_frame_whole(width):
    for name, asked in clocks.LATENCY.items():
        first = len(asked.wire()[0])
        assert first == (154 if "100 bytes" in name else clocks.SEGMENT)
        assert len(asked.wire()) == (2 if "cut" in name else 1)
        assert (first - 1) // (width // 8) == (len(asked.frame) - 1) // (width // 8)


def test_bytes_a_clock_are_those_on_the_wire():
    engine = Fake([], [(0, 7), (8, 2**13 - 1)])
    assert clocks._bytes_a_clock(engine, FRAME) == 60_000 / 2**13 // 0.0001 / 10_000
    assert len(engine.asked) == 1000


def test_wrong_frames_give_no_figure():
    with pytest.raises(clocks.WrongFrames, match="do not leave as the model says"):
        clocks._beats(Fake([], [(30, 37)], wrong=True), FRAME, 1)


def test_every_request_that_is_measured_leaves_as_its_name_says():
    """By the model; a request that is dropped would raise."""
    for name, (asked, _) in clocks.RUNS.items():
        size = next((int(word) for word in name.split() if word.isdigit()), None)
        wire = asked.wire()
        assert (len(wire) > 1) == ("TSO" in name or "USO" in name)
        if size:
            header = len(wire[0]) - size
            assert sum(len(frame) - header for frame in wire) == len(asked.frame) - header
    for size in clocks.SIZES:
        for make in clocks.PANELS.values():
            wire = make(size).wire()
            assert {len(frame) for frame in wire} == {size}
    assert all(len(asked.wire()) == 1 for asked in clocks.SMALL.values())


@pytest.mark.parametrize(
    ("asked", "layers"),
    [
        (tcp(3000, gso_size=1448), [Ether, IP, TCP, Raw]),
        (udp(3000, 1448), [Ether, IP, UDP, Raw]),
        (vxlan(3000, 1448), [Ether, IP, UDP, VXLAN, Ether, IP, TCP, Raw]),
    ],
)
def test_frames_are_what_their_names_say_and_leave_with_right_checksums(asked, layers):
    for wire in asked.wire():
        seen = Ether(wire)
        assert seen.layers() == layers
        again = Ether(wire)
        for layer in again.iterpayloads():
            if isinstance(layer, IP | TCP | UDP):
                layer.chksum = None
        assert bytes(again) == wire


def test_cut_through_is_measured_once_engines_can_be_built_so():
    assert clocks._cut_through(64) == {} or "cut_through" in Config.__dataclass_fields__
