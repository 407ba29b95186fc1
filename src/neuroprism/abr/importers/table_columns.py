"""Columns of a table: which are samples, which mean what, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.core.errors import DataError, UnknownNameError, suggest

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = (
    "age_years",
    "level_db",
    "rate_hz",
    "fmp",
    "residual_noise_uv",
    "n_sweeps",
    "threshold_db",
    "air_bone_gap_db",
    "i_latency_ms",
    "iii_latency_ms",
    "v_latency_ms",
    "i_amplitude_uv",
    "iii_amplitude_uv",
    "v_amplitude_uv",
)
FLAGS = ("v_present", "threshold_censored")
TEXTS = ("patient_id", "ear", "sex", "polarity", "hearing_class")
OURS = (*TEXTS, *NUMBERS, *FLAGS)
EARLIER_COLUMNS = {
    "Patient_ID": "patient_id",
    "Age": "age_years",
    "Intensity": "level_db",
    "Stimulus Rate": "rate_hz",
    "FMP": "fmp",
    "I Latancy": "i_latency_ms",
    "III Latancy": "iii_latency_ms",
    "V Latancy": "v_latency_ms",
    "I Amplitude": "i_amplitude_uv",
    "III Amplitude": "iii_amplitude_uv",
    "V Amplitude": "v_amplitude_uv",
    "Hear_Loss": "hearing_class",
    "Stimulus Polarity": "polarity",
}
"""Column names of the earlier project's spreadsheet, spelled as they are there."""
_TRUE, _FALSE = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}


def named_columns(present: list[str], declared: Mapping[str, str], source: Path) -> dict[str, str]:
    """Return what each of our columns is called in the table.

    Raises
    ------
    DataError
        If a mapped column is absent, or two columns of the table mean the same.
    UnknownNameError
        If a column is mapped to a name that does not exist.
    """
    for theirs, wanted in declared.items():
        if wanted not in OURS:
            raise UnknownNameError("column of recordings", wanted, OURS)
        if theirs not in present:
            raise DataError(f"{source} has no column '{theirs}'{suggest(theirs, present)}")
    found: dict[str, str] = {}
    for theirs in present:
        ours = declared.get(theirs) or _standard(theirs, set(declared.values()))
        if not ours:
            continue
        if ours in found:
            raise DataError(f"{source}: '{found[ours]}' and '{theirs}' both are {ours}; choose with --map")
        found[ours] = theirs
    return found


def _standard(theirs: str, taken: set[str]) -> str:
    ours = theirs if theirs in OURS else EARLIER_COLUMNS.get(theirs, "")
    return "" if ours in taken else ours


def sample_columns(present: list[str], declared: str | None, source: Path) -> list[str]:
    """Return the columns of samples, in the order of time.

    Raises
    ------
    DataError
        If they cannot be told.
    """
    if declared is not None:
        first, colon, last = declared.partition(":")
        for name in (first, last):
            if not colon or name not in present:
                raise DataError(
                    f"--samples {declared}: it must be FIRST:LAST, two columns of {source.name}"
                    f"{suggest(name, present)}"
                )
        chosen = present[present.index(first) : present.index(last) + 1]
        if len(chosen) < 2:
            raise DataError(f"--samples {declared}: the first column must stand before the last")
        return chosen
    numbered = set(present)
    n = 0
    while str(n + 1) in numbered:
        n += 1
    if n < 2:
        raise DataError(f"{source} has no sample columns 1, 2, 3, ...; name them with --samples FIRST:LAST")
    return [str(k) for k in range(1, n + 1)]


def numbers(table: pd.DataFrame, names: list[str], source: Path) -> NDArray[np.float64]:
    """Return columns as numbers, (rows, columns); NaN where a cell is empty.

    Raises
    ------
    DataError
        If a cell is neither empty nor a number; the message names it.
    """
    import pandas as pd

    part = table[names]
    converted = part.apply(pd.to_numeric, errors="coerce")
    values: NDArray[np.float64] = converted.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.isnan(values) & ~_empty(part)
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        cell = str(part.iat[row, column])
        hint = "; declare --decimal-comma" if cell.replace(",", "", 1).lstrip("-").isdigit() else ""
        raise DataError(f"{source}, row {row + 1}, column '{names[column]}': '{cell}' is not a number{hint}")
    return values


def texts(table: pd.DataFrame, name: str) -> list[str]:
    """Return a column as text without blanks around it; empty where a cell is empty."""
    return ["" if gap else _text(value) for value, gap in zip(table[name], table[name].isna(), strict=True)]


def flags(table: pd.DataFrame, name: str, source: Path) -> NDArray[np.bool_]:
    """Return a column of yes and no.

    Raises
    ------
    DataError
        If a cell is something else, or empty.
    """
    words = [word.casefold() for word in texts(table, name)]
    for row, word in enumerate(words):
        if word not in _TRUE | _FALSE:
            raise DataError(f"{source}, row {row + 1}, column '{name}': '{word}' is neither yes nor no")
    return np.array([word in _TRUE for word in words], dtype=np.bool_)


def _empty(part: pd.DataFrame) -> NDArray[np.bool_]:
    blank: Any = part.isna() | part.map(lambda cell: isinstance(cell, str) and cell.strip().lower() in _BLANK)
    return np.asarray(blank, dtype=np.bool_)


_BLANK = {"", "nan", "na", "n/a", "-"}


def _text(value: Any) -> str:
    # A spreadsheet hands whole numbers out as floats.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
