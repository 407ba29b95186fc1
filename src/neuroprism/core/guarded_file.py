"""A file as an unpickler may read it: nothing in it makes room for more than is there.

Two opcodes allocate by what they say rather than by what follows. One announces
a length: here no read asks for more bytes than are left. One numbers an object,
for which the unpickler of C clears a table up to that number: 34 GB for a file
of seven bytes. The numbers are looked at before the unpickler gets them.
"""

from __future__ import annotations

import os
import pickletools
import re
import warnings
from typing import BinaryIO

from neuroprism.core.errors import DataError

MOST_NUMBERED = 1 << 24
"""Objects that a pickle may number; pickles of a million recordings stay below it."""

_NUMBER, _NUMBER_IN_TEXT, _FRAME = b"r", b"p", b"\x95"
# A number above the limit, or bytes that look like one.
_SUSPECT = re.compile(rb"r...[^\0]|p0*\d{8}", re.DOTALL)


class GuardedFile:
    """A file that gives no byte more than it is asked for, so that its place is always true.

    It has neither `peek` nor `readinto`, so that the unpickler asks for opcodes,
    their arguments and whole frames one by one.

    Parameters
    ----------
    file
        Open file that can seek.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(start)
        self._before = b""
        self._frame = -1

    def read(self, count: int = -1) -> bytes:
        """Return bytes; fewer than asked for at the end."""
        left = self.left()
        content = self._file.read(left if count < 0 else min(count, left))
        if self._before == _NUMBER and count == 4:
            _check(int.from_bytes(content, "little"))
        if count == self._frame and _SUSPECT.search(content):
            _check_frame(content)
        self._frame = int.from_bytes(content, "little") if self._before == _FRAME and count == 8 else -1
        self._before = content if count == 1 else b""
        return content

    def readline(self) -> bytes:
        """Return bytes up to the next newline."""
        line = self._file.readline()
        if self._before == _NUMBER_IN_TEXT and line.strip().isdigit():
            _check(int(line) if len(line) < 20 else MOST_NUMBERED)
        self._before = b""
        return line

    def left(self) -> int:
        """Return the number of bytes behind the place."""
        return self.size - self._file.tell()


def _check(number: int) -> None:
    if number >= MOST_NUMBERED:
        raise DataError("refused: an object numbered beyond what memory holds")


def _check_frame(content: bytes) -> None:
    """Look at the opcodes of a frame."""
    try:
        with warnings.catch_warnings():
            # What stands in old strings is the unpickler's affair.
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, argument, _ in pickletools.genops(content):
                if opcode.name in ("PUT", "LONG_BINPUT") and argument is not None:
                    _check(argument)
    except ValueError:
        # The end of a frame is no end of a pickle.
        return
