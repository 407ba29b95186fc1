"""Metrics of numeric predictions, from pooled predictions of a whole split."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error, pearson_corrcoef, r2_score


def mae(predicted: Tensor, target: Tensor) -> float | None:
    """Return the mean absolute error in the unit of the target, None without any value."""
    return float(mean_absolute_error(predicted, target)) if len(target) else None


def rmse(predicted: Tensor, target: Tensor) -> float | None:
    """Return the root mean square error in the unit of the target, None without any value."""
    if not len(target):
        return None
    return float(mean_squared_error(predicted.double(), target.double(), squared=False))


def r2(predicted: Tensor, target: Tensor) -> float | None:
    """Return the coefficient of determination, None where the target does not vary.

    Computed in float64: the ratio of two sums of squares loses digits in float32.
    """
    return float(r2_score(predicted.double(), target.double())) if _varies(target) else None


def pearson_r(predicted: Tensor, target: Tensor) -> float | None:
    """Return the correlation of Pearson, None where either side does not vary."""
    if not (_varies(target) and _varies(predicted)):
        return None
    return float(pearson_corrcoef(predicted.double(), target.double()))


def _varies(values: Tensor) -> bool:
    return len(values) >= 2 and not bool((values == values[0]).all())
