from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def test_nothing_improves(make_run: Build, judge: Judge, still_loss: Build) -> None:
    (alert,) = judge(make_run(still_loss(N), still_loss(N, seed=1)), "stall")
    assert (alert.kind, alert.severity, alert.component) == ("stall", "warning", "total")
    assert alert.evidence["lr"] == pytest.approx(1e-3)
    assert abs(alert.evidence["total"] - alert.evidence["total_at_start"]) < 0.2
    assert alert.advice is not None
    assert "training.optimizer.learning_rate" in alert.advice
    assert "--overfit_batch" in alert.advice


def test_the_only_component_is_named(make_run: Build, judge: Judge, still_loss: Build) -> None:
    assert [alert.component for alert in judge(make_run(still_loss(N)), "stall")] == ["a"]


def test_a_plateau_after_an_improvement_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = np.r_[healthy_loss(N), 0.2 + 0.01 * np.random.default_rng(0).standard_normal(2 * N)]
    assert judge(make_run(loss), "stall") == []


def test_one_component_that_improves_is_enough(
    make_run: Build, judge: Judge, still_loss: Build, healthy_loss: Build
) -> None:
    assert judge(make_run(still_loss(N, level=5.0), healthy_loss(N)), "stall") == []


def test_a_short_run_and_a_warm_up_are_given_time(make_run: Build, judge: Judge, still_loss: Build) -> None:
    assert judge(make_run(still_loss(40)), "stall") == []
    facts = {"n_epochs": 100, "steps_per_epoch": N}
    rising = np.linspace(1e-6, 1e-3, N) ** 3
    run = make_run(still_loss(N), lr=rising, facts=facts)
    engine = run.engine("stall")
    assert [alert for record in run.records() for alert in engine.look(record)] == []


def test_a_loss_that_is_good_from_the_start_is_none(make_run: Build, judge: Judge, still_loss: Build) -> None:
    assert judge(make_run(still_loss(N), baselines={"a": 4.0}), "stall") == []


def test_components_that_stay_at_their_baselines(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    val = np.full((8, 1), 1.0)
    run = make_run(healthy_loss(N, start=1.2, end=1.0), val=val, baselines={"a": 1.0}, steps_per_epoch=50)
    assert [alert.component for alert in judge(run, "stall")] == ["a"]


@pytest.mark.parametrize("kind", ["non_finite", "explosion", "vanishing_gradient", "lr_frozen"])
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, still_loss: Build, kind: str) -> None:
    run = make_run(still_loss(N))
    assert judge(run, "stall", before=(kind, "a")) == []
    assert judge(run, "stall", before=("spike", "a")) != []
