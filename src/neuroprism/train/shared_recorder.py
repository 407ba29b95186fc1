"""Steps of several processes as one record.

Each process keeps the numbers of its own share of every step to itself, so that
a step sends little but its gradients. At points that all reach together, a
second or `log_frequency` steps apart, the shares are exchanged at once and
merged: the mean of a component is the one over all its valid elements, whichever
process had them. Alerts, refused steps, Ctrl-C and SIGTERM are decided on there, in
all processes alike. A component that is not finite is told with the process that
had it and the samples of that process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroprism.monitor.scalars import plain, snapshot
from neuroprism.train.interrupt import InterruptFlag
from neuroprism.train.non_finite_guard import Policy
from neuroprism.train.processes import AgreedInterrupt, Processes
from neuroprism.train.step_recorder import StepRecord, StepRecorder, describe_culprit

if TYPE_CHECKING:
    from neuroprism.monitor import Monitor


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """What a process tells the others: its steps, how long they took, whether it was asked to end."""

    steps: list[StepRecord]
    seconds: float
    interrupted: bool
    terminated: bool


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
    flag
        Tells whether this process was asked to end, by Ctrl-C or SIGTERM.
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
        flag: InterruptFlag,
        max_delay_seconds: float = 1.0,
    ) -> None:
        super().__init__(
            monitor, policy=policy, log_frequency=log_frequency, max_delay_seconds=max_delay_seconds
        )
        self._processes = processes
        self._flag = flag
        self._known_culprits: set[int] = set()
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
        window = _Window(
            steps=steps,
            seconds=seconds,
            interrupted=self._flag.requested,
            terminated=self._flag.terminated,
        )
        windows = self._processes.gather(window)
        self._plan(len(held), windows[0].seconds)
        with self._processes.agreeing():
            for shares in zip(*(window.steps for window in windows), strict=True):
                merged = merge(shares)
                self._name_culprits(merged)
                self._pass_on(merged, refused=bool(merged.refused))
            super().stop_if_asked()
        self._settled = time.monotonic()
        if any(window.interrupted for window in windows):
            raise AgreedInterrupt(terminated=any(window.terminated for window in windows))

    def stop_if_asked(self) -> None:
        """Raise TrainingStopped in all processes if an alert asks to stop."""
        with self._processes.agreeing():
            super().stop_if_asked()

    def _name_culprits(self, record: StepRecord) -> None:
        """Say which process had a component that is not finite, once for each."""
        if not self._known_culprits.issuperset(record.culprits):
            self._known_culprits.update(record.culprits)
            step = self._monitor.n_steps + 1
            self._monitor.note(f"Step {step}: {describe_culprit(record)}", severity="warning")

    def _plan(self, n: int, seconds: float) -> None:
        """Choose the steps until the next exchange, at most twice as many as before."""
        pace = seconds / n
        fitting = int(self._max_delay_seconds / pace) if pace > 0 else self._log_frequency
        self._n_until_exchange = max(1, min(fitting, 2 * n, self._log_frequency))


def merge(shares: Sequence[StepRecord]) -> StepRecord:
    """Return one step from the shares of all processes, whose numbers lie in host memory.

    Components come weighted by their valid elements; metrics are weighted by samples.
    Gradient norm and verdict are those of the averaged gradient and weights those
    that were agreed on, the same in every share. Gradients that were taken apart
    are those of the first share. Where some shares have a component that is not
    finite, the samples are those of these shares only, with their processes.
    """
    first = shares[0]
    culprits = tuple(rank for rank, share in enumerate(shares) if _is_culprit(share))
    equally = [1.0] * len(shares)
    samples = [share.samples for share in shares if share.samples is not None]
    names = dict.fromkeys(name for share in shares for name in share.metrics)
    return replace(
        first,
        losses={name: _mean([share.losses[name] for share in shares], equally) for name in first.losses},
        counts={name: sum(_count(share, name) for share in shares) for name in first.losses},
        n_samples=sum(share.n_samples for share in shares),
        metrics={name: _metric(shares, name) for name in names},
        samples=_of_culprits(shares, culprits) if culprits else _joined(samples) if samples else None,
        culprits=culprits,
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


def _is_culprit(share: StepRecord) -> bool:
    return not all(math.isfinite(value) for name, value in share.losses.items() if _count(share, name) > 0)


def _of_culprits(shares: Sequence[StepRecord], culprits: Sequence[int]) -> Any:
    return [{"process": rank, "samples": shares[rank].samples} for rank in culprits]


def _joined(samples: Sequence[Any]) -> Any:
    """Return the ids of all processes as one list, as a single process would have named them."""
    if all(isinstance(ids, list) for ids in samples):
        return [one for ids in samples for one in ids]
    return list(samples)
