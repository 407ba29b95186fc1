"""How long an epoch is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.train.checkpoint import Checkpoint
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


def batches_behind(checkpoint: Checkpoint, *, n_batches: int, batch_size: int | None) -> int:
    """Return how many batches of the epoch that runs a checkpoint has behind it, in batches of this size.

    Parameters
    ----------
    checkpoint
        Of the run.
    n_batches
        Batches of an epoch now.
    batch_size
        Samples of a batch now, None where unknown.

    Raises
    ------
    ConfigError
        If it lies inside an epoch and no batch of the new size begins there.
    """
    saved = checkpoint.training
    before = saved.get("batch_size") or batch_size
    if not checkpoint.batch or (before == batch_size and saved["n_batches"] == n_batches):
        return checkpoint.batch
    if before is not None and batch_size is not None and before != batch_size:
        n, rest = divmod(checkpoint.batch * before, batch_size)
        if rest == 0:
            return int(n)
    raise ConfigError(
        f"the checkpoint lies inside an epoch of {saved['n_batches']} batches, which now has {n_batches}; "
        "resume with the former data, and the former data.dataloader.batch_size or a divisor of it"
    )


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
