"""Intervals around results: over subjects by the bootstrap, over repeats by Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Interval(NamedTuple):
    """Ends of an interval."""

    low: float
    high: float


Statistic = Callable[[npt.NDArray[np.int64]], float | None]
"""Maps positions of samples, with repeats, to a value; None where it is undefined for them."""


def cluster_bootstrap(
    statistic: Statistic,
    groups: npt.NDArray[np.str_],
    *,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Return the percentile interval of a statistic when whole groups are drawn with replacement.

    Samples of one subject resemble each other; drawing subjects instead of
    samples keeps the interval honest (Davison and Hinkley 1997, section 3.8).

    Parameters
    ----------
    statistic
        Value of a resample.
    groups
        (N,) group of every sample, e.g. the subject.
    n_resamples
        Resamples; those without a value do not count.
    level
        Coverage.
    seed
        Of the draws.

    Returns
    -------
    Interval or None
        None with a single group, or where half of the resamples have no value.
    """
    names, of_sample = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    members = [np.flatnonzero(of_sample == k) for k in range(len(names))]
    rng = np.random.default_rng(seed)
    values = []
    for drawn in rng.integers(0, len(names), size=(n_resamples, len(names))):
        value = statistic(np.concatenate([members[k] for k in drawn]))
        if value is not None and math.isfinite(value):
            values.append(value)
    if 2 * len(values) < n_resamples:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def t_interval(values: Sequence[float], *, level: float = 0.95) -> Interval | None:
    """Return the interval of the mean of repeats by Student's t; None with fewer than two."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    half = (
        float(t.ppf((1 + level) / 2, len(values) - 1))
        * float(np.std(values, ddof=1))
        / math.sqrt(len(values))
    )
    mean = float(np.mean(values))
    return Interval(mean - half, mean + half)
