"""The monitor of a process that keeps no record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuroprism.core.records import (
    Alert,
    CheckpointReason,
    Component,
    EpochRecord,
    Severity,
    Status,
    TestRecord,
)
from neuroprism.monitor.components import as_components, with_total
from neuroprism.monitor.histograms import Histogram
from neuroprism.monitor.monitor import Monitor
from neuroprism.monitor.results import results_on_test_set
from neuroprism.monitor.resume import ResumePoint
from neuroprism.monitor.scalars import floats


class SilentMonitor(Monitor):
    """Combines losses and counts steps and epochs; touches no folder, shows and judges nothing.

    Where several processes train together the first one has the `Monitor` and
    every other one of these, so that the loop is the same in all of them.

    Parameters
    ----------
    folder
        Folder of the run, only remembered.
    components
        As for `Monitor`.
    resume
        Continue to count after this point.
    """

    stop_requested: Alert | None = None

    def __init__(
        self,
        folder: str | Path,
        components: Sequence[Component] | Mapping[str, float],
        *,
        resume: ResumePoint | None = None,
    ) -> None:
        # Nothing of what a recording monitor sets up is wanted here.
        self.components = as_components(components)
        self.folder = Path(folder)
        self.alerts: list[Alert] = []
        self.n_steps = resume.step if resume else 0
        self.epoch_number = resume.epoch + 1 if resume else 1

    def step(self, losses: Mapping[str, Any], **numbers: Any) -> None:
        """Count one optimizer step."""
        self.n_steps += 1

    def flush(self) -> None:
        """Do nothing: nothing waits."""

    def epoch(
        self,
        *,
        val: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        train_metrics: Mapping[str, Any] | None = None,
        lr: Any = None,
        best: bool | None = None,
    ) -> EpochRecord:
        """Count the epoch; return a record that lacks the means of the steps."""
        record = EpochRecord(
            epoch=self.epoch_number,
            step=self.n_steps,
            train={},
            val=with_total(self.components, val),
            train_metrics=floats(train_metrics, "metric"),
            val_metrics=floats(metrics, "metric"),
            best=best,
        )
        self.epoch_number += 1
        return record

    def test(self, **results: Any) -> TestRecord:
        """Return the record that the first process keeps."""
        return results_on_test_set(self.components, **results)

    def checkpoint(self, path: str | Path, *, reason: CheckpointReason) -> None:
        """Do nothing."""

    def histograms(self, *, weights: Mapping[str, Histogram], gradients: Mapping[str, Histogram]) -> None:
        """Do nothing."""

    def gradients(
        self,
        *,
        norms: Mapping[str, Any],
        cosines: Mapping[str, Any] | None = None,
        clip_rate: float | None = None,
        update_ratios: Mapping[str, Any] | None = None,
    ) -> None:
        """Do nothing."""

    def alert(self, alert: Alert) -> None:
        """Do nothing."""

    def note(self, message: str, *, severity: Severity = "info") -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return the counters; the first process has the sums."""
        return {"step": self.n_steps, "epoch": self.epoch_number - 1}

    def close(self, status: Status = "finished", message: str | None = None) -> None:
        """Do nothing: nothing is open."""
