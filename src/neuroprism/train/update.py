"""One optimizer step: micro-batches in, a record out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from neuroprism.core.records import TOTAL
from neuroprism.train.gradient_watch import GradientWatch
from neuroprism.train.optim import named_rates
from neuroprism.train.state import TrainingState
from neuroprism.train.step_recorder import StepRecord
from neuroprism.train.task import LossTerms
from neuroprism.train.weighted_loss import Combine, WeightedLoss

MetricsHook = Callable[[SimpleNamespace, Mapping[str, Tensor], Any], None]


class Update:
    """Makes optimizer steps for a `TrainingState`.

    Parameters
    ----------
    state
        Everything that a step reads and changes.
    combine
        Turns loss components into the differentiable total.
    add_metrics
        Called with an empty namespace, the detached components and the batch;
        attributes that it sets become metrics of the step.
    gradient_clip
        Largest gradient norm, None for no limit.
    watch
        Looks at gradients now and then; None for never.
    """

    def __init__(
        self,
        state: TrainingState,
        *,
        combine: Combine,
        add_metrics: MetricsHook,
        gradient_clip: float | None,
        watch: GradientWatch | None = None,
    ) -> None:
        self._state = state
        self._watch = watch or GradientWatch(state.model, every_n_steps=0, gradient_clip=None)
        self._loss = WeightedLoss(state, combine, self._watch)
        self._add_metrics = add_metrics
        self._gradient_clip = gradient_clip

    def take(self, batches: Iterable[Any], n_batches: int) -> StepRecord:
        """Average the gradients of `n_batches` batches and make one step unless it is refused."""
        state = self._state
        state.begin_step()
        self._watch.begin_step(state.step + 1)
        means = _BatchMeans(n_batches)
        for number, batch in enumerate(batches, start=1):
            with state.gradients_kept_back(until_last=number < n_batches):
                self._backward(state.fabric.to_device(batch), means)
        if means.n_seen != n_batches:
            raise RuntimeError(f"the loader ended after {means.n_seen} of {n_batches} batches of a step")
        state.check_gradients()
        grad_norm = state.clip(self._gradient_clip)
        # The mean over all processes is not finite where that of one is not: all judge alike.
        total = state.processes.mean(means.total())
        refused = state.guard.judge(total, grad_norm)
        overflow = state.is_overflow(total, refused=refused)
        self._watch.before_update(grad_norm)
        lr = state.apply(refused=refused)
        self._loss.learn(means.losses, means.counts, refused=refused)
        return StepRecord(
            losses=means.losses,
            counts=means.counts,
            grad_norm=grad_norm,
            lr=lr,
            n_samples=means.n_samples,
            metrics={**means.metrics, **named_rates(state.optimizer)},
            samples=means.sample_ids(),
            refused=refused,
            overflow=overflow,
            weights=self._loss.weights(),
            gradients=self._watch.after_update(),
        )

    def _backward(self, batch: Any, means: _BatchMeans) -> None:
        state = self._state
        terms = state.task.losses(state.network, batch)
        n_samples = state.task.n_samples(batch)
        shares = self._loss.shares(terms, n_samples)
        total = self._loss.total(shares, terms, first=means.n_seen == 0)
        state.fabric.backward(total / means.n_batches if means.n_batches > 1 else total)
        detached = {name: value.detach() for name, value in terms.values.items()}
        namespace = SimpleNamespace()
        with torch.no_grad():
            self._add_metrics(namespace, detached, batch)
        metrics = vars(namespace)
        for name in metrics.keys() & (detached.keys() | {TOTAL}):
            raise ValueError(f"metric '{name}' is the name of a loss component; choose another")
        recorded = {name: value.detach() for name, value in shares.items()}
        means.add(terms, recorded, total.detach(), metrics, n_samples)
        means.ids.append(state.task.sample_ids(batch))


class _BatchMeans:
    """Means over the batches of one step, of which each contributes equally to the gradient.

    A component that a batch did not compute contributes 0 there, to the mean as
    to the gradient, so that the total stays the sum of weight times component.
    Metrics are means over samples.
    """

    def __init__(self, n_batches: int) -> None:
        self.n_batches = n_batches
        self.n_seen = 0
        self.n_samples = 0
        self.losses: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor | float] = {}
        self.metrics: dict[str, Any] = {}
        self.ids: list[Any] = []
        self._sums: dict[str, Any] = {}
        self._total: Tensor | None = None

    def add(
        self,
        terms: LossTerms,
        losses: Mapping[str, Tensor],
        total: Tensor,
        metrics: Mapping[str, Any],
        n_samples: int,
    ) -> None:
        """Take in one batch."""
        self.n_seen += 1
        self.n_samples += n_samples
        share = 1 / self.n_batches
        if self.n_batches == 1:
            self.losses, self.counts = dict(losses), dict(terms.counts)
            self.metrics, self._total = dict(metrics), total
            return
        for name, value in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + value * share
            self.counts[name] = self.counts.get(name, 0.0) + terms.counts.get(name, float(n_samples))
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * n_samples
        self.metrics = {name: value / self.n_samples for name, value in self._sums.items()}
        self._total = total * share if self._total is None else self._total + total * share

    def total(self) -> Tensor:
        """Return the mean total."""
        assert self._total is not None
        return self._total

    def sample_ids(self) -> Any | None:
        """Return the ids of all samples; one batch's as the task gave them, several as a list."""
        given = [ids for ids in self.ids if ids is not None]
        if not given:
            return None
        return given[0] if self.n_batches == 1 else given
