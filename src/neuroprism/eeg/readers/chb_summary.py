"""The summary files of CHB-MIT: which recording holds which seizures."""

from __future__ import annotations

import re
from pathlib import Path

from neuroprism.core.errors import DataError

Seizures = tuple[tuple[float, float], ...]
"""(start_s, end_s) of each seizure."""

_FILE = re.compile(r"File Name:\s*(\S+)")
_COUNT = re.compile(r"Number of Seizures in File:\s*(\d{1,9})\b")
_START = re.compile(r"Seizure(?:\s+\d+)?\s+Start Time:\s*(\d+(?:\.\d+)?)")
_END = re.compile(r"Seizure(?:\s+\d+)?\s+End Time:\s*(\d+(?:\.\d+)?)")


def read_chb_summary(path: Path) -> dict[str, Seizures]:
    """Return the seizures of each listed file, by file name.

    Both spellings are read: ``Seizure Start Time: 2996 seconds`` and
    ``Seizure 1 Start Time: 327 seconds``.

    Raises
    ------
    DataError
        If the file cannot be read, lists no recording, or the start and end
        times do not fit the stated number of seizures.
    """
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    parts = _FILE.split(text)[1:]
    if not parts:
        raise DataError(f"{path}: lists no recording ('File Name: ...')")
    return {name: _seizures(path, name, block) for name, block in zip(parts[::2], parts[1::2], strict=True)}


def _seizures(path: Path, name: str, block: str) -> Seizures:
    count = _COUNT.search(block)
    starts, ends = ([float(value) for value in pattern.findall(block)] for pattern in (_START, _END))
    if count is None or not len(starts) == len(ends) == int(count[1]):
        stated = "no number of" if count is None else count[1]
        raise DataError(f"{path}: {name}: {stated} seizures, {len(starts)} start and {len(ends)} end times")
    for start, end in zip(starts, ends, strict=True):
        if end <= start:
            raise DataError(f"{path}: {name}: a seizure ends at {end:g} s, before its start at {start:g} s")
    return tuple(zip(starts, ends, strict=True))
