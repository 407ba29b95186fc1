"""How far every series has come since the beginning of the run: what trend rules look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neuroprism.monitor.history.curve import Curve, FloatArray

_SMALLEST_LATE_SHARE = 8
_N_LATE = 3
_N_SLOPE = 24
_CERTAIN = 3.0
_FULL_RATE = 0.5
_MAD = 1.4826


@dataclass(frozen=True, kw_only=True)
class Course:
    """Levels of S series at the beginning, at their best and now.

    Attributes
    ----------
    means
        (bins, S) means of the bins, the last one nearest to now.
    start
        (S,) median of the first three values.
    early
        (S,) median of the first eight values.
    now
        (S,) median of the last eighth of the bins, at least three of them.
    best
        (S,) lowest median of three neighbouring bins, or the start if that is lower.
    noise
        (S,) standard deviation of a bin about its neighbours.
    row_noise
        (S,) standard deviation of single rows about the course, in the median bin of the later half.
    rows_at_full_rate
        Rows since the learning rate first reached half of its highest value so far; all rows where no
        rate is recorded. A run that is warming up cannot be expected to improve yet.
    """

    means: FloatArray
    start: FloatArray
    early: FloatArray
    now: FloatArray
    best: FloatArray
    noise: FloatArray
    row_noise: FloatArray
    rows_at_full_rate: int

    @property
    def gain(self) -> FloatArray:
        """(S,) how far the level fell from the start to now."""
        return self.start - self.now

    @cached_property
    def relative_gain(self) -> FloatArray:
        """(S,) the gain in units of the start's size; NaN where that is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.start != 0, self.gain / np.abs(self.start), np.nan)

    @cached_property
    def is_falling(self) -> npt.NDArray[np.bool_]:
        """(S,) whether the slope of the later half is certainly negative."""
        return self._late_slopes[1] < 0

    @cached_property
    def is_rising(self) -> npt.NDArray[np.bool_]:
        """(S,) whether the slope of the later half is certainly positive."""
        return self._late_slopes[0] > 0

    @cached_property
    def has_fallen(self) -> npt.NDArray[np.bool_]:
        """(S,) whether the slope of the whole run is certainly negative."""
        return slope_intervals(self.means, _CERTAIN)[2] < 0

    @cached_property
    def _late_slopes(self) -> tuple[FloatArray, FloatArray]:
        return slope_intervals(self.means[len(self.means) // 2 :], _CERTAIN)[1:]


def course_of(curve: Curve, first: FloatArray, *, rate: int) -> Course | None:
    """Return the course of a run, None before it has six bins.

    Parameters
    ----------
    curve
        Of the whole run.
    first
        (n, S) the first known values of every series, NaN where there were fewer.
    rate
        Column of the learning rate.
    """
    means = curve.means()
    if len(means) < 2 * _N_LATE:
        return None
    filled = _filled(means)
    late = max(_N_LATE, len(means) // _SMALLEST_LATE_SHARE)
    start = _median_of_known(first[:3])
    before, here, after = filled[:-2], filled[1:-1], filled[2:]
    middle = np.maximum(np.minimum(before, here), np.minimum(np.maximum(before, here), after))
    bends = np.abs(here - (before + after) / 2)
    return Course(
        means=filled,
        start=start,
        early=_median_of_known(first),
        now=_median(filled[-late:]),
        best=np.fmin(middle.min(axis=0), start),
        noise=_MAD * _median(bends) / np.sqrt(1.5),
        row_noise=_median(np.nan_to_num(curve.row_noise()[len(means) // 2 :])),
        rows_at_full_rate=_rows_at_full_rate(curve, filled[:, rate]),
    )


def slope_interval(values: Sequence[float] | FloatArray, z: float = 2.0) -> tuple[float, float, float]:
    """Return the slope of equally spaced values and an interval for it; see `slope_intervals`."""
    columns = slope_intervals(np.asarray(values, dtype=np.float64)[:, None], z)
    slope, low, high = (float(column[0]) for column in columns)
    return slope, low, high


def slope_intervals(values: FloatArray, z: float = 2.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the Theil-Sen slopes of equally spaced values and an interval for each.

    The interval comes from the normal approximation of Kendall's statistic
    (Sen 1968, J. Am. Stat. Assoc. 63, 1379); `z` = 2 is about 95%. Long series
    are averaged to at most 24 points first.

    Parameters
    ----------
    values
        (n, S) series.
    z
        Half width of the interval in standard deviations of Kendall's statistic.

    Returns
    -------
    tuple of array
        (S,) slope per value, lower end, upper end; endless intervals for fewer than four values.
    """
    n_series = values.shape[1]
    factor = -(-len(values) // _N_SLOPE)
    if factor > 1:
        values = values[len(values) % factor :].reshape(-1, factor, n_series).mean(axis=1)
    n = len(values)
    if n < 4:
        endless = np.full(n_series, np.inf)
        return np.zeros(n_series), -endless, endless
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((values[j] - values[i]) / (j - i)[:, None], axis=0) / factor
    reach = z * np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = int(np.floor((len(slopes) - reach) / 2)) - 1
    high = int(np.ceil((len(slopes) + reach) / 2))
    lower = slopes[low] if low >= 0 else np.full(n_series, -np.inf)
    upper = slopes[high] if high < len(slopes) else np.full(n_series, np.inf)
    return _median_of_sorted(slopes), lower, upper


def _rows_at_full_rate(curve: Curve, rates: FloatArray) -> int:
    highest = np.fmax.reduce(rates)
    if not highest > 0:
        return curve.n_rows
    return curve.n_rows - int(np.argmax(rates >= _FULL_RATE * highest)) * curve.bin_rows


def _median(values: FloatArray) -> FloatArray:
    """Return the (S,) medians; several times faster than numpy's for few rows, NaN where there is one."""
    return _median_of_sorted(np.sort(values, axis=0), nan=True)


def _median_of_known(values: FloatArray) -> FloatArray:
    """Return the (S,) medians of what is known, NaN where nothing is."""
    if not np.isnan(values).any():
        return _median(values)
    ordered = np.sort(values, axis=0)
    n = np.maximum(np.isfinite(values).sum(axis=0), 1)
    middle: FloatArray = np.take_along_axis(ordered, np.stack([(n - 1) // 2, n // 2]), axis=0).mean(axis=0)
    return middle


def _median_of_sorted(ordered: FloatArray, *, nan: bool = False) -> FloatArray:
    n = len(ordered)
    median: FloatArray = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    # Sorting puts NaN last.
    return np.where(np.isnan(ordered[-1]), np.nan, median) if nan else median


def _filled(means: FloatArray) -> FloatArray:
    """Return the means with gaps filled from the bin before, or after at the beginning."""
    gaps = np.isnan(means)
    filled = means.copy()
    for series in np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0)).tolist():
        known = np.flatnonzero(~gaps[:, series])
        places = np.searchsorted(known, np.arange(len(means)), side="right") - 1
        filled[:, series] = means[known[np.maximum(places, 0)], series]
    return filled
