"""The small training loop that every case of the health benchmark goes through.

A `Problem` is data, a network and the components of its loss; a `Plan` is how it is trained and what the run
declares; `Hooks` reach into the loop where a fault, or a harmless peculiarity, needs a real mechanism. Nets,
data and baselines to build problems from are in `blocks.py`.

    def train(recording: Recording, seed: int) -> None:
        fit(recording, make_problem(seed), Plan(epochs=10, learning_rate=0.01), seed=seed)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from case import Meta, Recording
from schedules import Schedule
from torch import Tensor, nn

Batch = tuple[Tensor, ...]
Losses = dict[str, Tensor]


@dataclass(kw_only=True)
class Problem:
    """What is learned.

    Attributes
    ----------
    model
        The network.
    losses
        ``losses(model, batch, progress)`` returns the raw components; `progress` runs from 0 to 1 over the
        training (for annealing). A component may be absent from a batch.
    train, val
        Tensors with the samples along the first axis; `val` is None where nothing is validated.
    weights
        Weight of every component in the total.
    baselines
        Raw validation value of the best constant predictor, where it is known.
    trunk
        Module shared by the components, on which the norms by component are taken.
    """

    model: nn.Module
    losses: Callable[[nn.Module, Batch, float], Losses]
    train: Batch
    weights: dict[str, float]
    val: Batch | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    trunk: nn.Module | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a problem is trained, and what the run records and declares.

    Attributes
    ----------
    clip
        Largest gradient norm; None leaves gradients alone.
    log_grad_norm
        Whether every step records the gradient norm (before clipping).
    norms_every
        Steps between two measurements of the gradient norm of every raw (unweighted) component on the trunk;
        0 for never.
    drop_last
        Leave out the short last batch of an epoch.
    shuffle
        New order in every epoch; otherwise the order of the data.
    declare_schedule, declare_baselines
        Whether `meta.json` says so.
    timed
        Whether every step records its duration.
    validate_every
        Epochs between two validations; 0 for never.
    """

    epochs: int = 10
    batch: int = 32
    optimizer: Literal["sgd", "momentum", "adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    clip: float | None = None
    log_grad_norm: bool = True
    norms_every: int = 0
    drop_last: bool = True
    shuffle: bool = True
    declare_schedule: bool = False
    declare_baselines: bool = True
    timed: bool = False
    validate_every: int = 1


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Where a case reaches into the loop; each one is optional.

    Attributes
    ----------
    parameters
        What the optimizer is given (default: all of the model).
    before
        Called before every step with the loop; may change data, network, optimizer state.
    batch
        Returns the batch to use.
    losses
        Returns the raw components to use; what it returns is trained on and recorded.
    rate
        Returns the learning rate that the optimizer really gets; it is recorded.
    gradients
        Called after the backward pass and the clipping.
    after
        Called after every step.
    """

    parameters: Callable[[nn.Module], Sequence[nn.Parameter]] | None = None
    before: Callable[[Loop], None] | None = None
    batch: Callable[[Loop, Batch], Batch] | None = None
    losses: Callable[[Loop, Losses], Losses] | None = None
    rate: Callable[[Loop, float], float] | None = None
    gradients: Callable[[Loop], None] | None = None
    after: Callable[[Loop], None] | None = None


def fit(recording: Recording, problem: Problem, plan: Plan, *, seed: int, hooks: Hooks | None = None) -> Loop:
    """Train and record; returns the loop with the trained model."""
    loop = Loop(recording, problem, plan, hooks or Hooks(), seed)
    loop.run()
    return loop


class Loop:
    """State of the training, as the hooks see it.

    Attributes
    ----------
    step
        Number of the present optimizer step, from 1.
    epoch
        Number of the present epoch, from 1.
    n_steps, steps_per_epoch
        Optimizer steps of the whole training and of an epoch.
    """

    def __init__(self, recording: Recording, problem: Problem, plan: Plan, hooks: Hooks, seed: int) -> None:
        self.recording, self.problem, self.plan, self.hooks = recording, problem, plan, hooks
        self.model = problem.model
        self.generator = torch.Generator().manual_seed(seed + 9176)
        n_samples = len(problem.train[0])
        n_full = n_samples // plan.batch
        self.steps_per_epoch = n_full + (n_samples % plan.batch > 0 and not plan.drop_last)
        self.n_steps = self.steps_per_epoch * plan.epochs
        self.step, self.epoch = 0, 0
        parameters = hooks.parameters(self.model) if hooks.parameters else self.model.parameters()
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.optimizer = make_optimizer(self.parameters, plan)
        self._reduction, self._best, self._n_bad = 1.0, math.inf, 0
        schedule = plan.schedule.declaration(plan.learning_rate, self.n_steps, self.steps_per_epoch)
        recording.declare(
            Meta(
                weights=problem.weights,
                baselines=problem.baselines if plan.declare_baselines else {},
                n_epochs=plan.epochs,
                schedule=schedule if plan.declare_schedule else None,
                gradient_clip=plan.clip,
                optimizer=plan.optimizer,
            )
        )

    @property
    def progress(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        return (self.step - 1) / max(self.n_steps - 1, 1)

    def run(self) -> None:
        """Train all epochs."""
        for epoch in range(1, self.plan.epochs + 1):
            self.epoch = epoch
            losses = [self._one_step(batch) for batch in self._batches()]
            validated = self.plan.validate_every and self.epoch % self.plan.validate_every == 0
            val = self._validate() if validated and self.problem.val is not None else None
            self.recording.epoch(val)
            self._watch(self._weighted(val) if val else sum(losses) / len(losses))

    def _batches(self) -> Iterator[Batch]:
        n_samples = len(self.problem.train[0])
        order = (
            torch.randperm(n_samples, generator=self.generator)
            if self.plan.shuffle
            else torch.arange(n_samples)
        )
        for k in range(self.steps_per_epoch):
            chosen = order[k * self.plan.batch : (k + 1) * self.plan.batch]
            yield tuple(tensor[chosen] for tensor in self.problem.train)

    def _one_step(self, batch: Batch) -> float:
        start = time.perf_counter()
        self.step += 1
        hooks = self.hooks
        if hooks.before:
            hooks.before(self)
        rate = self._set_rate()
        if hooks.batch:
            batch = hooks.batch(self, batch)
        losses = self.problem.losses(self.model, batch, self.progress)
        if hooks.losses:
            losses = hooks.losses(self, losses)
        norms = self._norms(losses)
        norm = self._update(losses)
        if hooks.after:
            hooks.after(self)
        values = {name: loss.item() for name, loss in losses.items()}
        self.recording.step(
            values,
            lr=rate,
            grad_norm=norm if self.plan.log_grad_norm else None,
            norms=norms,
            seconds=time.perf_counter() - start if self.plan.timed else None,
        )
        return self._weighted(values)

    def _set_rate(self) -> float:
        rate = self.plan.learning_rate * self.plan.schedule.at(self.step - 1, self.n_steps) * self._reduction
        if self.hooks.rate:
            rate = self.hooks.rate(self, rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _update(self, losses: Losses) -> float:
        total = torch.stack([self.problem.weights[name] * loss for name, loss in losses.items()]).sum()
        self.model.zero_grad()
        if total.requires_grad:
            total.backward()
        everything = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        limit = math.inf if self.plan.clip is None else self.plan.clip
        norm = torch.nn.utils.get_total_norm([p.grad for p in everything if p.grad is not None]).item()
        if self.plan.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(everything, limit, torch.tensor(norm))
        if self.hooks.gradients:
            self.hooks.gradients(self)
        self.optimizer.step()
        return norm

    def _norms(self, losses: Losses) -> dict[str, float] | None:
        every, trunk = self.plan.norms_every, self.problem.trunk
        if not every or trunk is None or self.step % every:
            return None
        shared = [parameter for parameter in trunk.parameters() if parameter.requires_grad]
        norms = {}
        for name, loss in losses.items():
            if not loss.requires_grad:
                norms[name] = 0.0
                continue
            slopes = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
            norms[name] = torch.nn.utils.get_total_norm([g for g in slopes if g is not None]).item()
        return norms

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        assert self.problem.val is not None
        self.model.eval()
        losses = self.problem.losses(self.model, self.problem.val, self.progress)
        self.model.train()
        return {name: loss.item() for name, loss in losses.items()}

    def _weighted(self, values: dict[str, float]) -> float:
        return sum(self.problem.weights[name] * value for name, value in values.items())

    def _watch(self, value: float) -> None:
        """Reduce the rate when the watched value stops improving, where the schedule says so."""
        if self.plan.schedule.type != "reduce_on_plateau":
            return
        self._n_bad = 0 if value < self._best - 1e-4 else self._n_bad + 1
        self._best = min(self._best, value)
        if self._n_bad > self.plan.schedule.patience:
            self._reduction, self._n_bad = self._reduction * self.plan.schedule.factor, 0


def make_optimizer(parameters: Sequence[nn.Parameter], plan: Plan) -> torch.optim.Optimizer:
    """Return the optimizer that the plan names."""
    rate, decay = plan.learning_rate, plan.weight_decay
    match plan.optimizer:
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate, weight_decay=decay)
        case "momentum":
            return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
