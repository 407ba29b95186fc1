"""The table of stimuli of a psiexperiment recording."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroprism.abr.importers.readings import Floats
from neuroprism.core.errors import DataError

CLICK = "click"
_KINDS = ("target_tone_", "target_click_")


@dataclass(frozen=True)
class Stimuli:
    """Stimuli in the order of the table, (n,) each.

    Attributes
    ----------
    time_s
        Onset, counted from the first sample of the recording.
    level_db
        In the unit of the calibration, which the table does not state.
    polarity
        1 or -1; NaN where it is not stored.
    rate_hz
        Stimuli per second; NaN where it is not stored.
    name
        Frequency of the tone in Hz, or `click`.
    """

    time_s: Floats
    level_db: Floats
    polarity: Floats
    rate_hz: Floats
    name: list[str]

    def of(self, name: str) -> Stimuli:
        """Return the stimuli of that name."""
        rows = np.array([other == name for other in self.name])
        return Stimuli(
            self.time_s[rows],
            self.level_db[rows],
            self.polarity[rows],
            self.rate_hz[rows],
            [name] * int(rows.sum()),
        )


def read_stimuli(table: Path) -> Stimuli:
    """Read the table.

    Raises
    ------
    DataError
        If it is damaged, or lacks times or levels.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = {_short(name or ""): name for name in reader.fieldnames or ()}
            rows = list(reader)
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}") from None
    for name in ("t0", "level"):
        if name not in names:
            raise DataError(f"{table} has no column of the {'times t0' if name == 't0' else 'levels'}")
    if not rows:
        raise DataError(f"{table} holds no stimulus")

    def numbers(name: str) -> Floats:
        if name not in names:
            return np.full(len(rows), np.nan)
        return np.array([_number(row.get(names[name]), names[name], table) for row in rows])

    tones = "frequency" in names
    return Stimuli(
        time_s=numbers("t0"),
        level_db=numbers("level"),
        polarity=numbers("polarity"),
        rate_hz=numbers("rate"),
        name=[f"{hz:g}" for hz in numbers("frequency")] if tones else [CLICK] * len(rows),
    )


def _short(name: str) -> str:
    """Return the name of a column without the kind of stimulus before it."""
    for kind in _KINDS:
        name = name.removeprefix(kind)
    return name


def _number(text: str | None, what: str, table: Path) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{table}: {what} is '{text}', not a number")
    return value
