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


def test_one_component_stays_while_another_falls(
    make_run: Build, judge: Judge, still_loss: Build, healthy_loss: Build
) -> None:
    (alert,) = judge(make_run(healthy_loss(N), still_loss(N), weights=(1, 0.5)), "task_stall")
    assert (alert.kind, alert.severity, alert.component) == ("task_stall", "warning", "b")
    assert alert.evidence["relative_gains"]["a"] > 0.5
    assert abs(alert.evidence["relative_gains"]["b"]) < 0.2
    assert alert.advice is not None
    assert "loss.weights" in alert.advice


def test_every_one_that_stays_is_named(
    make_run: Build, judge: Judge, still_loss: Build, healthy_loss: Build
) -> None:
    run = make_run(still_loss(N), healthy_loss(N), still_loss(N, seed=1))
    assert {alert.component for alert in judge(run, "task_stall")} == {"a", "c"}


@pytest.mark.parametrize(("share", "is_quiet"), [(0.5, True), (0.8, False)])
def test_one_without_baseline_is_given_time(
    make_run: Build, still_loss: Build, healthy_loss: Build, share: float, is_quiet: bool
) -> None:
    facts = {"n_epochs": 10, "steps_per_epoch": round(N / share / 10)}
    run = make_run(healthy_loss(N), still_loss(N), facts=facts)
    for rule, expected in (("task_stall", is_quiet), (rules["task_stall"].bind(late_share=0.3), False)):
        engine = run.engine(rule)
        told = [alert for record in run.records(range(0, N, 50)) for alert in engine.look(record)]
        assert (told == []) == expected


def test_one_at_its_baseline_is_told_of_earlier(
    make_run: Build, still_loss: Build, healthy_loss: Build
) -> None:
    facts = {"n_epochs": 10, "steps_per_epoch": round(N / 0.5 / 10)}
    run = make_run(healthy_loss(N), still_loss(N), baselines={"b": 1.0}, facts=facts)
    engine = run.engine("task_stall")
    told = [alert for record in run.records(range(0, N, 50)) for alert in engine.look(record)]
    assert [alert.component for alert in told] == ["b"]


def test_one_that_rises_is_another_matter(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    divergence = np.linspace(1, 3, N) * (1 + 0.05 * np.random.default_rng(0).standard_normal(N))
    assert judge(make_run(healthy_loss(N), divergence), "task_stall") == []


def test_validation_that_improves_counts(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build
) -> None:
    falls, stays = np.linspace(1, 0.5, 8), np.ones(8)
    for val, speaks in ((falls, False), (stays, True)):
        run = make_run(healthy_loss(N), still_loss(N), val=np.column_stack([falls, val]), steps_per_epoch=50)
        assert bool(judge(run, "task_stall")) == speaks


def test_one_that_falls_late_is_none(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    slow = np.linspace(1, 0.5, N) * (1 + 0.02 * np.random.default_rng(0).standard_normal(N))
    assert judge(make_run(healthy_loss(N), slow), "task_stall") == []


def test_where_nothing_improves_it_is_another_matter(
    make_run: Build, judge: Judge, still_loss: Build
) -> None:
    assert judge(make_run(still_loss(N), still_loss(N, seed=1)), "task_stall") == []


def test_a_smooth_penalty_is_no_task(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    assert judge(make_run(healthy_loss(N), np.linspace(1, 1.05, N)), "task_stall") == []


def test_a_component_without_weight_is_left_alone(
    make_run: Build, judge: Judge, still_loss: Build, healthy_loss: Build
) -> None:
    assert judge(make_run(healthy_loss(N), still_loss(N), weights=(1, 0)), "task_stall") == []


@pytest.mark.parametrize(("level", "speaks"), [(1.0, True), (0.5, False)])
def test_a_baseline_tells_what_learning_is(
    make_run: Build, judge: Judge, healthy_loss: Build, level: float, speaks: bool
) -> None:
    val = np.column_stack([np.linspace(1, 0.2, 8), np.full(8, level)])
    run = make_run(
        healthy_loss(N),
        healthy_loss(N, start=1.2, end=level, seed=1),
        val=val,
        baselines={"b": 1.0},
        steps_per_epoch=50,
    )
    assert bool(judge(run, "task_stall")) == speaks


def test_one_component_alone_cannot_be_compared(make_run: Build, still_loss: Build) -> None:
    run = make_run(still_loss(N))
    engine = run.engine("task_stall")
    assert [record for window in run.records() for record in engine.look(window)] == []
    assert [entry.rule for entry in engine.not_checked()] == ["task_stall"]


@pytest.mark.parametrize(
    "kind", ["explosion", "stall", "vanishing_gradient", "dead_component", "oscillation"]
)
def test_it_gives_way_to_causes(
    make_run: Build, judge: Judge, still_loss: Build, healthy_loss: Build, kind: str
) -> None:
    run = make_run(healthy_loss(N), still_loss(N))
    assert judge(run, "task_stall", before=(kind, "b")) == []
    assert judge(run, "task_stall", before=(kind, "a")) != []
