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


def with_spikes(loss: Any, *rows: int, height: float = 5.0) -> Any:
    loss = loss.copy()
    loss[list(rows)] += height
    return loss


def test_a_bad_batch(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(N, seed=1), with_spikes(healthy_loss(N), 300))
    (alert,) = judge(run, "spike")
    assert (alert.kind, alert.severity, alert.component, alert.step) == ("spike", "warning", "b", 301)
    assert alert.evidence["value"] > alert.evidence["threshold"] > alert.evidence["median"]
    assert alert.evidence["n_steps"] == 1
    assert "step 301" in alert.message
    assert alert.advice is not None
    assert "training.gradient_clip to 1.0" in alert.advice


def test_several_close_together_are_one_alert(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    (alert,) = judge(make_run(with_spikes(healthy_loss(N), 260, 275, 290)), "spike")
    assert alert.count >= 2
    assert alert.step == 261


def test_ones_far_apart_are_two(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = with_spikes(with_spikes(healthy_loss(1000), 300), 900, height=15)
    first, second = judge(make_run(loss), "spike")
    assert (first.step, second.step) == (301, 901)
    assert first.state == "closed"


def test_a_batch_that_is_bad_for_both_components_is_told_of_the_larger(
    make_run: Build, judge: Judge, healthy_loss: Build
) -> None:
    run = make_run(
        with_spikes(healthy_loss(N), 300, height=50), with_spikes(healthy_loss(N, seed=1), 300, height=2)
    )
    assert [alert.component for alert in judge(run, "spike")] == ["a"]


def test_an_early_rise_is_information(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    alerts = judge(make_run(with_spikes(healthy_loss(N), 60, height=20)), "spike")
    assert [alert.severity for alert in alerts] == ["info"]


@pytest.mark.parametrize(("row", "severity"), [(40, "info"), (90, "info"), (100, "warning")])
def test_early_are_the_first_96_steps(
    make_run: Build, judge: Judge, still_loss: Build, row: int, severity: str
) -> None:
    (alert,) = judge(make_run(with_spikes(still_loss(N), row)), "spike")
    assert (alert.step, alert.severity) == (row + 1, severity)


def test_the_first_24_steps_are_not_judged(make_run: Build, judge: Judge, still_loss: Build) -> None:
    assert judge(make_run(with_spikes(still_loss(N), 20)), "spike") == []


def test_a_rise_must_be_large_beside_the_level(make_run: Build, judge: Judge, still_loss: Build) -> None:
    run = make_run(with_spikes(still_loss(N, noise=0.01), 300, height=0.4))
    assert judge(run, "spike") == []
    assert [alert.step for alert in judge(run, rules["spike"].bind(relative_rise=0.2))] == [301]


@pytest.mark.parametrize("seed", range(5))
def test_heavy_tails_are_how_the_data_are(
    make_run: Build, judge: Judge, healthy_loss: Build, seed: int
) -> None:
    tail = np.abs(np.random.default_rng(seed).standard_t(3, 1500))
    found = judge(make_run(healthy_loss(1500) + 0.1 * tail), "spike")
    assert not [alert for alert in found if alert.severity != "info"]


def test_a_restart_of_the_rate_may_raise_the_loss(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = with_spikes(healthy_loss(N), 302, 303)
    rate = np.tile(np.linspace(1e-3, 1e-5, 100), 4)
    assert judge(make_run(loss, lr=rate), "spike") == []
    assert judge(make_run(loss, lr=1e-3), "spike") != []


def test_a_new_level_is_no_spike(make_run: Build, judge: Judge, healthy_loss: Build) -> None:
    loss = healthy_loss(N)
    loss[250:] += 3
    assert judge(make_run(loss), "spike") == []


@pytest.mark.parametrize("kind", ["non_finite", "explosion", "oscillation"])
@pytest.mark.parametrize(("component", "speaks"), [("a", False), ("total", False), ("b", True)])
def test_it_gives_way_to_causes(
    make_run: Build, judge: Judge, healthy_loss: Build, kind: str, component: str, speaks: bool
) -> None:
    run = make_run(with_spikes(healthy_loss(N), 300), healthy_loss(N, seed=1))
    assert bool(judge(run, "spike", before=(kind, component))) == speaks
