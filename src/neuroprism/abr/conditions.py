"""Conditions under which signals are generated: from the training recordings, by hand, or from a table.

Conditions are a mapping from the names in `neuroprism.abr.scaler.CONDITION_NAMES` to values in their own
units, (N,); NaN where a value is not known.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from neuroprism.abr.conditions_kept import KEPT
from neuroprism.abr.scaler import CONDITION_NAMES
from neuroprism.abr.trained import TrainedAbr
from neuroprism.core.errors import DataError, UnknownNameError

Conditions = dict[str, NDArray[np.float64]]

UNITS = {"age_years": "years", "level_db_nhl": "dB nHL", "rate_hz": "per second", "fmp": ""}
WORDS = {"age_years": "age", "level_db_nhl": "intensity", "rate_hz": "rate", "fmp": "Fmp"}
_LONGEST_LINE = 1000
SHORT = {word.lower(): name for name, word in WORDS.items() if word.lower() != name}
"""Names that a table may use as well."""


def draw_conditions(
    trained: TrainedAbr, n: int, *, seed: int, fixed: Mapping[str, float] | None = None
) -> Conditions:
    """Draw the conditions of `n` signals from those of the training recordings.

    Parameters
    ----------
    trained
        Network; Fmp stays unknown where it does not read it.
    n
        Number of signals.
    seed
        Of the draw.
    fixed
        Conditions that all signals share; the others are still drawn, recording by recording.

    Raises
    ------
    DataError
        If the checkpoint does not hold conditions, and some are not fixed.
    """
    fixed = fixed or {}
    needed = {
        name for name in CONDITION_NAMES if name != "fmp" or trained.config.model.use_fmp
    } - fixed.keys()
    drawn: Conditions = {name: np.full(n, np.nan) for name in CONDITION_NAMES}
    if needed:
        kept = _kept(trained)
        rows = np.random.default_rng([seed, 1]).integers(len(kept), size=n)
        drawn |= {name: kept[rows, CONDITION_NAMES.index(name)] for name in needed}
    return drawn | {name: np.full(n, value, dtype=np.float64) for name, value in fixed.items()}


def read_conditions(path: Path, n: int | None = None) -> Conditions:
    """Read conditions from a CSV file with one row a signal.

    Columns are named as in the recordings (`age_years`, `level_db_nhl`, `rate_hz`, `fmp`) or `age`,
    `intensity`, `rate`; an empty cell or an absent column is a value that is not known.

    Parameters
    ----------
    path
        The file.
    n
        Number of signals; the rows are taken again from the first where they are fewer.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks the level.
    UnknownNameError
        If a column has another name.
    """
    table = _table(path)
    conditions: Conditions = {name: np.full(len(table), np.nan) for name in CONDITION_NAMES}
    for name in table.columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & table[name].notna())
        if len(wrong):
            value = table[name].iloc[wrong[0]]
            raise DataError(f"conditions {path}: {name} is '{value}' in row {wrong[0] + 1}, not a number")
        conditions[name] = numbers.to_numpy(dtype=np.float64)
    if np.isnan(conditions["level_db_nhl"]).any():
        raise DataError(f"conditions {path}: every row needs a level_db_nhl (or intensity)")
    places = np.arange(len(table) if n is None else n) % len(table)
    return {name: values[places] for name, values in conditions.items()}


def _table(path: Path) -> pd.DataFrame:
    """Return the rows of a file, its columns named as conditions are."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            # A million cells in a row would take minutes to be told that they are too many.
            while line := file.readline(_LONGEST_LINE + 1):
                if len(line) > _LONGEST_LINE:
                    raise DataError(f"conditions {path}: a line is too long for the conditions of a signal")
        with warnings.catch_warnings():
            # Rows longer than the header would be cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, skipinitialspace=True, index_col=False)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"cannot read conditions {path}: {reason}") from None
    table.columns = [SHORT.get(str(name).strip().lower(), str(name).strip()) for name in table.columns]
    for name in table.columns:
        if name not in CONDITION_NAMES:
            raise UnknownNameError("condition", name, [*CONDITION_NAMES, *SHORT])
    if not table.columns.is_unique:
        raise DataError(f"conditions {path}: a condition stands in two columns")
    if table.empty:
        raise DataError(f"conditions {path}: the file has no row")
    return table


def warnings_about(trained: TrainedAbr, conditions: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """Return a line for each condition that the training recordings do not cover, with their range."""
    lines = []
    for name, values in conditions.items():
        known = values[np.isfinite(values)]
        if name not in trained.condition_ranges or (name == "fmp" and not trained.config.model.use_fmp):
            if len(known):
                lines.append(f"{WORDS[name]} does nothing: the model was trained without it")
            continue
        low, high = trained.condition_ranges[name]
        unit = f" {UNITS[name]}".rstrip()
        # Stored conditions were rounded.
        slack = 1e-5 * max(abs(low), abs(high))
        outside = known[(known < low - slack) | (known > high + slack)]
        if len(outside):
            what = f"{WORDS[name]} {_span(outside)}{unit}"
            lines.append(
                f"{what} lies outside the training range {low:g} to {high:g}{unit} "
                f"({len(outside)} of {len(values)} signals)"
            )
        missing = len(values) - len(known)
        if missing and KEPT in trained.task_state and not _ever_missing(trained, name):
            lines.append(
                f"{WORDS[name]} is missing for {missing} of {len(values)} signals, but never was in training"
            )
    return lines


def _ever_missing(trained: TrainedAbr, name: str) -> bool:
    return bool(np.isnan(_kept(trained)[:, CONDITION_NAMES.index(name)]).any())


def _kept(trained: TrainedAbr) -> NDArray[np.float64]:
    kept = trained.task_state.get(KEPT)
    if (
        not isinstance(kept, Tensor)
        or kept.ndim != 2
        or kept.shape[1] != len(CONDITION_NAMES)
        or not len(kept)
    ):
        raise DataError(
            f"checkpoint {trained.path} holds no conditions of its training recordings to draw from: "
            "give age, intensity and rate, or a table of conditions"
        )
    values: NDArray[np.float64] = kept.double().numpy()
    # Single precision leaves a 0 as something like -5e-7.
    return np.where(np.abs(values) < 1e-5, 0.0, values)


def _span(values: NDArray[np.float64]) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
