"""Faulty runs of the tuning half in which one component dominates or drifts."""

from __future__ import annotations

from functools import partial

import torch
from case import Case
from entries import MakeHooks, faulty
from fitting import Batch, Hooks, Loop, Plan
from mechanisms import (
    always,
    changed,
    heads_of,
    replace_loss,
    scale_column,
    weight_of,
)
from problems import autoencode
from problems_multi import multitask, penalised
from torch import nn

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
THREE = partial(multitask, kinds={"stage": "ce", "event": "bce", "amplitude": "l1"})
FIVE = partial(
    multitask,
    kinds={"class": "ce", "present": "bce", "latency": "mse", "amplitude": "l1", "spread": "nll"},
    n_hidden=48,
)
MOMENTUM = Plan(epochs=16, batch=64, optimizer="momentum", learning_rate=0.03)
ADAM_NORMS = Plan(epochs=16, batch=64, learning_rate=5e-3, norms_every=50)


def _fading_labels(column: int, first: int) -> MakeHooks:
    """Exchange ever more targets for those of other samples, as a loader that loses its place does."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        share = min(0.9, max(0.0, (loop.step - first) / (0.9 * (loop.n_steps - first))))
        target = samples[column]
        wrong = torch.rand(len(target), generator=loop.generator) < share
        other = target.roll(1, dims=0)
        mask = wrong.view(-1, *[1] * (target.dim() - 1))
        mixed = torch.where(mask, other, target)
        return tuple(mixed if k == column else tensor for k, tensor in enumerate(samples))

    return lambda _: Hooks(batch=batch)


@torch.no_grad()
def _widen(loop: Loop) -> None:
    """Let the learned spread creep upwards, as a regulariser with the wrong sign does."""
    head = heads_of(loop.model)["spread"]
    assert isinstance(head, nn.Linear)
    head.bias[1].add_(0.03)


def _growing_target(rate: float, start: int) -> Hooks:
    """Rescale a target by a normalisation that is updated with its own output, so that it grows and grows."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        return (*samples[:2], samples[2] * (1 + rate) ** max(0, loop.step - start))

    return Hooks(batch=batch)


@torch.no_grad()
def _grow_trunk(loop: Loop, factor: float = 1.004) -> None:
    for parameter in loop.model.parameters():
        if parameter.dim() > 1:
            parameter.mul_(factor)


@torch.no_grad()
def _drift_head(loop: Loop, name: str = "value") -> None:
    """Let a bias creep, as an update with the wrong sign does."""
    head = heads_of(loop.model)[name]
    assert isinstance(head, nn.Linear)
    head.bias.add_(0.03)


_DOMINANCE = [
    faulty(
        "tasks-other-units",
        "dominance",
        changed(TWO, scale_column(2, 10.0)),
        ADAM_NORMS,
        component="value",
        also=(("task_stall", "class"),),
    ),
    faulty(
        "tasks-sum-for-mean",
        "dominance",
        changed(THREE, replace_loss("amplitude", lambda _, batch, v: v * len(batch[0]))),
        Plan(epochs=16, batch=64, learning_rate=5e-3, declare_baselines=False),
        component="amplitude",
        also=(("task_stall", "stage"), ("task_stall", "event")),
    ),
    faulty(
        "tasks-typed-weight",
        "dominance",
        changed(FIVE, weight_of("latency", 100.0)),
        Plan(epochs=16, batch=64, learning_rate=3e-3, norms_every=100),
        component="latency",
        also=(("task_stall", None),),
    ),
    faulty(
        "tasks-heavy-penalty",
        "dominance",
        partial(penalised, decay=0.5),
        Plan(epochs=20, optimizer="momentum", learning_rate=0.01, norms_every=50),
        component="weights",
        also=(
            ("stall", "signal"),
            ("dead_component", "weights"),
            ("worse_than_baseline", "signal"),
            ("task_stall", "signal"),
        ),
    ),
    faulty(
        "tasks-large-units-sgd",
        "dominance",
        changed(TWO, scale_column(2, 30.0)),
        Plan(epochs=16, batch=64, learning_rate=0.01, clip=1.0),
        component="value",
        also=(("task_stall", "class"), ("worse_than_baseline", "value")),
    ),
    faulty(
        "tasks-batch-sum",
        "dominance",
        changed(THREE, replace_loss("event", lambda _, batch, v: 200.0 * v)),
        Plan(epochs=16, batch=64, optimizer="adamw", learning_rate=3e-3, norms_every=40),
        component="event",
        also=(("task_stall", None),),
    ),
    faulty(
        "autoencode-sparsity",
        "dominance",
        partial(autoencode, sparsity=20.0),
        Plan(epochs=20, learning_rate=3e-3, norms_every=50),
        component="sparsity",
        also=(
            ("stall", "reconstruction"),
            ("worse_than_baseline", "reconstruction"),
            ("task_stall", "reconstruction"),
        ),
    ),
]

_DRIFT = [
    faulty(
        "tasks-growing-target",
        "ratio_drift",
        TWO,
        ADAM_NORMS,
        component="value",
        step=150,
        hooks=lambda _: _growing_target(0.004, 150),
        also=(
            ("worse_than_baseline", "value"),
            ("explosion", "value"),
            ("dominance", "value"),
            ("task_stall", "value"),
        ),
    ),
    faulty(
        "tasks-growing-weights",
        "ratio_drift",
        partial(penalised, decay=1e-4),
        Plan(epochs=30, learning_rate=3e-3),
        component="weights",
        step=100,
        hooks=always(_grow_trunk, 100),
        also=(
            ("ratio_drift", "signal"),
            ("explosion", "signal"),
            ("explosion", "weights"),
            ("dominance", "weights"),
            ("task_stall", "weights"),
        ),
    ),
    faulty(
        "tasks-fading-labels",
        "ratio_drift",
        TWO,
        ADAM_NORMS,
        component="value",
        step=150,
        hooks=_fading_labels(2, 150),
        also=(
            ("explosion", "value"),
            ("dominance", "value"),
            ("task_stall", "value"),
            ("worse_than_baseline", "value"),
        ),
    ),
    faulty(
        "tasks-fading-classes",
        "ratio_drift",
        THREE,
        MOMENTUM,
        component="stage",
        step=200,
        hooks=_fading_labels(1, 200),
        also=(
            ("explosion", "stage"),
            ("dominance", "stage"),
            ("task_stall", "stage"),
            ("worse_than_baseline", "stage"),
        ),
    ),
    faulty(
        "tasks-widening-spread",
        "ratio_drift",
        FIVE,
        Plan(epochs=20, batch=64, optimizer="momentum", learning_rate=0.005),
        component="spread",
        step=250,
        hooks=always(_widen, 250),
        also=(("explosion", "spread"), ("dominance", "spread"), ("task_stall", "spread")),
    ),
    faulty(
        "tasks-creeping-bias",
        "ratio_drift",
        TWO,
        Plan(epochs=20, batch=64, optimizer="sgd", learning_rate=0.02),
        component="value",
        step=250,
        hooks=always(_drift_head, 250),
        also=(("explosion", "value"), ("dominance", "value"), ("task_stall", "value")),
    ),
]

CASES: list[Case] = [*_DOMINANCE, *_DRIFT]
