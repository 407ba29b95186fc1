"""The course of a training run by epoch, as `training_log.json` tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuroprism.core.records import TOTAL, epoch_series
from neuroprism.monitor.sinks.training_log import DOCUMENTED_METRICS
from neuroprism.runs.context import RunContext

Floats = npt.NDArray[np.float64]
TaskKind = Literal["multiclass", "binary", "regression"]

METRIC_LISTS = {key: epoch_series("val", metric) for metric, key in DOCUMENTED_METRICS.items()}
"""Series that stands in each list of validation metrics."""

LISTS = ("train_loss", *METRIC_LISTS, "learning_rate", "epoch_time")
"""The documented lists, one entry per epoch."""

LOWER_IS_BETTER = frozenset({"val_rmse"})

TASK_LISTS: dict[TaskKind, tuple[str, ...]] = {
    "regression": ("val_r2", "val_corrcoef", "val_rmse"),
    "binary": ("val_roc_auc", "val_pr_auc"),
    "multiclass": ("val_kappa", "val_f1"),
}
"""Lists of validation metrics that belong to each kind of task."""

_CRITERION: dict[TaskKind, str] = {
    "regression": "val_r2",
    "binary": "val_roc_auc",
    "multiclass": "val_kappa",
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainingHistory(Mapping[str, Any]):
    """The curves of a run, and what is known about it.

    As a mapping it is the content of `training_log.json`: ``history["val_acc"]``
    is the list in the file, empty where the file has none. `column` gives the
    same as an array over all epochs.

    Attributes
    ----------
    content
        Documented keys first, then everything else in the file.
    n_epochs
        Entries of the longest list.
    path
        File that was read, None for text.
    context
        What the folder of the file tells about the run.
    dataset
        Name of the data set, None where it is not known.
    class_names
        By label; empty where they are not known.
    notes
        What is missing or odd, one line each.
    """

    content: dict[str, Any]
    n_epochs: int
    path: Path | None = None
    context: RunContext = field(default_factory=RunContext)
    dataset: str | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def __repr__(self) -> str:
        best = "" if self.best_epoch is None else f", best epoch {self.best_epoch}"
        return f"<TrainingHistory of {self.n_epochs} epochs{best}: {self.title}>"

    @property
    def title(self) -> str:
        """What the run is called: network and data set, or its name or folder."""
        if self.dataset:
            return f"{self.context.backbone}, {self.dataset}" if self.context.backbone else self.dataset
        if self.context.card:
            return self.context.card.name
        return self.path.resolve().parent.name if self.path else "console output"

    @property
    def epochs(self) -> npt.NDArray[np.int64]:
        """(n_epochs,) counted from 1."""
        return np.arange(1, self.n_epochs + 1)

    @property
    def test_results(self) -> dict[str, Any]:
        """Results on the test data; empty before the test."""
        results = self.content["test_results"]
        return results if isinstance(results, dict) else {}

    @property
    def confusion_matrix(self) -> npt.NDArray[np.int64] | None:
        """(K, K) of the test data, true classes in rows; None where there is none."""
        return square_table(self.test_results.get("confusion_matrix"))

    @property
    def task(self) -> TaskKind | None:
        """Kind of task, as the lists that are filled tell; None where they tell nothing."""
        for kind, lists in TASK_LISTS.items():
            names = (key.removeprefix("val_") for key in lists)
            if any(self.has(key) for key in lists) or any(name in self.test_results for name in names):
                return kind
        return None

    @property
    def criterion(self) -> str | None:
        """The list whose best value selects the epoch where the log names none; None without one."""
        wanted = _CRITERION[self.task] if self.task else "val_acc"
        return next((key for key in (wanted, "val_acc", "val/total") if self.has(key)), None)

    @property
    def best_epoch(self) -> int | None:
        """The selected epoch: as recorded, else the first best value of `criterion`."""
        recorded = self.test_results.get("best_epoch")
        if isinstance(recorded, int) and not isinstance(recorded, bool) and recorded >= 1:
            return recorded
        if self.context.selected_epoch is not None:
            return self.context.selected_epoch
        return self.best_of(self.criterion) if self.criterion else None

    def has(self, key: str) -> bool:
        """Tell whether a list has any finite value."""
        return bool(np.isfinite(self.column(key)).any())

    def column(self, key: str) -> Floats:
        """Return a list as (n_epochs,) array, NaN where an epoch has no value or there is no such list."""
        values = self.content.get(key)
        full = np.full(self.n_epochs, np.nan)
        if isinstance(values, list):
            full[: len(values)] = np.array(values, dtype=np.float64)
        return full

    def best_of(self, key: str) -> int | None:
        """Return the epoch of the first best value of a list; None where it has no finite one."""
        values = self.column(key)
        if not np.isfinite(values).any():
            return None
        values = np.where(np.isfinite(values), values, np.nan)
        chosen = np.nanargmin(values) if lower_is_better(key) else np.nanargmax(values)
        return int(chosen) + 1

    def validation_loss(self) -> str | None:
        """Return the key of the validation loss, None where it was not recorded."""
        names = [TOTAL, *(component.name for component in self.context.components)]
        return next((key for name in names if self.has(key := epoch_series("val", name))), None)


def lower_is_better(key: str) -> bool:
    """Tell whether a list of validation metrics, or the series of a loss, is better when lower."""
    return key in LOWER_IS_BETTER or key == "train_loss" or "/" in key


def square_table(values: Any) -> npt.NDArray[np.int64] | None:
    """Return a confusion matrix as an array; None where `values` is none."""
    try:
        table = np.array(values, dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        return None
    return table if table.ndim == 2 and 0 < len(table) == table.shape[1] else None
