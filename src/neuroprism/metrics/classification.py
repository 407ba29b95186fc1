"""Metrics of class predictions, from pooled predictions of a whole split."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_f1_score,
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


def macro_f1(predicted: Tensor, target: Tensor, n_classes: int) -> float:
    """Return the mean F1 over the classes that occur in `target` or `predicted`."""
    return float(multiclass_f1_score(predicted, target, num_classes=n_classes, average="macro"))


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
    target = target.long()
    if bool((target == target[0]).all()):
        return None
    return float(binary_auroc(probability, target))
