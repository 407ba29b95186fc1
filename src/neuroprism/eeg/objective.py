"""The one loss of an EEG task, what a constant predictor costs, and what no predictor can undercut."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from neuroprism.core.records import Component
from neuroprism.eeg.spec import DatasetSpec

LABELS = {"cross_entropy": "CE", "bce": "BCE", "mse": "MSE"}


class EegObjective:
    """Cross-entropy, binary cross-entropy or squared error, as the dataset declares.

    Parameters
    ----------
    spec
        The dataset.
    label_smoothing
        Share of the target spread over all classes; for multiclass only.
    """

    def __init__(self, spec: DatasetSpec, *, label_smoothing: float) -> None:
        self.name = spec.loss
        self.n_classes = len(spec.class_names)
        self.label_smoothing = label_smoothing if spec.task == "multiclass" else 0.0

    def __call__(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss.

        Parameters
        ----------
        outputs
            Logits (B, K) or (B, L, K); one logit or value (B,) for binary and regression.
        y
            Labels (B,) or (B, L); floats for regression.
        """
        if self.name == "cross_entropy":
            return F.cross_entropy(outputs.flatten(0, -2), y.flatten(), label_smoothing=self.label_smoothing)
        if self.name == "bce":
            return F.binary_cross_entropy_with_logits(outputs, y.to(outputs.dtype))
        return F.mse_loss(outputs, y.to(outputs.dtype))

    def component(self, train_y: npt.NDArray[np.generic], val_y: npt.NDArray[np.generic]) -> Component:
        """Describe the component: its baseline on `val_y` from what `train_y` tells, and its lower bound."""
        return Component(
            name=self.name,
            label=LABELS[self.name],
            baseline=self._baseline(np.ravel(train_y), np.ravel(val_y)),
            lower_bound=self._lower_bound(),
        )

    def _lower_bound(self) -> float | None:
        # Without smoothing it is zero, which says nothing.
        return smoothing_floor(self.n_classes, self.label_smoothing) if self.label_smoothing else None

    def _baseline(self, train_y: npt.NDArray[np.generic], val_y: npt.NDArray[np.generic]) -> float:
        """Return what the prior of the training labels costs on validation labels."""
        if self.name == "mse":
            return float(np.mean((val_y.astype(float) - train_y.astype(float).mean()) ** 2))
        # One pseudo-count, so that a class missing in the training split costs much, not infinitely much.
        counts = np.bincount(train_y.astype(int), minlength=self.n_classes) + 1.0
        log_p = np.log(counts / counts.sum())
        share = self.label_smoothing / self.n_classes
        target = np.bincount(val_y.astype(int), minlength=self.n_classes) / len(val_y)
        target = (1 - self.label_smoothing) * target + share
        return float(-(target * log_p).sum())


def smoothing_floor(n_classes: int, label_smoothing: float) -> float:
    """Return the least cross-entropy against targets smoothed over K classes: their own entropy.

    Examples
    --------
    >>> round(smoothing_floor(4, 0.1), 4)
    0.3488
    """
    share = label_smoothing / n_classes
    top = 1 - label_smoothing + share
    rest = (n_classes - 1) * share * math.log(share) if share else 0.0
    return -(top * math.log(top) + rest)
