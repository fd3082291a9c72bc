"""The Internet checksum: worked results, and RFC 1071 word by word."""

import random

import pytest

from offcut_model import checksum
from offcut_model.checksum import invert, never_zero, ones_negative, ones_sum

from .build import slow_sum

IP_HEADER = bytes.fromhex("4500007a3c524000400668d1c0a80a08c0a80a02")
SYN_FRAME = bytes.fromhex(
    "3009f9202364000a350000c80800 4500003c59e2400040064b7fc0a80a08c0a80a02"
    "8b201f905f9bfd3d00000000a002721094230000020405b40402080a0008a4df0000000001030307"
)


def without(data, at):
    return data[:at] + b"\0\0" + data[at + 2 :]


WORKED = {
    "an IPv4 header": (without(IP_HEADER, 10), 0, 0x68D1),
    "the IPv4 header of a SYN": (without(SYN_FRAME[14:34], 10), 0, 0x4B7F),
    "a TCP SYN with options": (without(SYN_FRAME[34:], 16), slow_sum(SYN_FRAME[26:34] + bytes((0, 6, 0, 40))), 0x9423),
    "the example of RFC 1071": (bytes.fromhex("0001f203f4f5f6f7"), 0, 0x220D),
    "an odd last byte is a high one": (b"\x12\x34\x56", 0, 0xFFFF - 0x1234 - 0x5600),
    "nothing": (b"", 0, 0xFFFF),
    "nothing but zeroes": (bytes(64), 0, 0xFFFF),
    "a sum of 0xFFFF": (b"\xff\xff", 0, 0x0000),
    "a sum of 2 * 0xFFFF": (b"\xff\xff\x00\x01\xff\xfe", 0, 0x0000),
    "what is begun with": (b"\x00\x01", 0xFFFD, 0x0001),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_results(name):
    data, initial, expected = WORKED[name]
    assert checksum(data, initial) == expected


def test_the_checksum_is_rfc_1071s_for_any_bytes(seed):
    draw = random.Random(seed)
    for length in [*range(70), *(draw.randrange(3000) for _ in range(100))]:
        data = draw.choice((draw.randbytes, bytes, lambda n: b"\xff" * n))(length)
        initial = draw.choice((0, draw.getrandbits(16), draw.getrandbits(20)))
        assert checksum(data, initial) == 0xFFFF - slow_sum(slow_sum(data).to_bytes(2, "big") + initial.to_bytes(4, "big")), data.hex()


@pytest.mark.parametrize("kind", (bytes, bytearray, memoryview))
def test_any_kind_of_bytes_can_be_summed(kind):
    assert checksum(kind(b"\x01\x02\x03")) == 0xFFFF - 0x0102 - 0x0300


def test_the_sum_is_zero_for_zeroes_alone():
    assert ones_sum(bytes(9)) == 0
    assert ones_sum(b"\xff\xff") == 0xFFFF


def test_what_is_taken_out_of_a_sum_is_gone():
    for value in (0, 1, 0xFFFE, 0xFFFF, 0x10000, 70000):
        assert invert(0x1234 + value + ones_negative(value)) == 0xFFFF - 0x1234


def test_zero_has_two_forms_and_one_of_them_is_never_sent():
    assert never_zero(0) == 0xFFFF
    assert never_zero(0xFFFF) == 0xFFFF
    assert never_zero(1) == 1
