from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor.declared_schedule import declared_schedule

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400

COSINE = {"type": "cosine_annealing", "warmup_epochs": 0}
HALF = (1 + np.cos(np.pi * np.arange(N) / N)) / 2


def run_with(make_run: Build, healthy_loss: Build, lr: Any, scheduler: dict[str, Any] | None = None) -> Any:
    schedule = None if scheduler is None else declared_schedule(scheduler)
    facts = {"n_epochs": 8, "steps_per_epoch": 50, "schedule": schedule, "learning_rate": 1e-3}
    return make_run(healthy_loss(N), lr=lr, facts=facts)


def test_a_rate_that_stays_against_its_schedule(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(run_with(make_run, healthy_loss, 1e-3, COSINE), "lr_frozen")
    assert (alert.kind, alert.severity) == ("lr_frozen", "warning")
    assert "cosine_annealing" in alert.message
    assert alert.evidence["lowest"] == alert.evidence["highest"] == 1e-3
    assert alert.advice is not None
    assert "training.scheduler" in alert.advice


@pytest.mark.parametrize(
    ("lr", "scheduler"),
    [
        (1e-3 * np.linspace(0, 1, N), COSINE),
        (1e-3, {"type": "constant", "warmup_epochs": 4}),
        (1e-3, {"type": "step", "step_size": 2}),
        (1e-3, {"type": "exponential", "gamma": 0.5}),
        (0.0, None),
    ],
    ids=["rises", "no_warm_up", "no_step", "no_decay", "zero"],
)
def test_rates_that_go_astray(
    make_run: Build, judge: Judge, healthy_loss: Build, lr: Any, scheduler: dict[str, Any] | None
) -> None:
    assert [a.kind for a in judge(run_with(make_run, healthy_loss, lr, scheduler), "lr_frozen")] == [
        "lr_frozen"
    ]


@pytest.mark.parametrize(
    ("lr", "scheduler"),
    [
        (1e-3 * HALF, COSINE),
        (1e-3, {"type": "constant", "warmup_epochs": 0}),
        (1e-3, {"type": "reduce_on_plateau"}),
        (1e-3 * 0.5 ** (np.arange(N) // 100), {"type": "step", "step_size": 2, "gamma": 0.5}),
        (1e-3 * 0.8 ** (np.arange(N) / 50), {"type": "exponential", "gamma": 0.8}),
        (1e-3 * HALF[::4][np.arange(N) % 100], {"type": "cosine_annealing_warm_restarts", "T_0": 2}),
        (1e-3, None),
        (np.nan, COSINE),
        (1e-3 * np.r_[np.linspace(1, 0, N // 2), np.zeros(N // 2)], None),
    ],
    ids=[
        "cosine",
        "constant",
        "plateau",
        "step",
        "exponential",
        "restarts",
        "undeclared",
        "unknown",
        "ends_in_zero",
    ],
)
def test_rates_that_follow_their_schedule(
    make_run: Build, judge: Judge, healthy_loss: Build, lr: Any, scheduler: dict[str, Any] | None
) -> None:
    assert judge(run_with(make_run, healthy_loss, lr, scheduler), "lr_frozen") == []


def test_a_warm_up_is_waited_for(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    rate = 1e-3 * np.minimum(np.arange(1, N + 1) / 100, 1)
    rate[100:] *= (1 + np.cos(np.pi * np.arange(N - 100) / (N - 100))) / 2
    run = run_with(make_run, healthy_loss, rate, {"type": "cosine_annealing", "warmup_epochs": 2})
    assert judge(run, "lr_frozen") == []
