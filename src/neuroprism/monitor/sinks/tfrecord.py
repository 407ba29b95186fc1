"""TFRecord framing of event files: length, checksum, data, checksum.

The format of TensorBoard's event files, little-endian: ``uint64 length, uint32
masked CRC-32C of the length, data, uint32 masked CRC-32C of the data``. Written
here because the package's own writer imports a stand-in for TensorFlow that
takes longer to load than everything else together, and writes from a thread.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`, rotated and offset as TFRecord wants it."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """Return `data` as one record."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data)))
    )


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of every record up to the first torn or damaged one."""
    with path.open("rb") as file:
        while len(header := file.read(12)) == 12:
            length, check = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != check:
                return
            data = file.read(length)
            footer = file.read(4)
            if len(footer) < 4 or struct.unpack("<I", footer)[0] != masked_crc32c(data):
                return
            yield data
