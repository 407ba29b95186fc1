"""The threshold of an ear from its recordings at several levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.estimate import Estimate

PRESENT_FROM = 0.5
"""Probability from which wave V counts as present."""

GRID_DB_NHL = np.arange(-20.0, 141.0, 5.0)
"""Thresholds that are weighed: audiology reads them in steps of 5 dB."""

SMALLEST_PROBABILITY = 1e-6
"""A single recording never rules a threshold out."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EarThreshold:
    """Threshold of one ear from its recordings at several levels, in two ways.

    Attributes
    ----------
    ear_id
        Patient and ear.
    rows
        Places of its recordings.
    levels_db_nhl
        Levels that were tested, increasing.
    threshold_db_nhl, low_db_nhl, high_db_nhl
        Median and bounds of 95 % of the distribution that all recordings agree on, in steps of 5 dB. The
        interval does not shrink because a level was recorded more often.
    lowest_level_with_v_db_nhl
        Lowest level at which wave V counts as present; None where it is at no level.
    v_missing_above
        Whether wave V counts as absent at a level above that one.
    """

    ear_id: str
    rows: tuple[int, ...]
    levels_db_nhl: tuple[float, ...]
    threshold_db_nhl: float
    low_db_nhl: float
    high_db_nhl: float
    lowest_level_with_v_db_nhl: float | None
    v_missing_above: bool


def ear_thresholds(
    ear_id: NDArray[np.str_],
    known: NDArray[np.bool_],
    level_db_nhl: Floats,
    v_probability: Floats,
    threshold_db_nhl: Estimate,
) -> tuple[EarThreshold, ...]:
    """Return the threshold of every ear that is known and was recorded at more than one level.

    Where a level was recorded several times, the mean probability of wave V counts.
    """
    found = []
    places = np.flatnonzero(known)
    names, owner = np.unique(ear_id[places], return_inverse=True)
    places = places[np.argsort(owner, kind="stable")]
    for name, rows in zip(names, np.split(places, np.cumsum(np.bincount(owner))[:-1]), strict=False):
        levels, place = np.unique(level_db_nhl[rows], return_inverse=True)
        if len(levels) < 2:
            continue
        probability = np.bincount(place, weights=v_probability[rows]) / np.bincount(place)
        present = probability >= PRESENT_FROM
        lowest = int(present.argmax()) if present.any() else None
        value, low, high = _agreed(
            level_db_nhl[rows], v_probability[rows], threshold_db_nhl.value[rows], threshold_db_nhl.sd[rows]
        )
        found.append(
            EarThreshold(
                ear_id=str(name),
                rows=tuple(rows.tolist()),
                levels_db_nhl=tuple(levels.tolist()),
                threshold_db_nhl=value,
                low_db_nhl=low,
                high_db_nhl=high,
                lowest_level_with_v_db_nhl=None if lowest is None else float(levels[lowest]),
                v_missing_above=lowest is not None and not bool(present[lowest:].all()),
            )
        )
    return tuple(found)


def _agreed(level: Floats, v_probability: Floats, mean: Floats, sd: Floats) -> tuple[float, float, float]:
    """Return median and bounds of the logarithmic opinion pool of n recordings, (n,) each.

    A recording speaks of a threshold h in two ways: by its own estimate, and by wave V, which is there
    just where the level is not below h. The logarithms of both are averaged over the recordings, not
    added (Genest and Zidek 1986, Statistical Science 1:114): how much their errors have in common is not
    known, and what all of them say must not count n times.
    """
    if np.isnan(sd).any():
        return float(mean.mean()), np.nan, np.nan
    probability = np.clip(v_probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)[:, None]
    heard = level[:, None] >= GRID_DB_NHL
    logs = np.where(heard, np.log(probability), np.log1p(-probability))
    logs = logs - 0.5 * ((GRID_DB_NHL - mean[:, None]) / sd[:, None]) ** 2
    agreed = logs.mean(axis=0)
    share = np.exp(agreed - agreed.max())
    below = np.cumsum(share / share.sum())
    low, median, high = GRID_DB_NHL[np.searchsorted(below, _QUANTILES).clip(max=len(GRID_DB_NHL) - 1)]
    return float(median), float(low), float(high)


_QUANTILES = (0.025, 0.5, 0.975)
