"""The loop of the further cases: other optimizers, habits of reporting, accumulation, mixed precision.

It goes on from the loop of `training.py`: a `Task` is a problem that may have a total of its own, and a
`Course` a plan with what that loop does not know.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch
from case import Case, Label, Meta, Recording, Reporting
from entries import Also, MakeHooks
from fitting import Batch, Hooks, Loop, Losses, Plan, Problem
from torch import Tensor, nn

Parameters = Iterable[nn.Parameter] | list[dict[str, object]]


@dataclass(kw_only=True)
class Task(Problem):
    """What is learned.

    Attributes
    ----------
    combine
        Returns the total of the raw components; None for the weighted sum.
    after
        Called after every step, e.g. to let a teacher follow.
    """

    combine: Callable[[Losses], Tensor] | None = None
    after: Callable[[Loop], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Course(Plan):
    """How a task is trained and reported.

    Attributes
    ----------
    make
        Makes the optimizer; None for the one that the plan names.
    groups
        Factors of the learning rate by the beginning of the name of a parameter.
    curve
        Factor of the learning rate by step (from 0) and number of steps; None for the schedule of the plan.
    accumulate
        Parts of a batch whose gradients are added up before a step.
    half
        Gradients go through half precision with a dynamic scale; steps that overflow are skipped.
    zero
        Whether gradients are set to zero before every step.
    """

    make: Callable[[Parameters, float], torch.optim.Optimizer] | None = None
    groups: dict[str, float] = field(default_factory=dict)
    curve: Callable[[int, int], float] | None = None
    accumulate: int = 1
    half: bool = False
    zero: bool = True
    reporting: Reporting = field(default_factory=Reporting)


SPARSE = Reporting(every=10, rate=False, weights=False, epochs=False)
MEANS = Reporting(every=10, mean=True)
SILENT = Reporting(rate=False, weights=False, epochs=False)
NO_WEIGHTS = Reporting(weights=False)


def heavy(momentum: float = 0.97, *, nesterov: bool = False) -> Callable[..., torch.optim.Optimizer]:
    """Return a maker of gradient descent with much momentum."""
    return lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=momentum, nesterov=nesterov)


def adam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Callable[..., torch.optim.Optimizer]:
    """Return a maker of Adam with its own constants."""
    return lambda p, rate: torch.optim.Adam(p, lr=rate, betas=(beta1, beta2), eps=eps)


def rmsprop(p: Parameters, rate: float) -> torch.optim.Optimizer:
    """Return RMSprop."""
    return torch.optim.RMSprop(p, lr=rate)


def adagrad(p: Parameters, rate: float) -> torch.optim.Optimizer:
    """Return Adagrad."""
    return torch.optim.Adagrad(p, lr=rate)


class FurtherLoop(Loop):
    """A loop that knows tasks and courses."""

    def __init__(self, recording: Recording, task: Task, course: Course, hooks: Hooks, seed: int) -> None:
        super().__init__(recording, task, course, hooks, seed)
        self.task, self.course = task, course
        self.scale, self._n_good = 2.0**16, 0
        made: Parameters = self.parameters
        if course.groups:
            named = {id(p): name for name, p in self.model.named_parameters()}
            made = [{"params": [p], "factor": self._factor(named[id(p)])} for p in self.parameters]
        if course.make:
            self.optimizer = course.make(made, course.learning_rate)
        elif course.groups:
            self.optimizer = torch.optim.Adam(made, lr=course.learning_rate)
        schedule = course.schedule.declaration(course.learning_rate, self.n_steps, self.steps_per_epoch)
        meta = Meta(
            weights=task.weights,
            baselines=task.baselines if course.declare_baselines else {},
            n_epochs=course.epochs if course.reporting.epochs else None,
            schedule=schedule if course.declare_schedule else None,
            gradient_clip=course.clip,
        )
        recording.declare(meta, course.reporting)

    def run(self) -> None:
        """Train all epochs."""
        for epoch in range(1, self.course.epochs + 1):
            self.epoch = epoch
            for batch in self._batches():
                self._one_step(batch)
            every = self.course.validate_every
            validated = self.problem.val is not None and every and epoch % every == 0
            val = self._validate() if validated else None
            combine = self.task.combine
            tensors = {name: torch.tensor(value) for name, value in (val or {}).items()}
            self.recording.epoch(val, total=combine(tensors).item() if val and combine else None)

    def _factor(self, name: str) -> float:
        return next((f for start, f in self.course.groups.items() if name.startswith(start)), 1.0)

    def _set_rate(self) -> float:
        course = self.course
        curve = course.curve or course.schedule.at
        rate = course.learning_rate * curve(self.step - 1, self.n_steps) * self._reduction
        if self.hooks.rate:
            rate = self.hooks.rate(self, rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        return rate

    def _one_step(self, batch: Batch) -> float:
        start = time.perf_counter()
        self.step += 1
        hooks, course = self.hooks, self.course
        if hooks.before:
            hooks.before(self)
        rate = self._set_rate()
        if hooks.batch:
            batch = hooks.batch(self, batch)
        if course.zero:
            self.model.zero_grad()
        total, norms = 0.0, None
        found: dict[str, list[float]] = {}
        for k in range(course.accumulate):
            losses = self.problem.losses(
                self.model, tuple(t[k :: course.accumulate] for t in batch), self.progress
            )
            if hooks.losses:
                losses = hooks.losses(self, losses)
            norms = norms or self._norms(losses)
            total += self._backward(losses) / course.accumulate
            for name, loss in losses.items():
                found.setdefault(name, []).append(loss.item())
        norm, skipped = self._apply()
        for after in (hooks.after, self.task.after):
            if after:
                after(self)
        self.recording.step(
            {name: sum(values) / len(values) for name, values in found.items()},
            lr=rate,
            grad_norm=norm if course.log_grad_norm else None,
            norms=norms,
            seconds=time.perf_counter() - start if course.timed else None,
            total=total if self.task.combine else None,
            skipped=skipped if course.half else None,
        )
        return total

    def _backward(self, losses: Losses) -> float:
        """Add the gradients of a part of a batch; returns its total."""
        weights = self.problem.weights
        if self.task.combine:
            total = self.task.combine(losses)
        else:
            total = sum((weights[name] * loss for name, loss in losses.items()), torch.zeros(()))
        if total.requires_grad:
            (total / self.course.accumulate).backward()
        return total.item()

    def _apply(self) -> tuple[float, bool]:
        """Take the step; returns the norm of the gradient before clipping and whether it was skipped."""
        if self.course.half and not self._through_half():
            return math.inf, True
        everything = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in everything]).item()
        if self.course.clip is not None and everything:
            torch.nn.utils.clip_grads_with_norm_(everything, self.course.clip, torch.tensor(norm))
        if self.hooks.gradients:
            self.hooks.gradients(self)
        self.optimizer.step()
        return norm, False

    def _through_half(self) -> bool:
        """Round the gradients as half precision with a scale does; returns whether all are finite."""
        for p in self.model.parameters():
            if p.grad is None:
                continue
            p.grad = (p.grad * self.scale).half().float() / self.scale
            if not p.grad.isfinite().all():
                self.scale, self._n_good = self.scale / 2, 0
                return False
        self._n_good += 1
        if self._n_good % 80 == 0:
            self.scale *= 2
        return True


Make = Callable[[int], Task]


def further_healthy(
    name: str, make: Make, course: Course, *, hooks: MakeHooks | None = None, seeds: tuple[int, ...] = (0, 1)
) -> Case:
    """Return a case with nothing wrong; `name` begins with its family."""
    return _case(f"healthy-further-{name}", name.split("-")[0], Label(), make, course, hooks, seeds)


def further_faulty(
    name: str,
    kind: str,
    make: Make,
    course: Course,
    *,
    component: str | None = None,
    step: int = 1,
    also: Also = (),
    hooks: MakeHooks | None = None,
    seeds: tuple[int, ...] = (0, 1),
) -> Case:
    """Return a case with a fault of `kind` in `component` from `step` on; `name` begins with its family."""
    label = Label(kind=kind, component=component, step=step, also=also)
    return _case(f"{kind}-further-{name}", name.split("-")[0], label, make, course, hooks, seeds)


def _case(
    name: str,
    family: str,
    label: Label,
    make: Make,
    course: Course,
    hooks: MakeHooks | None,
    seeds: tuple[int, ...],
) -> Case:
    def train(recording: Recording, seed: int) -> None:
        task = make(seed)
        FurtherLoop(recording, task, course, hooks(seed) if hooks else Hooks(), seed).run()

    return Case(name=name, family=family, label=label, train=train, seeds=seeds)


def but(course: Course, **changes: object) -> Course:
    """Return a course with some things changed."""
    return replace(course, **changes)
