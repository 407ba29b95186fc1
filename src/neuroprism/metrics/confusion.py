"""Metrics of counts: confusion matrices in, values out, for one matrix or a stack of resamples.

Counts have true classes as rows and predicted ones as columns, (..., K, K). A
value that is undefined is NaN here; the functions for people turn it into None.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64] | Floats


def recalls(counts: Counts) -> Floats:
    """Return the recall of each class (..., K); NaN for a class that does not occur."""
    return _ratio(_diagonal(counts), counts.sum(axis=-1))


def balanced_accuracy(counts: Counts) -> Floats:
    """Return the mean recall over the classes that occur (...)."""
    return _mean_of_defined(recalls(counts))


def kappa(counts: Counts) -> Floats:
    """Return Cohen's kappa (...), NaN where agreement by chance is certain (Cohen 1960, eq. 1)."""
    n = counts.sum(axis=(-2, -1)).astype(np.float64)
    observed = _diagonal(counts).sum(axis=-1)
    by_chance = _ratio((counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1).astype(np.float64), n)
    return _ratio(observed - by_chance, n - by_chance)


def f1_scores(counts: Counts) -> Floats:
    """Return F1 of each class (..., K); NaN for a class neither true nor predicted."""
    return _ratio(2 * _diagonal(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def macro_f1(counts: Counts) -> Floats:
    """Return the mean F1 over the classes that are true or predicted somewhere (...)."""
    return _mean_of_defined(f1_scores(counts))


def weighted_f1(counts: Counts) -> Floats:
    """Return the mean F1 over the classes, weighted by how often each is true (...)."""
    support = counts.sum(axis=-1)
    weighted = np.where(support > 0, f1_scores(counts), 0.0) * support
    return _ratio(weighted.sum(axis=-1), support.sum(axis=-1))


def _diagonal(counts: Counts) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)


def _mean_of_defined(values: Floats) -> Floats:
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def _ratio(numerator: Floats, denominator: Counts) -> Floats:
    """Divide; NaN where the denominator is 0."""
    quotient: Floats = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) != 0)
    return quotient
