"""Files of a raw folder, in a fixed order."""

from __future__ import annotations

from pathlib import Path

from neuroprism.core.errors import DataError


def files_below(root: Path, pattern: str, expected: str) -> list[Path]:
    """Return the files below `root` whose name fits `pattern`, sorted by name, then by path.

    Parameters
    ----------
    root
        Raw folder.
    pattern
        Of the file name, e.g. ``"*.edf"``.
    expected
        What the dataset looks for, in words, for the error message.

    Raises
    ------
    DataError
        If there is no such folder, or no such file in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = sorted((p for p in root.rglob(pattern) if p.is_file()), key=lambda p: (p.name, str(p)))
    if not found:
        raise DataError(f"{root}: no file {pattern}; expected {expected}")
    return found
