"""Further faulty runs that overfit, leave their schedule or their pace, or stay worse than a constant."""

from __future__ import annotations

import math
import time
from functools import partial

import torch
from case import Case, Reporting
from fitting import Batch, Hooks, Loop, Problem
from further_faulty_balance import THREE
from further_healthy_multi import EIGHT
from further_pictures import masks, restore
from further_tables import durations, graph, parts, ratings, spirals
from further_texts import text
from further_training import MEANS, NO_WEIGHTS, Course, adam, further_faulty, heavy
from mechanisms import changed, rate, scale_inputs
from schedules import Schedule
from torch import Tensor, nn

COSINE = Schedule(type="cosine_annealing")
ONE = partial(parts, spec={"loss": "square"}, baselines=True)
PAIR = partial(parts, spec={"depth": "square", "side": "square", "kind": "logistic"}, baselines=True)


def _first(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate * loop.plan.schedule.at(0, loop.n_steps)


def _highest(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate


def _by_epoch(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate * loop.plan.schedule.at(loop.epoch - 1, loop.n_steps)


def _twice(loop: Loop, _: float) -> float:
    step = min(2 * (loop.step - 1), loop.n_steps - 1)
    return loop.plan.learning_rate * loop.plan.schedule.at(step, loop.n_steps)


def _until(share: float) -> object:
    def change(loop: Loop, value: float) -> float:
        last = int(share * loop.n_steps)
        return (
            value
            if loop.step <= last
            else loop.plan.learning_rate * loop.plan.schedule.at(last, loop.n_steps)
        )

    return change


def _other_statistics(problem: Problem, _: torch.Generator) -> None:
    """Normalise the validation data by statistics of other data."""
    assert problem.val is not None
    problem.val = (1.5 + 2.0 * problem.val[0], *problem.val[1:])


def _calibrated(column: int, offset: float) -> object:
    """Add an offset to a target of the validation data alone."""

    def change(problem: Problem, _: torch.Generator) -> None:
        assert problem.val is not None
        problem.val = tuple(t + offset if k == column else t for k, t in enumerate(problem.val))

    return change


def _other_numbers(problem: Problem, _: torch.Generator) -> None:
    """Number the classes of the validation data in another order; declare what guessing gives."""
    assert problem.val is not None
    problem.val = (problem.val[0], (problem.val[1] + 1) % 3)
    problem.baselines = {"loss": math.log(3)}


def _never_negative(problem: Problem, _: torch.Generator) -> None:
    """Put a rectifier behind an output whose targets are below zero nearly always."""
    for name in ("train", "val"):
        tensors = getattr(problem, name)
        setattr(problem, name, (tensors[0], tensors[1] - 3.0, *tensors[2:]))
    heads = problem.model.heads
    assert isinstance(heads, nn.ModuleDict)
    heads["loss"] = nn.Sequential(heads["loss"], nn.ReLU())


def _waits(first: int, slow: float, fast: float) -> Hooks:
    def before(loop: Loop) -> None:
        time.sleep(slow if loop.step >= first else fast)

    return Hooks(before=before)


def _remembers(first: int) -> Hooks:
    """Keep all activations and go through them again, as a cache that is never emptied makes one do."""
    kept: list[Tensor] = []

    def batch(loop: Loop, samples: Batch) -> Batch:
        if loop.step == 1:
            kept.clear()
        if loop.step >= first:
            kept.append(samples[0].float().repeat(8, 16))
            torch.cat(kept).softmax(1).sum().item()
        return samples

    return Hooks(batch=batch)


_OVERFITTING = [
    further_faulty(
        "text-few-sequences",
        "overfitting",
        partial(text, n=24, n_val=64),
        Course(epochs=60, batch=8, learning_rate=6e-3),
        component="lm",
        also=(("worse_than_baseline", "lm"),),
    ),
    further_faulty(
        "graph-few-known",
        "overfitting",
        partial(graph, labelled=14, dropout=0.0, hidden=(64,), signal=0.3, inside=0.04),
        Course(epochs=110, batch=1, learning_rate=0.03),
        component="nodes",
        also=(("worse_than_baseline", "nodes"),),
    ),
    further_faulty(
        "durations-few-patients",
        "overfitting",
        partial(durations, n=60, width=64),
        Course(epochs=60, batch=15, learning_rate=4e-3),
        component="survival",
        also=(("spike", "survival"),),
    ),
    further_faulty(
        "ratings-many-factors",
        "overfitting",
        partial(ratings, n=1500, rank=24, decay=0.0, noise=2.0),
        Course(epochs=25, batch=60, learning_rate=0.01, make=adam(), reporting=NO_WEIGHTS),
        component="ratings",
        also=(("overfitting", "penalty"), ("ratio_drift", "penalty")),
    ),
    further_faulty(
        "spirals-wrong-labels-few",
        "overfitting",
        partial(spirals, n=120, wrong=0.4, width=128, turns=0.5),
        Course(epochs=150, batch=40, learning_rate=4e-3, reporting=MEANS),
        component="loss",
    ),
    further_faulty(
        "parts-few-rows",
        "overfitting",
        partial(THREE, n=60, noise=0.8, width=64),
        Course(epochs=90, batch=20, learning_rate=4e-3),
        also=(("worse_than_baseline", None),),
    ),
    further_faulty(
        "units-few-rows-momentum",
        "overfitting",
        partial(ONE, n=50, noise=1.0, width=64, activation="relu"),
        Course(epochs=120, batch=10, learning_rate=0.01, make=heavy(0.9), reporting=Reporting(every=5)),
        component="loss",
        also=(("worse_than_baseline", "loss"),),
    ),
]

_FROZEN = [
    further_faulty(
        "text-stepped-by-epoch",
        "lr_frozen",
        text,
        Course(epochs=1, batch=16, learning_rate=4e-3, schedule=COSINE, declare_schedule=True),
        hooks=rate(_by_epoch),
    ),
    further_faulty(
        "restore-warm-up-never-ends",
        "lr_frozen",
        partial(restore, n=800),
        Course(
            epochs=9,
            batch=24,
            learning_rate=3e-3,
            schedule=Schedule(type="cosine_annealing", warmup_steps=60),
            declare_schedule=True,
            reporting=NO_WEIGHTS,
        ),
        hooks=rate(_first),
        also=(("stall", None),),
    ),
    further_faulty(
        "short-step-missed",
        "lr_frozen",
        partial(masks, auxiliary=False),
        Course(
            epochs=4,
            batch=28,
            learning_rate=0.01,
            schedule=Schedule(type="multistep", milestones=(40, 70), gamma=0.2),
            declare_schedule=True,
        ),
        step=41,
        hooks=rate(_highest),
    ),
    further_faulty(
        "spirals-decay-stops",
        "lr_frozen",
        spirals,
        Course(
            epochs=14,
            batch=32,
            learning_rate=6e-3,
            schedule=Schedule(type="exponential", period=120, gamma=0.5),
            declare_schedule=True,
            reporting=Reporting(every=5),
        ),
        step=258,
        hooks=rate(_until(0.4)),
    ),
    further_faulty(
        "parts-one-cycle-sparse",
        "lr_frozen",
        THREE,
        Course(
            epochs=14,
            batch=40,
            learning_rate=0.01,
            schedule=Schedule(type="one_cycle"),
            declare_schedule=True,
            reporting=Reporting(every=10),
        ),
        hooks=rate(_first),
        also=(("stall", None),),
    ),
    further_faulty(
        "restore-stepped-twice",
        "lr_frozen",
        partial(restore, n=800),
        Course(
            epochs=10,
            batch=24,
            learning_rate=4e-3,
            optimizer="adamw",
            schedule=Schedule(type="cosine_annealing", warmup_steps=30),
            declare_schedule=True,
        ),
        hooks=rate(_twice),
    ),
]

_WORSE = [
    further_faulty(
        "parts-other-statistics",
        "worse_than_baseline",
        changed(ONE, _other_statistics),
        Course(epochs=14, batch=40, learning_rate=4e-3),
        component="loss",
        also=(("overfitting", "loss"),),
    ),
    further_faulty(
        "parts-calibration-of-one",
        "worse_than_baseline",
        changed(PAIR, _calibrated(1, 3.0)),
        Course(epochs=12, batch=40, learning_rate=4e-3, norms_every=60),
        component="depth",
        also=(("overfitting", "depth"),),
    ),
    further_faulty(
        "spirals-other-numbers",
        "worse_than_baseline",
        changed(spirals, _other_numbers),
        Course(epochs=10, batch=32, learning_rate=4e-3),
        component="loss",
        also=(("overfitting", "loss"),),
    ),
    further_faulty(
        "units-never-negative",
        "worse_than_baseline",
        changed(ONE, _never_negative),
        Course(epochs=10, batch=40, learning_rate=4e-3, reporting=MEANS),
        component="loss",
        also=(("stall", "loss"), ("task_stall", "loss"), ("vanishing_gradient", None)),
    ),
    further_faulty(
        "parts-raw-inputs-at-test",
        "worse_than_baseline",
        changed(
            changed(PAIR, scale_inputs(0.2)), lambda p, _: setattr(p, "val", (p.val[0] * 15, *p.val[1:]))
        ),
        Course(epochs=14, batch=40, learning_rate=5e-3, optimizer="adamw"),
        also=(
            ("overfitting", None),
            *((kind, name) for kind in ("worse_than_baseline", "overfitting") for name in ("depth", "side")),
        ),
    ),
]

_SLOW = [
    further_faulty(
        "text-never-emptied",
        "slow_step",
        partial(text, n=2880),
        Course(epochs=1, batch=16, learning_rate=4e-3, timed=True),
        step=80,
        hooks=lambda _: _remembers(80),
    ),
    further_faulty(
        "parts-slow-disk-sparse",
        "slow_step",
        partial(parts, spec=EIGHT, n=1200),
        Course(epochs=8, batch=40, learning_rate=4e-3, timed=True, reporting=MEANS),
        step=181,
        hooks=lambda _: _waits(181, 0.1, 0.001),
    ),
    further_faulty(
        "spirals-slow-disk",
        "slow_step",
        spirals,
        Course(epochs=8, batch=32, learning_rate=4e-3, timed=True),
        step=260,
        hooks=lambda _: _waits(260, 0.07, 0.002),
    ),
]

CASES: list[Case] = [*_OVERFITTING, *_FROZEN, *_WORSE, *_SLOW]
