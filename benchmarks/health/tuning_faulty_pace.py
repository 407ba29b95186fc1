"""Faulty runs of the tuning half that leave their schedule or their pace."""

from __future__ import annotations

import time
from functools import partial

import torch
from case import Case
from entries import faulty
from fitting import Batch, Hooks, Loop, Plan
from mechanisms import (
    rate,
)
from problems import autoencode, classify, forecast, regress
from problems_multi import multitask
from schedules import Schedule
from torch import Tensor

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
COSINE = Schedule(type="cosine_annealing")


def _never_stepped(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate * loop.plan.schedule.at(0, loop.n_steps)


def _peak(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate


def _stepped_per_epoch(loop: Loop, _: float) -> float:
    return loop.plan.learning_rate * loop.plan.schedule.at(loop.epoch - 1, loop.n_steps)


def _stepped_often(loop: Loop, _: float, *, times: int = 4) -> float:
    step = min((loop.step - 1) * times, loop.n_steps - 1)
    return loop.plan.learning_rate * loop.plan.schedule.at(step, loop.n_steps)


def _stops_following(loop: Loop, value: float, *, share: float = 0.3) -> float:
    last = int(share * loop.n_steps)
    if loop.step <= last:
        return value
    return loop.plan.learning_rate * loop.plan.schedule.at(last, loop.n_steps)


def _waits(first: int, slow: float, fast: float = 0.0015) -> Hooks:
    """Read batches from a disk that becomes slow."""

    def before(loop: Loop) -> None:
        time.sleep(slow if loop.step >= first else fast)

    return Hooks(before=before)


def _keeps_everything(first: int) -> Hooks:
    """Keep all batches and go through them again in every step."""
    kept: list[Tensor] = []

    def batch(loop: Loop, samples: Batch) -> Batch:
        time.sleep(0.001)
        if loop.step >= first:
            kept.append(samples[0].clone())
            for tensor in kept:
                (tensor @ tensor.T).exp().sum().item()
        return samples

    return Hooks(batch=batch)


def _checks_everything(first: int) -> Hooks:
    """Go through a large matrix in double precision in every step, as a forgotten check does."""
    matrix = torch.eye(350, dtype=torch.float64)

    def after(loop: Loop) -> None:
        if loop.step >= first:
            torch.linalg.svdvals(matrix)

    return Hooks(after=after)


_FROZEN = [
    faulty(
        "classify-never-stepped",
        "lr_frozen",
        classify,
        Plan(epochs=12, learning_rate=3e-3, schedule=COSINE, declare_schedule=True),
        hooks=rate(_never_stepped),
    ),
    faulty(
        "regress-warm-up-never-ends",
        "lr_frozen",
        regress,
        Plan(epochs=24, learning_rate=0.01, schedule=Schedule(warmup_steps=150), declare_schedule=True),
        hooks=rate(_never_stepped),
        also=(("stall", None), ("task_stall", "mse")),
    ),
    faulty(
        "classify-per-epoch",
        "lr_frozen",
        classify,
        Plan(
            epochs=16,
            batch=64,
            optimizer="momentum",
            learning_rate=0.03,
            schedule=COSINE,
            declare_schedule=True,
        ),
        hooks=rate(_stepped_per_epoch),
    ),
    faulty(
        "tasks-step-missed",
        "lr_frozen",
        TWO,
        Plan(
            epochs=20,
            batch=64,
            learning_rate=4e-3,
            schedule=Schedule(type="step", period=222),
            declare_schedule=True,
        ),
        hooks=rate(_peak),
    ),
    faulty(
        "regress-no-warm-up",
        "lr_frozen",
        partial(regress, n=1600),
        Plan(
            epochs=12,
            optimizer="adamw",
            learning_rate=5e-3,
            schedule=Schedule(warmup_steps=200),
            declare_schedule=True,
        ),
        hooks=rate(_peak),
    ),
    faulty(
        "recurrent-one-cycle-stepped-often",
        "lr_frozen",
        forecast,
        Plan(epochs=30, learning_rate=0.02, schedule=Schedule(type="one_cycle"), declare_schedule=True),
        hooks=rate(_stepped_often),
    ),
    faulty(
        "autoencode-stops-following",
        "lr_frozen",
        autoencode,
        Plan(
            epochs=24,
            learning_rate=5e-3,
            schedule=Schedule(type="cosine_annealing", warmup_steps=50),
            declare_schedule=True,
        ),
        step=181,
        hooks=rate(_stops_following),
    ),
    faulty(
        "classify-restarts-never-stepped",
        "lr_frozen",
        classify,
        Plan(
            epochs=12,
            batch=32,
            learning_rate=5e-3,
            declare_schedule=True,
            schedule=Schedule(type="cosine_annealing_warm_restarts", period=150),
        ),
        hooks=rate(_never_stepped),
    ),
]

_SLOW = [
    faulty(
        "classify-slow-disk",
        "slow_step",
        classify,
        Plan(epochs=10, learning_rate=5e-3, timed=True),
        step=250,
        hooks=lambda _: _waits(250, 0.02),
    ),
    faulty(
        "regress-kept-batches",
        "slow_step",
        partial(regress, n=1600),
        Plan(epochs=10, learning_rate=5e-3, timed=True),
        step=150,
        hooks=lambda _: _keeps_everything(150),
    ),
    faulty(
        "tasks-forgotten-check",
        "slow_step",
        TWO,
        Plan(epochs=10, batch=64, learning_rate=5e-3, timed=True),
        step=200,
        hooks=lambda _: _checks_everything(200),
    ),
    faulty(
        "recurrent-slow-disk",
        "slow_step",
        forecast,
        Plan(epochs=25, learning_rate=5e-3, timed=True),
        step=120,
        hooks=lambda _: _waits(120, 0.04, 0.003),
    ),
]

CASES: list[Case] = [*_FROZEN, *_SLOW]
