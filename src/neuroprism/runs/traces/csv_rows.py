"""Reading CSV with a header, complete or sparse."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.runs.traces.table import MOST_COLUMNS, NON_FINITE, Column, Table, full_column, join

_ROWS_AT_ONCE = 50_000
_LONGEST_LINE = 1 << 20
_DELIMITERS = ",;\t"


def read_csv(path: Path, notes: list[str]) -> Table:
    """Read a CSV file; an empty cell is no value, cells of text are passed over.

    Parameters
    ----------
    path
        Separated by commas, semicolons or tabs, with names in the first line.
    notes
        Gets a line about everything odd.

    Raises
    ------
    DataError
        If it is no such file; names file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(file, path)
            names, delimiter = _header(next(lines, ""), path)
            reader = csv.reader(lines, delimiter=delimiter)
            tables, first = [], 2
            while rows := list(islice(reader, _ROWS_AT_ONCE)):
                is_last = len(rows) < _ROWS_AT_ONCE
                table = _table(names, _complete(rows, names, path, first, notes, is_last=is_last))
                tables.append(table)
                first += len(rows)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file") from None
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}") from None
    if not any(table.n_rows for table in tables):
        raise DataError(f"{path} has a header, but no row")
    return join(tables)


def _lines(file: object, path: Path) -> Iterator[str]:
    number = 0
    # Read with a limit: a file without any line end must not fill the memory.
    while line := file.readline(_LONGEST_LINE + 1):  # type: ignore[attr-defined]
        number += 1
        if len(line) > _LONGEST_LINE:
            raise DataError(
                f"{path}, line {number} is longer than {_LONGEST_LINE >> 20} MiB: no row of metrics"
            )
        yield line


def _header(line: str, path: Path) -> tuple[list[str], str]:
    delimiter = max(_DELIMITERS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if not names or all(_is_number(name) for name in names):
        raise DataError(f"{path} is no log that is known: its first line names no columns")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path} has more than {MOST_COLUMNS} columns: no log of a training run")
    twice = next((name for k, name in enumerate(names) if name and name in names[:k]), None)
    if twice is not None:
        raise DataError(f"{path}: column '{twice}' stands twice")
    return names, delimiter


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _complete(
    rows: list[list[str]], names: Sequence[str], path: Path, first: int, notes: list[str], *, is_last: bool
) -> list[list[str]]:
    """Return the rows that are not blank; a torn last one is left out."""
    kept = []
    for number, row in enumerate(rows, start=first):
        if not row or (len(row) == 1 and not row[0].strip()):
            continue
        if len(row) != len(names):
            if is_last and number == first + len(rows) - 1 and len(row) < len(names):
                notes.append(f"{path.name}, line {number} is incomplete and was left out")
                continue
            raise DataError(f"{path}, line {number} has {len(row)} cells, the header {len(names)}")
        kept.append(row)
    return kept


def _table(names: Sequence[str], rows: list[list[str]]) -> Table:
    columns = {
        name: _column(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=False) if name
    }
    return Table(n_rows=len(rows), columns={name: c for name, c in columns.items() if c.given.any()})


def _column(cells: Sequence[str]) -> Column:
    try:
        return full_column(np.fromiter(map(float, cells), dtype=np.float64, count=len(cells)))
    except ValueError:
        values = [_value(cell) for cell in cells]
    given = np.array([value is not None for value in values], dtype=np.bool_)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return Column(values=numbers, given=given)


def _value(cell: str) -> float | None:
    text = cell.strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return NON_FINITE.get(text.lower())
