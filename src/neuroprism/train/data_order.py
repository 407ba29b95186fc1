"""The order of the data: a function of seed and epoch, resumable inside an epoch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch.utils.data import DataLoader, Dataset, Sampler

from neuroprism.core.errors import DataError
from neuroprism.core.launch import Launch, read_launch
from neuroprism.core.section import Section


class DataLoaderConfig(Section):
    """How recordings are served in batches."""

    batch_size: int = Field(default=48, ge=1)
    """Samples in a batch; under torchrun, of each process (4 processes of 16 make steps of 64)."""

    num_workers: int = Field(default=0, ge=0)
    """Processes that load data beside training; 0 = load in the training process."""

    pin_memory: bool = True
    """Load into page-locked memory, which a CUDA device reads faster; no effect on other devices."""

    drop_last: bool = True
    """Leave out the last batch of a training epoch where it is not full."""

    shuffle_train: bool = True
    """Draw a new order of the training split for every epoch."""

    prefetch_factor: int = Field(default=2, ge=1)
    """Batches that each worker holds ready; needs workers."""

    persistent_workers: bool = True
    """Keep workers alive between epochs; needs workers."""


class EpochBatches(Sampler[list[int]]):
    """Batches of indices whose order depends on seed and epoch alone.

    Parameters
    ----------
    n_samples
        Size of the data set.
    batch_size
        Samples in a batch.
    shuffle
        Draw an order per epoch; otherwise 0, 1, 2, ...
    drop_last
        Leave out an incomplete last batch.
    seed
        Seed of the order.
    rank, n_processes
        Share of one of several processes. Together they draw the batches of one
        process with `n_processes` times the batch size, and each takes its part
        of each. An incomplete last batch is shared out as evenly as it goes. Only
        where it has fewer samples than there are processes are the first samples
        of the order used again, so that no process is left without a batch.

    Examples
    --------
    >>> batches = EpochBatches(5, batch_size=2, shuffle=False, drop_last=False, seed=0)
    >>> batches.set_position(epoch=1, first_batch=1)
    >>> list(batches)
    [[2, 3], [4]]
    """

    def __init__(
        self,
        n_samples: int,
        *,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        seed: int,
        rank: int = 0,
        n_processes: int = 1,
    ) -> None:
        self.n_samples = n_samples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.rank = rank
        self.n_processes = n_processes
        self._epoch = 1
        self._first_batch = 0

    def set_position(self, *, epoch: int, first_batch: int = 0) -> None:
        """Let the next iteration yield the batches of `epoch` from number `first_batch` on."""
        self._epoch = epoch
        self._first_batch = first_batch

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch, the same for every process."""
        whole, rest = divmod(self.n_samples, self.batch_size * self.n_processes)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.n_samples)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self._epoch]).permutation(self.n_samples)
        size = self.batch_size * self.n_processes
        for number in range(self._first_batch, len(self)):
            batch = order[number * size : (number + 1) * size]
            if (missing := self.n_processes - len(batch)) > 0:
                batch = np.concatenate([batch, np.resize(order, missing)])
            yield np.array_split(batch, self.n_processes)[self.rank].tolist()


def make_loader(
    dataset: Dataset[Any],
    config: DataLoaderConfig,
    *,
    training: bool,
    seed: int = 0,
    collate: Callable[[list[Any]], Any] | None = None,
    device: torch.device | str = "cpu",
) -> DataLoader[Any]:
    """Return a loader that honours every option of `config`.

    Parameters
    ----------
    dataset
        Map-style data set with a length.
    config
        Options.
    training
        Shuffle and drop the last batch as configured, and under torchrun serve
        the share of this process; otherwise every sample comes once, in order.
    seed
        Seed of the order and of the random state of workers.
    collate
        Turns a list of samples into a batch; None stacks tensors.
    device
        Where batches go; decides whether memory is pinned.

    Raises
    ------
    DataError
        If no batch could be formed.
    """
    if not isinstance(dataset, Sized):
        raise TypeError("make_loader needs a data set with a length")
    launch = read_launch() if training else Launch()
    order = EpochBatches(
        len(dataset),
        batch_size=config.batch_size,
        shuffle=training and config.shuffle_train,
        drop_last=training and config.drop_last,
        seed=seed,
        rank=launch.rank,
        n_processes=launch.n_processes,
    )
    if len(order) == 0:
        each = "" if launch.alone else f" in each of {launch.n_processes} processes"
        raise DataError(
            f"{len(dataset)} samples are too few for one batch of {config.batch_size}{each}; "
            "lower data.dataloader.batch_size or set data.dataloader.drop_last=false"
        )
    with_workers: dict[str, Any] = {}
    if config.num_workers:
        with_workers = {
            "prefetch_factor": config.prefetch_factor,
            "persistent_workers": config.persistent_workers,
            "worker_init_fn": _ignore_interrupt,
        }
    return DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=config.num_workers,
        pin_memory=config.pin_memory and torch.device(device).type == "cuda",
        collate_fn=collate,
        # A generator of its own: a new iterator then draws nothing from the global random state.
        generator=torch.Generator(),
        **with_workers,
    )


def batches_of(loader: Iterable[Any], *, epoch: int, first_batch: int = 0) -> Iterator[Any]:
    """Iterate over the batches of `epoch` from number `first_batch` on.

    A loader from `make_loader` jumps to its position; of any other iterable
    the first batches are read and dropped.
    """
    order = getattr(loader, "batch_sampler", None)
    if not isinstance(order, EpochBatches) or not isinstance(loader, DataLoader):
        return islice(iter(loader), first_batch, None)
    order.set_position(epoch=epoch, first_batch=first_batch)
    if loader.generator is not None:
        # Workers of different processes draw differently; those of the first as with a single process.
        entropy = [order.seed, epoch, order.rank] if order.rank else [order.seed, epoch]
        seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
        loader.generator.manual_seed(int(seed) % 2**63)
    return iter(loader)


def batch_size_of(loader: Iterable[Any]) -> int | None:
    """Return the samples of a full batch, None where the loader does not say."""
    size = getattr(loader, "batch_size", None) or getattr(
        getattr(loader, "batch_sampler", None), "batch_size", None
    )
    return int(size) if isinstance(size, int) else None


def _ignore_interrupt(_worker: int) -> None:
    """Let Ctrl-C reach the training process only, which then ends its workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
