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


def test_steps_that_became_slow(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    seconds = np.where(np.arange(N) < 250, 0.1, 0.6)
    (alert,) = judge(make_run(healthy_loss(N), seconds=seconds), "slow_step")
    assert (alert.kind, alert.severity, alert.component) == ("slow_step", "warning", None)
    assert alert.evidence["factor"] == pytest.approx(6, rel=0.2)
    assert alert.first_seen is not None
    assert alert.first_seen > 250
    assert alert.advice is not None
    assert ".detach()" in alert.advice


def test_epochs_that_became_slow(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    speed = np.array([100.0, 110, 105, 100, 20, 21, 19, 20])
    run = make_run(healthy_loss(N), steps_per_epoch=50, samples_per_second=speed)
    (alert,) = judge(run, "slow_step")
    assert alert.evidence["factor"] == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("slow", [[0], [100, 200, 300], range(20)], ids=["first", "checkpoints", "warm_up"])
def test_single_slow_steps_are_none(make_run: Build, judge: Judge, healthy_loss: Build, slow: Any) -> None:
    seconds = 0.1 + 0.02 * np.random.default_rng(0).random(N)
    seconds[list(slow)] = 5.0
    assert judge(make_run(healthy_loss(N), seconds=seconds), "slow_step") == []


def test_one_slow_epoch_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    speed = np.array([100.0, 110, 105, 20, 100, 105, 110, 20])
    run = make_run(healthy_loss(N), steps_per_epoch=50, samples_per_second=speed)
    assert judge(run, "slow_step") == []


@pytest.mark.parametrize(("factor", "speaks"), [(2.0, False), (2.4, True)])
def test_how_slow_is_slow(
    make_run: Build, judge: Judge, healthy_loss: Build, factor: float, speaks: bool
) -> None:
    late = np.arange(N) >= 250
    run = make_run(healthy_loss(N), seconds=np.where(late, 0.1 * factor, 0.1))
    assert bool(judge(run, "slow_step")) == speaks
    assert judge(run, rules["slow_step"].bind(slowdown=1.5)) != []


@pytest.mark.parametrize(("slow_epochs", "speaks"), [(2, True), (3, False)])
def test_how_many_epochs_must_be_slow(
    make_run: Build, judge: Judge, healthy_loss: Build, slow_epochs: int, speaks: bool
) -> None:
    speed = np.array([100.0, 110, 105, 100, 100, 105, 21, 19])
    run = make_run(healthy_loss(N), steps_per_epoch=50, samples_per_second=speed)
    assert bool(judge(run, rules["slow_step"].bind(slow_epochs=slow_epochs))) == speaks


def test_without_times_it_is_not_checked(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N), steps_per_epoch=50)
    engine = run.engine("slow_step")
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    assert [entry.rule for entry in engine.not_checked()] == ["slow_step"]
