"""Training through and into non-finite values: stop, skip, and alerts that ask to stop."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from neuroprism.core.errors import TrainingError
from neuroprism.core.records import Alert
from neuroprism.train import load_checkpoint, state


def poison(batch_number: int) -> Any:
    """Make the input of one batch NaN."""
    seen = iter(range(10**6))

    def act(batch: dict[str, Tensor]) -> None:
        if next(seen) == batch_number:
            batch["x"] = batch["x"] * math.nan

    return act


def test_stop_ends_training_before_the_step(make_run: Any, open_monitor: Any, toy: Any) -> None:
    training = toy.config(on_non_finite="stop")
    run = make_run(training, monitor=open_monitor(training, "run"))
    run.task.before_loss = poison(8)
    with pytest.raises(TrainingError, match=r"component number is NaN, kind is NaN at step 9"):
        run.fit()
    last = load_checkpoint(run.folder)
    assert (last.epoch, last.step) == (1, 6)
    assert all(torch.isfinite(value).all() for value in run.task.model.state_dict().values())
    assert [alert.component for alert in run.monitor.alerts] == ["number", "kind"]
    assert {alert.step for alert in run.monitor.alerts} == {9}
    rows = (run.folder / "steps.jsonl").read_text().splitlines()
    assert len(rows) == 9
    assert '"loss/number":"NaN"' in rows[-1]
    assert {(alert.kind, alert.severity) for alert in run.monitor.alerts} == {("non_finite", "critical")}
    assert '"status": "failed"' in (run.folder / "run.json").read_text()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_skip_leaves_out_the_step_and_goes_on(make_run: Any, toy: Any, batch_norm: bool) -> None:
    run = make_run(toy.config(on_non_finite="skip"), task=toy.Task(batch_norm=batch_norm))
    run.task.before_loss = poison(3)
    result = run.fit()
    assert result.n_steps == 12
    assert [n for n, step in enumerate(run.monitor.steps) if step["skipped"]] == [3]
    assert all(torch.isfinite(value).all() for value in run.task.model.state_dict().values())
    assert all(math.isfinite(value) for value in run.monitor.epochs[-1]["val"].values())


def test_flag_on_the_device_gives_the_same_weights(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    immediate = make_run(toy.config(on_non_finite="skip", ema_decay=None), task=toy.Task(batch_norm=True))
    immediate.task.before_loss = poison(3)
    immediate.fit()
    plain = state.NonFiniteGuard
    monkeypatch.setattr(state, "NonFiniteGuard", lambda *a, **k: plain(*a, **k, deferred=True))
    deferred = make_run(toy.config(on_non_finite="skip", ema_decay=0.5), task=toy.Task(batch_norm=True))
    deferred.task.before_loss = poison(3)
    deferred.fit()
    assert toy.same_weights(immediate.task.model, deferred.task.model)
    assert [s["skipped"] for s in deferred.monitor.steps] == [s["skipped"] for s in immediate.monitor.steps]
    stopped = make_run(toy.config(log_frequency=100))
    stopped.task.before_loss = poison(3)
    with pytest.raises(TrainingError, match="at step 4;"):
        stopped.fit()
    assert stopped.monitor.n_steps == 4
    assert stopped.monitor.closed[0] == "failed"


def test_alert_that_asks_to_stop_is_obeyed(make_run: Any) -> None:
    run = make_run()
    alert = Alert(rule="r", kind="k", severity="critical", message="diverged", stop=True)
    run.task.before_evaluation = lambda: setattr(run.monitor, "stop_requested", alert)
    with pytest.raises(TrainingError, match="stopped by an alert: diverged"):
        run.fit()
    assert len(run.monitor.epochs) == 1
    assert run.monitor.closed[0] == "failed"
