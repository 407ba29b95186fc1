"""Metrics of the order that scores give to two classes, for one sample or for many resamples of it.

All of them follow from two weights at each threshold, from the highest score down: that of
class 1, and that of everything, at or above it. A value that is undefined is NaN here; the
functions for people turn it into None. Everything is float64: a perfect order has exactly 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def thresholds(score: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the order of descending scores (N,), and where in it each of the M distinct scores ends."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    return order, np.flatnonzero(np.append(ordered[1:] != ordered[:-1], [True] * (len(score) > 0)))


def curve(score: npt.NDArray[np.floating], target: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the two weights (1, M) where every sample counts once.

    Parameters
    ----------
    score
        (N,) higher means class 1.
    target
        (N,) 0 or 1.
    """
    order, last_of_ties = thresholds(score)
    hits = np.cumsum(target[order] == 1, dtype=np.float64)[last_of_ties]
    return hits[None], (last_of_ties + 1).astype(np.float64)[None]


def roc_area(hits: Floats, chosen: Floats) -> Floats:
    """Return the area under ROC curves.

    Parameters
    ----------
    hits, chosen
        (R, M) weight of class 1, and of everything, at or above each threshold, from the highest down.
    """
    misses = chosen - hits
    area = _trapezoids(x=_from(0.0, misses), y=_from(0.0, hits))
    return _where_both(area, hits, chosen, by=hits[:, -1] * misses[:, -1])


def pr_area(hits: Floats, chosen: Floats) -> Floats:
    """Return the area under precision-recall curves by the trapezoidal rule, as `roc_area`."""
    area = _trapezoids(x=_from(0.0, hits), y=_from(1.0, _precision(hits, chosen)))
    return _where_both(area, hits, chosen, by=hits[:, -1])


def average_precision(hits: Floats, chosen: Floats) -> Floats:
    """Return the mean precision over the steps of recall, as `roc_area`."""
    area = (np.diff(_from(0.0, hits), axis=1) * _precision(hits, chosen)).sum(axis=1)
    return _where_both(area, hits, chosen, by=hits[:, -1])


def _precision(hits: Floats, chosen: Floats) -> Floats:
    # Before the first sample of a resample nothing is chosen: the curve starts at recall 0, precision 1.
    precision: Floats = np.divide(hits, chosen, out=np.ones_like(hits), where=chosen > 0)
    return precision


def _from(start: float, values: Floats) -> Floats:
    return np.concatenate([np.full((len(values), 1), start), values], axis=1)


def _trapezoids(*, x: Floats, y: Floats) -> Floats:
    areas: Floats = (np.diff(x, axis=1) * (y[:, 1:] + y[:, :-1])).sum(axis=1) / 2
    return areas


def _where_both(area: Floats, hits: Floats, chosen: Floats, *, by: Floats) -> Floats:
    """Return `area` divided, NaN where a resample lacks one of the classes."""
    both = (hits[:, -1] > 0) & (chosen[:, -1] > hits[:, -1])
    return np.divide(area, by, out=np.full_like(area, np.nan), where=both)
