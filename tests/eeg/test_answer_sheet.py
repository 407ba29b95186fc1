"""The answer sheet: labels of one subject, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.answer_sheet import read_answer_sheet
from neuroprism.eeg.simulate import simulate_raw

ANSWERS = np.random.default_rng(0).integers(1, 6, (50, 15))


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of sheets in which cells (row, column), counted from 1, are replaced."""

    def write(replaced: dict[tuple[int, int], Any] | None = None, n_trials: int = 50) -> Path:
        book = Workbook()
        page = book.active
        page.title = "Track3"
        page.append(["Track 3"])
        page.append([None, *(w for k in range(15) for w in (f"Data_Sample{k + 1:02d}", None))])
        page.append([None, *(["Trial #", "True Label"] * 15)])
        for trial, row in enumerate(ANSWERS[:n_trials].tolist()):
            page.append([None, *(w for answer in row for w in (trial + 1, answer))])
        for (row, column), value in (replaced or {}).items():
            page.cell(row, column).value = value
        book.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return write


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("subject", [1, 2, 15])
def test_labels_of_a_subject(sheet: Callable[..., Path], subject: int) -> None:
    labels = read_answer_sheet(sheet(), subject)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, ANSWERS[:, subject - 1] - 1)


def test_whole_numbers_as_excel_floats_and_empty_rows_below(sheet: Callable[..., Path]) -> None:
    path = sheet({(4, 3): 2.0, (54, 1): None})
    assert read_answer_sheet(path, 1)[0] == 1
    assert len(read_answer_sheet(path, 1)) == 50


def test_missing_answers_are_refused_or_counted(sheet: Callable[..., Path]) -> None:
    message = message_of(lambda: read_answer_sheet(sheet({(10, 5): None}), 2))
    assert message.endswith("a.xlsx: row 10, subject 2: no answer")
    assert len(read_answer_sheet(sheet(n_trials=49), 2)) == 49  # the reader of the trials compares
    assert "no answers for subject 16" in message_of(lambda: read_answer_sheet(sheet(), 16))
    assert "no answers for subject 1" in message_of(lambda: read_answer_sheet(sheet(n_trials=0), 1))


@pytest.mark.parametrize("value", [0, 6, 2.5, -1, "hello", "3"])
def test_other_labels_are_refused(sheet: Callable[..., Path], value: object) -> None:
    message = message_of(lambda: read_answer_sheet(sheet({(4, 3): value}), 1))
    assert message.endswith(f"row 4, subject 1: '{value}' is no label (1 to 5)")


def test_damaged_files_are_refused(sheet: Callable[..., Path], tmp_path: Path) -> None:
    path = sheet()
    content = path.read_bytes()
    for part in (b"", content[:100], content[: len(content) // 2], b"Trial;Label\n1;2\n"):
        path.write_bytes(part)
        assert message_of(lambda: read_answer_sheet(path, 1)).startswith(f"{path}: damaged, or no Excel file")
    assert "no Excel file" in message_of(lambda: read_answer_sheet(tmp_path / "b.xlsx", 1))


def test_the_simulated_sheet_is_excel_and_the_same_for_a_seed(tmp_path: Path) -> None:
    for folder in "ab":
        simulate_raw("BCIC2020-3", tmp_path / folder, n_subjects=3, seed=4)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    page = load_workbook(next((tmp_path / "a").rglob("*.xlsx")))["Track3"]
    assert (page["B2"].value, page["C3"].value, page["B4"].value) == ("Data_Sample01", "True Label", 1)
