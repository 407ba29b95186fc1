"""Judging the model on the validation split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import TOTAL, epoch_series
from neuroprism.train.config import TrainingConfig
from neuroprism.train.data_order import batches_of
from neuroprism.train.selection import Criterion
from neuroprism.train.state import TrainingState
from neuroprism.train.task import Evaluation, Task


def validate(
    state: TrainingState,
    loader: Iterable[Any],
    *,
    compute_metrics: bool,
    between_batches: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Evaluate the task with the averaged weights, in evaluation mode and without gradients.

    Parameters
    ----------
    state
        Model and average; training mode and weights are as before afterwards.
    loader
        Validation batches.
    compute_metrics
        Compute metrics besides the losses.
    between_batches
        Called before every batch; may raise to break off.
    """
    weights = state.average.in_place() if state.average else nullcontext()
    state.network.eval()
    try:
        with weights, torch.no_grad():
            return state.task.evaluate(
                state.network,
                _on_device(loader, state.fabric, between_batches),
                compute_metrics=compute_metrics,
            )
    finally:
        state.network.train()


def check_criterion(task: Task[Any], config: TrainingConfig) -> None:
    """Find a mistyped criterion before training where the task declares its metrics.

    Raises
    ------
    UnknownNameError
        If `training.early_stopping.monitor` can never be computed.
    """
    names = {epoch_series("val", name) for name in [TOTAL, *(c.name for c in task.components)]}
    metrics = {epoch_series("val", name) for name in task.metric_names}
    criterion = Criterion(config.early_stopping.monitor, config.early_stopping.mode)
    if criterion.series in metrics and not config.validation.compute_metrics:
        raise UnknownNameError("series without training.validation.compute_metrics", criterion.series, names)
    if task.metric_names:
        criterion.check(names | metrics)


def _on_device(loader: Iterable[Any], fabric: Fabric, between_batches: Callable[[], None]) -> Iterator[Any]:
    for batch in batches_of(loader, epoch=1):
        between_batches()
        yield fabric.to_device(batch)
