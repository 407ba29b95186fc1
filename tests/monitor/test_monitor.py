from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import Alert, CheckpointSaved, Component, EpochRecord, Finished, Note
from neuroprism.monitor import Monitor, StepWindow, read_events, read_run, read_steps
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.histograms import Histograms

COMPONENTS = (
    Component(name="signal", label="Signal", weight=2.0, baseline=1.0),
    Component(name="peak", label="Peak", weight=0.5),
)
GOOD = {"signal": 1.0, "peak": 4.0}


class Kept:
    """Keeps every record."""

    name = "kept"

    def __init__(self) -> None:
        self.records: list[Any] = []

    def open(self, run: Any, folder: Path) -> None:
        self.run = run

    def write(self, record: Any) -> None:
        self.records.append(record)

    def close(self) -> None:
        self.records.append("closed")

    def windows(self) -> list[StepWindow]:
        return [record for record in self.records if isinstance(record, StepWindow)]


def make(folder: Path, kept: Kept, **given: Any) -> Monitor:
    return Monitor(folder, COMPONENTS, **{"sinks": [kept], "flush_seconds": 1e9, **given})


def test_weights_by_name_are_enough(tmp_path: Path) -> None:
    with Monitor(tmp_path, {"mse": 3.0}, sinks=[]) as monitor:
        assert monitor.components == (Component(name="mse", label="mse", weight=3.0),)
        assert monitor.epoch_number == 1


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ({}, "at least one"),
        ({"total": 1.0}, "'total' cannot name"),
        ({"": 1.0}, "cannot name"),
        ({"\ud800": 1.0}, "no file can hold it"),
        ({"mse": math.nan}, "weight of loss component 'mse' is nan"),
        ((COMPONENTS[0], COMPONENTS[0]), "'signal' stands twice"),
    ],
)
def test_impossible_components_are_refused_before_anything_is_written(
    tmp_path: Path, components: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Monitor(tmp_path / "run", components)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [{"log_frequency": 0}, {"flush_seconds": -1.0}])
def test_impossible_intervals_are_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="log_frequency must be at least 1"):
        Monitor(tmp_path, COMPONENTS, **given)


def test_combine_is_the_differentiable_weighted_sum(tmp_path: Path) -> None:
    with make(tmp_path, Kept()) as monitor:
        signal, peak = (torch.tensor(value, requires_grad=True) for value in (3.0, 5.0))
        total = monitor.combine({"peak": peak, "signal": signal})
        total.backward()
        assert (total.item(), signal.grad.item(), peak.grad.item()) == (8.5, 2.0, 0.5)  # type: ignore[union-attr]
        assert monitor.combine({"signal": 1.0, "peak": 2.0}) == 3.0
        with pytest.raises(UnknownNameError, match="did you mean 'signal'"):
            monitor.combine({"signl": signal, "peak": peak})
        with pytest.raises(ValueError, match="losses lack peak"):
            monitor.combine({"signal": signal})


def test_windows_end_at_multiples_of_the_frequency(tmp_path: Path) -> None:
    kept = Kept()
    with make(tmp_path, kept, log_frequency=4) as monitor:
        for _ in range(10):
            monitor.step(GOOD)
    assert [window.step.tolist() for window in kept.windows()] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_windows_end_when_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    kept = Kept()
    with make(tmp_path, kept, flush_seconds=1.0) as monitor:
        for _ in range(9):
            now[0] += 0.3
            monitor.step(GOOD)
    assert [len(window) for window in kept.windows()] == [4, 4, 1]


def test_ticks_come_with_every_step(tmp_path: Path) -> None:
    class Ticking(Kept):
        n = 0

        def tick(self) -> None:
            self.n += 1

    sink = Ticking()
    with make(tmp_path, sink) as monitor:
        for _ in range(5):
            monitor.step(GOOD)
        assert sink.n == 5


