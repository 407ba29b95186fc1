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


def quiet_until_the_end(run: Any, rule: Any) -> bool:
    """Tell whether a rule says nothing as long as the run goes on."""
    engine = run.engine(rule)
    return not [alert for record in run.records(range(0, len(run), 50)) for alert in engine.look(record)]


@pytest.mark.parametrize(("share", "is_quiet"), [(0.3, True), (0.45, False)])
def test_networks_that_learn_late_have_a_third_of_the_run(
    make_run: Build, still_loss: Build, share: float, is_quiet: bool
) -> None:
    run = make_run(still_loss(N), facts={"n_epochs": 10, "steps_per_epoch": round(N / share / 10)})
    assert quiet_until_the_end(run, "stall") == is_quiet
    assert not quiet_until_the_end(run, rules["stall"].bind(least_share=0.1))


@pytest.mark.parametrize(("gain", "speaks"), [(0.0, True), (0.25, False)])
def test_a_gain_that_noise_may_hide_counts(
    make_run: Build, judge: Judge, still_loss: Build, gain: float, speaks: bool
) -> None:
    loss = still_loss(N, noise=0.2) * np.where(np.arange(N) < N // 8, 1.0, 1.0 - gain)
    assert bool(judge(make_run(loss), "stall")) == speaks


def test_a_larger_clear_gain_hears_of_smaller_gains(make_run: Build, judge: Judge, still_loss: Build) -> None:
    loss = still_loss(N, noise=0.01) * np.where(np.arange(N) < 32, 1.0, 0.88)
    assert judge(make_run(loss), "stall") == []
    loose = rules["stall"].bind(clear_gain=0.3, least_gain=0.2)
    assert [alert.kind for alert in judge(make_run(loss), loose)] == ["stall"]


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
