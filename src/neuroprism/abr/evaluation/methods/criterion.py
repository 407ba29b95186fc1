"""The score from which wave V counts as present, chosen on training recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_f1_criterion(score: NDArray[np.float64], present: NDArray[np.bool_]) -> float:
    """Return the smallest score to call present for the greatest F1; infinite if no recording is present.

    Parameters
    ----------
    score, present
        Of the training recordings in which wave V was judged, (n,).
    """
    if not present.any():
        return float("inf")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(present[order])
    called = np.arange(1, len(order) + 1)
    f1 = 2.0 * hits / (called + int(present.sum()))
    # Equal scores are called together.
    last_of_equals = np.append(np.diff(score[order]) != 0, True)
    return float(score[order][int(np.where(last_of_equals, f1, -1.0).argmax())])
