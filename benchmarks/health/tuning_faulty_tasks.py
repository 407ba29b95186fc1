"""Faulty runs of the tuning half in which one component is stuck or dead."""

from __future__ import annotations

from functools import partial

import torch
from case import Case
from entries import faulty
from fitting import Batch, Hooks, Loop, Losses, Plan, Problem
from mechanisms import (
    ProblemChange,
    changed,
    heads_of,
    loss_from,
    replace_loss,
    scale_column,
    shuffle_column,
)
from problems import variational
from problems_multi import embedding, multitask, partly_labelled
from torch import Tensor, nn
from torch.nn import functional as F

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
THREE = partial(multitask, kinds={"stage": "ce", "event": "bce", "amplitude": "l1"})
FIVE = partial(
    multitask,
    kinds={"class": "ce", "present": "bce", "latency": "mse", "amplitude": "l1", "spread": "nll"},
    n_hidden=48,
)
MOMENTUM = Plan(epochs=16, batch=64, optimizer="momentum", learning_rate=0.03)
ADAM = Plan(epochs=16, batch=64, learning_rate=5e-3)
ADAM_NORMS = Plan(epochs=16, batch=64, learning_rate=5e-3, norms_every=50)
STUCK = (("worse_than_baseline", "value"), ("stall", "value"))


def _freeze_head(name: str, *, detach: bool = True) -> ProblemChange:
    """Leave a head as it was made: its parameters are frozen and its input is cut from the graph."""

    def change(problem: Problem, _: torch.Generator) -> None:
        head = heads_of(problem.model)[name]
        for parameter in head.parameters():
            parameter.requires_grad = False
        if detach:
            heads_of(problem.model)[name] = nn.Sequential(_Detach(), head)

    return change


