"""Faulty runs of the tuning half in which numbers break, jump or run away."""

from __future__ import annotations

from functools import partial

import torch
from case import Case
from entries import Make, faulty
from fitting import Batch, Hooks, Loop, Plan, Problem
from mechanisms import (
    always,
    batch_at,
    batch_between,
    changed,
    gradient_of,
    loss_from,
    once,
    rate_times,
    replace_loss,
    scale_inputs,
    scale_weights,
)
from problems import (
    autoencode,
    classify,
    forecast,
    likelihood,
    picture,
    regress,
    variational,
)
from problems_multi import multitask, partly_labelled
from schedules import Schedule
from torch import Tensor, nn

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
THREE = partial(multitask, kinds={"stage": "ce", "event": "bce", "amplitude": "l1"})
RUNS_AWAY = (("non_finite", None), ("spike", None), ("worse_than_baseline", None), ("oscillation", None))


def _first_missing(batch: Batch) -> Batch:
    x = batch[0].clone()
    x[0, 0] = torch.nan
    return (x, *batch[1:])


def _constant_channel(batch: Batch) -> Batch:
    x = batch[0].clone()
    x[:, 2] = 1.0
    return (x, *batch[1:])


def _normalised(make: Make, seed: int) -> Problem:
    """Return the problem with inputs that every batch divides by its own spread."""
    problem = make(seed)
    right = problem.losses
    problem.losses = lambda model, batch, progress: right(
        model, ((batch[0] - batch[0].mean(0)) / batch[0].std(0), *batch[1:]), progress
    )
    return problem


def _raw_log(_: nn.Module, __: Batch, value: Tensor) -> Tensor:
    """Return the logarithm of an error less an offset, which is negative once training succeeds."""
    return torch.log(value - 0.15)


def _amplified(factor: float, column: int = 0) -> partial[Batch]:
    return partial(_times, factor=factor, column=column)


def _times(batch: Batch, *, factor: float, column: int) -> Batch:
    return tuple(t * factor if k == column else t for k, t in enumerate(batch))


def _skips_broken(loop: Loop) -> None:
    """Leave the weights alone in a step whose gradient is not finite."""
    if any(not p.grad.isfinite().all() for p in loop.parameters if p.grad is not None):
        loop.model.zero_grad()


def _one_bad_record(problem: Problem, _: torch.Generator) -> None:
    x = problem.train[0].clone()
    x[17] *= 60.0
    problem.train = (x, *problem.train[1:])


def _one_missing_record(problem: Problem, _: torch.Generator) -> None:
    y = problem.train[2].clone()
    y[17] = torch.nan
    problem.train = (*problem.train[:2], y)


@torch.no_grad()
def _reset_head(loop: Loop) -> None:
    """Begin anew with the last layer, as a checkpoint without it does."""
    last = [module for module in loop.model.modules() if isinstance(module, nn.Linear)][-1]
    last.reset_parameters()
    last.weight.mul_(4.0)


@torch.no_grad()
def _grow_weights(loop: Loop) -> None:
    for parameter in loop.parameters:
        parameter.mul_(1.015)


_NON_FINITE = [
    faulty(
        "regress-missing-value",
        "non_finite",
        regress,
        Plan(epochs=16, learning_rate=5e-3),
        component="mse",
        step=230,
        hooks=batch_at(230, _first_missing),
    ),
    faulty(
        "tasks-empty-mask",
        "non_finite",
        partial(partly_labelled, smallest=0),
        Plan(epochs=20, learning_rate=5e-3, norms_every=50),
        component="depth",
        step=301,
        hooks=batch_at(301, lambda b: (*b[:3], torch.zeros_like(b[3]))),
    ),
    faulty(
        "tasks-missing-target",
        "non_finite",
        changed(TWO, _one_missing_record),
        Plan(epochs=16, learning_rate=5e-3),
        component="value",
        hooks=lambda _: Hooks(gradients=_skips_broken),
    ),
    faulty(
        "regress-half-overflow",
        "non_finite",
        partial(regress, scale=3.0),
        Plan(epochs=16, learning_rate=5e-3, log_grad_norm=False),
        component="mse",
        step=180,
        hooks=lambda _: Hooks(
            batch=lambda loop, b: _times(b, factor=150.0 if loop.step == 180 else 1.0, column=1),
            losses=lambda _, v: {"mse": (v["mse"].sqrt().half() ** 2).float()},
        ),
        also=(("spike", "mse"),),
    ),
    faulty(
        "tasks-log-of-negative",
        "non_finite",
        changed(TWO, replace_loss("value", _raw_log)),
        Plan(epochs=14, learning_rate=0.01),
        component="value",
    ),
    faulty(
        "classify-constant-channel",
        "non_finite",
        partial(_normalised, classify),
        Plan(epochs=20, learning_rate=5e-3),
        component="ce",
        step=260,
        hooks=batch_at(260, _constant_channel),
    ),
    faulty(
        "variational-exponential",
        "non_finite",
        changed(variational, scale_inputs(40.0)),
        Plan(epochs=16, learning_rate=0.5, optimizer="sgd"),
        also=(*RUNS_AWAY, ("explosion", None)),
    ),
    faulty(
        "autoencode-root-at-zero",
        "non_finite",
        partial(autoencode, sparsity=0.02),
        Plan(epochs=16, learning_rate=5e-3),
        step=210,
        hooks=loss_from(210, "sparsity", lambda _, v: v + (v - v.detach()).square().sqrt(), 210),
    ),
]

