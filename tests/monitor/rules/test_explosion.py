from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def exploding(healthy_loss: Build, **given: Any) -> Any:
    loss = healthy_loss(N, **given)
    loss[250:] = loss[250] * 1.08 ** np.arange(N - 250)
    return loss


def test_a_loss_that_runs_away(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(exploding(healthy_loss), healthy_loss(N, seed=1))
    (alert,) = judge(run, "explosion")
    assert (alert.rule, alert.kind, alert.severity, alert.component) == (
        "explosion",
        "explosion",
        "critical",
        "a",
    )
    assert alert.first_seen is not None
    assert 250 < alert.first_seen < 330
    assert (alert.state, alert.at_end) == ("open", True)
    assert alert.evidence["total"] > alert.evidence["threshold"] > alert.evidence["start"]
    assert alert.evidence["weighted_rises"]["a"] > alert.evidence["weighted_rises"]["b"]
    assert alert.advice is not None
    assert "training.optimizer.learning_rate from 0.001 to 0.0001" in alert.advice
    assert "set training.gradient_clip to 1.0" in alert.advice


def test_advice_lowers_a_limit_that_is_there(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    facts = {"gradient_clip": 5.0, "mixed_precision": True}
    (alert,) = judge(make_run(exploding(healthy_loss), facts=facts), "explosion")
    assert alert.advice is not None
    assert "lower training.gradient_clip from 5" in alert.advice
    assert "hardware.mixed_precision" in alert.advice


def test_the_total_is_named_where_no_component_stands_out(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(exploding(healthy_loss), exploding(healthy_loss, seed=1))
    assert [alert.component for alert in judge(run, "explosion")] == ["total"]


def test_a_negative_loss_may_run_away_too(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = healthy_loss(N, noise=0) - 3
    loss[250:] += np.linspace(0, 40, N - 250)
    assert [alert.component for alert in judge(make_run(loss), "explosion")] == ["a"]


def test_a_gradient_that_runs_away_with_the_loss_lost(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    loss, norm = healthy_loss(N), np.ones(N)
    loss[250:] = 2.1
    norm[250:] = 1e5
    (alert,) = judge(make_run(loss, grad_norm=norm), "explosion")
    assert "gradient norm grew from 1 to 1e+05" in alert.message
    assert alert.evidence["grad_norm"] == 1e5


@pytest.mark.parametrize("n_bad", [1, 3])
def test_bad_batches_are_no_explosion(make_run: Build, judge: Judge, healthy_loss: Build, n_bad: int) -> None:
    loss = healthy_loss(N)
    loss[250 : 250 + n_bad] *= 100
    assert judge(make_run(loss), "explosion") == []


@pytest.mark.parametrize(("n_high", "speaks"), [(5, False), (6, True)])
def test_three_quarters_of_the_latest_steps_must_be_high(
    make_run: Build, judge: Judge, healthy_loss: Build, n_high: int, speaks: bool
) -> None:
    loss = healthy_loss(N)
    loss[240:][np.arange(N - 240) % 8 >= 8 - n_high] *= 100
    assert bool(judge(make_run(loss), "explosion")) == speaks


def test_large_gradients_of_a_loss_that_falls_are_none(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(healthy_loss(N), grad_norm=np.geomspace(1e-3, 1e3, N))
    assert judge(run, "explosion") == []


def test_noise_about_a_plateau_is_none(make_run: Build, judge: Judge, still_loss: Build) -> None:
    assert judge(make_run(still_loss(N, noise=0.3)), "explosion") == []


def test_it_is_closed_when_the_loss_has_come_back(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = healthy_loss(3 * N)
    loss[300:420] = 50
    (alert,) = judge(make_run(loss), "explosion")
    assert alert.state == "closed"
    assert alert.last_seen is not None
    assert 380 <= alert.last_seen <= 440
