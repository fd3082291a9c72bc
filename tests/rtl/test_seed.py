"""What the seed's state machine did: a 64-bit bus, no options, frames of 1514 bytes. The engine must do exactly that job; see docs/seed.md."""

import random
import struct
from functools import cache
from itertools import pairwise

import pytest

from offcut.config import Config
from offcut.rtl import Engine, Request
from offcut_model import Options, VirtioNetHdr, segment

BEAT = 8
HEADER = 54
"""Bytes of Ethernet, IPv4 and TCP header without options: six beats and six bytes."""

IP_LENGTH = 2, 0
SEQUENCE_HIGH = 4, 6
SEQUENCE_LOW = 5, 0
"""Beat and lane of the fields that the seed rewrote in its third, fifth and sixth clock."""

MTU = 1500
DATA = 1460
FRAME = 1514
BEATS = 190

JUMBO_FRAME = 9000
"""The seed's larger ring slot."""


@cache
def compiled():
    return Engine(Config(width=64))


@pytest.fixture
def engine():
    return compiled()


def super_frame(payload, sequence):
    """A TCP/IPv4 frame as Linux hands it to a NIC: the pseudo-header's sum in the checksum field, the data's part to be added."""
    ip_length = 40 + len(payload)
    addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    pseudo = sum(struct.unpack("!4H", addresses)) + 6 + 20 + len(payload)
    pseudo = (pseudo & 0xFFFF) + (pseudo >> 16)
    ethernet = bytes.fromhex("020000000001 020000000002 0800")
    ip = struct.pack("!BBHHHBBH", 0x45, 0, ip_length, 0x1234, 0x4000, 64, 6, 0) + addresses
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, sequence, 0x89ABCDEF, 0x50, 0x18, 512, pseudo, 0)
    return ethernet + ip + tcp + payload


def request(frame, gso_size):
    header = VirtioNetHdr(flags=1, gso_type=1, gso_size=gso_size, csum_start=34, csum_offset=16)
    return Request(frame, header.pack()), segment(frame, header)


def halfword(frame, place):
    beat, lane = place
    return int.from_bytes(frame[BEAT * beat + lane :][:2], "big")


def sequence_number(frame):
    return halfword(frame, SEQUENCE_HIGH) << 16 | halfword(frame, SEQUENCE_LOW)


def check(frames, payload, sequence, data):
    """The frames are what the seed describes: the IP length, the sequence number, and ``data`` bytes each."""
    pieces = [payload[at : at + data] for at in range(0, len(payload), data)]
    assert [frame[HEADER:] for frame in frames] == pieces
    assert [halfword(frame, IP_LENGTH) for frame in frames] == [40 + len(piece) for piece in pieces]
    assert [sequence_number(frame) for frame in frames] == [(sequence + data * index) % 2**32 for index in range(len(pieces))]


def check_beats(frames, spans):
    """Each frame takes as many clocks as it has beats, and none lies between two frames."""
    assert [span.last - span.first + 1 for span in spans] == [-(-len(frame) // BEAT) for frame in frames]
    assert all(after.first == before.last + 1 for before, after in pairwise(spans))


@pytest.mark.parametrize("sequence", [1, 0xFFFF_FF00], ids=["sequence-1", "sequence-wraps"])
@pytest.mark.parametrize("auto", [False, True], ids=["gso_size-1460", "auto-at-mtu-1500"])
def test_frames_of_1514_bytes_leave_in_190_beats_each_without_a_pause(engine, seed, auto, sequence):
    payload = random.Random(seed).randbytes(20 * DATA)
    frame = super_frame(payload, sequence)
    asked, expected = request(frame, DATA)
    if auto:
        asked, expected = Request(frame), segment(frame, options=Options(auto=True, mtu=MTU))
    result = engine.run([asked], auto=auto, mtu=MTU, spans=True)
    assert result.frames == expected
    assert [len(wire) for wire in result.frames] == [FRAME] * 20
    assert [span.last - span.first + 1 for span in result.spans_out] == [BEATS] * 20
    check(result.frames, payload, sequence, DATA)
    check_beats(result.frames, result.spans_out)


@pytest.mark.parametrize("rest", [1, 2, 3])
def test_a_last_segment_of_1_2_or_3_bytes_is_put_beside_the_end_of_the_header(engine, seed, rest):
    """Two bytes of data have room beside the header's last six; a third one needs a beat of its own."""
    payload = random.Random(seed).randbytes(2 * DATA + rest)
    asked, expected = request(super_frame(payload, 1), DATA)
    result = engine.run([asked], spans=True)
    assert result.frames == expected
    check(result.frames, payload, 1, DATA)
    check_beats(result.frames, result.spans_out)
    last, span = result.frames[-1], result.spans_out[-1]
    assert span.last - span.first + 1 == {1: 7, 2: 7, 3: 8}[rest]
    assert last[HEADER:] == payload[-rest:]


@pytest.mark.parametrize("left", [1, 2, 3])
@pytest.mark.parametrize("beats", [8, 9, 100, 189])
def test_a_last_beat_of_1_2_or_3_bytes_ends_the_frame(engine, seed, beats, left):
    payload = random.Random(seed).randbytes(DATA + BEAT * (beats - 1) + left - HEADER)
    asked, expected = request(super_frame(payload, 1), DATA)
    result = engine.run([asked], spans=True)
    assert result.frames == expected
    check(result.frames, payload, 1, DATA)
    check_beats(result.frames, result.spans_out)
    assert len(result.frames[-1]) == BEAT * (beats - 1) + left


def test_every_super_frame_of_a_run_is_cut_alike_and_nothing_lies_between_them(engine, seed):
    dice = random.Random(seed)
    frames = [super_frame(dice.randbytes(44 * DATA), dice.getrandbits(32)) for _ in range(4)]
    asked, expected = zip(*(request(frame, DATA) for frame in frames), strict=True)
    result = engine.run(asked, spans=True)
    assert result.frames == [wire for wires in expected for wire in wires]
    check_beats(result.frames, result.spans_out)
    for index, frame in enumerate(frames):
        check(result.frames[44 * index : 44 * (index + 1)], frame[HEADER:], sequence_number(frame), DATA)


def test_frames_of_9000_bytes_leave_likewise(engine, seed):
    data = JUMBO_FRAME - HEADER
    payload = random.Random(seed).randbytes(7 * data)
    asked, expected = request(super_frame(payload, 1), data)
    result = engine.run([asked], spans=True)
    assert result.frames == expected
    assert [len(wire) for wire in result.frames] == [JUMBO_FRAME] * 7
    check(result.frames, payload, 1, data)
    check_beats(result.frames, result.spans_out)


def test_the_rest_of_the_header_is_kept(engine, seed):
    """All but the lengths, the identification, the sequence number, the flags and the two checksums."""
    payload = random.Random(seed).randbytes(3 * DATA)
    frame = super_frame(payload, 1)
    asked, _ = request(frame, DATA)
    rewritten = {16, 17, 18, 19, 24, 25, *range(38, 42), 47, 50, 51}
    for wire in engine.run([asked]).frames:
        assert [wire[at] for at in range(HEADER) if at not in rewritten] == [frame[at] for at in range(HEADER) if at not in rewritten]
