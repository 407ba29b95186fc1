"""What is said of a run afterwards is what was said of it while it ran."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism import diagnose, load_run
from neuroprism.core.errors import NeuroprismError
from neuroprism.core.records import Alert, Component
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.resume import ResumePoint

COMPONENTS = (
    Component(name="signal", label="Signal", baseline=1.0),
    Component(name="peak", label="Peak", weight=0.5, baseline=0.7),
)
N_STEPS, STEPS_PER_EPOCH = 900, 150


def losses_of_a_faulty_run() -> list[dict[str, float]]:
    """Two losses with noise; NaN now and then, a spike, one component that never improves."""
    rng = np.random.default_rng(7)
    steps = np.arange(N_STEPS)
    signal = (0.2 + np.exp(-steps / 150)) * rng.lognormal(0, 0.05, N_STEPS)
    peak = 0.7 * rng.lognormal(0, 0.05, N_STEPS)
    signal[[120, 121, 700]] = np.nan
    signal[430] *= 60
    return [{"signal": float(s), "peak": float(p)} for s, p in zip(signal, peak, strict=True)]


def train(monitor: Monitor, first: int, last: int) -> None:
    losses = losses_of_a_faulty_run()
    for step in range(first, last):
        monitor.step(losses[step], lr=1e-3, grad_norm=1.0 + losses[step]["peak"])
        if step % 200 == 199:
            monitor.gradients(norms={"signal": 1.0, "peak": 30.0})
        if step % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1:
            rise = 0.3 + 0.1 * step / STEPS_PER_EPOCH
            monitor.epoch(val={"signal": rise, "peak": 0.7})


def seen(alerts: Iterable[Alert]) -> list[tuple[Any, ...]]:
    """Return what must agree of alerts."""
    places = ("kind", "step", "severity", "first_seen", "last_seen", "count", "state", "message")
    once = {id(alert): alert for alert in alerts}.values()
    return sorted((a.component or "", *(getattr(a, place) for place in places)) for a in once)


def monitor_of(folder: Path, *, flush: int, **settings: Any) -> Monitor:
    sinks = file_sinks()
    return Monitor(folder, COMPONENTS, sinks=sinks, log_frequency=flush, flush_seconds=1e9, **settings)


@pytest.mark.parametrize("flush", [1, 7, 37, 100, 5000])
def test_live_and_afterwards_agree(tmp_path: Path, flush: int) -> None:
    with monitor_of(tmp_path / "run", flush=flush) as monitor:
        train(monitor, 0, N_STEPS)
    found = diagnose(tmp_path / "run")
    assert seen(found.alerts) == seen(monitor.alerts)
    assert {"non_finite", "spike"} <= {alert.kind for alert in found.alerts}
    assert (found.run, found.status, found.n_steps, found.n_epochs) == ("run", "finished", N_STEPS, 6)
    assert not found.healthy


def test_a_resumed_run_agrees(tmp_path: Path) -> None:
    with monitor_of(tmp_path / "run", flush=23) as monitor:
        train(monitor, 0, 400)
        state = json.loads(json.dumps(monitor.state_dict()))
        train(monitor, 400, 530)
        monitor.close("interrupted")
    resume = ResumePoint.from_state(state)
    with monitor_of(tmp_path / "run", flush=61, resume=resume) as resumed:
        train(resumed, 400, N_STEPS)
    with monitor_of(tmp_path / "whole", flush=100) as whole:
        train(whole, 0, N_STEPS)
    found = seen(diagnose(tmp_path / "run").alerts)
    assert found == seen(whole.alerts)
    assert found == seen(load_run(tmp_path / "run").alert_records)


@pytest.mark.parametrize("flush", [1, 64, 100])
def test_agreement_does_not_need_epochs(tmp_path: Path, flush: int) -> None:
    with monitor_of(tmp_path / "run", flush=flush) as monitor:
        for step in range(2500):
            value = float("nan") if step in (120, 1700, 1990) else 1.0 + 0.01 * (step % 7)
            monitor.step({"signal": value, "peak": 1.0 / (1 + step / 500)}, lr=1e-3)
    assert seen(diagnose(tmp_path / "run").alerts) == seen(monitor.alerts)


@pytest.mark.parametrize("status", ["interrupted", "failed", "finished"])
def test_the_end_counts_as_it_did(tmp_path: Path, status: Any) -> None:
    monitor = monitor_of(tmp_path / "run", flush=10)
    train(monitor, 0, 433)
    monitor.close(status)
    found = diagnose(tmp_path / "run")
    assert found.status == status
    assert seen(found.alerts) == seen(monitor.alerts)


def test_a_running_run_can_be_judged(tmp_path: Path) -> None:
    monitor = monitor_of(tmp_path / "run", flush=10)
    train(monitor, 0, 300)
    found = diagnose(tmp_path / "run")
    assert (found.status, found.n_steps) == ("running", 300)
    assert seen(found.alerts) == seen(monitor.alerts)
    monitor.close()


def test_the_settings_of_the_run_hold(tmp_path: Path) -> None:
    from neuroprism.monitor.build import default_rules
    from neuroprism.monitor.config import MonitoringConfig, build_rules

    monitoring = {"rules": {"non_finite": {"severity": "info"}, "spike": {"enabled": False}}}
    rules = build_rules(MonitoringConfig.model_validate(monitoring))
    with monitor_of(tmp_path / "run", flush=50, rules=rules, config={"monitoring": monitoring}) as monitor:
        train(monitor, 0, N_STEPS)
    found = diagnose(tmp_path / "run")
    assert seen(found.alerts) == seen(monitor.alerts)
    assert {alert.severity for alert in found.alerts if alert.kind == "non_finite"} == {"info"}
    assert "spike" not in {alert.kind for alert in found.alerts}
    assert "spike" in {a.kind for a in diagnose(tmp_path / "run", rules=default_rules()).alerts}


def test_settings_that_cannot_be_used_are_noted(tmp_path: Path) -> None:
    config = {"monitoring": {"rules": {"fantasy": {"enabled": False}}}}
    with monitor_of(tmp_path / "run", flush=50, config=config) as monitor:
        train(monitor, 0, 300)
    assert any("monitoring.rules.fantasy" in note for note in diagnose(tmp_path / "run").notes)


class Broken:
    """A sink that fails when the first alert comes."""

    name = "broken"

    def open(self, run: Any, folder: Path) -> None: ...

    def write(self, record: Any) -> None:
        if isinstance(record, Alert):
            raise OSError("no space left")

    def close(self) -> None: ...


def test_what_only_the_process_saw_is_taken_over(tmp_path: Path) -> None:
    sinks = [*file_sinks(), Broken()]
    with Monitor(tmp_path / "run", COMPONENTS, sinks=sinks, flush_seconds=1e9) as monitor:
        train(monitor, 0, 300)
    found = [alert for alert in diagnose(tmp_path / "run").alerts if alert.kind == "sink_failed"]
    assert [alert.message for alert in found] == [
        a.message for a in monitor.alerts if a.kind == "sink_failed"
    ]
    assert len(found) == 1


def test_a_rule_that_fails_is_told_once(tmp_path: Path) -> None:
    def fragile(history: Any) -> list[Alert]:
        raise ValueError("too much")

    with monitor_of(tmp_path / "run", flush=50, rules=[fragile]) as monitor:
        train(monitor, 0, 100)
    assert [a.kind for a in diagnose(tmp_path / "run").alerts].count("rule_failed") == 1
    assert [a.kind for a in diagnose(tmp_path / "run", rules=[fragile]).alerts] == ["rule_failed"]


def test_every_alert_is_shown_once(tmp_path: Path) -> None:
    from neuroprism.runs.summary import run_summary

    with monitor_of(tmp_path / "run", flush=50) as monitor:
        train(monitor, 0, N_STEPS)
    run = load_run(tmp_path / "run")
    records = [event for event in run.events if isinstance(event, Alert)]
    assert len(records) > len(monitor.alerts) == len(run.alerts)
    assert set(run.alerts["state"]) == {alert.state for alert in monitor.alerts}
    assert f"Alerts: {len(monitor.alerts)} (" in run_summary(run)


def test_the_worst_comes_first(tmp_path: Path) -> None:
    with monitor_of(tmp_path / "run", flush=50) as monitor:
        train(monitor, 0, N_STEPS)
    ranks = [("critical", "warning", "info").index(a.severity) for a in diagnose(tmp_path / "run").alerts]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1


def test_a_run_without_steps(tmp_path: Path) -> None:
    with monitor_of(tmp_path / "run", flush=50):
        pass
    found = diagnose(tmp_path / "run")
    assert (found.healthy, found.n_steps, found.n_epochs) == (True, 0, 0)


def test_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(NeuroprismError, match="no run or log"):
        diagnose(tmp_path / "nowhere")
