"""The training loop of the frozen half of the health benchmark.

A `Problem` holds data, network and losses; a `Plan` says how it is trained and what is recorded; a `Fault`
says what is broken in the mechanism. Every fault acts on data, batches, graph, network, gradients or learning
rate; none touches a recorded number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from case import Case, Label, Meta, Recording
from schedules import Schedule
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

Data = dict[str, Tensor]
Losses = dict[str, Tensor]
SEEDS = (11, 12)


@dataclass(kw_only=True)
class Problem:
    """Data, network and losses.

    Attributes
    ----------
    net
        What is trained.
    data, val
        Tensors by name, with the samples along the first axis.
    losses
        Raw components of a batch.
    baselines
        Raw value of the best constant predictor, where it is known.
    trunk
        Name prefixes of the parameters that the components share; empty for all.
    """

    net: nn.Module
    data: Data
    val: Data
    losses: Callable[[nn.Module, Data], Losses]
    baselines: dict[str, float] = field(default_factory=dict)
    trunk: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a problem is trained, and what of it is recorded.

    Attributes
    ----------
    weights
        Weight of every component.
    per_epoch
        Steps of an epoch; None for as many as the data has batches.
    schedule
        Course of the learning rate, which the run declares; None for a constant rate of which nothing is
        declared.
    norms_every
        Steps between two records of the gradient norms by component; 0 for none.
    guarded
        Whether a step with a gradient that is not finite is skipped.
    """

    weights: Mapping[str, float]
    steps: int
    lr: float
    batch: int = 32
    optimizer: str = "adam"
    decay: float = 0.0
    clip: float | None = None
    per_epoch: int | None = None
    schedule: Schedule | None = None
    validated: bool = True
    epochs: bool = True
    grad_norm: bool = True
    norms_every: int = 0
    baselines: bool = False
    seconds: bool = False
    guarded: bool = False


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is broken; every part defaults to nothing.

    Attributes
    ----------
    data
        Changes the training data once, before the first step.
    batch
        Changes a batch at a step.
    net
        Changes the network once.
    losses
        Changes the graph of the losses of a batch at a step; also what is validated, with step -1.
    gradients
        Called between the backward pass and the optimizer's step.
    rate
        Learning rate of a step in place of the declared one, from the step and the declared one.
    left_out
        Name prefixes of the parameters that the optimizer does not get.
    """

    data: Callable[[Data], None] | None = None
    batch: Callable[[Data, int], Data] | None = None
    net: Callable[[nn.Module], None] | None = None
    losses: Callable[[nn.Module, Losses, Data, int], Losses] | None = None
    gradients: Callable[[int, nn.Module, Optimizer], None] | None = None
    rate: Callable[[int, float], float] | None = None
    left_out: tuple[str, ...] = ()


SOUND = Fault()


def healthy(name: str, make: Callable[[int], Problem], plan: Plan) -> Case:
    """Return a case without a fault."""
    return Case(
        name=name,
        family=name.split("-")[0],
        label=Label(),
        train=lambda recording, seed: fit(recording, seed, make, plan, SOUND),
        seeds=SEEDS,
    )


def faulty(
    name: str,
    label: Label,
    make: Callable[[int], Problem],
    plan: Plan,
    fault: Callable[[], Fault] | Fault = SOUND,
) -> Case:
    """Return a case with a fault; one that keeps a state is made anew for every run."""
    return Case(
        name=name,
        family=name.split("-")[0],
        label=label,
        train=lambda recording, seed: fit(
            recording, seed, make, plan, fault if isinstance(fault, Fault) else fault()
        ),
        seeds=SEEDS,
    )


def says(kind: str, component: str | None = None, step: int = 1, *also: tuple[str, str | None]) -> Label:
    """Return the label of a faulty run."""
    return Label(kind=kind, component=component, step=step, also=also)


def fit(recording: Recording, seed: int, make: Callable[[int], Problem], plan: Plan, fault: Fault) -> None:
    """Train and record a problem."""
    torch.manual_seed(seed)
    problem = make(seed)
    torch.manual_seed(seed + 7919)
    if fault.data:
        fault.data(problem.data)
    if fault.net:
        fault.net(problem.net)
    n = len(next(iter(problem.data.values())))
    per_epoch = plan.per_epoch or max(1, n // plan.batch)
    n_epochs = math.ceil(plan.steps / per_epoch)
    course = plan.schedule or Schedule()
    plateau = _Plateau(course)
    recording.declare(_meta(problem, plan, per_epoch, n_epochs))
    optimizer = _optimizer(problem.net, plan, fault.left_out)
    batches = _batches(problem.data, plan.batch)
    for k in range(plan.steps):
        rate = plan.lr * course.at(k, plan.steps) * plateau.factor
        rate = fault.rate(k, rate) if fault.rate else rate
        for group in optimizer.param_groups:
            group["lr"] = rate
        _step(recording, problem, plan, fault, optimizer, next(batches), k, rate)
        if plan.epochs and ((k + 1) % per_epoch == 0 or k + 1 == plan.steps):
            val = _validate(problem, fault) if plan.validated else None
            recording.epoch(val)
            if val:
                plateau.observe(sum(plan.weights[c] * v for c, v in val.items()))


class _Plateau:
    """Factor that falls when the validation loss stops falling."""

    def __init__(self, course: Schedule) -> None:
        self.factor = 1.0
        self._course = course
        self._best = math.inf
        self._n_bad = 0

    def observe(self, value: float) -> None:
        """Take in a validation loss."""
        if self._course.type != "reduce_on_plateau":
            return
        self._n_bad = 0 if value < self._best - 1e-4 else self._n_bad + 1
        self._best = min(self._best, value)
        if self._n_bad > self._course.patience:
            self.factor *= self._course.factor
            self._n_bad = 0


def _step(
    recording: Recording,
    problem: Problem,
    plan: Plan,
    fault: Fault,
    optimizer: Optimizer,
    batch: Data,
    k: int,
    rate: float,
) -> None:
    """Take and record one optimizer step."""
    start = time.process_time()
    batch = fault.batch(batch, k) if fault.batch else batch
    losses = problem.losses(problem.net, batch)
    losses = fault.losses(problem.net, losses, batch, k) if fault.losses else losses
    norms = _norms(problem, losses) if plan.norms_every and k % plan.norms_every == 0 else None
    total = sum((plan.weights[name] * value for name, value in losses.items()), torch.zeros(()))
    optimizer.zero_grad()
    total.backward()
    norm = float(nn.utils.clip_grad_norm_(problem.net.parameters(), plan.clip or math.inf))
    if fault.gradients:
        fault.gradients(k, problem.net, optimizer)
    if not plan.guarded or math.isfinite(norm):
        optimizer.step()
    recording.step(
        {name: value.item() for name, value in losses.items()},
        lr=rate,
        grad_norm=norm if plan.grad_norm else None,
        norms=norms,
        seconds=time.process_time() - start if plan.seconds else None,
    )


def _norms(problem: Problem, losses: Losses) -> dict[str, float]:
    """Return the gradient norm of every component on the shared parameters."""
    shared = [
        p for name, p in problem.net.named_parameters() if not problem.trunk or name.startswith(problem.trunk)
    ]
    norms = {}
    for name, value in losses.items():
        parts = (
            torch.autograd.grad(value, shared, retain_graph=True, allow_unused=True)
            if value.requires_grad
            else []
        )
        norms[name] = math.sqrt(sum(float(part.square().sum()) for part in parts if part is not None))
    return norms


def _validate(problem: Problem, fault: Fault) -> dict[str, float]:
    """Return the losses of the validation data, with the same random numbers every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        problem.net.eval()
        losses = problem.losses(problem.net, problem.val)
        losses = fault.losses(problem.net, losses, problem.val, -1) if fault.losses else losses
        problem.net.train()
    return {name: value.item() for name, value in losses.items()}


