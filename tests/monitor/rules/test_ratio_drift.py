from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor.rules import rules

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def drifting(healthy_loss: Build, seed: int = 0) -> Any:
    loss = healthy_loss(N, start=1, end=0.1, seed=seed)
    loss[150:] += np.linspace(0, 0.8, N - 150)
    return loss


def test_a_component_that_had_been_learnt_and_rises(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    (alert,) = judge(make_run(healthy_loss(N), drifting(healthy_loss)), "ratio_drift")
    assert (alert.kind, alert.severity, alert.component) == ("ratio_drift", "warning", "b")
    assert alert.evidence["now"] > alert.evidence["threshold"] * alert.evidence["best"]
    assert alert.evidence["share"] > 0.1
    assert alert.advice is not None
    assert "loss.weights" in alert.advice


def test_one_that_is_learnt_faster_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N, end=1.5), healthy_loss(N, end=0.001, seed=1))
    assert judge(run, "ratio_drift") == []


def test_one_that_rises_from_the_start_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    divergence = 0.01 + np.linspace(0, 1, N) * (1 + 0.05 * np.random.default_rng(0).standard_normal(N))
    assert judge(make_run(healthy_loss(N), divergence), "ratio_drift") == []


def test_one_that_hardly_counts_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N, start=50, end=40), drifting(healthy_loss), weights=(1, 0.1))
    assert judge(run, "ratio_drift") == []


@pytest.mark.parametrize(("factor", "speaks"), [(1.3, False), (1.9, True)])
def test_how_far_it_must_rise(
    make_run: Build, judge: Judge, healthy_loss: Build, factor: float, speaks: bool
) -> None:
    loss = np.r_[healthy_loss(N, start=1, end=0.5, noise=0.01), 0.5 * np.linspace(1, factor, N)]
    run = make_run(healthy_loss(2 * N), loss)
    assert bool(judge(run, "ratio_drift")) == speaks
    assert judge(run, rules["ratio_drift"].bind(drift=1.1)) != []


def test_a_component_below_zero_is_compared_by_differences(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(healthy_loss(N), 5 * drifting(healthy_loss) - 3)
    assert [alert.component for alert in judge(run, "ratio_drift")] == ["b"]


@pytest.mark.parametrize("kind", ["non_finite", "explosion", "stall", "oscillation", "vanishing_gradient"])
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, healthy_loss: Build, kind: str) -> None:
    run = make_run(healthy_loss(N), drifting(healthy_loss))
    assert judge(run, "ratio_drift", before=(kind, None)) == []
    assert judge(run, "ratio_drift", before=("spike", None)) != []
