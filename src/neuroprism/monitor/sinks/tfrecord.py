"""TFRecord framing of event files: length, checksum, data, checksum.

The format of TensorBoard's event files, little-endian: ``uint64 length, uint32
masked CRC-32C of the length, data, uint32 masked CRC-32C of the data``. Written
here because the package's own writer imports a stand-in for TensorFlow that
takes longer to load than everything else together, and writes from a thread.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed


def _byte_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_BYTES = _byte_table()


@cache
def _word_tables() -> tuple[array[int], array[int]]:
    """Return what four steps by a byte make of the low and of the high half of a register.

    The steps are linear, so that both halves together are a step by four bytes: a third of the time.
    """
    by_byte = np.array(_BYTES, dtype=np.uint32)
    halves = []
    for shift in (0, 16):
        register = np.arange(1 << 16, dtype=np.uint32) << np.uint32(shift)
        for _ in range(4):
            register = by_byte[register & 0xFF] ^ (register >> np.uint32(8))
        halves.append(array("I", register.tobytes()))
    return halves[0], halves[1]


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`, rotated and offset as TFRecord wants it."""
    low, high = _word_tables()
    n_words = len(data) // 4
    crc = 0xFFFFFFFF
    for word in struct.unpack_from(f"<{n_words}I", data):
        crc ^= word
        crc = low[crc & 0xFFFF] ^ high[crc >> 16]
    for byte in data[4 * n_words :]:
        crc = _BYTES[(crc ^ byte) & 0xFF] ^ (crc >> 8)
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
