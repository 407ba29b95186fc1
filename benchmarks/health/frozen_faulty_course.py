"""Faulty runs that show in their course: overfitting, oscillation, a wrong learning rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from case import Case
from frozen_estimators import kernel, likelihood, quantiles, ratings, saddles, survival
from frozen_healthy_models import (
    KERNEL,
    LIKELIHOOD,
    QUANTILES,
    RATINGS,
    SADDLES,
    SURVIVAL,
    TEACHER,
    TEXT,
    VARIATIONAL,
    VIEWS,
)
from frozen_healthy_signals import BEATS, EVOKED, MONTAGE, RHYTHM
from frozen_representations import teacher, variational, views
from frozen_sequences import text
from frozen_signals import beats, evoked, montage, rhythm
from frozen_training import Data, Fault, but, faulty, says
from schedules import Schedule
from torch import Tensor

WIDE = partial(montage, n=1600)


def _each(kind: str, names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return tuple((kind, name) for name in names)


def _worse(names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return (*_each("overfitting", names), *_each("worse_than_baseline", names), ("worse_than_baseline", None))


def _half_wrong(data: Data) -> None:
    """A third of the labels of one target is wrong."""
    guesses = torch.rand(len(data["arousal"])) < 0.35
    data["arousal"] = torch.where(guesses, 1 - data["arousal"], data["arousal"])


def _some_sides_wrong(data: Data) -> None:
    wrong = torch.rand(len(data["side"])) < 0.2
    data["side"] = torch.where(wrong, 1 - data["side"], data["side"])


OVERFITTING: tuple[Case, ...] = (
    faulty(
        "montage-fifty-records",
        says("overfitting", None, 60, *_worse(tuple(MONTAGE.weights))),
        partial(montage, n=50),
        but(MONTAGE, lr=5e-3, batch=25, per_epoch=20, norms_every=0),
    ),
    faulty(
        "evoked-forty-records",
        says("overfitting", "present", 100, ("overfitting", None), *_worse(tuple(EVOKED.weights))),
        partial(evoked, n=40, noise=1.5),
        but(EVOKED, lr=2e-3, batch=20, per_epoch=20, steps=500, schedule=None),
    ),
    faulty(
        "kernel-too-many-features",
        says("overfitting", None, 30, *_worse(("fit",))),
        partial(kernel, n=60, n_features=400, ridge=False),
        but(KERNEL, weights={"fit": 1.0}, lr=0.1, batch=30, steps=1500),
        Fault(data=_some_sides_wrong),
    ),
    faulty(
        "text-forty-lines",
        says("overfitting", None, 80, *_worse(tuple(TEXT.weights))),
        partial(text, n=40, width=64),
        but(TEXT, batch=20, per_epoch=15, steps=300, lr=5e-3),
    ),
    faulty(
        "survival-sixty-patients",
        says("overfitting", None, 30, ("overfitting", "partial")),
        partial(survival, n=80),
        but(SURVIVAL, lr=3e-3, batch=40, per_epoch=15, steps=400),
    ),
    faulty(
        "ratings-more-factors-than-ratings",
        says(
            "overfitting",
            "rating",
            100,
            ("overfitting", None),
            ("overfitting", "ranking"),
            ("worse_than_baseline", "rating"),
        ),
        partial(ratings, n=600, rank=24, noise=0.8),
        but(RATINGS, weights={"rating": 1.0, "ranking": 0.1, "size": 0.0001}, per_epoch=30),
    ),
    faulty(
        "teacher-labels-learned-by-heart",
        says(
            "overfitting",
            "label",
            100,
            ("overfitting", None),
            ("worse_than_baseline", "label"),
            *_each("overfitting", ("hint", "teacher")),
            ("ratio_drift", "teacher"),
        ),
        partial(teacher, n=120),
        but(
            TEACHER,
            weights={"label": 2.0, "teacher": 0.02, "hint": 0.2},
            per_epoch=25,
            lr=5e-3,
            baselines=False,
        ),
    ),
    faulty(
        "montage-guessed-arousals-by-heart",
        says("overfitting", "arousal", 150, *_worse(tuple(MONTAGE.weights)), ("overfitting", None)),
        partial(montage, n=250),
        but(MONTAGE, lr=4e-3, per_epoch=25, steps=900),
        Fault(data=_half_wrong),
    ),
    faulty(
        "quantiles-forty-samples",
        says("overfitting", None, 150, *_worse(tuple(QUANTILES.weights))),
        partial(quantiles, n=40, tail=2.5),
        but(QUANTILES, batch=20, per_epoch=30, steps=1200, lr=5e-3),
    ),
)


def _one_class_at_a_time(n: int) -> Callable[[], Fault]:
    """The file is sorted by class and read in order."""

    def make() -> Fault:
        kept: dict[str, Tensor] = {}

        def remember(data: Data) -> None:
            kept.update(data)

        def change(batch: Data, k: int) -> Data:
            chosen = (kept["side"] == (k // n) % 2).nonzero()[:, 0]
            chosen = chosen[torch.randint(0, len(chosen), (len(batch["side"]),))]
            return {name: values[chosen] for name, values in kept.items()}

        return Fault(data=remember, batch=change)

    return make


def _see_saw(k: int, rate: float) -> float:
    """The cyclic rate was given bounds that lie a factor of thirty apart."""
    return rate * (30.0 if (k // 20) % 2 else 1.0)


def _unstable(names: tuple[str, ...], step: int = 1) -> tuple[tuple[str, str | None], ...]:
    return (*_each("oscillation", names), ("spike", None), *_each("spike", names), ("explosion", None))


OSCILLATION: tuple[Case, ...] = (
    faulty(
        "quantiles-momentum-too-heavy",
        says("oscillation", None, 1, *_unstable(tuple(QUANTILES.weights))),
        quantiles,
        but(QUANTILES, optimizer="heavy_momentum", lr=0.1),
    ),
    faulty(
        "saddles-steps-beyond-stability",
        says("oscillation", None, 1, *_unstable(("map",))),
        saddles,
        but(SADDLES, lr=0.7, clip=1.0),
    ),
    faulty(
        "kernel-sorted-by-class",
        says("oscillation", None, 1, *_unstable(("fit",))),
        kernel,
        but(KERNEL, weights={"fit": 1.0, "ridge": 0.01}, lr=1.0, per_epoch=60),
        _one_class_at_a_time(20),
    ),
    faulty(
        "beats-cyclic-rate-far-apart",
        says("oscillation", None, 21, *_unstable(tuple(BEATS.weights))),
        beats,
        but(BEATS, steps=900, optimizer="adam"),
        Fault(rate=_see_saw),
    ),
    faulty(
        "likelihood-rate-far-too-high",
        says("oscillation", None, 1, *_unstable(tuple(LIKELIHOOD.weights))),
        partial(likelihood, n=2400),
        but(LIKELIHOOD, lr=0.05, clip=None, steps=450),
    ),
    faulty(
        "ratings-steps-beyond-stability",
        says(
            "oscillation",
            None,
            1,
            *_unstable(("rating", "ranking")),
            *_each("worse_than_baseline", ("rating", "ranking")),
            ("explosion", "rating"),
        ),
        partial(ratings, n=5000),
        but(
            RATINGS,
            optimizer="momentum",
            lr=1.4,
            clip=1.0,
            weights={"rating": 1.0, "ranking": 0.5, "size": 0.0},
        ),
    ),
)

COSINE = Schedule(type="cosine_annealing", warmup_steps=30)


def _never_stepped(k: int, rate: float) -> float:
    return BEATS.lr


def _lost_after(step: int, value: float) -> Fault:
    """From a step on the schedule turns the rate of an optimizer that is no longer in use."""
    return Fault(rate=lambda k, rate: rate if k < step else value)


def _by_the_epoch(plan_lr: float, per_epoch: int, gamma: float, period: int) -> Fault:
    """The schedule is advanced once an epoch though its lengths are steps."""
    return Fault(rate=lambda k, rate: plan_lr * gamma ** ((k // per_epoch) / period))


LR_FROZEN: tuple[Case, ...] = (
    faulty(
        "beats-schedule-never-advanced",
        says("lr_frozen", None, 2),
        beats,
        but(BEATS, steps=800, schedule=Schedule(type="cosine_annealing")),
        Fault(rate=_never_stepped),
    ),
    faulty(
        "text-halvings-missed",
        says("lr_frozen", None, 101),
        text,
        but(TEXT, schedule=Schedule(type="step", period=100, gamma=0.5)),
        _lost_after(0, TEXT.lr),
    ),
    faulty(
        "rhythm-warm-up-skipped",
        says("lr_frozen", None, 1),
        rhythm,
        but(RHYTHM, schedule=Schedule(warmup_steps=200)),
        _lost_after(0, RHYTHM.lr),
    ),
    faulty(
        "montage-optimizer-rebuilt",
        says("lr_frozen", None, 251),
        WIDE,
        but(MONTAGE, schedule=COSINE),
        _lost_after(250, MONTAGE.lr),
    ),
    faulty(
        "ratings-decay-by-the-epoch",
        says("lr_frozen", None, 2),
        partial(ratings, n=5000),
        but(RATINGS, schedule=Schedule(type="exponential", period=100, gamma=0.5)),
        _by_the_epoch(RATINGS.lr, 45, 0.5, 100),
    ),
    faulty(
        "variational-no-restart",
        says("lr_frozen", None, 251),
        variational,
        but(VARIATIONAL, schedule=Schedule(type="cosine_annealing_warm_restarts", period=250, lowest=0.05)),
        _lost_after(250, VARIATIONAL.lr * 0.05),
    ),
    faulty(
        "kernel-one-cycle-stays-at-its-start",
        says("lr_frozen", None, 2),
        kernel,
        but(KERNEL, schedule=Schedule(type="one_cycle")),
        _lost_after(0, KERNEL.lr / 25),
    ),
    faulty(
        "views-milestone-in-wrong-unit",
        says("lr_frozen", None, 201),
        partial(views, n=3000),
        but(VIEWS, schedule=Schedule(type="multistep", milestones=(200, 350), gamma=0.1)),
        _lost_after(0, VIEWS.lr),
    ),
)


CASES = OVERFITTING + OSCILLATION + LR_FROZEN
