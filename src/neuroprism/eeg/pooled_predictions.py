"""Metrics of a whole split from pooled predictions; nothing is averaged over batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neuroprism import metrics
from neuroprism.core.errors import DataError
from neuroprism.eeg.predictions import Predictions
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.metrics import confusion, ranking, resampling
from neuroprism.metrics.intervals import Interval, Statistic, cluster_bootstrap

Subjects = npt.NDArray[np.str_]

CLASS_METRICS: Mapping[str, Callable[[Tensor, Tensor, int], float | None]] = {
    "balanced_accuracy": metrics.balanced_accuracy,
    "kappa": metrics.kappa,
    "f1": metrics.weighted_f1,
}
RANKING_METRICS: Mapping[str, Callable[[Tensor, Tensor], float | None]] = {
    "pr_auc_trapezoid": metrics.pr_auc,
    "roc_auc": metrics.roc_auc,
    "average_precision": metrics.average_precision,
}
NUMERIC_METRICS: Mapping[str, Callable[[Tensor, Tensor], float | None]] = {
    "corrcoef": metrics.pearson_r,
    "r2": metrics.r2,
    "rmse": metrics.rmse,
}
RESAMPLED_COUNTS = {
    "balanced_accuracy": confusion.balanced_accuracy,
    "kappa": confusion.kappa,
    "f1": confusion.weighted_f1,
}
RESAMPLED_RANKINGS = {"pr_auc_trapezoid": ranking.pr_area, "roc_auc": ranking.roc_area}
RESAMPLED_NUMBERS = {
    "corrcoef": resampling.pearson,
    "r2": resampling.determination,
    "rmse": resampling.root_mean_square_error,
}


class PooledPredictions:
    """Collects a split batch by batch.

    Predictions that hold NaN or infinity have no metrics: nothing can be selected by them.

    Parameters
    ----------
    spec
        The dataset: which metrics apply.
    """

    def __init__(self, spec: DatasetSpec) -> None:
        self.spec = spec
        self._outputs: list[Tensor] = []
        self._y: list[Tensor] = []
        self._index: list[Tensor] = []

    @staticmethod
    def metric_names(spec: DatasetSpec) -> tuple[str, ...]:
        """Return the names of all metrics that may appear."""
        more = ("average_precision",) if spec.task == "binary" else ()
        return (*spec.metrics, *more, *(f"recall/{name}" for name in spec.class_names))

    def add(self, outputs: Tensor, y: Tensor, index: Tensor) -> None:
        """Add the outputs of a batch beside its labels.

        Parameters
        ----------
        outputs
            Logits (B, K) or (B, L, K); one logit or value (B,) for binary and regression.
        y
            Labels (B,) or (B, L).
        index
            (B,) positions in the store.

        Raises
        ------
        DataError
            If outputs and labels do not fit the declaration.
        """
        expected = (*y.shape, self.spec.n_outputs) if self.spec.task == "multiclass" else tuple(y.shape)
        if tuple(outputs.shape) != expected:
            raise DataError(
                f"{self.spec.name}: outputs of shape {tuple(outputs.shape)} for labels of shape "
                f"{tuple(y.shape)}; the {self.spec.task} task asks for {expected}"
            )
        of_sample = index if y.ndim == 1 else index[:, None].expand_as(y)
        self._outputs.append(outputs.detach().flatten(0, y.ndim - 1).cpu().double())
        self._y.append(y.detach().flatten().cpu())
        self._index.append(of_sample.flatten().cpu())

    def metrics(self) -> dict[str, float]:
        """Return every metric that is defined; a metric that is not is absent."""
        return self._metrics(*self._pooled())

    def confusion_matrix(self) -> list[list[int]] | None:
        """Return counts with true classes as rows; None for regression and without metrics."""
        outputs, y = self._pooled()
        if self.spec.task == "regression" or not _usable(outputs):
            return None
        return metrics.confusion_matrix(classes(outputs, self.spec), y, len(self.spec.class_names))

    def per_subject(self, subjects: Subjects) -> dict[str, dict[str, float]]:
        """Return the metrics of each subject.

        Parameters
        ----------
        subjects
            (N,) subject of every sample of the store.
        """
        outputs, y = self._pooled()
        of_row = self._subjects_of_rows(subjects)
        chosen = {str(s): torch.from_numpy(np.flatnonzero(of_row == s)) for s in np.unique(of_row)}
        return {s: self._metrics(outputs[rows], y[rows]) for s, rows in chosen.items()}

    def intervals(self, subjects: Subjects, *, seed: int) -> dict[str, Interval]:
        """Return the 95% interval of each documented metric over subjects; none with one subject.

        Parameters
        ----------
        subjects
            (N,) subject of every sample of the store.
        seed
            Of the bootstrap.
        """
        outputs, y = self._pooled()
        if not _usable(outputs):
            return {}
        of_row = self._subjects_of_rows(subjects)
        found = {
            name: cluster_bootstrap(self._statistic(name, outputs, y, of_row), of_row, seed=seed)
            for name in self.spec.metrics
        }
        return {name: interval for name, interval in found.items() if interval is not None}

    def predictions(self) -> Predictions:
        """Return the outputs of every window beside its label."""
        outputs, y = self._pooled()
        return Predictions(outputs=outputs.numpy(), y=y.numpy(), index=self._rows())

    def _pooled(self) -> tuple[Tensor, Tensor]:
        if not self._y:
            return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.long)
        return torch.cat(self._outputs), torch.cat(self._y)

    def _subjects_of_rows(self, subjects: Subjects) -> Subjects:
        of_row: Subjects = subjects[self._rows()]
        return of_row

    def _rows(self) -> npt.NDArray[np.int64]:
        """Return the number of the sample behind every window."""
        if not self._index:
            return np.zeros(0, dtype=np.int64)
        rows: npt.NDArray[np.int64] = torch.cat(self._index).numpy()
        return rows

    def _metrics(self, outputs: Tensor, y: Tensor) -> dict[str, float]:
        if not _usable(outputs):
            return {}
        found: dict[str, float | None]
        if self.spec.task == "regression":
            found = {name: metric(outputs, y) for name, metric in NUMERIC_METRICS.items()}
            return _defined(found)
        predicted, names = classes(outputs, self.spec), self.spec.class_names
        found = {
            name: metric(predicted, y, len(names))
            for name, metric in CLASS_METRICS.items()
            if name in self.spec.metrics
        }
        if self.spec.task == "binary":
            found |= {name: metric(outputs.sigmoid(), y) for name, metric in RANKING_METRICS.items()}
        recalls = metrics.recall_per_class(predicted, y, len(names))
        found |= {f"recall/{name}": recall for name, recall in zip(names, recalls, strict=True)}
        return _defined(found)

    def _statistic(self, name: str, outputs: Tensor, y: Tensor, groups: Subjects) -> Statistic:
        """Return a documented metric as a statistic of resampled subjects."""
        if name in RESAMPLED_NUMBERS:
            return RESAMPLED_NUMBERS[name](outputs.numpy(), y.double().numpy(), groups)
        target = y.long().numpy()
        if name in RESAMPLED_RANKINGS:
            return resampling.of_ranking(RESAMPLED_RANKINGS[name], outputs.sigmoid().numpy(), target, groups)
        predicted = classes(outputs, self.spec).numpy()
        return resampling.of_counts(
            RESAMPLED_COUNTS[name], predicted, target, groups, len(self.spec.class_names)
        )


def classes(outputs: Tensor, spec: DatasetSpec) -> Tensor:
    """Return predicted labels; a binary logit above 0 is a probability above one half."""
    return outputs.argmax(dim=-1) if spec.task == "multiclass" else (outputs > 0).long()


def _usable(outputs: Tensor) -> bool:
    return len(outputs) > 0 and bool(outputs.isfinite().all())


def _defined(found: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}
