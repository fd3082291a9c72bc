"""``offcut oracle``: the running kernel cuts a capture; where it cannot be asked, one line says why."""

import json

import pytest

from offcut import oracle
from offcut.oracle import unavailable

REQUESTS = {
    "tcp": bytes([1, 1, 0xFF, 0xFF]) + (40).to_bytes(2, "little") + (34).to_bytes(2, "little") + (16).to_bytes(2, "little"),
    "unknown type": bytes([1, 2]) + bytes(8),
    "nothing": bytes(10),
}
"""``hdr_len`` of the first is more than the frame has."""

TCP_FRAME = (
    bytes.fromhex("020000000002 020000000001 0800 45000064 00000000 40060000 0a000001 0a000002") + bytes(12) + b"\x50\x10" + bytes(66)
)
UDP_FRAME = TCP_FRAME[:23] + b"\x11" + TCP_FRAME[24:]


@pytest.fixture
def kernel():
    why = unavailable()
    if why:
        pytest.skip(why)


@pytest.fixture
def requests(pcap):
    """A capture with a request that is cut, one that is refused, one that is dropped and one that passes."""
    records = (
        REQUESTS["tcp"] + TCP_FRAME,
        REQUESTS["unknown type"] + TCP_FRAME,
        REQUESTS["tcp"] + UDP_FRAME,
        REQUESTS["nothing"] + UDP_FRAME,
    )
    return pcap([((100 + number, 7), record) for number, record in enumerate(records)], link_type=147)


@pytest.mark.parametrize("name", ("bulk", "http", "requests", "udp"))
def test_the_kernel_cuts_a_bundled_capture_as_the_model_does(kernel, offcut, capture, tmp_path, name):
    vnet = capture(f"{name}.vnet")
    assert offcut("oracle", "--vnet-hdr", vnet, "-o", tmp_path / "kernel.pcap").status == 0
    assert offcut("segment", "--vnet-hdr", vnet, "-o", tmp_path / "model.pcap").status == 0
    assert (tmp_path / "kernel.pcap").read_bytes() == (tmp_path / "model.pcap").read_bytes()


def test_what_the_kernel_refuses_and_drops_is_counted_apart(kernel, offcut, requests, tmp_path):
    asked = offcut("oracle", requests, "-o", tmp_path / "out.pcap", "--json")
    assert (asked.status, asked.err) == (0, "")
    counts = json.loads(asked.out)
    assert counts == {
        **{"frames_in": 4, "frames_out": 3, "bytes_in": 4 * 114, "bytes_out": 94 + 74 + 114},
        **{"dropped": {"refused": 1, "dropped": 1}, "engine": "kernel", "width": None, "clocks": None, "beats": None},
    }


def test_wire_frames_have_the_time_of_the_frame_that_they_were_cut_from(kernel, offcut, requests, records, tmp_path):
    offcut("oracle", requests, "-o", tmp_path / "out.pcap")
    assert [record.time_ns // 10**9 for record in records(tmp_path / "out.pcap")] == [100, 100, 103]


def test_a_header_of_24_bytes_is_read_as_such(kernel, offcut, pcap, tmp_path, records):
    path = pcap([((1, 0), REQUESTS["tcp"] + bytes(14) + TCP_FRAME)])
    assert offcut("oracle", path, "-o", tmp_path / "out.pcap", "--vnet-hdr-size", 24).status == 0
    assert len(records(tmp_path / "out.pcap")) == 2


def test_a_frame_that_no_tap_takes_is_one_line(kernel, offcut, pcap, tmp_path):
    frame = bytes(520_000)  # more fragments of memory than a socket buffer holds
    ran = offcut("oracle", pcap([((1, 0), bytes(10) + frame)]), "-o", tmp_path / "out.pcap")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "offcut: the kernel does not take a frame of 520000 bytes: no buffer space available\n"
    assert not (tmp_path / "out.pcap").exists()


def test_without_the_right_to_a_namespace_it_says_what_it_needs(offcut, capture, tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied", "/dev/net/tun")

    monkeypatch.setattr(oracle, "_tap", denied)
    monkeypatch.setattr(oracle.Path, "exists", lambda _: False)  # another's namespace is not written to
    ran = offcut("oracle", capture("udp.vnet"), "-o", tmp_path / "out.pcap")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("offcut: the kernel cannot be asked here: ") and ran.err.count("\n") == 1
    assert ran.err.endswith("; it needs Linux, root, /dev/net/tun, and ip and tc from iproute2\n")
    assert not (tmp_path / "out.pcap").exists()


BAD_INPUT = {
    "no such file": (["nothing.pcap"], "cannot read nothing.pcap: no such file or directory"),
    "no such size": (["x", "--vnet-hdr-size", "11"], "invalid choice: 11"),
}


@pytest.mark.parametrize("arguments, words", BAD_INPUT.values(), ids=BAD_INPUT)
def test_wrong_input_is_one_line_before_the_kernel_is_asked(offcut, tmp_path, arguments, words):
    ran = offcut("oracle", *arguments, "-o", tmp_path / "out.pcap")
    assert ran.status == 1 and words in ran.err and ran.err.count("\n") == 1