def test_an_epoch_holds_weighted_means_and_validation(tmp_path: Path) -> None:
    kept = Kept()
    with make(tmp_path, kept) as monitor:
        monitor.step(GOOD, n_samples=1, lr=0.1, grad_norm=1.0, metrics={"scale": 2.0})
        monitor.step({"signal": 4.0, "peak": 1.0}, n_samples=2, counts={"peak": 0}, lr=0.05, grad_norm=3.0)
        monitor.step({"signal": math.nan, "peak": 1.0}, n_samples=9, skipped=True)
        record = monitor.epoch(
            val={"signal": torch.tensor(0.5), "peak": np.float32(2.0)},
            metrics={"f1": np.float64(0.75)},
            train_metrics={"f1": 0.8},
            best=True,
        )
        assert monitor.epoch_number == 2
        empty = monitor.epoch(lr=torch.tensor(0.25))
    assert [event for event in kept.records if isinstance(event, EpochRecord)] == [record, empty]
    assert record.train == {"total": 8.0, "signal": 3.0, "peak": 4.0}
    assert record.val == {"total": 2.0, "signal": 0.5, "peak": 2.0}
    assert record.val_metrics == {"f1": 0.75}
    assert record.train_metrics == {"scale": 2.0, "f1": 0.8}
    assert (record.epoch, record.step, record.lr, record.grad_norm, record.best) == (1, 3, 0.05, 2.0, True)
    assert record.samples_per_second is not None
    assert (empty.epoch, empty.train, empty.val, empty.lr) == (2, {}, {}, 0.25)
    assert empty.samples_per_second is None


def test_epoch_time_includes_validation_and_the_rate_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with make(tmp_path, Kept()) as monitor:
        for _ in range(2):
            for _ in range(4):
                now[0] += 0.5
                monitor.step(GOOD, n_samples=10)
            now[0] += 6.0
            record = monitor.epoch()
            assert (record.seconds, record.samples_per_second) == (8.0, 20.0)


def test_misuse_of_an_epoch_leaves_it_open(tmp_path: Path) -> None:
    with make(tmp_path, Kept()) as monitor:
        monitor.step(GOOD)
        with pytest.raises(UnknownNameError, match="'peek'; did you mean 'peak'"):
            monitor.epoch(val={"peek": 1.0})
        with pytest.raises(ValueError, match="leave 'total' out"):
            monitor.epoch(val={"total": 1.0, **GOOD})
        with pytest.raises(ValueError, match="metric 'f1'"):
            monitor.epoch(metrics={"f1": np.zeros(3)})
        assert monitor.epoch_number == 1
        assert monitor.epoch().train["signal"] == 1.0


def test_every_kind_of_event_arrives_in_order(tmp_path: Path) -> None:
    kept = Kept()
    with make(tmp_path, kept) as monitor:
        monitor.step(GOOD)
        monitor.note("masked 3 peaks", severity="warning")
        monitor.checkpoint(tmp_path / "checkpoints" / "last.pt", reason="interrupted")
        monitor.epoch()
        monitor.checkpoint(tmp_path / "checkpoints" / "best.pt", reason="best")
        monitor.histograms(weights={}, gradients={})
        test = monitor.test(
            losses=GOOD, metrics={"f1": 0.5}, confusion_matrix=np.array([[1, 2], [3, 4]]), best_epoch=1
        )
    names = [type(record).__name__ for record in kept.records]
    assert names == [
        "Started", "StepWindow", "Note", "CheckpointSaved", "EpochRecord", "CheckpointSaved",
        "Histograms", "TestRecord", "Finished", "str",
    ]  # fmt: skip
    first, second = (record for record in kept.records if isinstance(record, CheckpointSaved))
    assert (first.path, first.step, first.epoch) == ("checkpoints/last.pt", 1, 1)
    assert (second.path, second.epoch) == ("checkpoints/best.pt", 1)
    assert test.losses == {"total": 4.0, **GOOD}
    assert test.confusion_matrix == [[1, 2], [3, 4]]
    histograms = kept.records[6]
    assert isinstance(histograms, Histograms)
    assert (histograms.step, kept.records[2].severity) == (1, "warning")


