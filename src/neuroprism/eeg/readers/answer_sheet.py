"""The answer sheet of BCI Competition 2020, track 3: true labels of the test trials.

Three header rows, then one row a trial. Subject k has its trial numbers in
column 2k and its labels, 1 to 5, in column 2k + 1, counted from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.core.workbook_faults import WORKBOOK_FAULTS

HEADER_ROWS = 3
N_CLASSES = 5


def read_answer_sheet(path: Path, subject: int) -> npt.NDArray[np.int64]:
    """Return the labels 0 to 4 of all test trials of a subject (from 1): (n_trials,).

    Raises
    ------
    DataError
        If the file is damaged, has no column for the subject, lacks an answer,
        or holds anything but the numbers 1 to 5.
    """
    rows = _rows(path)[HEADER_ROWS:]
    column = 2 * subject
    answers = [row[column] if column < len(row) else None for row in rows]
    while answers and answers[-1] is None:
        answers.pop()
    if not answers:
        raise DataError(f"{path}: no answers for subject {subject}")
    return np.array([_label(path, subject, k, value) for k, value in enumerate(answers)], dtype=np.int64)


def _rows(path: Path) -> list[tuple[Any, ...]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with path.open("rb") as file:
            # Opened here: what cannot be read would stay open there.
            book = load_workbook(file, read_only=True, data_only=True)
            return list(book[book.sheetnames[0]].iter_rows(values_only=True))
    except (InvalidFileException, *WORKBOOK_FAULTS) as error:
        raise DataError(f"{path}: damaged, or no Excel file: {error}") from error


def _label(path: Path, subject: int, trial: int, value: Any) -> int:
    where = f"{path}: row {HEADER_ROWS + trial + 1}, subject {subject}"
    if value is None:
        raise DataError(f"{where}: no answer")
    if not isinstance(value, int | float) or value not in range(1, N_CLASSES + 1):
        raise DataError(f"{where}: '{value}' is no label (1 to {N_CLASSES})")
    return int(value) - 1
