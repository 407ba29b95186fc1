"""Components that are computed in every third step, as those of one data set among several are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor.rules import Rule, rules

Build = Callable[..., Any]
Judge = Callable[..., list[Alert]]
N = 1200


def every_third(*phases: int | None) -> Any:
    """Return what is missing of components that are computed in every third step, None for always."""
    rows = np.arange(N)
    return np.column_stack(
        [np.zeros(N, dtype=bool) if phase is None else rows % 3 != phase for phase in phases]
    )


def third_part(missing: Any, *series: Any) -> list[Any]:
    """Return series with NaN where they are not computed: no rule may look there."""
    return [np.where(missing[:, k], np.nan, values) for k, values in enumerate(series)]


@pytest.mark.parametrize("rule", rules.values(), ids=list(rules))
@pytest.mark.parametrize("phases", [(None, 1), (0, 1), (2, None)])
def test_a_healthy_run_gives_nothing(
    rule: Rule, make_run: Build, judge: Judge, healthy_loss: Build, phases: tuple[int | None, ...]
) -> None:
    missing = every_third(*phases)
    for seed in range(2):
        series = [healthy_loss(N, seed=10 * seed + k, start=start) for k, start in enumerate((2.0, 1.0))]
        run = make_run(*third_part(missing, *series), missing=missing, grad_norm=series[0])
        assert [a for a in judge(run, rule) if a.severity != "info"] == []


def test_three_tasks_in_turn_give_nothing(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    missing = every_third(0, 1, 2)
    series = [healthy_loss(N, seed=k, start=start, end=0.1) for k, start in enumerate((5.0, 2.0, 1.0))]
    run = make_run(*third_part(missing, *series), missing=missing, grad_norm=1.0)
    assert [alert for alert in judge(run) if alert.severity != "info"] == []


def test_one_that_does_not_improve(
    make_run: Build, judge: Judge, healthy_loss: Build, still_loss: Build
) -> None:
    missing = every_third(None, 1)
    series = third_part(missing, healthy_loss(N), still_loss(N))
    (alert,) = judge(make_run(*series, missing=missing), "task_stall")
    assert (alert.component, alert.severity) == ("b", "warning")
    assert alert.evidence["start"] == pytest.approx(1, abs=0.1)


def test_nothing_that_improves(make_run: Build, judge: Judge, still_loss: Build) -> None:
    missing = every_third(None, 1)
    run = make_run(*third_part(missing, still_loss(N), still_loss(N, seed=1)), missing=missing)
    # The total is of one component or of two, so that it may look as if it moved for a while.
    *_, last = judge(run, "stall")
    assert (last.kind, last.state, last.last_seen) == ("stall", "open", N)


def test_one_that_becomes_constant(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    missing, dead = every_third(None, 1), healthy_loss(N, seed=1)
    dead[600:] = 0
    (alert,) = judge(make_run(*third_part(missing, healthy_loss(N), dead), missing=missing), "dead_component")
    assert (alert.component, alert.evidence["value"]) == ("b", 0)
    assert alert.evidence["before"] > 0.2


def test_a_bad_batch(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    missing, spiky = every_third(None, 1), healthy_loss(N, seed=1)
    spiky[901] += 5
    (alert,) = judge(make_run(*third_part(missing, healthy_loss(N), spiky), missing=missing), "spike")
    assert (alert.component, alert.step, alert.severity) == ("b", 902, "warning")


def test_one_that_runs_away(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    # Only a rise that is in most of the latest steps counts.
    missing, away = ~every_third(None, 1), healthy_loss(N, seed=1)
    missing[:, 0] = False
    away[700:] *= 1.03 ** np.arange(N - 700)
    found = judge(make_run(*third_part(missing, healthy_loss(N), away), missing=missing), "explosion")
    assert [alert.component for alert in found] == ["b"]


def test_one_that_had_been_learnt_and_rises(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    missing, rising = every_third(None, 1), healthy_loss(N, seed=1)
    rising[500:] += np.linspace(0, 2, N - 500)
    found = judge(make_run(*third_part(missing, healthy_loss(N), rising), missing=missing), "ratio_drift")
    assert [alert.component for alert in found] == ["b"]


def test_nan_in_a_step_in_which_it_is_computed(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    missing, broken = every_third(None, 1), healthy_loss(N, seed=1)
    broken[601] = np.nan
    (alert,) = judge(make_run(*third_part(missing, healthy_loss(N), broken), missing=missing), "non_finite")
    assert (alert.component, alert.step, alert.count) == ("b", 602, 1)
