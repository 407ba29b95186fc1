"""The film clips of SEED-V: when they were shown, and which emotion they evoke."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from neuroprism.core.errors import DataError

FILE_NAME = "trial_start_end_timestamp.txt"

ClipTimes = tuple[tuple[int, int], ...]
"""(start, end) of each clip in seconds from the start of the recording."""

_STARTS = {
    1: (30, 132, 287, 555, 773, 982, 1271, 1628, 1730, 2025, 2227, 2435, 2667, 2932, 3204),
    2: (30, 299, 548, 646, 836, 1000, 1091, 1392, 1657, 1809, 1966, 2186, 2333, 2490, 2741),
    3: (30, 353, 478, 674, 825, 908, 1200, 1346, 1451, 1711, 2055, 2307, 2457, 2726, 2888),
}
_ENDS = {
    1: (102, 228, 524, 742, 920, 1240, 1568, 1697, 1994, 2166, 2401, 2607, 2901, 3172, 3359),
    2: (267, 488, 614, 773, 967, 1059, 1331, 1622, 1777, 1908, 2153, 2302, 2428, 2709, 2817),
    3: (321, 418, 643, 764, 877, 1147, 1284, 1418, 1679, 1996, 2275, 2425, 2664, 2857, 3066),
}
CLIPS: dict[int, ClipTimes] = {v: tuple(zip(_STARTS[v], _ENDS[v], strict=True)) for v in _STARTS}
"""Visit to (start, end) of its 15 clips in seconds, as published."""

LABELS = {
    1: (4, 1, 3, 2, 0, 4, 1, 3, 2, 0, 4, 1, 3, 2, 0),
    2: (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
    3: (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
}
"""Visit to the emotion of its clips."""

_LONGEST_NUMBER = 9
_VISIT = re.compile(r"session\s*(\d{1,9})\s*:(.*?)(?=session\s*\d{1,9}\s*:|\Z)", re.IGNORECASE | re.DOTALL)


def read_clip_times(path: Path, visit: int) -> ClipTimes:
    """Return the clips of a visit (1, 2 or 3), as the provider's text file has them.

    The file has, for each visit, ``Session N:``, ``start_second: [...]`` and
    ``end_second: [...]``.

    Raises
    ------
    DataError
        If the file cannot be read or is not of this form, or the clips are not in order.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    block = next((match[2] for match in _VISIT.finditer(text) if int(match[1]) == visit), None)
    if block is None:
        raise DataError(f"{path}: no times of session {visit}")
    starts, ends = (_seconds(path, block, f"{end}_second", visit) for end in ("start", "end"))
    clips = tuple(zip(starts, ends, strict=True))
    if any(a >= b for a, b in clips) or any(a[1] > b[0] for a, b in pairwise(clips)):
        raise DataError(f"{path}: session {visit}: the clips overlap or end before they start")
    return clips


def _seconds(path: Path, block: str, name: str, visit: int) -> list[int]:
    match = re.search(rf"{name}\s*:?\s*\[([\d\s,]*)\]", block)
    words = match[1].replace(",", " ").split() if match else []
    if any(len(word) > _LONGEST_NUMBER for word in words):
        raise DataError(f"{path}: session {visit}: {name} holds a number that is no time in seconds")
    found = [int(word) for word in words]
    if len(found) != len(LABELS[visit]):
        raise DataError(
            f"{path}: session {visit}: {len(found)} values of {name}, expected {len(LABELS[visit])}"
        )
    return found
