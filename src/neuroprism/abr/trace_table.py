"""Traces from a CSV file: one row a recording, its samples in the columns `1`, `2`, `3` and so on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.unlabelled import GIVEN, UNKNOWN_EAR, unlabelled, with_conditions
from neuroprism.core.errors import DataError, suggest

TEXTS = ("patient_id", "ear")
SETTINGS = ("sample_rate_hz", "start_ms")
COLUMNS = (*TEXTS, *SETTINGS, *GIVEN)
"""Columns that may stand beside the samples."""

_LONGEST_NUMBER = 9

EARS = {"l": "L", "left": "L", "r": "R", "right": "R", "": UNKNOWN_EAR, UNKNOWN_EAR: UNKNOWN_EAR}


def read_traces(
    path: Path, *, sample_rate_hz: float | None = None, start_ms: float | None = None, unit: str = "uv"
) -> AbrRecordings:
    """Read traces and what is known of them.

    Parameters
    ----------
    path
        The CSV file, whose first line names the columns: samples `1` to `T`, and any of `COLUMNS`.
    sample_rate_hz, start_ms
        Where the file has no column for them; the first sample is at the stimulus unless something says
        otherwise.
    unit
        Of the samples.

    Raises
    ------
    DataError
        If the file cannot be read; the line names row and column at fault.
    """
    header, rows = _read(path)
    samples = _sample_columns(path, header)
    table = {
        name: _numbers(path, name, [row[k] for row in rows])
        for k, name in enumerate(header)
        if name not in TEXTS
    }
    texts = {name: [row[header.index(name)].strip() for row in rows] for name in TEXTS if name in header}
    rate = _setting(path, table, "sample_rate_hz", sample_rate_hz)
    start = _setting(path, table, "start_ms", start_ms)
    recordings = unlabelled(
        np.stack([table[name] for name in samples], axis=1),
        sample_rate_hz=rate,
        start_ms=0.0 if start is None else start,
        unit=unit,
        patient_id=texts.get("patient_id", ""),
        ear=[_ear(path, row, text) for row, text in enumerate(texts["ear"], 2)]
        if "ear" in texts
        else UNKNOWN_EAR,
    )
    return with_conditions(recordings, {name: table[name] for name in GIVEN if name in table})


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV text"
        raise DataError(f"cannot read recordings {path}: {reason}") from None
    if len(lines) < 2:
        raise DataError(
            f"{path} holds no recording: it needs a line of column names and a line for each recording"
        )
    header, rows = [cell.strip() for cell in lines[0]], lines[1:]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: {len(row)} cells, but there are {len(header)} columns")
    return header, rows


def _sample_columns(path: Path, header: list[str]) -> list[str]:
    samples = sorted((name for name in header if name.isdecimal() and len(name) <= _LONGEST_NUMBER), key=int)
    for name in header:
        if name not in samples and name not in COLUMNS:
            raise DataError(f"{path}: unknown column '{name}'{suggest(name, COLUMNS)}")
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: the column '{repeated[0]}' stands there twice")
    if not samples:
        raise DataError(f"{path} has no samples: they stand in the columns 1, 2, 3 and so on")
    first = int(samples[0])
    for expected, name in enumerate(samples, first):
        if first > 1 or int(name) != expected:
            raise DataError(f"{path}: the column of sample {expected if first <= 1 else 1} is missing")
    return samples


def _numbers(path: Path, name: str, cells: list[str]) -> NDArray[np.float64]:
    """Return numbers; an empty cell is NaN."""
    values = np.empty(len(cells))
    for k, cell in enumerate(cells):
        try:
            values[k] = float(cell) if cell.strip() else np.nan
        except ValueError:
            raise DataError(f"{path}, row {k + 2}, column '{name}': '{cell}' is not a number") from None
    return values


def _setting(
    path: Path, table: dict[str, NDArray[np.float64]], name: str, given: float | None
) -> float | None:
    """Return what holds for the whole file: as its column says, else as given."""
    if name not in table:
        return given
    values = np.unique(table[name])
    if len(values) != 1:
        raise DataError(f"{path}: the column '{name}' must be the same in every row; split the file by it")
    if given is not None and given != values[0]:
        raise DataError(f"{path} says {name} {values[0]:g}, but {given:g} was given")
    return float(values[0])


def _ear(path: Path, row: int, text: str) -> str:
    if text.casefold() not in EARS:
        raise DataError(f"{path}, row {row}, column 'ear': '{text}' is not L, R or empty")
    return EARS[text.casefold()]
