"""Metrics of many resamples of whole groups at once, for `cluster_bootstrap`.

A resample says how often each group is in it, so everything that is a sum over
samples is prepared once per group; ranks are sorted once for all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from neuroprism.metrics import ranking
from neuroprism.metrics.intervals import Draws, Statistic

Floats = npt.NDArray[np.float64]

_BLOCK_VALUES = 64_000
"""Numbers held at a time where a resample needs one for each sample: few enough for the processor's cache."""


def of_counts(
    formula: Callable[[Floats], Floats],
    predicted: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
    n_classes: int,
) -> Statistic:
    """Return a statistic of class predictions.

    Parameters
    ----------
    formula
        Of `neuroprism.metrics.confusion`: counts (R, K, K) to values (R,).
    predicted, target
        (N,) class indices.
    groups
        (N,) group of every sample.
    n_classes
        Number of classes K.
    """
    n_groups, of_sample = _groups(groups)
    cells = np.zeros((n_groups, n_classes, n_classes))
    np.add.at(cells, (of_sample, target, predicted), 1.0)
    return lambda draws: formula(np.tensordot(draws, cells, axes=1))


def of_ranking(
    area: Callable[[Floats, Floats], Floats],
    score: npt.NDArray[np.floating],
    target: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
) -> Statistic:
    """Return a statistic of the order that scores give to two classes.

    Parameters
    ----------
    area
        Of `neuroprism.metrics.ranking`: weights at the thresholds (R, M) to values (R,).
    score
        (N,) any numbers; higher means class 1.
    target
        (N,) 0 or 1.
    groups
        (N,) group of every sample.
    """
    _, of_sample = _groups(groups)
    order, last_of_ties = ranking.thresholds(score)
    positive, member = target[order] == 1, of_sample[order]
    n_rows = max(1, _BLOCK_VALUES // len(score))

    def block(draws: Draws) -> Floats:
        weights = draws[:, member]
        hits = np.cumsum(weights * positive, axis=1)[:, last_of_ties]
        chosen = np.cumsum(weights, axis=1)[:, last_of_ties]
        return area(hits, chosen)

    def statistic(draws: Draws) -> Floats:
        return np.concatenate([block(draws[k : k + n_rows]) for k in range(0, len(draws), n_rows)])

    return statistic


def mean(values: Floats, groups: npt.NDArray[np.str_]) -> Statistic:
    """Return the mean over samples as a statistic, e.g. of absolute errors or of what is true or not.

    Parameters
    ----------
    values
        (N,) one value a sample.
    groups
        (N,) group of every sample.
    """
    n_groups, of_sample = _groups(groups)
    columns = (np.ones(len(values)), np.asarray(values, dtype=np.float64))
    sums = np.stack([np.bincount(of_sample, weights=c, minlength=n_groups) for c in columns], axis=1)

    def statistic(draws: Draws) -> Floats:
        n, total = (draws @ sums).T
        return _divide(total, n)

    return statistic


def pearson(predicted: Floats, target: Floats, groups: npt.NDArray[np.str_]) -> Statistic:
    """Return the correlation of Pearson as a statistic."""
    return partial(_pearson, _moments(predicted, target, groups))


def determination(predicted: Floats, target: Floats, groups: npt.NDArray[np.str_]) -> Statistic:
    """Return the coefficient of determination as a statistic."""
    return partial(_determination, _moments(predicted, target, groups))


def root_mean_square_error(predicted: Floats, target: Floats, groups: npt.NDArray[np.str_]) -> Statistic:
    """Return the root mean square error as a statistic."""
    return partial(_root_mean_square_error, _moments(predicted, target, groups))


def _moments(predicted: Floats, target: Floats, groups: npt.NDArray[np.str_]) -> Floats:
    """Return per group (G, 7): n and the sums of x, y, xx, yy, xy and squared errors, both sides centred."""
    n_groups, of_sample = _groups(groups)
    x, y = predicted - predicted.mean(), target - target.mean()
    columns = (np.ones_like(x), x, y, x * x, y * y, x * y, (predicted - target) ** 2)
    return np.stack([np.bincount(of_sample, weights=c, minlength=n_groups) for c in columns], axis=1)


def _pearson(moments: Floats, draws: Draws) -> Floats:
    n, x, y, xx, yy, xy, _ = (draws @ moments).T
    spread = _spread(n, x, xx) * _spread(n, y, yy)
    return _divide(xy - x * y / n, np.sqrt(spread))


def _determination(moments: Floats, draws: Draws) -> Floats:
    n, _, y, _, yy, _, error = (draws @ moments).T
    return 1 - _divide(error, _spread(n, y, yy))


def _root_mean_square_error(moments: Floats, draws: Draws) -> Floats:
    sums = draws @ moments
    error: Floats = np.sqrt(sums[:, 6] / sums[:, 0])
    return error


def _spread(n: Floats, total: Floats, squares: Floats) -> Floats:
    """Return the sum of squared deviations; what is rounding alone counts as no spread."""
    spread = squares - total**2 / n
    varies: Floats = np.where(spread > 1e-12 * squares, spread, 0.0)
    return varies


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def _groups(groups: npt.NDArray[np.str_]) -> tuple[int, npt.NDArray[np.int64]]:
    names, of_sample = np.unique(groups, return_inverse=True)
    return len(names), of_sample.astype(np.int64)
