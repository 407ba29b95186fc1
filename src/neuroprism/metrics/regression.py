"""Metrics of numeric predictions, from pooled predictions of a whole split.

A metric that the data do not define is None: never 0, never NaN. Everything is
computed in float64: differences and ratios of sums of squares lose digits in float32.
"""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score


def mae(predicted: Tensor, target: Tensor) -> float | None:
    """Return the mean absolute error in the unit of the target, None without any value."""
    return float(mean_absolute_error(predicted.double(), target.double())) if len(target) else None


def rmse(predicted: Tensor, target: Tensor) -> float | None:
    """Return the root mean square error in the unit of the target, None without any value."""
    if not len(target):
        return None
    return float(mean_squared_error(predicted.double(), target.double(), squared=False))


def r2(predicted: Tensor, target: Tensor) -> float | None:
    """Return the coefficient of determination, None where the target does not vary."""
    return float(r2_score(predicted.double(), target.double())) if _varies(target) else None


def pearson_r(predicted: Tensor, target: Tensor) -> float | None:
    """Return the correlation of Pearson, None where either side does not vary.

    Written out: torchmetrics warns of small variances, and rounds them to nothing.
    """
    if not (_varies(predicted) and _varies(target)):
        return None
    x, y = _unit(predicted), _unit(target)
    return max(-1.0, min(1.0, float(x @ y)))


def _unit(values: Tensor) -> Tensor:
    """Return the deviations from the mean, scaled to length 1."""
    deviation = values.double() - values.double().mean()
    # Scaling by the largest first keeps the squares of tiny deviations from vanishing.
    deviation = deviation / deviation.abs().max()
    return deviation / deviation.square().sum().sqrt()


def _varies(values: Tensor) -> bool:
    return len(values) >= 2 and bool((values != values[0]).any())
