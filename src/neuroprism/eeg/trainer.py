"""The trainer, with the metrics of training batches."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from neuroprism.eeg.task import EegTask
from neuroprism.train.trainer import Trainer


class EegTrainer(Trainer):
    """Records what the task found out about each training batch beside its loss.

    Parameters
    ----------
    task
        The task that will be trained.
    *arguments, **options
        Of `Trainer`.
    """

    def __init__(self, task: EegTask, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._task = task

    def _update_metrics(
        self, metrics: SimpleNamespace, loss_components: Mapping[str, Tensor], batch: Any
    ) -> None:
        vars(metrics).update(self._task.batch_metrics)
