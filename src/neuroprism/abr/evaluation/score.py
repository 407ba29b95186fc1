"""One number with its interval, and the difference of two of them."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.metrics.intervals import Statistic, cluster_bootstrap

N_RESAMPLES = 2000
SEED = 20_100_215
"""Of all resamples: methods that are compared are resampled alike."""


class Score(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A value with its 95 % interval over patients.

    Attributes
    ----------
    value
        From all samples.
    low, high
        Ends of the interval; None with a single patient, or where it is not defined.
    n
        Samples behind the value: recordings or ears.
    n_patients
        Patients that they are of.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int
    n_patients: int


def score(statistic: Statistic, patients: NDArray[np.str_]) -> Score | None:
    """Return the value of a statistic with its interval; None where the samples do not define it.

    Parameters
    ----------
    statistic
        Of `neuroprism.metrics.resampling`, built on the same patients.
    patients
        Patient of each sample, (N,).
    """
    n_patients = len(np.unique(patients))
    value = float(statistic(np.ones((1, n_patients)))[0])
    if not np.isfinite(value):
        return None
    interval = cluster_bootstrap(statistic, patients, n_resamples=N_RESAMPLES, seed=SEED)
    low, high = interval or (None, None)
    return Score(value=value, low=low, high=high, n=len(patients), n_patients=n_patients)


def difference(first: Statistic, second: Statistic, patients: NDArray[np.str_]) -> Score | None:
    """Return `first` minus `second` on the same samples: both are resampled together."""
    return score(lambda draws: first(draws) - second(draws), patients)


def text(found: Score, digits: int = 3) -> str:
    """Return value and interval for people."""
    said = f"{found.value:.{digits}f}"
    if found.low is None or found.high is None:
        return said
    return f"{said} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
