"""Metrics of class predictions, from pooled predictions of a whole split."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_f1_score,
    binary_precision_recall_curve,
    multiclass_cohen_kappa,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_recall,
)


def balanced_accuracy(predicted: Tensor, target: Tensor, n_classes: int) -> float:
    """Return the mean recall over the classes that occur in `target`.

    Parameters
    ----------
    predicted, target
        (N,) class indices.
    n_classes
        Number of classes K.
    """
    recall = multiclass_recall(predicted, target, num_classes=n_classes, average="none")
    present = torch.bincount(target, minlength=n_classes) > 0
    return float(recall[present].mean())


def recall_per_class(predicted: Tensor, target: Tensor, n_classes: int) -> list[float | None]:
    """Return the recall of each class, None for a class that does not occur in `target`."""
    recall = multiclass_recall(predicted, target, num_classes=n_classes, average="none")
    present = torch.bincount(target, minlength=n_classes) > 0
    return [float(value) if there else None for value, there in zip(recall, present, strict=True)]


def kappa(predicted: Tensor, target: Tensor, n_classes: int) -> float | None:
    """Return Cohen's kappa, None where agreement by chance is certain."""
    value = float(multiclass_cohen_kappa(predicted, target, num_classes=n_classes))
    return value if value == value else None


def macro_f1(predicted: Tensor, target: Tensor, n_classes: int) -> float:
    """Return the mean F1 over the classes that occur in `target` or `predicted`."""
    return float(multiclass_f1_score(predicted, target, num_classes=n_classes, average="macro"))


def weighted_f1(predicted: Tensor, target: Tensor, n_classes: int) -> float:
    """Return the mean F1 over the classes, weighted by how often each occurs in `target`."""
    return float(multiclass_f1_score(predicted, target, num_classes=n_classes, average="weighted"))


def confusion_matrix(predicted: Tensor, target: Tensor, n_classes: int) -> list[list[int]]:
    """Return counts with true classes as rows and predicted ones as columns."""
    counts = multiclass_confusion_matrix(predicted, target, num_classes=n_classes)
    return [[int(n) for n in row] for row in counts]


def binary_f1(probability: Tensor, target: Tensor) -> float:
    """Return F1 of the positive class at a threshold of one half.

    Parameters
    ----------
    probability
        (N,) in [0, 1].
    target
        (N,) 0 or 1.
    """
    return float(binary_f1_score(probability, target.long()))


def roc_auc(probability: Tensor, target: Tensor) -> float | None:
    """Return the area under the ROC curve, None where only one class occurs."""
    return float(binary_auroc(probability, target.long())) if _both(target) else None


def pr_auc(probability: Tensor, target: Tensor) -> float | None:
    """Return the area under the precision-recall curve by the trapezoidal rule, None without both classes.

    Linear interpolation between the points is optimistic beside
    `average_precision`; the earlier EEG results use it.
    """
    if not _both(target):
        return None
    precision, recall, _ = binary_precision_recall_curve(probability.double(), target.long())
    return abs(float(torch.trapezoid(precision, recall)))


def average_precision(probability: Tensor, target: Tensor) -> float | None:
    """Return the mean precision over the steps of recall, None without both classes."""
    return float(binary_average_precision(probability, target.long())) if _both(target) else None


def _both(target: Tensor) -> bool:
    target = target.long()
    return len(target) > 0 and not bool((target == target[0]).all())
