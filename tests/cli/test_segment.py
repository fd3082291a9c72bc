"""What `offcut segment` reads, writes and prints."""

import json
import struct
from pathlib import Path

import pytest

from offcut.cli import compare
from offcut.cli.engines import Request, Result
from offcut.cli.errors import CommandError
from offcut_model import Options, segment

KEYS = {"frames_in", "frames_out", "bytes_in", "bytes_out", "dropped", "engine", "width", "clocks", "beats"}

DOCS_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "superframe.svg"

FRAME = bytes(12) + b"\x08\x06" + bytes(46)
IPV4_ICMP = bytes.fromhex("020000000002020000000001080045000ba00000400040010000" + "0a0000010a000002") + bytes(2956)
"""2,960 bytes of IP that cannot be cut."""


def test_json_has_the_promised_keys_and_nothing_else_is_printed(offcut, capture, records, tmp_path):
    outcome = offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--json")
    counts = json.loads(outcome.out)
    wire = records(tmp_path / "out.pcap")
    assert (outcome.status, outcome.err) == (0, "")
    assert counts.keys() == KEYS
    assert counts["frames_in"] == len(records(capture("bulk")))
    assert counts["bytes_in"] == sum(len(record.data) for record in records(capture("bulk")))
    assert counts["frames_out"] == len(wire)
    assert counts["bytes_out"] == sum(len(record.data) for record in wire)
    assert (counts["dropped"], counts["engine"], counts["width"], counts["clocks"], counts["beats"]) == ({}, "model", None, None, None)


def test_json_of_the_gateware_counts_clocks_and_beats(offcut, capture, tmp_path):
    outcome = offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--engine", "rtl", "--width", 64, "--json")
    counts = json.loads(outcome.out)
    assert counts.keys() == KEYS
    assert (counts["engine"], counts["width"]) == ("rtl", 64)
    assert counts["bytes_out"] / 8 <= counts["beats"] <= counts["clocks"]


def test_the_table_tells_what_was_dropped_and_why(offcut, pcap, tmp_path):
    outcome = offcut("segment", pcap([((1, 0), FRAME), ((2, 0), IPV4_ICMP)]), "-o", tmp_path / "out.pcap")
    rows = [line.split(maxsplit=2) for line in outcome.out.splitlines()]
    assert ["dropped", "1"] in rows
    assert ["too_big", "1", "the frame is above the MTU and nothing says how to cut it"] in rows