class _Detach(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


class _Saturated(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(3e4 * x)


class _Blank(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _behind(name: str, layer: nn.Module, *, before: bool = False) -> ProblemChange:
    """Put a layer behind a head, or before it."""

    def change(problem: Problem, _: torch.Generator) -> None:
        head = heads_of(problem.model)[name]
        heads_of(problem.model)[name] = nn.Sequential(layer, head) if before else nn.Sequential(head, layer)

    return change


def _misaligned(column: int) -> ProblemChange:
    """Shift a target by some samples, as a lost row does."""

    def change(problem: Problem, _: torch.Generator) -> None:
        def shift(tensors: Batch) -> Batch:
            return tuple(t.roll(3, dims=0) if k == column else t for k, t in enumerate(tensors))

        problem.train = shift(problem.train)
        problem.val = shift(problem.val) if problem.val is not None else None

    return change


def _without(name: str) -> Hooks:
    """Leave a head out of the optimizer, and cut what it says to the trunk."""

    def parameters(model: nn.Module) -> list[nn.Parameter]:
        return [p for key, p in model.named_parameters() if f"heads.{name}" not in key]

    def losses(_: Loop, values: Losses) -> Losses:
        return values | {name: values[name].detach()}

    return Hooks(parameters=parameters, losses=losses)


def _masked_mean(model: nn.Module, batch: Batch, _: Tensor) -> Tensor:
    """Return the mean over samples of known depth with a guard against none: zero where the mask is lost."""
    known = torch.zeros_like(batch[3])
    error = (model(batch[0])["depth"] - batch[2]).square()[:, 0]
    return (error * known).sum() / (known.sum() + 1e-8)


def _own_target(model: nn.Module, batch: Batch, _: Tensor) -> Tensor:
    output = model(batch[0])["value"]
    return F.mse_loss(output, output.detach())


def _first_value() -> Hooks:
    """Compute a component once and use that result in every step, as a wrong cache does."""
    kept: dict[str, Tensor] = {}

    def losses(loop: Loop, values: Losses) -> Losses:
        if loop.step >= 200:
            kept.setdefault("value", values["value"].detach())
        return values | kept

    return Hooks(losses=losses)


_TASK_STALL = [
    faulty(
        "tasks-shuffled-classes",
        "task_stall",
        changed(partial(TWO, n=4000), shuffle_column(1)),
        Plan(epochs=10, batch=64, learning_rate=5e-3, norms_every=50),
        component="class",
        also=(("worse_than_baseline", "class"), ("stall", "class"), ("overfitting", "class")),
    ),
    faulty(
        "tasks-shuffled-of-three",
        "task_stall",
        changed(THREE, shuffle_column(3)),
        MOMENTUM,
        component="amplitude",
        also=(("worse_than_baseline", "amplitude"), ("stall", "amplitude"), ("overfitting", "amplitude")),
    ),
    faulty(
        "tasks-shuffled-of-five",
        "task_stall",
        changed(FIVE, shuffle_column(3)),
        ADAM,
        component="latency",
        also=(("worse_than_baseline", "latency"), ("stall", "latency"), ("overfitting", "latency")),
    ),
    faulty(
        "tasks-frozen-head",
        "task_stall",
        changed(TWO, _freeze_head("value")),
        ADAM_NORMS,
        component="value",
        also=(*STUCK, ("vanishing_gradient", "value")),
    ),
    faulty(
        "tasks-head-not-optimised",
        "task_stall",
        TWO,
        MOMENTUM,
        component="value",
        hooks=lambda _: _without("value"),
        also=(*STUCK, ("vanishing_gradient", "value")),
    ),
    faulty(
        "tasks-misaligned",
        "task_stall",
        changed(partial(THREE, n=3200), _misaligned(2)),
        Plan(epochs=20, batch=80, optimizer="adamw", learning_rate=3e-3, declare_baselines=False),
        component="event",
        also=(("worse_than_baseline", "event"), ("stall", "event"), ("overfitting", "event")),
    ),
    faulty(
        "tasks-saturated-head",
        "task_stall",
        changed(TWO, _behind("value", _Saturated())),
        Plan(epochs=16, batch=64, optimizer="sgd", learning_rate=0.02, norms_every=50),
        component="value",
        also=(*STUCK, ("vanishing_gradient", "value"), ("dominance", "value")),
    ),
    faulty(
        "tasks-blank-features",
        "task_stall",
        changed(FIVE, _behind("present", _Blank(), before=True)),
        ADAM,
        component="present",
        also=(("worse_than_baseline", "present"), ("stall", "present")),
    ),
    faulty(
        "variational-heavy-divergence",
        "task_stall",
        partial(variational, weight=3.0),
        Plan(epochs=24, learning_rate=4e-3, norms_every=50),
        component="reconstruction",
        also=(
            ("worse_than_baseline", "reconstruction"),
            ("dominance", "kl"),
            ("stall", "reconstruction"),
            ("dead_component", "kl"),
        ),
    ),
]

_DEAD = [
    faulty(
        "tasks-lost-mask",
        "dead_component",
        changed(partly_labelled, replace_loss("depth", _masked_mean)),
        ADAM_NORMS,
        component="depth",
        also=(("vanishing_gradient", "depth"), ("task_stall", "depth")),
    ),
    faulty(
        "tasks-mask-lost-later",
        "dead_component",
        TWO,
        ADAM,
        component="value",
        step=250,
        hooks=loss_from(250, "value", lambda _, v: v * 0.0),
        also=(("vanishing_gradient", "value"),),
    ),
    faulty(
        "tasks-own-target",
        "dead_component",
        changed(TWO, replace_loss("value", _own_target)),
        MOMENTUM,
        component="value",
        also=(("vanishing_gradient", "value"), ("task_stall", "value")),
    ),
    faulty(
        "tasks-wrong-cache",
        "dead_component",
        TWO,
        ADAM_NORMS,
        component="value",
        step=200,
        hooks=lambda _: _first_value(),
        also=(("vanishing_gradient", "value"), ("task_stall", "value")),
    ),
    faulty(
        "tasks-clamped",
        "dead_component",
        changed(
            changed(TWO, scale_column(2, 1.0, offset=6.0)),
            replace_loss("value", lambda _, __, v: v.clamp(max=10.0)),
        ),
        ADAM,
        component="value",
        also=(("dominance", "value"), *STUCK, ("vanishing_gradient", "value"), ("task_stall", "value")),
    ),
    faulty(
        "tasks-triplet-switched",
        "dead_component",
        changed(embedding, replace_loss("triplet", lambda _, __, v: F.relu(v - 10.0))),
        Plan(epochs=20, learning_rate=5e-3),
        component="triplet",
        also=(("vanishing_gradient", "triplet"), ("task_stall", "triplet")),
    ),
    faulty(
        "tasks-flag-of-epoch",
        "dead_component",
        THREE,
        MOMENTUM,
        component="event",
        step=38 * 6,
        hooks=loss_from(37 * 6 + 1, "event", lambda _, v: v * 0.0),
        also=(("vanishing_gradient", "event"),),
    ),
]

CASES: list[Case] = [*_TASK_STALL, *_DEAD]
