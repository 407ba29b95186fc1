"""What a BIDS folder says beside a recording: the person and the events."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError

_UNKNOWN = ("", "n/a")


@dataclass(frozen=True)
class Participant:
    """A person; NaN and an empty text where nothing is said."""

    name: str
    age_years: float = np.nan
    sex: str = ""


def participant(path: Path) -> Participant:
    """Return who was recorded: by the name of the file, and by `participants.tsv` above it.

    Raises
    ------
    DataError
        If that table is damaged.
    """
    found = re.match(r"sub-([A-Za-z0-9]+)", path.name)
    if found is None:
        return Participant(path.stem)
    for folder in list(path.absolute().parents)[:4]:
        table = folder / "participants.tsv"
        if table.is_file():
            return _look_up(table, found[1])
    return Participant(found[1])


def events_beside(path: Path) -> dict[str, list[float]] | None:
    """Return the onsets (s) of each kind of event from `*_events.tsv`; None without such a file.

    Raises
    ------
    DataError
        If that table is damaged.
    """
    table = path.with_name(re.sub(r"_(?:eeg|ieeg)$", "", path.stem) + "_events.tsv")
    if not table.is_file():
        return None
    onsets: dict[str, list[float]] = {}
    for row in _rows(table):
        name = row.get("trial_type") or row.get("value") or "event"
        onsets.setdefault(name, []).append(_number(row.get("onset"), "onset", table))
    return onsets


def _look_up(table: Path, name: str) -> Participant:
    for row in _rows(table):
        if row.get("participant_id", "").removeprefix("sub-") == name:
            age, sex = row.get("age", ""), row.get("sex", "")
            age_years = np.nan if age in _UNKNOWN else _number(age, "age", table)
            return Participant(name, age_years, "" if sex in _UNKNOWN else sex)
    return Participant(name)


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}") from None


def _number(text: str | None, what: str, table: Path) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise DataError(f"{table}: {what} is '{text}', not a number") from None