def test_a_wire_frame_has_the_time_of_its_super_frame(offcut, capture, records, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap")
    expected = [
        (record.time_ns, frame)
        for record in records(capture("bulk"))
        for frame in segment(record.data, options=Options(auto=True, mtu=1500))
    ]
    assert [(record.time_ns, record.data) for record in records(tmp_path / "out.pcap")] == expected


@pytest.mark.parametrize(
    "magic, fraction, time_ns", [(0xA1B2C3D4, 123456, 123456000), (0xA1B23C4D, 123456789, 123456789)], ids=["us", "ns"]
)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_pcap_times_keep_their_nanoseconds(offcut, pcap, records, tmp_path, order, magic, fraction, time_ns):
    path = pcap([((1_700_000_000, fraction), FRAME)], order=order, magic=magic)
    assert offcut("segment", path, "-o", tmp_path / "out.pcap").status == 0
    ((_, time, data),) = [(record.number, record.time_ns, record.data) for record in records(tmp_path / "out.pcap")]
    assert (time, data) == (1_700_000_000 * 10**9 + time_ns, FRAME)


def block(order, kind, body):
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def padded(data):
    return data + bytes(-len(data) % 4)


RESOLUTIONS = {
    "microseconds, not said": (b"", 1_700_000_000_123_456, 1_700_000_000_123_456_000),
    "nanoseconds": ((9, 1, b"\x09"), 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
    "a power of two": ((9, 1, b"\x8a"), 1_700_000_000 * 1024 + 512, 1_700_000_000_500_000_000),
    "an offset": ((14, 8, None), 5_000_000, 1_700_000_005_000_000_000),
}


@pytest.mark.parametrize("option, ticks, time_ns", RESOLUTIONS.values(), ids=RESOLUTIONS)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_pcapng_is_read_with_its_resolution_and_other_blocks_are_passed_over(records, tmp_path, order, option, ticks, time_ns):
    options = b""
    if option:
        code, length, value = option
        value = struct.pack(order + "q", 1_700_000_000) if value is None else value
        options = struct.pack(order + "HH", code, length) + padded(value) + bytes(4)
    frame = FRAME + b"\1"  # 61 bytes: padded in the file
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + options)
    enhanced = block(order, 6, struct.pack(order + "5I", 0, ticks >> 32, ticks & 0xFFFFFFFF, 61, 61) + padded(frame) + bytes(4))
    simple = block(order, 3, struct.pack(order + "I", 61) + padded(frame))
    old = block(order, 2, struct.pack(order + "HH4I", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, 61, 61) + padded(frame))
    statistics = block(order, 5, bytes(12))
    path = tmp_path / "in.pcapng"
    other_section = section + block(order, 1, struct.pack(order + "HHI", 1, 0, 1514))
    path.write_bytes(section + interface + enhanced + statistics + simple + old + other_section + interface + simple)
    assert [(record.number, record.time_ns, record.data) for record in records(path)] == [
        (1, time_ns, frame),
        (2, 0, frame),
        (3, time_ns, frame),
        (4, 0, frame),
    ]


@pytest.mark.parametrize("size", [10, 12, 20, 24])
def test_every_size_of_virtio_net_hdr_is_understood(offcut, capture, records, tmp_path, pcap, size):
    frames = [(divmod(record.time_ns, 10**9), record.data) for record in records(capture("bulk.vnet"), ethernet=False)]
    longer = pcap([(time, data[:10] + bytes(size - 10) + data[10:]) for time, data in frames], magic=0xA1B23C4D, link_type=147)
    assert offcut("segment", "--vnet-hdr", "--vnet-hdr-size", size, longer, "-o", tmp_path / "out.pcap").status == 0
    assert [r.data for r in records(tmp_path / "out.pcap")] == [r.data for r in records(capture("bulk.wire"))]


def test_a_super_frame_of_64_kib_is_read_whole(offcut, pcap, records, tmp_path):
    payload = bytes(65535 - 40)
    frame = (
        bytes.fromhex("02000000000202000000000108004500ffff00004000400600000a0000010a000002") + bytes(12) + b"\x50\x10" + bytes(6) + payload
    )
    assert offcut("segment", pcap([((1, 0), frame)]), "-o", tmp_path / "out.pcap").status == 0
    assert b"".join(record.data[54:] for record in records(tmp_path / "out.pcap")) == payload


def test_a_super_frame_of_512_kib_is_read_whole(pcap, records):
    frame = bytes(range(256)) * 2048
    assert [record.data for record in records(pcap([((1, 0), frame), ((2, 0), FRAME)]))] == [frame, FRAME]


def test_a_smaller_mtu_gives_more_segments(offcut, capture, records, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--mtu", 576)
    assert max(len(record.data) for record in records(tmp_path / "out.pcap")) == 576 + 14


def test_an_engine_without_segmentation_drops_what_it_would_have_to_cut(offcut, capture, tmp_path):
    outcome = offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--features", "tx-checksum-ip-generic", "--json")
    assert json.loads(outcome.out)["dropped"] == {"too_big": 5}


def test_an_engine_without_features_changes_nothing(offcut, capture, records, tmp_path):
    offcut("segment", capture("udp"), "-o", tmp_path / "out.pcap", "--features", "")
    assert [record.data for record in records(tmp_path / "out.pcap")] == [record.data for record in records(capture("udp"))]


def test_the_picture_shows_the_super_frame_with_most_segments(offcut, capture, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--picture", tmp_path / "out.svg")
    picture = (tmp_path / "out.svg").read_text()
    assert "One super-frame, 22 segments" in picture
    for label in ("Segment 1 of 22", "Segment 22 of 22", "18 more like these", "IPv4 checksum", "+ 1,448"):
        assert f">{label}<" in picture


def test_the_picture_in_the_docs_is_what_the_command_draws(offcut, capture, tmp_path):
    offcut("segment", capture("bulk"), "-o", tmp_path / "out.pcap", "--picture", tmp_path / "out.svg")
    assert (tmp_path / "out.svg").read_text() == DOCS_PICTURE.read_text(), "`make picture` draws it again"


A, B = bytes(60), bytes(59) + b"\1"
DIFFERENCES = {
    "a byte": ([A, B], [A, A], {}, {}, "wire frame 2, of record 18: byte 59 is 01 and not 00"),
    "a length": ([A, A], [A, A[:-1]], {}, {}, "wire frame 2, of record 18: 60 bytes and not 59"),
    "a frame too few": ([A], [A, A], {}, {}, "wire frame 2, which the model alone sends (record 18)"),
    "a frame too many": ([A, A], [A], {}, {}, "wire frame 2, which the gateware alone sends (record 18)"),
    "a reason": ([A], [A], {"too_big": 1}, {"too_long": 1}, "dropped {'too_big': 1}, the model {'too_long': 1}"),
}


@pytest.mark.parametrize("sent, expected, dropped, model_dropped, message", DIFFERENCES.values(), ids=DIFFERENCES)
def test_check_names_the_first_difference(sent, expected, dropped, model_dropped, message):
    requests, numbers = [Request(A), Request(A)], [17, 18]
    gateware = Result(sent, list(range(len(sent))), dropped)
    model = Result(expected, list(range(len(expected))), model_dropped)
    with pytest.raises(CommandError) as error:
        compare.check_against_model(requests, gateware, model, numbers)
    assert message in str(error.value)


def test_check_is_content_with_two_equal_results():
    compare.check_against_model([Request(A)], Result([A, B], [0, 0]), Result([A, B], [0, 0]), [1])


def test_check_notices_a_frame_of_another_record():
    with pytest.raises(CommandError, match="of record 1 in the model and of record 2 in the gateware"):
        compare.check_against_model([Request(A)] * 2, Result([A], [1]), Result([A], [0]), [1, 2])
