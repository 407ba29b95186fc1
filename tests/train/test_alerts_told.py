"""Training with somebody to tell of alerts equals training with nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor import History
from neuroprism.monitor.sinks.on_alert import OnAlert


def talkative(history: History) -> Iterator[Alert]:
    """Raise an alert of its own at every step."""
    if history.window is not None:
        for step in history.window.step.tolist():
            yield Alert(rule="talkative", kind=f"kind_{step}", severity="critical", message="m")


def test_a_hanging_program_and_a_dead_address_change_nothing(
    make_run: Any, open_monitor: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
    runs = []
    for name, told in (("told", True), ("silent", False)):
        sinks = [OnAlert(["sleep", "600"], address, timeout_seconds=0.5)] if told else []
        training = toy.config()
        monitor = open_monitor(training, name, sinks=sinks, rules=[talkative], flush_seconds=0)
        run = make_run(training, monitor=monitor, name=name)
        result = run.fit()
        assert result.n_steps == len(monitor.alerts) == 12
        monitor.close()
        runs.append(run)
    one, other = runs
    assert toy.same_weights(one.task.model, other.task.model)
