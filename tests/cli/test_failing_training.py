"""Training that runs into NaN: exit code 1, the component and the step named, the checkpoint kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neuroprism.train import load_checkpoint


def test_non_finite_loss_stops_training(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train("--epochs", "1") == 0
    checkpoints = program.run_folder() / "checkpoints"
    before = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    capsys.readouterr()
    assert program.train("--resume", "--epochs", "3", "--learning_rate", "1e30") == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    last = shown.err.splitlines()[-1]
    assert last.startswith("neuroprism: ")
    assert "signal is NaN" in last
    alerts = program.events("alert")
    step = alerts[0]["step"]
    assert f"step {step}" in last
    assert {"signal", "classification", "threshold"} <= {alert["component"] for alert in alerts}
    assert all((alert["rule"], alert["severity"]) == ("non_finite", "critical") for alert in alerts)
    assert program.rows()[-1]["step"] == step
    card = json.loads((program.run_folder() / "run.json").read_text())
    assert card["status"] == "failed"
    assert {path.name: path.read_bytes() for path in checkpoints.iterdir()} == before


def test_failed_run_goes_on_with_a_lower_rate(program: Any) -> None:
    assert program.train("--epochs", "1") == 0
    assert program.train("--resume", "--epochs", "2", "--learning_rate", "1e30") == 1
    assert program.train("--resume", "--epochs", "2") == 0
    rows = program.rows()
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert load_checkpoint(program.run_folder()).step == 6


def test_skip_goes_on(program: Any) -> None:
    code = program.train("--epochs", "2", "--learning_rate", "1e30", training__on_non_finite="skip")
    assert code == 0
    alerts = program.events("alert")
    assert alerts
    assert not any(alert.get("stop") for alert in alerts)
    assert len(program.events("epoch")) == 2
    skipped = [row["step"] for row in program.rows() if row.get("skipped")]
    assert len(skipped) >= 4
    # What goes on is told once, not at every step.
    told = [alert for alert in alerts if not alert.get("told")]
    assert {alert["step"] for alert in told} == {skipped[0]}
    assert len(told) == len({alert.get("component") for alert in told})
