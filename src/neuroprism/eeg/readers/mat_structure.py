"""Whether a MATLAB file of version 5 holds together, before SciPy reads it.

SciPy believes the sizes in a file: a damaged one leads it out of its buffers
and ends the process. Here every element is followed to its end, and the numbers
of a variable are counted against its dimensions.

MathWorks, MAT-File Format (2019), https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

_HEADER, _TAG = 128, 8
_MATRIX, _COMPRESSED = 14, 15
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Bytes of an item by the type of an element."""

_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
_COMPLEX = 1 << 11
_LARGE, _MOST_PACKED = 1 << 30, 1000
_DEEPEST, _LONGEST_NAME = 32, 1 << 12


class Mismatch(ValueError):  # noqa: N818 - it says what does not match
    """A file that contradicts itself."""


class _Bytes:
    """A stretch of a file, of which no one reads beyond the end."""

    def __init__(self, content: bytes | memoryview, order: str) -> None:
        self.content, self.order, self.place = memoryview(content), order, 0

    @property
    def left(self) -> int:
        return len(self.content) - self.place

    def take(self, count: int) -> memoryview:
        if not 0 <= count <= self.left:
            raise Mismatch("an element is longer than what is left of the file")
        self.place += count
        return self.content[self.place - count : self.place]

    def element(self, *, pads: bool = True) -> tuple[int, memoryview]:
        """Return type and content of the next element."""
        kind, size = struct.unpack(f"{self.order}II", self.take(_TAG))
        if kind >> 16:
            # A small element has its content in the tag.
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise Mismatch("a small element is too long")
            self.place -= 4
            return kind, self.take(4)[:size]
        content = self.take(size)
        if pads and kind != _COMPRESSED:
            self.take(min(-size % _TAG, self.left))
        return kind, content

    def integers(self, what: str) -> tuple[int, ...]:
        kind, content = self.element()
        if kind not in (5, 6) or len(content) % 4:
            raise Mismatch(f"{what} are no integers")
        return struct.unpack(f"{self.order}{len(content) // 4}{'i' if kind == 5 else 'I'}", content)

    def name(self) -> str:
        kind, content = self.element()
        if kind not in (1, 2, 16) or len(content) > _LONGEST_NAME:
            raise Mismatch("a name is no text")
        return bytes(content).decode("latin-1")


def check_structure(path: Path, names: Collection[str]) -> None:
    """Follow the elements of a file, and all that lies in the named variables.

    Raises
    ------
    Mismatch
        If the file contradicts itself, or would grow beyond memory.
    OSError
        If it cannot be read.
    """
    content = path.read_bytes()
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        # A file of version 4, or none at all: SciPy tells.
        return
    order = "<" if content[126:128] == b"IM" else ">"
    for inner in _matrices(_Bytes(content[_HEADER:], order)):
        flags, dims, name = _head(inner)
        if name in names:
            _check_value(inner, flags, dims, 0)


def _matrices(whole: _Bytes) -> Iterator[_Bytes]:
    while whole.left:
        kind, content = whole.element(pads=False)
        if kind == _COMPRESSED:
            unpacked = _Bytes(_unpacked(content), whole.order)
            kind, content = unpacked.element()
        if kind != _MATRIX:
            raise Mismatch(f"an element of type {kind} in place of a variable")
        yield _Bytes(content, whole.order)


def _unpacked(content: memoryview) -> bytes:
    most = max(_LARGE, _MOST_PACKED // 10 * len(content))
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(content, most)
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise Mismatch("a compressed variable does not end, or outgrows memory")
    return unpacked


def _head(matrix: _Bytes) -> tuple[int, tuple[int, ...], str]:
    flags = matrix.integers("flags")
    if len(flags) != 2:
        raise Mismatch("flags are not two")
    if flags[0] & 0xFF == 17:
        # An object of MATLAB, of another layout; SciPy passes over it.
        return flags[0], (0, 0), ""
    dims = matrix.integers("dimensions")
    if not 1 < len(dims) <= 32 or min(dims) < 0:
        raise Mismatch(f"dimensions {dims[:8]}")
    return flags[0], dims, matrix.name()


def _check_value(matrix: _Bytes, flags: int, dims: tuple[int, ...], depth: int) -> None:
    kind, n = flags & 0xFF, math.prod(dims)
    if depth > _DEEPEST:
        raise Mismatch("variables in variables without end")
    if kind == _CELL:
        _check_inner(matrix, n, depth)
    elif kind == _STRUCT:
        _check_inner(matrix, n * _n_fields(matrix), depth)
    elif kind == _CHAR or kind in _NUMBERS:
        for _ in range(2 if flags & _COMPLEX and kind != _CHAR else 1):
            stored, content = matrix.element()
            size = _ITEM_BYTES.get(stored)
            if size is None or len(content) % size:
                raise Mismatch(f"numbers of type {stored}")
            # Letters of UTF-8 have several bytes.
            found = len(content) // size
            if found != n and not (kind == _CHAR and stored == 16 and found > n):
                raise Mismatch(f"{found:,} items for dimensions {dims}")
    else:
        raise Mismatch(f"a variable of class {kind}, which is not read")


def _n_fields(matrix: _Bytes) -> int:
    lengths = matrix.integers("lengths of names")
    kind, names = matrix.element()
    if (
        len(lengths) != 1
        or not 0 < lengths[0] <= _LONGEST_NAME
        or kind not in (1, 2)
        or len(names) % lengths[0]
    ):
        raise Mismatch("names of fields do not fit their length")
    return len(names) // lengths[0]


def _check_inner(matrix: _Bytes, count: int, depth: int) -> None:
    if count * _TAG > matrix.left:
        raise Mismatch(f"{count:,} elements do not fit")
    for _ in range(count):
        kind, content = matrix.element()
        if kind != _MATRIX:
            raise Mismatch(f"an element of type {kind} in a cell or struct")
        if not content:
            continue
        inner = _Bytes(content, matrix.order)
        flags, dims, _name = _head(inner)
        _check_value(inner, flags, dims, depth + 1)
