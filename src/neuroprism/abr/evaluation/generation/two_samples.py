"""How two samples differ, ready to be resampled by patient.

Each value belongs to a patient; a resample weighs it by how often the patient was drawn. A generated
recording belongs to the patient whose condition it has, so that both samples of a comparison keep the same
conditions in every resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.metrics.intervals import Draws, Statistic

Floats = NDArray[np.float64]
Patients = NDArray[np.str_]

_BLOCK_VALUES = 64_000
"""Numbers held at a time where a resample needs one for each value."""


@dataclass(frozen=True)
class Sample:
    """Finite values, (N,), and whose each one is, (N,)."""

    values: Floats
    patients: Patients

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of_finite(cls, values: Floats, patients: Patients) -> Sample:
        """Leave out what is not known."""
        known = np.isfinite(values)
        return cls(values[known].astype(np.float64), patients[known])


def everyone(*samples: Sample) -> Patients:
    """Return the patients of all samples, to be resampled together."""
    return np.concatenate([sample.patients for sample in samples])


def wasserstein(first: Sample, second: Sample, patients: Patients) -> Statistic:
    """Return the Wasserstein-1 distance as a statistic, in the unit of the values.

    It is the area between the two distribution functions, which is the mean way that a value has to be
    moved to turn one sample into the other. Two samples of one distribution have a distance above 0: compare
    it with that of two recorded samples.

    Parameters
    ----------
    first, second
        Samples.
    patients
        Everyone who is resampled; the draws count them in sorted order.
    """
    values = np.concatenate([first.values, second.values])
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    owners, n = (_owner(first, patients), _owner(second, patients)), len(np.unique(patients))
    counts = [np.bincount(owner, minlength=n).astype(np.float64) for owner in owners]
    # Values of the second sample find their patients behind those of the first, with shares below 0.
    place = np.concatenate([owners[0], owners[1] + n])[order[:-1]]

    def block(draws: Draws) -> Floats:
        shares = np.concatenate([_share_each(draws, counts[0]), -_share_each(draws, counts[1])], axis=1)
        area: Floats = np.abs(np.cumsum(shares[:, place], axis=1)) @ gaps
        return area

    return _in_blocks(block, len(values))


def mean_shift(first: Sample, second: Sample, patients: Patients) -> Statistic:
    """Return the mean of `first` minus that of `second` as a statistic."""
    one, other = _moments(first, patients), _moments(second, patients)
    return lambda draws: _mean(draws @ one) - _mean(draws @ other)


def sd_ratio(first: Sample, second: Sample, patients: Patients) -> Statistic:
    """Return the SD of `first` over that of `second` as a statistic; NaN where the latter is 0."""
    one, other = _moments(first, patients), _moments(second, patients)
    return lambda draws: _divide(_sd(draws @ one), _sd(draws @ other))


def quantile(sample: Sample, q: float, patients: Patients) -> Statistic:
    """Return the smallest value with a share of at least `q` of the sample at or below it."""
    order = np.argsort(sample.values, kind="stable")
    values, owner = sample.values[order], _owner(sample, patients)[order]

    def block(draws: Draws) -> Floats:
        below = np.cumsum(draws[:, owner], axis=1)
        total = below[:, -1:]
        # Counts are whole: half a count keeps rounding of q * total from moving the place by one.
        place = (below >= np.maximum(np.ceil(q * total - 1e-9), 1) - 0.5).argmax(axis=1)
        return np.where(total[:, 0] > 0, values[place], np.nan)

    return _in_blocks(block, len(values))


def share_below_quantile(first: Sample, second: Sample, q: float, patients: Patients) -> Statistic:
    """Return which share of `first` lies below the quantile `q` of `second`, drawn anew in each resample."""
    limit = quantile(second, q, patients)
    order = np.argsort(first.values, kind="stable")
    values, owner = first.values[order], _owner(first, patients)[order]

    def block(draws: Draws) -> Floats:
        below = np.concatenate([np.zeros((len(draws), 1)), np.cumsum(draws[:, owner], axis=1)], axis=1)
        place = np.searchsorted(values, limit(draws), side="left")
        return _divide(below[np.arange(len(draws)), place], below[:, -1])

    return _in_blocks(block, len(values))


def ratio(first: Statistic, second: Statistic) -> Statistic:
    """Return one statistic over another."""
    return lambda draws: _divide(first(draws), second(draws))


def _owner(sample: Sample, patients: Patients) -> NDArray[np.int64]:
    """Return the place of the patient of each value among all of them."""
    return np.searchsorted(np.unique(patients), sample.patients).astype(np.int64)


def _in_blocks(block: Callable[[Draws], Floats], n_values: int) -> Statistic:
    n_rows = max(1, _BLOCK_VALUES // max(n_values, 1))
    return lambda draws: np.concatenate([block(draws[k : k + n_rows]) for k in range(0, len(draws), n_rows)])


def _share_each(draws: Draws, counts: Floats) -> Floats:
    """Return which share of the weight of a sample one value of each patient has, (R, G)."""
    total = (draws @ counts)[:, None]
    return np.divide(draws, total, out=np.full_like(draws, np.nan), where=total > 0)


def _moments(sample: Sample, patients: Patients) -> Floats:
    """Return per patient the count and the sums of values and of squares, (G, 3)."""
    owner, n = _owner(sample, patients), len(np.unique(patients))
    x = sample.values
    return np.stack([np.bincount(owner, weights=c, minlength=n) for c in (np.ones_like(x), x, x * x)], axis=1)


def _mean(sums: Floats) -> Floats:
    return _divide(sums[:, 1], sums[:, 0])


def _sd(sums: Floats) -> Floats:
    spread: Floats = np.sqrt(np.maximum(_divide(sums[:, 2], sums[:, 0]) - _mean(sums) ** 2, 0.0))
    return spread


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
