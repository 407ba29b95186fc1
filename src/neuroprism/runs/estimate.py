"""Means over repeated runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, with its 95% interval where there are two or more.

    Attributes
    ----------
    mean
        Over the runs.
    n
        Number of runs.
    low, high
        Ends of the interval by Student's t; None for one run.
    """

    mean: float
    n: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Return the mean of the finite values and its 95% interval; None without a finite value."""
    finite = np.array([value for value in values if value is not None], dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    n = len(finite)
    if n == 0:
        return None
    mean = float(finite.mean())
    if n == 1:
        return Estimate(mean, n)
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, 0.975) * finite.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, n, mean - half, mean + half)