def _batches(data: Data, size: int) -> Iterator[Data]:
    """Yield batches without end, in a new order in every pass."""
    n = len(next(iter(data.values())))
    while True:
        order = torch.randperm(n)
        for start in range(0, max(1, n - size + 1), size):
            chosen = order[start : start + size]
            yield {name: values[chosen] for name, values in data.items()}


def _optimizer(net: nn.Module, plan: Plan, left_out: tuple[str, ...]) -> Optimizer:
    """Return the optimizer of a plan."""
    parameters = [p for name, p in net.named_parameters() if not left_out or not name.startswith(left_out)]
    match plan.optimizer:
        case "sgd":
            return SGD(parameters, plan.lr, weight_decay=plan.decay)
        case "momentum":
            return SGD(parameters, plan.lr, momentum=0.9, weight_decay=plan.decay)
        case "heavy_momentum":
            return SGD(parameters, plan.lr, momentum=0.99, weight_decay=plan.decay)
        case "adamw":
            return AdamW(parameters, plan.lr, weight_decay=plan.decay or 0.01)
        case "rmsprop":
            return RMSprop(parameters, plan.lr, weight_decay=plan.decay)
        case _:
            return Adam(parameters, plan.lr, weight_decay=plan.decay)


def _meta(problem: Problem, plan: Plan, per_epoch: int, n_epochs: int) -> Meta:
    """Return what the run declares."""
    return Meta(
        weights=plan.weights,
        baselines=problem.baselines if plan.baselines else {},
        n_epochs=n_epochs if plan.epochs else None,
        schedule=plan.schedule.declaration(plan.lr, plan.steps, per_epoch) if plan.schedule else None,
        gradient_clip=plan.clip,
        optimizer={"momentum": "sgd", "heavy_momentum": "sgd"}.get(plan.optimizer, plan.optimizer),
    )


def mlp(*sizes: int, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return dense layers with an activation between them."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        layers += ([act()] if i else []) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


def split(data: Data, n_val: int) -> tuple[Data, Data]:
    """Return training and validation data; the last samples validate."""
    return {k: v[:-n_val] for k, v in data.items()}, {k: v[-n_val:] for k, v in data.items()}


def spread(values: Tensor) -> float:
    """Return the mean squared error of the best constant."""
    return float(values.var(0, correction=0).mean())


def entropy(labels: Tensor) -> float:
    """Return the cross-entropy of the best constant distribution over whole-number labels."""
    shares = torch.bincount(labels.long().flatten()).double() / labels.numel()
    return float(-(shares * shares.clamp_min(1e-12).log()).sum())


def but(plan: Plan, **changes: Any) -> Plan:
    """Return a plan with other settings."""
    return replace(plan, **changes)


def tuned(
    make: Callable[[int], Problem], weights: Mapping[str, float], steps: int
) -> Callable[[int], Problem]:
    """Return the problem with a network that has been trained before the run begins."""

    def start(seed: int) -> Problem:
        problem = make(seed)
        optimizer = Adam(problem.net.parameters(), 3e-3)
        batches = _batches(problem.data, 32)
        for _ in range(steps):
            losses = problem.losses(problem.net, next(batches))
            optimizer.zero_grad()
            sum((weights[name] * value for name, value in losses.items()), torch.zeros(())).backward()
            optimizer.step()
        return problem

    return start
