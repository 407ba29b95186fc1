"""Histograms of weights and gradients, taken now and then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Counts of values between edges.

    Attributes
    ----------
    edges
        (n + 1,) bin edges, increasing.
    counts
        (n,) number of finite values per bin.
    minimum, maximum, total, total_squares
        Of the finite values.
    n_non_finite
        Values left out because they are NaN or infinite.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    minimum: float
    maximum: float
    total: float
    total_squares: float
    n_non_finite: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Histograms:
    """Histograms by parameter name, taken after optimizer step `step` of `epoch`."""

    step: int
    epoch: int
    weights: Mapping[str, Histogram]
    gradients: Mapping[str, Histogram]
