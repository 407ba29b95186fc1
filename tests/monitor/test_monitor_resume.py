from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import EpochRecord, Note, Resumed
from neuroprism.monitor import Monitor, ResumePoint, read_events, read_run, read_steps
from neuroprism.monitor.build import file_sinks

WEIGHTS = {"signal": 2.0, "peak": 0.5}
PER_EPOCH = 7


def train(monitor: Monitor, *, last: int) -> None:
    """Take the steps up to `last`; each has its own numbers."""
    while monitor.n_steps < last:
        step = monitor.n_steps + 1
        monitor.step({"signal": 1 / step, "peak": step / 3}, n_samples=1 + step % 4, lr=0.1 / step)
        if step % PER_EPOCH == 0:
            monitor.epoch(val={"signal": 1 / step, "peak": 0.0}, metrics={"f1": step / 100})


def start(folder: Path, **given: Any) -> Monitor:
    return Monitor(folder, WEIGHTS, sinks=file_sinks(), **{"log_frequency": 5, **given})


def means(folder: Path) -> list[dict[str, float]]:
    return [event.train for event in read_events(folder) if isinstance(event, EpochRecord)]


@pytest.mark.parametrize("checkpoint", [0, 3, 7, 10, 14, 20])
@pytest.mark.parametrize("killed", [20, 24])
def test_an_interrupted_run_has_the_record_of_an_uninterrupted_one(
    tmp_path: Path, checkpoint: int, killed: int
) -> None:
    with start(tmp_path / "whole", log_frequency=3) as monitor:
        train(monitor, last=28)
    monitor = start(tmp_path / "resumed")
    train(monitor, last=checkpoint)
    # Checkpoints hold plain numbers, lists and dicts.
    state = json.loads(json.dumps(monitor.state_dict()))
    train(monitor, last=killed)
    monitor.close("interrupted")
    with start(tmp_path / "resumed", resume=ResumePoint.from_state(state)) as monitor:
        assert monitor.n_steps == checkpoint
        assert monitor.epoch_number == 1 + checkpoint // PER_EPOCH
        train(monitor, last=28)
    whole, resumed = read_steps(tmp_path / "whole"), read_steps(tmp_path / "resumed")
    assert whole.keys() == resumed.keys()
    for name, column in whole.items():
        np.testing.assert_array_equal(resumed[name], column)
    assert means(tmp_path / "resumed") == means(tmp_path / "whole")
    logs = [json.loads((tmp_path / name / "training_log.json").read_text()) for name in ("whole", "resumed")]
    for log in logs:
        log.pop("epoch_time")
    assert logs[0] == logs[1]


def test_three_kills_leave_one_row_per_step_and_everything_else_aside(tmp_path: Path) -> None:
    monitor = start(tmp_path)
    train(monitor, last=10)
    state = monitor.state_dict()
    written = 0
    for _ in range(3):
        train(monitor, last=16)
        monitor.close("interrupted")
        written += 6
        monitor = start(tmp_path, resume=ResumePoint.from_state(state))
    train(monitor, last=21)
    monitor.close()
    assert read_steps(tmp_path)["step"].tolist() == list(range(1, 22))
    assert len((tmp_path / "steps.superseded.jsonl").read_text().splitlines()) == written
    run = read_run(tmp_path)
    assert len(run.attempts) == 4
    assert run.attempts[0] == run.started
    resumed = [event for event in read_events(tmp_path) if isinstance(event, Resumed)]
    assert [(event.step, event.epoch, event.superseded_steps) for event in resumed] == [(10, 2, 6)] * 3


def test_the_identifier_stays_and_the_attempt_is_new(tmp_path: Path) -> None:
    with start(tmp_path) as monitor:
        train(monitor, last=7)
        state = monitor.state_dict()
    before = read_run(tmp_path)
    with start(tmp_path, resume=ResumePoint.from_state(state)):
        running = read_run(tmp_path)
    assert running.id == before.id
    assert running.started == before.started
    assert (running.status, running.ended) == ("running", None)
    assert len(running.attempts) == 2


def test_another_configuration_is_noted_and_the_earlier_one_kept(tmp_path: Path) -> None:
    with start(tmp_path, config={"training": {"epochs": 2, "lr": 0.1}}) as monitor:
        state = monitor.state_dict()
    with start(tmp_path, config={"training": {"epochs": 4, "lr": 0.1}}, resume=ResumePoint.from_state(state)):
        pass
    notes = [event for event in read_events(tmp_path) if isinstance(event, Note)]
    assert [(note.severity, note.message) for note in notes] == [
        ("warning", "configuration differs from the attempt before: training.epochs 2 -> 4")
    ]
    assert (tmp_path / "config.attempt1.yaml").read_text() == "training: {epochs: 2, lr: 0.1}\n"
    assert "epochs: 4" in (tmp_path / "config.yaml").read_text()


def test_the_same_configuration_is_not_noted(tmp_path: Path) -> None:
    config = {"training": {"epochs": 2}, "names": ["a", "b"]}
    with start(tmp_path, config=config) as monitor:
        state = monitor.state_dict()
    with start(tmp_path, config=config, resume=ResumePoint.from_state(state)):
        pass
    assert not any(isinstance(event, Note) for event in read_events(tmp_path))
    assert not (tmp_path / "config.attempt1.yaml").exists()


def test_steps_that_the_record_lacks_are_reported(tmp_path: Path) -> None:
    with start(tmp_path) as monitor:
        train(monitor, last=5)
    with start(tmp_path, resume=ResumePoint(step=9, epoch=0)) as monitor:
        assert monitor.n_steps == 9
    notes = [event.message for event in read_events(tmp_path) if isinstance(event, Note)]
    assert notes == ["the record lacks the last 4 steps before the checkpoint"]


def test_time_spent_before_the_interruption_counts(tmp_path: Path) -> None:
    monitor = start(tmp_path)
    train(monitor, last=3)
    state = monitor.state_dict()
    monitor.close("interrupted")
    assert 0 < state["epoch_seconds"] < 60
    state["epoch_seconds"] = 1000.0
    with start(tmp_path, resume=ResumePoint.from_state(state)) as monitor:
        assert monitor.epoch().seconds == pytest.approx(1000.0, abs=60)
        assert math.isfinite(monitor.epoch().seconds)
