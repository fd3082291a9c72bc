"""A ``.bit`` file as the ``.bin`` that Linux's FPGA manager loads: the configuration data alone, the bytes of each word in reverse.

As a program: ``python3 bit2bin.py FILE.bit FILE.bin``. Needs the standard library alone; `offcut build` puts a copy beside a bitstream.
"""

import sys

__all__ = ["configuration", "main", "swapped"]

SYNC_WORD = bytes.fromhex("aa995566")
PREAMBLE_BYTES = 9
"""Bytes of the field in front of the header's other ones, by their own count."""


def configuration(bit):
    """The configuration data of a ``.bit`` file.

    Behind a field of nine bytes and one of one byte, it holds fields of a letter, a length and that many bytes: ``a`` to ``d`` tell of the design,
    its part, date and time in texts whose length has two bytes, ``e`` is the data, and its length has four.

    Raises
    ------
    ValueError
        If this is no such file, or it ends too early.
    """
    at = 2 + PREAMBLE_BYTES + 2
    if int.from_bytes(bit[:2], "big") != PREAMBLE_BYTES or len(bit) < at:
        raise ValueError("this is no .bit file: it does not begin with 00 09")
    while True:
        letter = bit[at : at + 1]
        size_bytes = 4 if letter == b"e" else 2
        size = int.from_bytes(bit[at + 1 : at + 1 + size_bytes], "big")
        begin = at + 1 + size_bytes
        if letter not in {b"a", b"b", b"c", b"d", b"e"} or begin + size > len(bit):
            raise ValueError(f"the .bit file is damaged or cut short at byte {at}")
        if letter == b"e":
            data = bit[begin : begin + size]
            if SYNC_WORD not in data or size % 4:
                raise ValueError("the .bit file holds no configuration data: there is no sync word, or half a word")
            return data
        at = begin + size


def swapped(data):
    """The bytes of each 32-bit word in reverse, as the Zynq's configuration port takes them."""
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: python3 bit2bin.py FILE.bit FILE.bin")
    source, target = arguments
    try:
        with open(source, "rb") as file:
            data = configuration(file.read())
        with open(target, "wb") as file:
            file.write(swapped(data))
    except (OSError, ValueError) as error:
        sys.exit(f"bit2bin: {source}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
