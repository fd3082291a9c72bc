"""`.bit` files as the FPGA manager wants them."""

import struct

import pytest

from offcut.boards.bitstream import configuration, main, swapped

DATA = bytes.fromhex("ffffffff aa995566 30008001 00000007")


def bit(data, letter=b"e", size=None):
    fields = b"".join(
        name + struct.pack(">H", len(text) + 1) + text + b"\0"
        for name, text in ((b"a", b"offcut"), (b"b", b"7z010clg400"), (b"c", b"2026/01/01"), (b"d", b"00:00:00"))
    )
    return (
        struct.pack(">H", 9)
        + bytes(9)
        + struct.pack(">H", 1)
        + fields
        + letter
        + struct.pack(">I", len(data) if size is None else size)
        + data
    )


def test_the_data_are_found_behind_the_header_and_each_word_is_turned(tmp_path):
    assert configuration(bit(DATA)) == DATA
    assert swapped(DATA) == bytes.fromhex("ffffffff 665599aa 01800030 07000000")
    (tmp_path / "x.bit").write_bytes(bit(DATA))
    main([str(tmp_path / "x.bit"), str(tmp_path / "x.bin")])
    assert (tmp_path / "x.bin").read_bytes() == swapped(DATA)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no .bit file"),
        (b"\0\x08" + bytes(20), "no .bit file"),
        (bit(DATA)[:-1], "damaged or cut short"),
        (bit(DATA, letter=b"x"), "damaged or cut short"),
        (bit(bytes(16)), "no sync word"),
        (bit(DATA + b"\0"), "half a word"),
    ],
)
def test_what_is_no_bitstream_is_refused(content, sentence):
    with pytest.raises(ValueError, match=sentence):
        configuration(content)


def test_the_program_says_what_is_wrong(tmp_path):
    (tmp_path / "x.bit").write_bytes(b"nothing")
    with pytest.raises(SystemExit, match=r"bit2bin: .*x\.bit: this is no \.bit file"):
        main([str(tmp_path / "x.bit"), str(tmp_path / "x.bin")])
    with pytest.raises(SystemExit, match="usage:"):
        main([])
