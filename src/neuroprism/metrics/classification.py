"""Metrics of class predictions, from pooled predictions of a whole split.

A metric that the data do not define is None: never 0, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from neuroprism.metrics import confusion, ranking

Floats = npt.NDArray[np.float64]


def confusion_matrix(predicted: Tensor, target: Tensor, n_classes: int) -> list[list[int]]:
    """Return counts with true classes as rows and predicted ones as columns.

    Parameters
    ----------
    predicted, target
        (N,) class indices.
    n_classes
        Number of classes K.
    """
    rows: list[list[int]] = _counts(predicted, target, n_classes).tolist()
    return rows


def balanced_accuracy(predicted: Tensor, target: Tensor, n_classes: int) -> float | None:
    """Return the mean recall over the classes that occur in `target`, None without any."""
    return _defined(confusion.balanced_accuracy(_counts(predicted, target, n_classes)))


def recall_per_class(predicted: Tensor, target: Tensor, n_classes: int) -> list[float | None]:
    """Return the recall of each class, None for a class that does not occur in `target`."""
    return [_defined(value) for value in confusion.recalls(_counts(predicted, target, n_classes))]


def kappa(predicted: Tensor, target: Tensor, n_classes: int) -> float | None:
    """Return Cohen's kappa, None where agreement by chance is certain."""
    return _defined(confusion.kappa(_counts(predicted, target, n_classes)))


def macro_f1(predicted: Tensor, target: Tensor, n_classes: int) -> float | None:
    """Return the mean F1 over the classes that occur in `target` or `predicted`, None without any."""
    return _defined(confusion.macro_f1(_counts(predicted, target, n_classes)))


def weighted_f1(predicted: Tensor, target: Tensor, n_classes: int) -> float | None:
    """Return the mean F1 over the classes, weighted by how often each occurs in `target`."""
    return _defined(confusion.weighted_f1(_counts(predicted, target, n_classes)))


def binary_f1(probability: Tensor, target: Tensor) -> float | None:
    """Return F1 of the positive class, None where it is neither true nor predicted.

    Parameters
    ----------
    probability
        (N,) in [0, 1]; above one half is positive.
    target
        (N,) 0 or 1.
    """
    return _defined(confusion.f1_scores(_counts(probability > 0.5, target, 2))[1])


def roc_auc(probability: Tensor, target: Tensor) -> float | None:
    """Return the area under the ROC curve, None without both classes."""
    return _area(ranking.roc_area, probability, target)


def pr_auc(probability: Tensor, target: Tensor) -> float | None:
    """Return the area under the precision-recall curve by the trapezoidal rule, None without both classes.

    Linear interpolation between the points is optimistic beside `average_precision`: a
    constant prediction gets (1 + share of positives) / 2. The published EEG results use it.
    """
    return _area(ranking.pr_area, probability, target)


def average_precision(probability: Tensor, target: Tensor) -> float | None:
    """Return the mean precision over the steps of recall, None without both classes."""
    return _area(ranking.average_precision, probability, target)


def _area(area: Callable[[Floats, Floats], Floats], score: Tensor, target: Tensor) -> float | None:
    # Scores that are no numbers have no order.
    if not len(target) or bool(score.isnan().any()):
        return None
    return _defined(area(*ranking.curve(score.cpu().double().numpy(), target.cpu().long().numpy()))[0])


def _counts(predicted: Tensor, target: Tensor, n_classes: int) -> npt.NDArray[np.int64]:
    if not len(target):
        return np.zeros((n_classes, n_classes), dtype=np.int64)
    counts = multiclass_confusion_matrix(predicted.long(), target.long(), num_classes=n_classes)
    return counts.cpu().numpy().astype(np.int64)


def _defined(value: np.float64 | Floats) -> float | None:
    return None if math.isnan(value) else float(value)
