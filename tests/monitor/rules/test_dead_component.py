from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def test_a_component_that_becomes_exactly_zero(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    lost = healthy_loss(N)
    lost[200:] = 0
    (alert,) = judge(make_run(healthy_loss(N, seed=1), lost), "dead_component")
    assert (alert.kind, alert.severity, alert.component, alert.step) == (
        "dead_component",
        "warning",
        "b",
        201,
    )
    assert alert.evidence["value"] == 0
    assert alert.evidence["before"] > 0.2
    assert alert.evidence["n_steps"] >= alert.evidence["threshold"]
    assert alert.advice is not None
    assert "loss.weights" in alert.advice


def test_a_component_that_stays_at_a_value(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    stuck = healthy_loss(N)
    stuck[200:] = 0.75
    assert [a.component for a in judge(make_run(healthy_loss(N, seed=1), stuck), "dead_component")] == ["b"]


def test_a_component_that_never_moves(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N), np.full(N, 0.7))
    assert [alert.component for alert in judge(run, "dead_component")] == ["b"]


def test_one_that_is_switched_on_later_is_no_fault(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    later = healthy_loss(N)
    later[:120] = 0
    facts = {"n_epochs": 4, "steps_per_epoch": 100}
    assert judge(make_run(healthy_loss(N), later, facts=facts), "dead_component") == []


def test_a_hinge_that_is_satisfied_is_no_fault(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    random = np.random.default_rng(0)
    hinge = np.maximum(0, np.linspace(1, -1, N) + 0.1 * random.standard_normal(N))
    assert judge(make_run(healthy_loss(N), hinge), "dead_component") == []


def test_a_component_without_weight_is_left_alone(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N), np.zeros(N), weights=(1, 0))
    assert judge(run, "dead_component") == []


def test_a_component_that_is_not_computed_is_not_dead(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    missing = np.zeros((N, 2), dtype=bool)
    missing[100:, 1] = True
    run = make_run(healthy_loss(N), healthy_loss(N, seed=1), missing=missing)
    assert judge(run, "dead_component") == []


def test_it_is_closed_when_the_component_is_back(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    lost = healthy_loss(N)
    lost[200:260] = 0
    (alert,) = judge(make_run(healthy_loss(N, seed=1), lost), "dead_component")
    assert (alert.state, alert.count > 1) == ("closed", True)


@pytest.mark.parametrize("kind", ["non_finite", "explosion"])
def test_it_gives_way_to_causes(make_run: Build, judge: Judge, healthy_loss: Build, kind: str) -> None:
    run = make_run(healthy_loss(N), np.full(N, 0.7))
    assert judge(run, "dead_component", before=(kind, "total")) == []
