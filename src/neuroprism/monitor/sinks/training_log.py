"""`training_log.json`: the history of the epochs in the documented layout.

The documented lists stay empty where they do not apply. A list that applies
has one entry per epoch, null where an epoch has no value or a non-finite one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from neuroprism.core import strict_json
from neuroprism.core.files import replace_bytes
from neuroprism.core.records import TOTAL, EpochRecord, RunRecord, TestRecord, epoch_series
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_events
from neuroprism.monitor.sinks.protocol import Record

DOCUMENTED_METRICS = {
    "balanced_accuracy": "val_acc",
    "kappa": "val_kappa",
    "f1": "val_f1",
    "pr_auc_trapezoid": "val_pr_auc",
    "roc_auc": "val_roc_auc",
    "corrcoef": "val_corrcoef",
    "r2": "val_r2",
    "rmse": "val_rmse",
}
"""List of the documented layout for each metric of the validation data."""


class TrainingLog:
    """Rewrites the file, as a whole and atomically, after every epoch and after the test."""

    name = "training_log"
    is_record = True

    def __init__(self) -> None:
        self._path: Path | None = None
        self._epochs: list[EpochRecord] = []
        self._test: TestRecord | None = None

    def open(self, run: RunRecord, folder: Path) -> None:
        """Start from the events that the folder holds: those kept by a resume, or none."""
        self._path = folder / layout.TRAINING_LOG
        for event in read_events(folder):
            self._take(event)
        self._replace()

    def write(self, record: Record) -> None:
        """Take in an epoch or the test results and replace the file."""
        if self._take(record):
            self._replace()

    def close(self) -> None:
        """Leave the file as it is: it is always complete."""

    def _take(self, record: Record) -> bool:
        if isinstance(record, EpochRecord):
            self._epochs.append(record)
            return True
        if isinstance(record, TestRecord):
            self._test = record
            return True
        return False

    def _replace(self) -> None:
        if self._path is not None:
            content = training_log(self._epochs, self._test)
            replace_bytes(self._path, strict_json.encode_pretty(content, non_finite_as_null=True))


def training_log(epochs: list[EpochRecord], test: TestRecord | None = None) -> dict[str, Any]:
    """Return the content of `training_log.json` for the epochs of a run."""
    log: dict[str, Any] = {"train_loss": [epoch.train.get(TOTAL) for epoch in epochs]}
    for metric, key in DOCUMENTED_METRICS.items():
        log[key] = _column([epoch.val_metrics for epoch in epochs], metric)
    log["learning_rate"] = [epoch.lr for epoch in epochs]
    log["epoch_time"] = [epoch.seconds / 60 for epoch in epochs]
    log["test_results"] = {} if test is None else _test_results(test)
    series = [_series(epoch) for epoch in epochs]
    for name in dict.fromkeys(name for values in series for name in values):
        log[name] = _column(series, name)
    return log


def _series(epoch: EpochRecord) -> dict[str, float]:
    """Return the series of an epoch, without the metrics that have a documented list."""
    further = {name: value for name, value in epoch.val_metrics.items() if name not in DOCUMENTED_METRICS}
    return msgspec.structs.replace(epoch, val_metrics=further).series()


def _column(rows: list[dict[str, float]], name: str) -> list[float | None]:
    """Return one entry per row; nothing where no row has the name."""
    return [row.get(name) for row in rows] if any(name in row for row in rows) else []


def _test_results(test: TestRecord) -> dict[str, Any]:
    results: dict[str, Any] = {
        DOCUMENTED_METRICS.get(name, name).removeprefix("val_"): value for name, value in test.metrics.items()
    }
    if test.confusion_matrix is not None:
        results["confusion_matrix"] = test.confusion_matrix
    if test.best_epoch is not None:
        results["best_epoch"] = test.best_epoch
    if test.intervals:
        results["intervals"] = {name: list(ends) for name, ends in test.intervals.items()}
    if test.per_subject:
        results["per_subject"] = test.per_subject
    return results | {epoch_series("test", name): value for name, value in test.losses.items()}
