from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert, Gradients

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def test_a_component_that_is_nearly_all_of_the_total(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build
) -> None:
    run = make_run(healthy_loss(N, start=2000, end=400), still_loss(N))
    (alert,) = judge(run, "dominance")
    assert (alert.kind, alert.severity, alert.component) == ("dominance", "warning", "a")
    assert alert.evidence["loss_share"] > 0.99
    assert alert.evidence["gradient_share"] is None
    assert alert.advice is not None
    assert "loss.weights" in alert.advice


def test_a_large_weight_dominates_too(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build
) -> None:
    run = make_run(healthy_loss(N, end=0.5), still_loss(N), weights=(200, 1))
    assert [alert.component for alert in judge(run, "dominance")] == ["a"]


def test_even_shares_are_none(make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build) -> None:
    assert judge(make_run(healthy_loss(N), still_loss(N)), "dominance") == []


def test_others_that_are_learnt_all_the_same(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    learnt_fast = np.r_[healthy_loss(32, end=0.02), np.full(N - 32, 0.02)]
    run = make_run(healthy_loss(N, start=2000, end=400), learnt_fast)
    assert judge(run, "dominance") == []


@pytest.mark.parametrize("weights", [(1, 0.01), (100, 1), (1e-3, 1e-5)])
def test_only_the_proportion_of_weights_counts(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build, weights: tuple[float, float]
) -> None:
    run = make_run(healthy_loss(N, end=0.5), still_loss(N), weights=weights)
    (alert,) = judge(run, "dominance")
    assert (alert.component, alert.evidence["loss_share"]) == ("a", pytest.approx(0.98, abs=0.015))


def test_penalties_that_rise_beside_it_are_not_starved(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    penalty = np.linspace(0.01, 0.02, N)
    assert judge(make_run(healthy_loss(N, end=0.5), penalty), "dominance") == []
    assert judge(make_run(healthy_loss(N, end=0.5), np.full(N, 0.01)), "dominance") != []


def test_one_that_comes_to_dominate_late_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N, end=1.5), healthy_loss(N, start=1, end=0.4) * np.geomspace(1, 0.02, N))
    assert judge(run, "dominance") == []


def looks(a: float, b: float) -> list[Gradients]:
    return [Gradients(step=20 * k, epoch=1, norms={"a": a, "b": b}) for k in range(1, 20)]


def test_gradients_decide_where_they_are_known(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build
) -> None:
    series = healthy_loss(N, end=0.5), still_loss(N)
    (alert,) = judge(make_run(*series, gradients=looks(100, 1)), "dominance")
    assert alert.component == "a"
    assert alert.evidence["gradient_share"] == pytest.approx(100 / 101)
    assert "gradient on the shared parameters" in alert.message
    assert judge(make_run(*series, gradients=looks(1, 1)), "dominance") == []
    large = healthy_loss(N, start=2000, end=400), still_loss(N)
    assert judge(make_run(*large, gradients=looks(1, 1)), "dominance") == []


@pytest.mark.parametrize("kind", ["non_finite", "explosion", "stall", "dead_component"])
def test_it_gives_way_to_causes(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build, kind: str
) -> None:
    run = make_run(healthy_loss(N, start=2000, end=400), still_loss(N))
    assert judge(run, "dominance", before=(kind, "total")) == []
    assert judge(run, "dominance", before=("spike", "total")) != []
