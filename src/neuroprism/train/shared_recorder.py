"""Steps of several processes as one record.

Each process keeps the numbers of its own share of every step to itself, so that
a step sends nothing but its gradients. At points that all reach together, a
second or `log_frequency` steps apart, the shares are exchanged at once and
merged: the mean of a component is the one over all its valid elements, whichever
process had them. Alerts, refused steps and Ctrl-C are decided on there, in all
processes alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroprism.monitor.scalars import plain, snapshot
from neuroprism.train.non_finite_guard import Policy
from neuroprism.train.processes import AgreedInterrupt, Processes
from neuroprism.train.step_recorder import StepRecord, StepRecorder

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """What a process tells the others: its steps, how long they took, whether Ctrl-C was pressed."""

    steps: list[StepRecord]
    seconds: float
    interrupted: bool


class SharedStepRecorder(StepRecorder):
    """Records steps that several processes make together; to be driven by all of them alike.

    Parameters
    ----------
    monitor
        Receives the merged steps in every process.
    policy
        What a non-finite step means.
    log_frequency
        Most steps between two exchanges.
    processes
        Those that share the steps.
    interrupted
        Tells whether this process was asked to end.
    max_delay_seconds
        Time that the steps between two exchanges are to take at most, by the
        clock of the first process and the pace of the steps before.
    """

    def __init__(
        self,
        monitor: Monitor,
        *,
        policy: Policy,
        log_frequency: int,
        processes: Processes,
        interrupted: Callable[[], bool],
        max_delay_seconds: float = 1.0,
    ) -> None:
        super().__init__(
            monitor, policy=policy, log_frequency=log_frequency, max_delay_seconds=max_delay_seconds
        )
        self._processes = processes
        self._interrupted = interrupted
        self._n_until_exchange = 1
        self._settled = time.monotonic()

    def add(self, record: StepRecord) -> None:
        """Keep one step until the next exchange; see `settle` for what it raises."""
        # Ids may lie in memory that the next batch reuses.
        self._held.append(replace(record, samples=snapshot(record.samples)))
        ends = record.refused is True and self._policy == "stop" and not record.overflow
        if ends or len(self._held) >= self._n_until_exchange:
            self.settle()

    def settle(self) -> None:
        """Exchange and record the steps that are held back.

        Raises
        ------
        TrainingError
            In all processes, if a step was non-finite and the policy is ``stop``.
        TrainingStopped
            In all processes, if an alert asks to stop.
        AgreedInterrupt
            In all processes, if one was asked to end.
        """
        held, self._held = self._held, []
        if not held:
            return
        steps = on_host(held)
        seconds = time.monotonic() - self._settled
        asked = self._interrupted()
        windows = self._processes.gather(_Window(steps=steps, seconds=seconds, interrupted=asked))
        self._plan(len(held), windows[0].seconds)
        with self._processes.agreeing():
            for shares in zip(*(window.steps for window in windows), strict=True):
                merged = merge(shares)
                self._pass_on(merged, refused=bool(merged.refused))
            super().stop_if_asked()
        self._settled = time.monotonic()
        if any(window.interrupted for window in windows):
            raise AgreedInterrupt

    def stop_if_asked(self) -> None:
        """Raise TrainingStopped in all processes if an alert asks to stop."""
        with self._processes.agreeing():
            super().stop_if_asked()

    def _plan(self, n: int, seconds: float) -> None:
        """Choose the steps until the next exchange, at most twice as many as before."""
        pace = seconds / n
        fitting = int(self._max_delay_seconds / pace) if pace > 0 else self._log_frequency
        self._n_until_exchange = max(1, min(fitting, 2 * n, self._log_frequency))


def merge(shares: Sequence[StepRecord]) -> StepRecord:
    """Return one step from the shares of all processes, whose numbers lie in host memory.

    Components are weighted by their valid elements and metrics by samples.
    Gradient norm and verdict are those of the averaged gradient and weights those
    that were agreed on, the same in every share. Gradients that were taken apart
    are those of the first share.
    """
    first = shares[0]
    counts = {name: [_count(share, name) for share in shares] for name in first.losses}
    samples = [share.samples for share in shares if share.samples is not None]
    names = dict.fromkeys(name for share in shares for name in share.metrics)
    return replace(
        first,
        losses={name: _mean([share.losses[name] for share in shares], counts[name]) for name in counts},
        counts={name: sum(values) for name, values in counts.items()},
        n_samples=sum(share.n_samples for share in shares),
        metrics={name: _metric(shares, name) for name in names},
        samples=_joined(samples) if samples else None,
    )


def on_host(records: Sequence[StepRecord]) -> list[StepRecord]:
    """Return the records with plain numbers in place of tensors, fetched with one transfer per type."""
    tensors: dict[Any, list[Tensor]] = {}
    for value in (value for record in records for value in _numbers(record)):
        if isinstance(value, Tensor):
            tensors.setdefault((value.device, value.dtype), []).append(value.detach().reshape(()))
    fetched = {kind: iter(torch.stack(values).tolist()) for kind, values in tensors.items()}

    def number(value: Any) -> Any:
        return next(fetched[value.device, value.dtype]) if isinstance(value, Tensor) else value

    return [
        replace(
            record,
            losses={name: number(value) for name, value in record.losses.items()},
            counts={name: number(value) for name, value in record.counts.items()},
            metrics={name: number(value) for name, value in record.metrics.items()},
            weights=record.weights and {name: number(value) for name, value in record.weights.items()},
            grad_norm=number(record.grad_norm),
            refused=bool(number(record.refused)),
            samples=plain(record.samples),
        )
        for record in records
    ]


def _numbers(record: StepRecord) -> Iterator[Any]:
    """Yield the numbers of a record in the order in which `on_host` puts them back."""
    for group in (record.losses, record.counts, record.metrics, record.weights or {}):
        yield from group.values()
    yield record.grad_norm
    yield record.refused


def _count(share: StepRecord, name: str) -> float:
    return float(share.counts.get(name, share.n_samples))


def _metric(shares: Sequence[StepRecord], name: str) -> float:
    given = [share for share in shares if name in share.metrics]
    return _mean([share.metrics[name] for share in given], [float(share.n_samples) for share in given])


def _mean(values: Sequence[Any], weights: Sequence[float]) -> float:
    """Return the mean over the shares that count; equal values stay as they are, to the last bit."""
    counted = [(float(value), weight) for value, weight in zip(values, weights, strict=True) if weight > 0]
    if len({value for value, _ in counted}) <= 1:
        return counted[0][0] if counted else 0.0
    return sum(value * weight for value, weight in counted) / sum(weight for _, weight in counted)


def _joined(samples: Sequence[Any]) -> Any:
    """Return the ids of all processes as one list, as a single process would have named them."""
    if all(isinstance(ids, list) for ids in samples):
        return [one for ids in samples for one in ids]
    return list(samples)
