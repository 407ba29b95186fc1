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


Draws = npt.NDArray[np.float64]
"""How often each group is in each resample: (R, G), groups in sorted order."""

Statistic = Callable[[Draws], npt.NDArray[np.float64]]
"""Maps draws (R, G) to one value for each resample (R,); NaN where it is undefined."""


def cluster_bootstrap(
    statistic: Statistic,
    groups: npt.NDArray[np.str_],
    *,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int,
) -> Interval | None:
    """Return the percentile interval of a statistic when whole groups are drawn with replacement.

    Samples of one subject resemble each other; drawing subjects instead of samples keeps
    the interval honest (Davison and Hinkley 1997, Bootstrap Methods and their Application,
    section 3.8). With a handful of subjects it is still too narrow rather than too wide.

    Parameters
    ----------
    statistic
        Values of resamples, e.g. from `neuroprism.metrics.resampling`.
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
        None with a single group, or where more than half of the resamples have no value.
    """
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        return None
    rng = np.random.default_rng(seed)
    shares = np.full(n_groups, 1 / n_groups)
    draws = rng.multinomial(n_groups, shares, size=n_resamples).astype(np.float64)
    values = statistic(draws)
    values = values[np.isfinite(values)]
    if 2 * len(values) < n_resamples:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def t_interval(values: Sequence[float], *, level: float = 0.95) -> Interval | None:
    """Return the interval of the mean of repeats by Student's t; None with fewer than two."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * spread
    mean = float(np.mean(values))
    return Interval(mean - half, mean + half)
