"""Sleep stages of ISRUC: one digit a line for each epoch of 30 s."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError

STAGE_OF_DIGIT = {"0": 0, "1": 1, "2": 2, "3": 3, "5": 4}
"""0 wake, 1-3 N1-N3, 5 REM; 4 is not used."""


def read_isruc_labels(path: Path) -> npt.NDArray[np.int64]:
    """Return the stages (n_epochs,) as labels 0 to 4; empty lines are skipped.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or holds anything but the known digits.
    """
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    stages = []
    for number, line in enumerate(lines, start=1):
        digit = line.strip()
        if not digit:
            continue
        if digit not in STAGE_OF_DIGIT:
            raise DataError(f"{path}: line {number}: '{digit}' is no sleep stage (0, 1, 2, 3 or 5)")
        stages.append(STAGE_OF_DIGIT[digit])
    if not stages:
        raise DataError(f"{path}: no sleep stages")
    return np.array(stages, dtype=np.int64)
