"""What is known of a recording without its trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

CONDITIONS = ("level_db_nhl", "age_years", "rate_hz")


def conditions(recordings: AbrRecordings) -> Floats:
    """Return level, age and rate, (N, 3); NaN where one is not known."""
    return np.stack([getattr(recordings, name).astype(np.float64) for name in CONDITIONS], axis=1)


def filled(values: Floats, medians: Floats) -> Floats:
    """Return (N, F) with the median of a column, (F,), where a value is not known."""
    return np.where(np.isfinite(values), values, medians)


def known_medians(values: Floats) -> Floats:
    """Return the median of what is known of each column of (N, F), (F,); 0 where nothing is."""
    found = [column[np.isfinite(column)] for column in values.T]
    return np.array([float(np.median(column)) if column.size else 0.0 for column in found])
