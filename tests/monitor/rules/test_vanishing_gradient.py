from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 400


def test_a_tiny_gradient_with_a_loss_that_stays(make_run: Build, judge: Judge, still_loss: Build) -> None:
    (alert,) = judge(make_run(still_loss(N), still_loss(N, seed=1), grad_norm=1e-7), "vanishing_gradient")
    assert (alert.kind, alert.severity, alert.component) == ("vanishing_gradient", "warning", "total")
    assert alert.evidence["grad_norm"] == pytest.approx(1e-7)
    assert alert.advice is not None
    assert "hardware.mixed_precision" in alert.advice


def test_a_gradient_that_collapses(make_run: Build, judge: Judge, still_loss: Build) -> None:
    norm = np.r_[np.full(20, 5.0), np.full(N - 20, 0.02)]
    (alert,) = judge(make_run(still_loss(N), grad_norm=norm), "vanishing_gradient")
    assert alert.component == "a"
    assert alert.evidence["grad_norm_at_start"] == pytest.approx(5.0)


def test_a_gradient_that_vanishes_where_the_loss_is_low_is_none(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(healthy_loss(N), grad_norm=np.geomspace(1, 1e-8, N))
    assert judge(run, "vanishing_gradient") == []


def test_a_usual_gradient_with_a_loss_that_stays_is_another_matter(
    make_run: Build, judge: Judge, still_loss: Build
) -> None:
    assert judge(make_run(still_loss(N), grad_norm=0.7), "vanishing_gradient") == []


def test_without_norms_it_is_not_checked(make_run: Build, still_loss: Build) -> None:
    run = make_run(still_loss(N))
    engine = run.engine("vanishing_gradient")
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    (entry,) = engine.not_checked()
    assert (entry.rule, entry.why) == ("vanishing_gradient", "no gradient norm was recorded")


def test_it_gives_way_to_an_explosion(make_run: Build, judge: Judge, still_loss: Build) -> None:
    run = make_run(still_loss(N), grad_norm=1e-7)
    assert judge(run, "vanishing_gradient", before=("explosion", "total")) == []
    assert judge(run, "vanishing_gradient", before=("stall", "total")) != []
