"""``virtio_net_hdr`` in its four sizes."""

import random
from dataclasses import astuple, fields

import pytest

from offcut_model import VirtioNetHdr

BITS = dict.fromkeys((field.name for field in fields(VirtioNetHdr)), 16) | {"flags": 8, "gso_type": 8, "hash_value": 32}
HELD = {10: 6, 12: 7, 20: 9, 24: 11}
"""How many of the fields each size of the header holds."""

NUMBERED = VirtioNetHdr(0x01, 0x02, 0x0403, 0x0605, 0x0807, 0x0A09, 0x0C0B, 0x100F0E0D, 0x1211, 0x1615, 0x1817)
NUMBERED_BYTES = bytes(range(1, 0x13)) + b"\0\0" + bytes(range(0x15, 0x19))


@pytest.mark.parametrize("size", HELD)
def test_every_field_stands_at_its_byte(size):
    assert NUMBERED.pack(size) == NUMBERED_BYTES[:size]
    held = astuple(NUMBERED)[: HELD[size]]
    assert VirtioNetHdr.parse(NUMBERED_BYTES[:size]) == VirtioNetHdr(*held)


@pytest.mark.parametrize("size", HELD)
def test_what_was_packed_is_parsed_again(seed, size):
    draw = random.Random(seed)
    for _ in range(200):
        header = VirtioNetHdr(**{name: draw.getrandbits(bits) for name, bits in list(BITS.items())[: HELD[size]]})
        assert VirtioNetHdr.parse(header.pack(size)) == header


def test_ten_bytes_of_zero_are_the_default():
    assert VirtioNetHdr().pack() == bytes(10)
    assert VirtioNetHdr().pack(24) == bytes(24)


def test_the_header_is_read_from_the_front_of_a_record():
    assert VirtioNetHdr.parse(NUMBERED_BYTES + b"frame", 10) == VirtioNetHdr.parse(NUMBERED_BYTES[:10])


@pytest.mark.parametrize("size", (0, 1, 9, 11, 14, 16, 23, 25, -10))
def test_other_sizes_are_refused_by_number(size):
    with pytest.raises(ValueError, match=f"10, 12, 20, 24 bytes, not {size}$"):
        VirtioNetHdr().pack(size)
    with pytest.raises(ValueError, match=f"10, 12, 20, 24 bytes, not {size}$"):
        VirtioNetHdr.parse(bytes(64), size)


def test_a_record_too_short_is_refused():
    with pytest.raises(ValueError, match="of 12 bytes cannot be read from 11"):
        VirtioNetHdr.parse(bytes(11), 12)


@pytest.mark.parametrize("name", BITS)
def test_a_value_beyond_its_bits_is_refused_by_name(name):
    top = (1 << BITS[name]) - 1
    assert getattr(VirtioNetHdr(**{name: top}), name) == top
    for wrong in (top + 1, -1):
        with pytest.raises(ValueError, match=f"{name} must lie between 0 and {top}, not {wrong}"):
            VirtioNetHdr(**{name: wrong})


def test_a_header_asks_nothing_if_its_ten_bytes_are_zero():
    assert VirtioNetHdr(num_buffers=1, hash_value=2, outer_th_offset=3).asks_nothing()
    for name in list(BITS)[:6]:
        assert not VirtioNetHdr(**{name: 1}).asks_nothing(), name
