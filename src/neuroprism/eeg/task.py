"""What the trainer has to know of an EEG dataset: its loss and how it is evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neuroprism.eeg.dataset import EegBatch
from neuroprism.eeg.objective import EegObjective
from neuroprism.eeg.pooled_predictions import PooledPredictions, classes
from neuroprism.eeg.predictions import Predictions
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.metrics.intervals import Interval
from neuroprism.train.task import Evaluation, LossTerms, Task


@dataclass(frozen=True, kw_only=True)
class TestResults:
    """Everything that the test split tells.

    Attributes
    ----------
    evaluation
        Losses and metrics over all samples.
    confusion_matrix
        True classes as rows; None for regression.
    per_subject
        Metrics of each subject.
    intervals
        95% interval of each metric over subjects; absent with one subject.
    predictions
        Of every sample.
    """

    __test__ = False

    evaluation: Evaluation
    confusion_matrix: list[list[int]] | None
    per_subject: dict[str, dict[str, float]]
    intervals: dict[str, Interval]
    predictions: Predictions


class EegTask(Task[EegBatch]):
    """One dataset, one network, one loss.

    Parameters
    ----------
    spec
        The dataset.
    model
        Network of `neuroprism.eeg.backbones.build_model`.
    label_smoothing
        For multiclass.
    train_y, val_y
        Labels of the two splits, for the baseline of the loss.
    data_fingerprint
        Of the store, so that a resume notices other data.

    Attributes
    ----------
    batch_metrics
        Metrics of the training batch that `losses` saw last, on its device.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        model: nn.Module,
        *,
        label_smoothing: float,
        train_y: npt.NDArray[np.generic],
        val_y: npt.NDArray[np.generic],
        data_fingerprint: str = "",
    ) -> None:
        self.name = spec.name
        self.data_fingerprint = data_fingerprint
        self.spec = spec
        self.model = model
        self.objective = EegObjective(spec, label_smoothing=label_smoothing)
        self.components = (self.objective.component(train_y, val_y),)
        self.metric_names = PooledPredictions.metric_names(spec)
        self.batch_metrics: dict[str, Tensor] = {}

    def losses(self, model: nn.Module, batch: EegBatch) -> LossTerms:
        """Return the loss of a batch."""
        outputs = model(batch.x)
        if self.spec.task != "regression":
            right = classes(outputs.detach(), self.spec) == batch.y
            self.batch_metrics = {"accuracy": right.float().mean()}
        return LossTerms(values={self.objective.name: self.objective(outputs, batch.y)})

    def evaluate(
        self, model: nn.Module, batches: Iterable[EegBatch], *, compute_metrics: bool = True
    ) -> Evaluation:
        """Return the mean loss over all samples, and metrics of pooled predictions."""
        return self._evaluate(model, batches, compute_metrics=compute_metrics)[0]

    def test(
        self,
        model: nn.Module,
        batches: Iterable[EegBatch],
        *,
        subjects: npt.NDArray[np.str_],
        seed: int,
    ) -> TestResults:
        """Evaluate once, also by subject.

        Parameters
        ----------
        model
            With the selected weights, in evaluation mode.
        batches
            The test split.
        subjects
            Subject of every sample of the store, addressed by the batches' index.
        seed
            Of the bootstrap over subjects.
        """
        evaluation, pooled = self._evaluate(model, batches, compute_metrics=True)
        return TestResults(
            evaluation=evaluation,
            confusion_matrix=pooled.confusion_matrix(),
            per_subject=pooled.per_subject(subjects),
            intervals=pooled.intervals(subjects, seed=seed),
            predictions=pooled.predictions(),
        )

    def n_samples(self, batch: EegBatch) -> int:
        """Return the number of windows or sequences."""
        return len(batch)

    def sample_ids(self, batch: EegBatch) -> Tensor:
        """Return the numbers of the samples in their store."""
        return batch.index

    def checkpoint_state(self) -> dict[str, Any]:
        """Return what prediction needs beside the weights."""
        return {
            "dataset": self.spec.name,
            "store": self.data_fingerprint,
            "class_names": list(self.spec.class_names),
            "channels": list(self.spec.channels),
            "n_patches": self.spec.n_patches,
            "scale_uv": self.spec.preprocessing.scale_uv,
        }

    def _evaluate(
        self, model: nn.Module, batches: Iterable[EegBatch], *, compute_metrics: bool
    ) -> tuple[Evaluation, PooledPredictions]:
        pooled = PooledPredictions(self.spec)
        sums: list[Tensor] = []
        n_samples = 0
        for batch in batches:
            outputs = model(batch.x).float()
            sums.append(self.objective(outputs, batch.y).double() * len(batch))
            n_samples += len(batch)
            pooled.add(outputs, batch.y, batch.index)
        loss = float(torch.stack(sums).sum()) / n_samples
        metrics = pooled.metrics() if compute_metrics else {}
        return Evaluation(losses={self.objective.name: loss}, metrics=metrics), pooled
