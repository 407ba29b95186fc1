"""The two ways in which this project writes files.

Streams are appended, one line at a time, in whole lines: after a kill at most
the last line is torn, and every reader drops a last line without its newline.
Everything else is replaced: written to a temporary name in the same folder,
flushed to disk and renamed, so that a reader sees the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from neuroprism.core.errors import RunError


@contextlib.contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Say in one line that a run folder cannot be written, and why.

    Raises
    ------
    RunError
        If the system refuses something in the body.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write run folder {folder}: {error.strerror or error}") from None


def replace_with(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Replace `path` atomically by what `write` puts into the open file.

    Raises
    ------
    OSError
        If the folder cannot be written; `path` is then unchanged and no
        temporary file is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace `path` atomically by `content`."""
    replace_with(path, lambda file: _write_all(file, content))


def _write_all(file: BinaryIO, content: bytes) -> None:
    file.write(content)


class LineAppender:
    """Appends whole lines to a file that stays open.

    Opening a file whose last line is torn (the writer was killed) first cuts
    that line off, so that lines never run into each other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        cut_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._counts_links = os.fstat(self._file.fileno()).st_nlink > 0

    def append(self, lines: bytes) -> None:
        """Append `lines`, which end with a newline, in one write.

        Raises
        ------
        OSError
            If they cannot be written, or the file was removed: what is written to it is then lost.
        """
        if self._counts_links and os.fstat(self._file.fileno()).st_nlink == 0:
            raise FileNotFoundError(f"{self.path.name} was removed while it was written")
        written = self._file.write(lines)
        while written is not None and written < len(lines):
            lines = lines[written:]
            written = self._file.write(lines)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut_torn_line(path: Path) -> int:
    """Cut off a last line without newline; return the number of bytes removed."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)
        return size - end


def whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file without newline, leaving out a torn last one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]
