"""The nearest traces in a set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 256
_CANDIDATES = 4
"""Rows whose distance is computed exactly; the quick one errs in the last digits of float32."""


def two_nearest(traces: NDArray[np.float32], among: NDArray[np.float32], *, sd: float) -> Floats:
    """Return the distances of each trace to the nearest and the second nearest of a set, (N, 2).

    The distance is the root of the mean squared difference over time, in units of `sd`. Candidates come from
    matrix products, ``|a - b|^2 = |a|^2 - 2 a b + |b|^2``, a block of traces at a time.

    Parameters
    ----------
    traces
        (N, T).
    among
        (M, T), two rows or more.
    sd
        One standard deviation for all samples.
    """
    squares = np.einsum("mt,mt->m", among, among)
    n_candidates = min(_CANDIDATES, len(among))
    found = np.empty((len(traces), 2))
    for first in range(0, len(traces), _BLOCK):
        part = traces[first : first + _BLOCK]
        # The square of the trace itself is the same for all candidates.
        score = squares[None, :] - 2.0 * (part @ among.T)
        rows = np.argpartition(score, n_candidates - 1, axis=1)[:, :n_candidates]
        difference = among[rows].astype(np.float64) - part[:, None, :]
        exact = np.sqrt(np.square(difference).mean(axis=2))
        found[first : first + _BLOCK] = np.sort(exact, axis=1)[:, :2]
    return found / sd
