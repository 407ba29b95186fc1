"""Ears that were recorded at several levels, and the lowest level with a response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.labels import Label
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

BEYOND_HIGHEST_DB = 10.0
"""An ear without a response counts as one step of a coarse level series above the highest level tested."""


@dataclass(frozen=True, kw_only=True)
class Ears:
    """The E ears of a set that are known and were recorded at two levels or more.

    Attributes
    ----------
    rows
        Recordings of these ears, (n,), in the order of the set.
    owner
        Place of the ear of each of them, (n,).
    first
        The first recording of each ear, (E,).
    n_recordings
        Size of the set.
    """

    rows: NDArray[np.int64]
    owner: NDArray[np.int64]
    first: NDArray[np.int64]
    n_recordings: int

    @classmethod
    def of(cls, recordings: AbrRecordings) -> Ears:
        """Find the ears of a set."""
        level = recordings.level_db_nhl
        rows = np.flatnonzero((recordings.ear != "unknown") & np.isfinite(level))
        if rows.size:
            _, owner = np.unique(recordings.ear_id[rows], return_inverse=True)
            lowest, highest = (_extreme(f, owner, level[rows]) for f in (np.minimum, np.maximum))
            rows = rows[(lowest < highest)[owner]]
        _, first, owner = np.unique(recordings.ear_id[rows], return_index=True, return_inverse=True)
        return cls(rows=rows, owner=owner, first=rows[first], n_recordings=len(recordings))

    def __len__(self) -> int:
        return len(self.first)

    def lowest(self, values: Floats) -> Floats:
        """Return the smallest of the values (N,) of each ear's recordings, (E,)."""
        return _extreme(np.minimum, self.owner, values[self.rows])

    def highest(self, values: Floats) -> Floats:
        """Return the largest of the values (N,) of each ear's recordings, (E,)."""
        return _extreme(np.maximum, self.owner, values[self.rows])

    def mean(self, values: Floats) -> Floats:
        """Return the mean of the values (N,) of each ear's recordings, (E,)."""
        total = np.bincount(self.owner, weights=values[self.rows], minlength=len(self))
        mean: Floats = total / np.bincount(self.owner, minlength=len(self))
        return mean

    def label(self, label: Label) -> Label:
        """Return the labels of the ears from those of the N recordings; all recordings of an ear agree."""
        everywhere = np.full(self.n_recordings, np.nan)
        everywhere[label.known] = label.values
        known = label.known[self.first]
        return Label(known=known, values=everywhere[self.first][known])

    def spread(self, values: Floats) -> Floats:
        """Return the value of each ear (E,) at all its recordings, (N,); NaN at those of no such ear."""
        found = np.full(self.n_recordings, np.nan)
        found[self.rows] = values[self.owner]
        return found


def lowest_level_with_response(ears: Ears, level_db_nhl: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return the visual threshold of each ear, (E,).

    The lowest level whose response counts as present, whatever was found above it; an ear without any lies
    `BEYOND_HIGHEST_DB` above its highest level.

    Parameters
    ----------
    ears
        E ears of N recordings.
    level_db_nhl, present
        (N,).
    """
    lowest = ears.lowest(np.where(present, level_db_nhl, np.inf))
    return np.where(np.isfinite(lowest), lowest, ears.highest(level_db_nhl) + BEYOND_HIGHEST_DB)


def _extreme(function: np.ufunc, owner: NDArray[np.int64], values: NDArray[np.floating]) -> Floats:
    found: Floats = np.full(int(owner.max(initial=-1)) + 1, -np.inf if function is np.maximum else np.inf)
    function.at(found, owner, values)
    return found
