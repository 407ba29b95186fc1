from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def swinging(healthy_loss: Build, period: float = 20.0, seed: int = 0) -> Any:
    k = np.arange(N)
    return healthy_loss(N, end=0.6, seed=seed) + 0.4 * np.sin(2 * np.pi * k / period) * np.minimum(k / 50, 1)


def test_a_loss_that_swings(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(make_run(swinging(healthy_loss), healthy_loss(N, seed=1)), "oscillation")
    assert (alert.kind, alert.severity, alert.component) == ("oscillation", "warning", "a")
    assert alert.evidence["serial_correlation"] > 0
    assert alert.evidence["swing"] > alert.evidence["thresholds"]["swing"]
    assert alert.advice is not None
    assert "training.optimizer.learning_rate from 0.001 to" in alert.advice
    assert "batch_size" in alert.advice


def test_a_loss_that_alternates(make_run: Build, judge: Judge) -> None:
    noise = 0.02 * np.random.default_rng(0).standard_normal(N)
    loss = 0.5 + 0.3 * (-1.0) ** np.arange(N) + noise
    loss[:3] = 2
    (alert,) = judge(make_run(loss), "oscillation")
    assert alert.component == "a"
    assert alert.evidence["serial_correlation"] < -0.8


@pytest.mark.parametrize("n", [N, N + 1, 2 * N])
def test_an_exact_alternation(make_run: Build, judge: Judge, n: int) -> None:
    loss = 0.5 + 0.3 * (-1.0) ** np.arange(n)
    loss[:3] = 2
    (alert,) = judge(make_run(loss), "oscillation")
    assert alert.evidence["serial_correlation"] == pytest.approx(-1, abs=0.02)
    assert alert.evidence["swing"] > alert.evidence["thresholds"]["swing"]


def test_the_total_is_named_where_several_swing(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(swinging(healthy_loss), swinging(healthy_loss, seed=1))
    assert [alert.component for alert in judge(run, "oscillation")] == ["total"]


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_noise_of_batches_is_no_swing(
    make_run: Build, judge: Judge, healthy_loss: Build, noise: float
) -> None:
    assert judge(make_run(healthy_loss(N, noise=noise)), "oscillation") == []


def test_a_steady_fall_is_no_swing(make_run: Build, judge: Judge) -> None:
    assert judge(make_run(np.linspace(3, 0.1, N)), "oscillation") == []


def test_small_swings_are_left_alone(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = healthy_loss(N, noise=0.001) + 0.002 * np.sin(np.arange(N) / 3)
    assert judge(make_run(loss), "oscillation") == []


@pytest.mark.parametrize("kind", ["non_finite", "explosion"])
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, healthy_loss: Build, kind: str) -> None:
    run = make_run(swinging(healthy_loss))
    assert judge(run, "oscillation", before=(kind, "a")) == []
    assert judge(run, "oscillation", before=("spike", "a")) != []
