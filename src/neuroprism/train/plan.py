"""How long an epoch is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuroprism.core.errors import DataError
from neuroprism.train.config import TrainingConfig
from neuroprism.train.processes import Processes


def batches_per_epoch(train_loader: Iterable[Any], config: TrainingConfig) -> int:
    """Return the number of batches of an epoch that are used.

    Raises
    ------
    DataError
        If there is none.
    """
    n_batches: int = len(train_loader)  # type: ignore[arg-type]
    if n_batches == 0:
        raise DataError("there is no training batch; lower data.dataloader.batch_size")
    if config.max_steps_per_epoch is not None:
        return min(n_batches, config.max_steps_per_epoch * config.accumulation_steps)
    return n_batches


def steps_per_epoch(train_loader: Iterable[Any], config: TrainingConfig) -> int:
    """Return the number of optimizer steps of an epoch; the remainder of an accumulation is one."""
    return -(-batches_per_epoch(train_loader, config) // config.accumulation_steps)


def check_same_length(n_batches: int, processes: Processes) -> None:
    """Look whether all processes will make the same steps.

    Raises
    ------
    DataError
        In all of them, if their loaders differ in length.
    """
    lengths = processes.gather(n_batches)
    with processes.agreeing():
        if len(set(lengths)) > 1:
            raise DataError(
                f"the processes have {', '.join(map(str, lengths))} training batches; all need as many"
            )
