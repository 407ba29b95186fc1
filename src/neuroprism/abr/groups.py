"""Recordings by level, hearing class and age."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Rows = dict[str, NDArray[np.bool_]]
"""Title of each group that is not empty, and its recordings, (N,)."""

LEVEL_BANDS_DB = (-20.0, 20.0, 40.0, 60.0, 80.0, 170.0)

AGE_BANDS_YEARS = (0.0, 0.5, 2.0, 8.0, 60.0, 121.0)
"""Wave V shortens until 18-24 months and lengthens again in late life."""

_AGES = ("below 6 months", "6 months to below 2 years", "2 to below 8 years", "8 to below 60 years")
_OLDEST, _NO_AGE = "60 years and above", "age not known"


def by_level(recordings: AbrRecordings) -> Rows:
    """Return the recordings of each range of levels."""
    level, unit, found = recordings.level_db, recordings.level_unit, {}
    last = len(LEVEL_BANDS_DB) - 2
    for place, (low, high) in enumerate(pairwise(LEVEL_BANDS_DB)):
        title = f"{low:g} to below {high:g} {unit}"
        if place == 0:
            title = f"below {high:g} {unit}"
        elif place == last:
            title = f"{low:g} {unit} and above"
        found[title] = (level >= low) & (level < high)
    return _not_empty(found)


def by_class(recordings: AbrRecordings) -> Rows:
    """Return the recordings of each hearing class."""
    return _not_empty(
        {name: recordings.hearing_class == label for label, name in enumerate(recordings.class_names)}
    )


def by_age(recordings: AbrRecordings) -> Rows:
    """Return the recordings of each range of ages."""
    age = recordings.age_years
    titles = (*_AGES, _OLDEST)
    found = {
        title: (age >= low) & (age < high)
        for title, (low, high) in zip(titles, pairwise(AGE_BANDS_YEARS), strict=True)
    }
    return _not_empty({**found, _NO_AGE: np.isnan(age)})


def _not_empty(groups: Rows) -> Rows:
    return {title: rows for title, rows in groups.items() if rows.any()}
