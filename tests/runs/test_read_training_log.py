from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.runs import TrainingHistory, read_history, read_training_log

Write = Callable[..., Path]
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


def test_a_complete_log_is_the_dict_that_users_know(published_log: dict[str, Any], write_log: Write) -> None:
    history = read_training_log(write_log(published_log))
    assert dict(history) == published_log
    assert list(history)[:12] == DOCUMENTED
    assert history["val_acc"][38] == 0.54151
    assert history.notes == ()
    assert (history.n_epochs, history.task, history.criterion) == (50, "multiclass", "val_kappa")
    assert (history.best_epoch, history.best_of("val_f1"), history.best_of("val_kappa")) == (39, 43, 39)
    assert history.confusion_matrix is not None
    assert history.confusion_matrix.sum() == 1758
    assert "best epoch 39" in repr(history)
    assert history.title == "physio_models_test"


def test_facts_of_the_published_run(published_log: dict[str, Any]) -> None:
    rates = {1: 9.990e-5, 5: 9.758e-5, 10: 9.055e-5, 20: 6.580e-5, 30: 3.520e-5, 40: 1.045e-5, 50: 1e-6}
    for epoch, rate in rates.items():
        assert published_log["learning_rate"][epoch - 1] == pytest.approx(rate, rel=1e-3)
    minutes = published_log["epoch_time"]
    assert minutes[0] == 0.97
    assert all(0.61 <= value <= 0.64 for value in minutes[1:])
    assert sum(minutes) == pytest.approx(31.33)
    improved, best = [], -math.inf
    for epoch, kappa in enumerate(published_log["val_kappa"], start=1):
        if kappa > best:
            improved, best = [*improved, epoch], kappa
    assert improved == [1, 8, 9, 14, 20, 39]


def test_missing_keys_empty_and_shorter_lists_are_said(write_log: Write) -> None:
    path = write_log({"train_loss": [1.0, 0.5, 0.4], "val_acc": [0.3, None], "val_kappa": [0.1, 0.2, 0.3]})
    history = read_training_log(path)
    np.testing.assert_array_equal(history.column("val_acc"), [0.3, math.nan, math.nan])
    assert history["val_acc"] == [0.3, None]
    assert history["val_roc_auc"] == []
    assert history["test_results"] == {}
    assert "val_f1" in history.notes[0]
    assert history.notes[0].startswith("missing: ")
    assert "val_acc has 2 of 3 entries" in history.notes
    assert "val_acc has no value in epoch 2" in history.notes
    assert history.best_epoch == 3


def test_empty_lists_that_belong_to_the_task_are_said(
    published_log: dict[str, Any], write_log: Write
) -> None:
    history = read_training_log(write_log(published_log | {"val_f1": [], "epoch_time": []}))
    assert history.notes == ("empty: epoch_time, val_f1",)


def test_bare_nan_and_null_are_read(write_log: Write) -> None:
    history = read_training_log(write_log({"train_loss": [math.nan, math.inf, None, 0.5], "val_acc": None}))
    np.testing.assert_array_equal(history.column("train_loss"), [math.nan, math.inf, math.nan, 0.5])
    assert history.best_of("train_loss") == 4
    assert history["val_acc"] == []
    assert not history.has("val_acc")


def test_a_list_of_nothing_but_null_is_one_note(write_log: Write) -> None:
    history = read_training_log(write_log({"train_loss": [1.0] * 9, "learning_rate": [None] * 9}))
    assert "learning_rate has no value in any epoch" in history.notes


@pytest.mark.parametrize(
    ("lists", "task", "criterion"),
    [
        ({"val_roc_auc": [0.5], "val_acc": [0.5]}, "binary", "val_roc_auc"),
        ({"val_r2": [-0.5, -0.1], "val_rmse": [0.3, 0.2]}, "regression", "val_r2"),
        ({"val_kappa": [-0.1, -0.2]}, "multiclass", "val_kappa"),
        ({"val_acc": [0.5]}, None, "val_acc"),
        ({"train_loss": [0.5]}, None, None),
    ],
)
def test_task_and_selection_follow_from_the_lists(
    lists: dict[str, Any], task: str | None, criterion: str | None, write_log: Write
) -> None:
    history = read_training_log(write_log(lists))
    assert (history.task, history.criterion) == (task, criterion)


