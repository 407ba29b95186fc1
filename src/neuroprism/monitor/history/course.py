"""How far every series has come since the beginning of the run: what trend rules look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuroprism.monitor.history.curve import Curve, FloatArray

_SMALLEST_LATE_SHARE = 8
_N_LATE = 3
_N_SLOPE = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """Levels of S series at the beginning, at their best and now.

    Attributes
    ----------
    means
        (bins, S) means of the bins, the last one nearest to now.
    start
        (S,) median of the first three values.
    now
        (S,) median of the last eighth of the bins, at least three of them.
    best
        (S,) lowest median of three neighbouring bins, or the start if that is lower.
    noise
        (S,) standard deviation of a bin about its neighbours.
    row_noise
        (S,) standard deviation of single rows about the course, of the later half.
    """

    means: FloatArray
    start: FloatArray
    now: FloatArray
    best: FloatArray
    noise: FloatArray
    row_noise: FloatArray

    @property
    def gain(self) -> FloatArray:
        """(S,) how far the level fell from the start to now."""
        return self.start - self.now

    @property
    def relative_gain(self) -> FloatArray:
        """(S,) the gain in units of the start's size; NaN where that is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.start != 0, self.gain / np.abs(self.start), np.nan)


def course_of(curve: Curve, first: FloatArray) -> Course | None:
    """Return the course of a run, None before it has six bins.

    Parameters
    ----------
    curve
        Of the whole run.
    first
        (n, S) its first values.
    """
    means = curve.means()
    if len(means) < 2 * _N_LATE:
        return None
    filled = _filled(means)
    late = max(_N_LATE, len(means) // _SMALLEST_LATE_SHARE)
    start = np.median(first[:3], axis=0)
    middle = np.median(np.stack([filled[:-2], filled[1:-1], filled[2:]]), axis=0)
    bends = filled[1:-1] - (filled[:-2] + filled[2:]) / 2
    half = curve.row_noise()[len(means) // 2 :]
    with np.errstate(all="ignore"):
        row_noise = np.sqrt(np.mean(np.square(np.nan_to_num(half)), axis=0))
    return Course(
        means=filled,
        start=start,
        now=np.median(filled[-late:], axis=0),
        best=np.fmin(middle.min(axis=0), start),
        noise=1.4826 * np.median(np.abs(bends), axis=0) / np.sqrt(1.5),
        row_noise=row_noise,
    )


def slope_interval(values: Sequence[float] | FloatArray, z: float = 2.0) -> tuple[float, float, float]:
    """Return the Theil-Sen slope of equally spaced values and an interval for it.

    The interval comes from the normal approximation of Kendall's statistic
    (Sen 1968, J. Am. Stat. Assoc. 63, 1379); `z` = 2 is about 95%. Long series
    are averaged to at most 24 points first.

    Returns
    -------
    tuple of float
        Slope per value, lower end, upper end; an endless interval for fewer than four values.
    """
    y = np.asarray(values, dtype=np.float64)
    factor = -(-len(y) // _N_SLOPE)
    if factor > 1:
        y = y[len(y) % factor :].reshape(-1, factor).mean(axis=1)
    n = len(y)
    if n < 4:
        return 0.0, -np.inf, np.inf
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((y[j] - y[i]) / (j - i)) / factor
    reach = z * np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = int(np.floor((len(slopes) - reach) / 2))
    high = int(np.ceil((len(slopes) + reach) / 2))
    lower = float(slopes[low]) if low >= 0 else -np.inf
    upper = float(slopes[high]) if high < len(slopes) else np.inf
    return float(np.median(slopes)), lower, upper


def _filled(means: FloatArray) -> FloatArray:
    """Return the means with gaps filled from the bin before, or after at the beginning."""
    if not np.isnan(means).any():
        return means
    filled = means.copy()
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            places = np.searchsorted(known, np.arange(len(column)), side="right") - 1
            column[:] = column[known[np.maximum(places, 0)]]
    return filled
