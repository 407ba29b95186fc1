from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from neuroprism.core.records import Alert, Gradients
from neuroprism.monitor.rules import rules

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def looks(*cosines: float) -> list[Gradients]:
    return [
        Gradients(step=50 * k, epoch=1, norms={"a": 2.0, "b": 1.0}, cosines={"a|b": cosine})
        for k, cosine in enumerate(cosines, start=1)
    ]


def run_of(make_run: Build, healthy_loss: Build, *cosines: float, **given: Any) -> Any:
    return make_run(healthy_loss(N), healthy_loss(N, seed=1), gradients=looks(*cosines), **given)


def test_two_components_that_oppose_each_other(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(run_of(make_run, healthy_loss, *[-0.8] * 6), "gradient_conflict")
    assert (alert.kind, alert.severity, alert.component) == ("gradient_conflict", "info", "b")
    assert alert.evidence["pair"] == ["b", "a"]
    assert alert.evidence["cosines"] == [-0.8] * len(alert.evidence["cosines"])
    assert alert.evidence["norms"] == {"a": 2.0, "b": 1.0}
    assert alert.advice is not None
    assert "loss.balancing" in alert.advice


def test_the_weighted_gradient_decides_who_loses(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = run_of(make_run, healthy_loss, *[-0.8] * 6, weights=(0.1, 1))
    assert [alert.component for alert in judge(run, "gradient_conflict")] == ["a"]


@pytest.mark.parametrize("cosines", [[0.5] * 8, [-0.02] * 8, [-0.9, -0.9] + [0.4] * 6])
def test_what_is_not_persistent_or_clear_is_none(
    make_run: Build, judge: Judge, healthy_loss: Build, cosines: list[float]
) -> None:
    assert judge(run_of(make_run, healthy_loss, *cosines), "gradient_conflict") == []


def test_a_component_without_weight_has_no_say(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = run_of(make_run, healthy_loss, *[-0.8] * 6, weights=(1, 0))
    assert judge(run, "gradient_conflict") == []


def test_it_is_closed_when_they_agree_again(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(run_of(make_run, healthy_loss, -0.8, -0.8, -0.8, *[0.5] * 5), "gradient_conflict")
    assert alert.state == "closed"


def test_settings_are_settings(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    strict = rules["gradient_conflict"].bind(conflicts=1, looks=1, severity="warning")
    (alert,) = judge(run_of(make_run, healthy_loss, 0.5, -0.8), strict)
    assert alert.severity == "warning"
