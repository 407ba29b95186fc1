from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from neuroprism.core.records import EpochRecord, Note, RunRecord, TestRecord
from neuroprism.monitor.sinks import EventsFile, TrainingLog
from neuroprism.monitor.sinks.training_log import DOCUMENTED_METRICS, training_log

DOCUMENTED = [
    "train_loss",
    "val_acc",
    "val_kappa",
    "val_f1",
    "val_pr_auc",
    "val_roc_auc",
    "val_corrcoef",
    "val_r2",
    "val_rmse",
    "learning_rate",
    "epoch_time",
    "test_results",
]
RUN = RunRecord(id="a", name="n", task="", components=())


def epoch(number: int, **given: Any) -> EpochRecord:
    values: dict[str, Any] = {"train": {"total": 1.5, "mse": 1.5}, "lr": 1e-3, "seconds": 90.0, **given}
    return EpochRecord(epoch=number, step=number * 10, **values)


def read(folder: Path) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"not strict JSON: {name}")

    return json.loads((folder / "training_log.json").read_text(), parse_constant=refuse)


def test_the_documented_layout_comes_first_and_unused_lists_are_empty() -> None:
    log = training_log([epoch(1, val_metrics={"balanced_accuracy": 0.5, "kappa": 0.1, "f1": 0.4})])
    assert list(log)[:12] == DOCUMENTED
    assert log["train_loss"] == [1.5]
    assert (log["val_acc"], log["val_kappa"], log["val_f1"]) == ([0.5], [0.1], [0.4])
    assert [log[key] for key in DOCUMENTED[4:9]] == [[]] * 5
    assert log["learning_rate"] == [1e-3]
    assert log["epoch_time"] == [1.5]
    assert log["test_results"] == {}
    assert log["train/mse"] == [1.5]


def test_every_documented_metric_has_its_list() -> None:
    metrics = {name: float(k) for k, name in enumerate(DOCUMENTED_METRICS)}
    log = training_log([epoch(1, val_metrics=metrics)])
    assert {key: log[key] for key in DOCUMENTED[1:9]} == {
        key: [float(k)] for k, key in enumerate(DOCUMENTED[1:9])
    }
    assert not [key for key in log if key.startswith("val/")]


def test_lists_stay_aligned_by_epoch() -> None:
    log = training_log(
        [
            epoch(1),
            epoch(2, val={"total": 3.0, "mse": 3.0}, val_metrics={"kappa": 0.2, "mae_ms": 0.1}),
            epoch(3, train={"total": 1.0, "mse": 1.0, "rare": 2.0}, train_metrics={"f1": 0.3}, lr=None),
        ]
    )
    assert log["val_kappa"] == [None, 0.2, None]
    assert log["val/mse"] == [None, 3.0, None]
    assert log["val/mae_ms"] == [None, 0.1, None]
    assert log["train/rare"] == [None, None, 2.0]
    assert log["train/f1"] == [None, None, 0.3]
    assert log["learning_rate"] == [1e-3, 1e-3, None]


def test_a_component_with_the_name_of_a_metric_keeps_its_series() -> None:
    log = training_log([epoch(1, val={"total": 0.7, "rmse": 0.7}, val_metrics={"rmse": 0.9})])
    assert log["val_rmse"] == [0.9]
    assert log["val/rmse"] == [0.7]


def test_test_results_use_the_earlier_names() -> None:
    test = TestRecord(
        best_epoch=3,
        losses={"total": 1.0},
        metrics={"balanced_accuracy": 0.6, "kappa": 0.4, "f1": 0.5},
        confusion_matrix=[[2, 1], [0, 3]],
    )
    assert training_log([], test)["test_results"] == {
        "acc": 0.6,
        "kappa": 0.4,
        "f1": 0.5,
        "confusion_matrix": [[2, 1], [0, 3]],
        "best_epoch": 3,
        "test/total": 1.0,
    }


def test_the_file_is_complete_after_every_epoch(tmp_path: Path) -> None:
    sink = TrainingLog()
    sink.open(RUN, tmp_path)
    assert read(tmp_path)["train_loss"] == []
    for number in (1, 2):
        sink.write(epoch(number, val={"total": math.inf, "mse": math.nan}))
        sink.write(Note(message="no epoch"))
        assert read(tmp_path)["val/mse"] == [None] * number
    text = (tmp_path / "training_log.json").read_text()
    assert text.startswith('{\n  "train_loss": [\n    1.5,')
    assert [path.name for path in tmp_path.iterdir()] == ["training_log.json"]


def test_it_is_rebuilt_from_the_events_of_the_folder(tmp_path: Path) -> None:
    events = EventsFile()
    events.open(RUN, tmp_path)
    for record in (epoch(1), epoch(2, val={"total": math.nan}), TestRecord(metrics={"f1": 0.5})):
        events.write(record)
    events.close()
    (tmp_path / "training_log.json").write_text('{"train_loss": [1, 2, 3, 4]}')
    sink = TrainingLog()
    sink.open(RUN, tmp_path)
    log = read(tmp_path)
    assert log["train_loss"] == [1.5, 1.5]
    assert log["val/total"] == [None, None]
    assert log["test_results"] == {"f1": 0.5}