_SPIKE = [
    faulty(
        "regress-gain",
        "spike",
        regress,
        Plan(epochs=20, learning_rate=3e-3),
        component="mse",
        step=320,
        hooks=batch_at(320, _amplified(30.0, 1)),
    ),
    faulty(
        "classify-rate-jump",
        "spike",
        partial(classify, depth=2),
        Plan(epochs=24, optimizer="momentum", learning_rate=0.02),
        component="ce",
        step=300,
        hooks=rate_times(40.0, 300, 303),
        also=(("explosion", "ce"), ("oscillation", "ce")),
    ),
    faulty(
        "tasks-small-term",
        "spike",
        partial(TWO, weights={"value": 0.05}),
        Plan(epochs=24, learning_rate=5e-3, norms_every=50),
        component="value",
        step=350,
        hooks=batch_at(350, _amplified(15.0, 2)),
        also=(("dominance", "value"),),
    ),
    faulty(
        "tasks-one-of-three",
        "spike",
        THREE,
        Plan(epochs=24, batch=16, learning_rate=3e-3),
        component="amplitude",
        step=700,
        hooks=batch_between(700, 702, _amplified(12.0, 3)),
    ),
    faulty(
        "regress-bad-record",
        "spike",
        changed(partial(regress, activation="relu"), _one_bad_record),
        Plan(epochs=24, batch=16, optimizer="sgd", learning_rate=3e-3, clip=1.0),
        component="mse",
    ),
    faulty(
        "likelihood-gain",
        "spike",
        likelihood,
        Plan(epochs=30, learning_rate=5e-3),
        component="nll",
        step=600,
        also=(("explosion", "nll"),),
        hooks=batch_at(600, _amplified(8.0, 1)),
    ),
    faulty(
        "conv-lost-head",
        "spike",
        picture,
        Plan(epochs=25, learning_rate=3e-3),
        component="ce",
        step=200,
        hooks=once(200, _reset_head),
        also=(("explosion", "ce"),),
    ),
    faulty(
        "autoencode-saturated",
        "spike",
        autoencode,
        Plan(epochs=20, learning_rate=5e-3, log_grad_norm=False),
        component="reconstruction",
        step=260,
        hooks=batch_between(260, 262, _amplified(12.0)),
    ),
]

_EXPLOSION = [
    faulty(
        "regress-rate",
        "explosion",
        partial(regress, n_features=20, activation="relu"),
        Plan(epochs=12, optimizer="sgd", learning_rate=4.0),
        component="mse",
        also=RUNS_AWAY,
    ),
    faulty(
        "classify-rate-jump",
        "explosion",
        partial(classify, depth=2),
        Plan(epochs=24, optimizer="momentum", learning_rate=0.02),
        component="ce",
        step=300,
        hooks=rate_times(400.0, 300),
        also=(*RUNS_AWAY, ("stall", None), ("vanishing_gradient", None)),
    ),
    faulty(
        "regress-slow-growth",
        "explosion",
        regress,
        Plan(epochs=24, optimizer="sgd", learning_rate=0.01),
        component="mse",
        step=200,
        hooks=always(_grow_weights, 200),
        also=RUNS_AWAY,
    ),
    faulty(
        "tasks-reversed-gradient",
        "explosion",
        partial(TWO, n=1000),
        Plan(epochs=20, learning_rate=3e-3, norms_every=50),
        component="value",
        step=250,
        hooks=gradient_of("value", -1.0, 250),
        also=(
            ("ratio_drift", "value"),
            ("dominance", "value"),
            ("worse_than_baseline", "value"),
            ("task_stall", "value"),
        ),
    ),
    faulty(
        "tasks-weak-reversal",
        "explosion",
        TWO,
        Plan(epochs=20, batch=64, optimizer="momentum", learning_rate=0.01),
        component="value",
        step=200,
        hooks=gradient_of("value", -0.02, 200),
        also=(
            ("ratio_drift", "value"),
            ("non_finite", None),
            ("dominance", "value"),
            ("task_stall", "value"),
        ),
    ),
    faulty(
        "tasks-forgotten",
        "explosion",
        partial(multitask, kinds={"class": "ce", "latency": "mse", "amplitude": "l1"}),
        Plan(epochs=20, batch=64, learning_rate=5e-3, schedule=Schedule(type="cosine_annealing")),
        component="latency",
        step=200,
        hooks=gradient_of("latency", -0.05, 200),
        also=(
            ("ratio_drift", "latency"),
            ("dominance", "latency"),
            ("task_stall", "latency"),
            ("worse_than_baseline", "latency"),
        ),
    ),
    faulty(
        "recurrent-unclipped",
        "explosion",
        changed(partial(forecast, cell="rnn"), scale_weights(2.5, "weight_hh")),
        Plan(epochs=16, optimizer="momentum", learning_rate=0.6),
        component="mse",
        also=(*RUNS_AWAY, ("stall", None)),
    ),
    faulty(
        "autoencode-adam",
        "explosion",
        autoencode,
        Plan(epochs=16, learning_rate=5.0),
        component="reconstruction",
        also=RUNS_AWAY,
    ),
    faulty(
        "regress-growing-inputs",
        "explosion",
        partial(regress, activation="relu"),
        Plan(epochs=24, optimizer="sgd", learning_rate=5e-3),
        component="mse",
        step=250,
        hooks=lambda _: Hooks(
            batch=lambda loop, b: _times(b, factor=1.02 ** max(0, loop.step - 249), column=0)
        ),
        also=RUNS_AWAY,
    ),
]

CASES: list[Case] = [*_NON_FINITE, *_SPIKE, *_EXPLOSION]
