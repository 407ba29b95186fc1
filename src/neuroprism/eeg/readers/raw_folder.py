"""Files of a raw folder, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuroprism.core.errors import DataError
from neuroprism.eeg.recordings import Found, Recording, Skipped


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


def found_in(root: Path, recordings: Sequence[Recording], skipped: Sequence[Skipped], expected: str) -> Found:
    """Return what was found.

    Raises
    ------
    DataError
        If there is no recording at all, with the reasons of the first files that were skipped.
    """
    if not recordings:
        reasons = "".join(f"; {s.what}: {s.reason}" for s in skipped[:3])
        raise DataError(f"{root}: no usable recording; expected {expected}{reasons}")
    return Found(recordings=tuple(recordings), skipped=tuple(skipped))
