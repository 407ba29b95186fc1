from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400

PER_EPOCH = 40


def run_with(make_run: Build, healthy_loss: Build, val: Any, baseline: float | None = 1.0) -> Any:
    return make_run(
        healthy_loss(N),
        val=np.asarray(val, dtype=float)[:, None],
        steps_per_epoch=PER_EPOCH,
        baselines={"a": baseline} if baseline else None,
    )


def test_a_constant_predictor_would_be_better(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(run_with(make_run, healthy_loss, [1.6] * 10), "worse_than_baseline")
    assert (alert.kind, alert.severity, alert.component) == ("worse_than_baseline", "warning", "a")
    assert alert.evidence["val"] == [1.6] * len(alert.evidence["val"])
    assert alert.evidence["baseline"] == 1.0 < alert.evidence["threshold"] < 1.6
    assert "a constant predictor reaches 1" in alert.message
    assert alert.advice is not None
    assert "loss.weights" in alert.advice


@pytest.mark.parametrize(
    "val",
    [[1.6, 1.6, 0.8] + [0.6] * 7, np.linspace(8, 1.0, 10), [0.99] * 10],
    ids=["got_below", "comes_nearer", "at_the_baseline"],
)
def test_healthy_courses_are_none(make_run: Build, judge: Judge, healthy_loss: Build, val: Any) -> None:
    assert judge(run_with(make_run, healthy_loss, val), "worse_than_baseline") == []


def test_it_waits_for_a_share_of_the_planned_epochs(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(
        healthy_loss(N),
        val=np.full((10, 1), 1.6),
        steps_per_epoch=PER_EPOCH,
        baselines={"a": 1.0},
        facts={"n_epochs": 1000},
    )
    assert judge(run, "worse_than_baseline") == []


def test_without_baselines_it_is_not_checked(make_run: Build, healthy_loss: Build) -> None:
    run = run_with(make_run, healthy_loss, [1.6] * 10, baseline=None)
    engine = run.engine("worse_than_baseline")
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    (entry,) = engine.not_checked()
    assert "baseline" in entry.rule
    assert "constant predictor" in entry.why


@pytest.mark.parametrize(
    "kind", ["non_finite", "explosion", "stall", "task_stall", "vanishing_gradient", "overfitting"]
)
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, healthy_loss: Build, kind: str) -> None:
    run = run_with(make_run, healthy_loss, [1.6] * 10)
    assert judge(run, "worse_than_baseline", before=(kind, "a")) == []
    assert judge(run, "worse_than_baseline", before=("spike", "a")) != []
