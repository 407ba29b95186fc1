"""Metrics of a whole split from pooled predictions; nothing is averaged over batches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neuroprism import metrics
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.metrics.intervals import Interval, cluster_bootstrap

N_RESAMPLES = 1000


class PooledPredictions:
    """Collects a split batch by batch.

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
        recalls = tuple(f"recall/{name}" for name in spec.class_names)
        more = ("average_precision",) if spec.task == "binary" else ()
        return (*spec.metrics, *more, *recalls)

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
        """
        of_sample = index if y.ndim == 1 else index[:, None].expand_as(y)
        self._outputs.append(outputs.detach().flatten(0, y.ndim - 1).float().cpu())
        self._y.append(y.detach().flatten().cpu())
        self._index.append(of_sample.flatten().cpu())

    def metrics(self) -> dict[str, float]:
        """Return every metric that is defined; a metric that is not is absent."""
        return self._metrics(*self._pooled())

    def confusion_matrix(self) -> list[list[int]] | None:
        """Return counts with true classes as rows; None for regression."""
        if self.spec.task == "regression":
            return None
        outputs, y = self._pooled()
        return metrics.confusion_matrix(self._classes(outputs), y, len(self.spec.class_names))

    def per_subject(self, subjects: npt.NDArray[np.str_]) -> dict[str, dict[str, float]]:
        """Return the metrics of each subject.

        Parameters
        ----------
        subjects
            (N,) subject of every sample of the store.
        """
        outputs, y = self._pooled()
        of_row = subjects[torch.cat(self._index).numpy()]
        chosen = {str(s): torch.from_numpy(np.flatnonzero(of_row == s)) for s in np.unique(of_row)}
        return {s: self._metrics(outputs[rows], y[rows]) for s, rows in chosen.items()}

    def intervals(self, subjects: npt.NDArray[np.str_], *, seed: int) -> dict[str, Interval]:
        """Return the 95% interval of each documented metric over subjects; none with one subject."""
        outputs, y = self._pooled()
        of_row = subjects[torch.cat(self._index).numpy()]
        found = {}
        for name in self.spec.metrics:

            def value(rows: npt.NDArray[np.int64], name: str = name) -> float | None:
                chosen = torch.from_numpy(rows)
                return self._documented(outputs[chosen], y[chosen], only=name).get(name)

            interval = cluster_bootstrap(value, of_row, n_resamples=N_RESAMPLES, seed=seed)
            if interval is not None:
                found[name] = interval
        return found

    def _pooled(self) -> tuple[Tensor, Tensor]:
        return torch.cat(self._outputs), torch.cat(self._y)

    def _metrics(self, outputs: Tensor, y: Tensor) -> dict[str, float]:
        found: dict[str, float | None] = dict(self._documented(outputs, y))
        if self.spec.task == "binary":
            found["average_precision"] = metrics.average_precision(outputs.sigmoid(), y)
        if self.spec.class_names:
            recalls = metrics.recall_per_class(self._classes(outputs), y, len(self.spec.class_names))
            found |= {
                f"recall/{name}": value for name, value in zip(self.spec.class_names, recalls, strict=True)
            }
        return {name: value for name, value in found.items() if value is not None}

    def _documented(self, outputs: Tensor, y: Tensor, *, only: str | None = None) -> dict[str, float]:
        """Return the three documented metrics, or one of them, where they are defined."""
        k = len(self.spec.class_names)
        ways: Mapping[str, object] = {}
        if self.spec.task == "regression":
            ways = {
                "corrcoef": lambda: metrics.pearson_r(outputs, y),
                "r2": lambda: metrics.r2(outputs, y),
                "rmse": lambda: metrics.rmse(outputs, y),
            }
        elif self.spec.task == "binary":
            ways = {
                "balanced_accuracy": lambda: metrics.balanced_accuracy(self._classes(outputs), y, k),
                "pr_auc": lambda: metrics.pr_auc(outputs.sigmoid(), y),
                "roc_auc": lambda: metrics.roc_auc(outputs.sigmoid(), y),
            }
        else:
            ways = {
                "balanced_accuracy": lambda: metrics.balanced_accuracy(self._classes(outputs), y, k),
                "kappa": lambda: metrics.kappa(self._classes(outputs), y, k),
                "f1": lambda: metrics.weighted_f1(self._classes(outputs), y, k),
            }
        values = {name: way() for name, way in ways.items() if only in (None, name)}  # type: ignore[operator]
        return {name: value for name, value in values.items() if value is not None}

    def _classes(self, outputs: Tensor) -> Tensor:
        """Return predicted labels; binary outputs are logits, cut at a probability of one half."""
        return outputs.argmax(dim=-1) if outputs.ndim > 1 else (outputs >= 0).long()
