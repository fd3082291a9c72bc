"""CRC32c, the checksum of SCTP (RFC 9260, appendix A): reflected, over Castagnoli's polynomial."""

__all__ = ["crc32c"]

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFF_FFFF


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_remainder, range(256)))


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC of ``data``. On the wire it stands least significant byte first."""
    crc = _ONES
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ _ONES
