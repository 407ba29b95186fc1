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
U_SHAPED = [1.0, 0.7, 0.5, 0.4, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]


def run_with(make_run: Build, healthy_loss: Build, val: list[float], **given: Any) -> Any:
    return make_run(
        healthy_loss(N, **{"end": 0.02, **given}), val=np.array(val)[:, None], steps_per_epoch=PER_EPOCH
    )


def test_validation_rises_while_training_falls(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(run_with(make_run, healthy_loss, U_SHAPED), "overfitting")
    assert (alert.kind, alert.severity, alert.component) == ("overfitting", "warning", "a")
    assert (alert.evidence["val_best"], alert.evidence["best_epoch"]) == (0.4, 4)
    assert alert.epoch is not None
    assert 6 < alert.epoch <= 10
    assert alert.advice is not None
    assert "epoch 4" in alert.advice
    assert "weight_decay" in alert.advice


def test_the_component_that_rises_is_named(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    val = np.column_stack([U_SHAPED, np.linspace(1, 0.2, 10)])
    run = make_run(healthy_loss(N, end=0.02), healthy_loss(N, seed=1), val=val, steps_per_epoch=PER_EPOCH)
    assert [alert.component for alert in judge(run, "overfitting")] == ["a"]


@pytest.mark.parametrize(
    "val",
    [
        [1.0, 0.7, 0.5, 0.4, 0.35, 0.3, 0.28, 0.26, 0.25, 0.24],
        [1.0, 0.7, 0.5, 0.4, 2.0, 0.35, 0.3, 0.3, 0.29, 0.28],
        [1.0, 0.7, 0.5, 0.4, 0.41, 0.4, 0.41, 0.4, 0.4, 0.41],
        [1.0, 0.7, 0.5, 0.3, 0.5, 0.3, 0.5, 0.31, 0.5, 0.3],
    ],
    ids=["falls", "one_bad_epoch", "plateau", "noise"],
)
def test_healthy_courses_are_none(
    make_run: Build, judge: Judge, healthy_loss: Build, val: list[float]
) -> None:
    assert judge(run_with(make_run, healthy_loss, val), "overfitting") == []


def test_where_training_does_not_fall_it_is_another_matter(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = run_with(make_run, healthy_loss, U_SHAPED, start=1.0, end=1.0)
    assert judge(run, "overfitting") == []


def test_few_evaluations_say_nothing(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(120), val=np.array([[0.4], [0.8], [1.2]]), steps_per_epoch=PER_EPOCH)
    assert judge(run, "overfitting") == []


def test_without_validation_it_is_not_checked(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N), steps_per_epoch=PER_EPOCH)
    engine = run.engine("overfitting")
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    assert [entry.why for entry in engine.not_checked()] == ["no validation losses were recorded"]


@pytest.mark.parametrize("kind", ["non_finite", "explosion"])
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, healthy_loss: Build, kind: str) -> None:
    run = run_with(make_run, healthy_loss, U_SHAPED)
    assert judge(run, "overfitting", before=(kind, "a")) == []
