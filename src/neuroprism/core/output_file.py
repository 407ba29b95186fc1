"""A file that a user asked for: refused before the work, or written whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from neuroprism.core.errors import DataError
from neuroprism.core.files import replace_bytes


def require_free(path: Path, *, overwrite: bool, example: str, beside: Iterable[Path] = ()) -> None:
    """Refuse a file that cannot be written as asked, before anything is computed.

    Parameters
    ----------
    path
        File to write.
    overwrite
        Whether an existing file may be replaced.
    example
        Name that would do, for the message.
    beside
        Further files that are written with it.

    Raises
    ------
    DataError
        If `path` is a folder, or one of the files exists and may not be replaced
        or cannot be looked at.
    """
    try:
        if path.is_dir():
            raise DataError(f"'{path}' is a folder; name the file to write, e.g. {example}")
        for file in (path, *beside):
            if file.exists() and not overwrite:
                raise DataError(f"{file} exists; replace it with --overwrite")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def write_output(path: Path, content: bytes) -> None:
    """Write a file atomically, and its folder where there is none.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
