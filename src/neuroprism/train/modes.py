"""Short ways through the whole of training: two small epochs, or one batch learnt by heart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from neuroprism.train.config import TrainingConfig
from neuroprism.train.data_order import batches_of

N_STEPS = 2

ConfigT = TypeVar("ConfigT", bound=TrainingConfig)


def fast_dev_run(config: ConfigT) -> ConfigT:
    """Return `config` cut down to two epochs of two optimizer steps, each validated and saved.

    Everything else stays as configured, so that the same code runs.
    """
    scheduler = config.scheduler.model_copy(
        update={
            "warmup_epochs": min(config.scheduler.warmup_epochs, 1.0),
            "warmup_steps": config.scheduler.warmup_steps and min(config.scheduler.warmup_steps, N_STEPS),
        }
    )
    short = config.model_copy(
        update={
            "epochs": 2,
            "log_frequency": 1,
            "max_steps_per_epoch": N_STEPS,
            "scheduler": scheduler,
            "validation": config.validation.model_copy(update={"frequency": 1}),
            "checkpointing": config.checkpointing.model_copy(update={"save_frequency": 1}),
        }
    )
    return type(config).model_validate(short.model_dump())


class FirstBatches:
    """The first `n` batches of a loader.

    Examples
    --------
    >>> list(FirstBatches(["a", "b", "c"], 2))
    ['a', 'b']
    """

    def __init__(self, loader: Iterable[Any], n: int) -> None:
        self._loader = loader
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        return islice(batches_of(self._loader, epoch=1), self._n)

    def __len__(self) -> int:
        length: int = len(self._loader)  # type: ignore[arg-type]
        return min(self._n, length)


class RepeatedBatch:
    """The first batch of a loader, `n` times: a model that works learns it by heart.

    Examples
    --------
    >>> list(RepeatedBatch(["a", "b"], 3))
    ['a', 'a', 'a']
    """

    def __init__(self, loader: Iterable[Any], n: int = 100) -> None:
        self._batch = next(iter(batches_of(loader, epoch=1)))
        self._n = n

    def __iter__(self) -> Iterator[Any]:
        return iter([self._batch] * self._n)

    def __len__(self) -> int:
        return self._n