def test_negative_values_are_selected_and_ties_keep_the_first(write_log: Write) -> None:
    history = read_training_log(write_log({"val_r2": [-3.0, -0.2, -0.2, None], "val_rmse": [3, 1, 1, 2]}))
    assert (history.best_epoch, history.best_of("val_rmse")) == (2, 2)


def test_the_recorded_epoch_counts_even_where_it_cannot_be(write_log: Write) -> None:
    history = read_training_log(write_log({"val_kappa": [0.1, 0.5], "test_results": {"best_epoch": 9}}))
    assert history.best_epoch == 9
    assert "best epoch 9 lies beyond the 2 epochs of the lists" in history.notes


BAD = {
    "text": (b"Epoch 1 : no JSON", "is not JSON: Expecting value in line 1"),
    "torn": (b'{"train_loss": [1.0,', "is not JSON"),
    "empty": (b"", "is not JSON"),
    "binary": (b"\x80\x02\xff", "not a text file"),
    "a list": (b"[1, 2]", "no training log"),
    "another file": (b'{"name": "x"}', "none of train_loss"),
    "text in a list": (b'{"val_acc": [0.5, "high"]}', "'val_acc', entry 2: \"high\" is not a number"),
    "truth in a list": (b'{"val_acc": [true]}', "entry 1: true"),
    "no list": (b'{"val_acc": 0.5}', "'val_acc' is not a list"),
    "huge": (b'{"val_acc": [1' + b"0" * 400 + b"]}", "is not a number"),
    "huger": (b'{"val_acc": [1' + b"0" * 9000 + b"]}", "is not JSON that"),
    "deep": (b'{"val_acc": ' + b"[" * 200_000, "is not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_log_is_one_clear_line(name: str, tmp_path: Path) -> None:
    content, expected = BAD[name]
    path = tmp_path / "training_log.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_training_log(path)
    assert expected in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training log at"):
        read_training_log(tmp_path / "training_log.json")
    with pytest.raises(DataError, match="cannot read"):
        read_training_log(tmp_path)


@pytest.mark.parametrize("results", [None, [], "good", {"acc": "high"}, {"confusion_matrix": [[1, 2], [3]]}])
def test_odd_test_results_do_not_hide_the_curves(results: Any, write_log: Write) -> None:
    history = read_training_log(write_log({"val_acc": [0.5], "test_results": results}))
    assert history.best_epoch == 1
    assert history.confusion_matrix is None


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "training_log.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"train_loss": [1]}).encode())
    assert read_training_log(path)["train_loss"] == [1]


def test_the_run_beside_the_log_is_known(record_run: Callable[..., Path]) -> None:
    folder = record_run("run", 0.7)
    history = read_history(folder)
    assert history.title == "eegnet, MentalArithmetic"
    assert (history.context.status, history.context.selected_epoch) == ("finished", 2)
    assert [c.name for c in history.context.components] == ["bce"]
    assert history.validation_loss() == "val/total"
    np.testing.assert_allclose(history.column("val/bce"), [0.7, 0.6, 0.5 + 0.2 / 3])


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "events.jsonl"])
def test_a_damaged_neighbour_is_a_note(name: str, record_run: Callable[..., Path]) -> None:
    folder = record_run("run", 0.7)
    (folder / name).write_bytes(b'{"a": [\n\n')
    history = read_history(folder)
    assert isinstance(history, TrainingHistory)
    assert any(name in note for note in history.notes)
    assert all("\n" not in note for note in history.notes)


def test_names_of_classes_come_from_their_recalls(write_log: Write) -> None:
    lists = {"val_acc": [0.5], "val/recall/left fist": [0.4], "val/recall/right fist": [0.6]}
    assert read_training_log(write_log(lists)).class_names == ("left fist", "right fist")
