"""Metrics of numeric predictions, from pooled predictions of a whole split."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional import mean_absolute_error, r2_score


def mae(predicted: Tensor, target: Tensor) -> float | None:
    """Return the mean absolute error in the unit of the target, None without any value."""
    return float(mean_absolute_error(predicted, target)) if len(target) else None


def r2(predicted: Tensor, target: Tensor) -> float | None:
    """Return the coefficient of determination, None where the target does not vary.

    Computed in float64: the ratio of two sums of squares loses digits in float32.
    """
    if len(target) < 2 or bool((target == target[0]).all()):
        return None
    return float(r2_score(predicted.double(), target.double()))
