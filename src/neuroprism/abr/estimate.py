"""A predicted quantity with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INTERVAL_Z = 1.959964
"""Standard deviations on either side of a normal interval of 95 %."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value for each recording, (N,), with its interval of 95 %; bounds are NaN where there is none."""

    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def normal(cls, mean: Floats, sd: Floats) -> Estimate:
        """Return the interval of a normal distribution."""
        return cls(value=mean, low=mean - INTERVAL_Z * sd, high=mean + INTERVAL_Z * sd)

    @property
    def sd(self) -> Floats:
        """Standard deviation, (N,)."""
        return (self.high - self.low) / (2 * INTERVAL_Z)