def test_an_alert_reaches_sinks_list_and_listener_and_asks_to_stop(tmp_path: Path) -> None:
    kept, heard = Kept(), []
    with make(tmp_path, kept, log_frequency=2, on_alert=heard.append) as monitor:
        monitor.step(GOOD)
        monitor.step({"signal": math.nan, "peak": math.inf})
        assert [alert.component for alert in monitor.alerts] == ["signal", "peak"]
        assert monitor.stop_requested is monitor.alerts[0]
        monitor.step(GOOD)
    assert heard == monitor.alerts
    assert [record for record in kept.records if isinstance(record, Alert)] == monitor.alerts
    # The window comes before the alerts about it.
    assert isinstance(kept.records[1], StepWindow)


def test_own_rules_and_own_sinks_by_hand(tmp_path: Path) -> None:
    def spoken(history: Any) -> list[Alert]:
        return [] if history.epoch is None else [Alert(rule="r", kind="k", severity="info", message="m")]

    kept = Kept()
    with make(tmp_path, kept, rules=[spoken]) as monitor:
        monitor.step({"signal": math.nan, "peak": 1.0})
        assert monitor.alerts == []
        monitor.epoch()
        assert [alert.message for alert in monitor.alerts] == ["m"]
        assert monitor.stop_requested is None


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, "finished", None),
        (ValueError("bad\nshape"), "failed", "ValueError: bad shape"),
        (KeyboardInterrupt(), "interrupted", "stopped by Ctrl-C"),
    ],
)
def test_the_end_is_recorded(
    tmp_path: Path, error: BaseException | None, status: str, message: str | None
) -> None:
    try:
        with Monitor(tmp_path, COMPONENTS, sinks=file_sinks()) as monitor:
            monitor.step(GOOD)
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert len(read_steps(tmp_path)["step"]) == 1
    last = read_events(tmp_path)[-1]
    assert isinstance(last, Finished)
    assert (last.status, last.message) == (status, message)
    assert read_run(tmp_path).status == status


def test_after_the_end_nothing_can_be_added(tmp_path: Path) -> None:
    kept = Kept()
    monitor = make(tmp_path, kept)
    monitor.close("finished")
    monitor.close("failed")
    with pytest.raises(RuntimeError, match="the monitor is closed"):
        monitor.step(GOOD)
    with pytest.raises(RuntimeError, match="the monitor is closed"):
        monitor.epoch()
    assert [record.status for record in kept.records if isinstance(record, Finished)] == ["finished"]


def test_the_files_of_a_run_agree(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "first"
    with Monitor(
        folder, COMPONENTS, sinks=file_sinks(), task="abr", seed=7, n_epochs=2, config={"a": {"b": 2e-4}}
    ) as monitor:
        for _ in range(2):
            for _ in range(3):
                monitor.step(GOOD, lr=1e-3)
            monitor.epoch(val=GOOD, metrics={"f1": 0.5})
    run = read_run(folder)
    assert (run.name, run.task, run.seed, run.n_epochs, run.status) == ("first", "abr", 7, 2, "finished")
    assert len(run.config_hash) == 64
    assert (folder / "config.yaml").read_text() == "a: {b: 0.0002}\n"
    epochs = [event for event in read_events(folder) if isinstance(event, EpochRecord)]
    log = json.loads((folder / "training_log.json").read_text())
    assert log["train_loss"] == [epoch.train["total"] for epoch in epochs] == [4.0, 4.0]
    assert log["val/signal"] == [1.0, 1.0]
    assert read_steps(folder)["loss/total"].tolist() == [4.0] * 6


def test_a_note_flushes_the_steps_before_it(tmp_path: Path) -> None:
    kept = Kept()
    with make(tmp_path, kept) as monitor:
        monitor.step(GOOD)
        monitor.note("half way")
        assert [type(record).__name__ for record in kept.records] == ["Started", "StepWindow", "Note"]
        assert isinstance(kept.records[-1], Note)
