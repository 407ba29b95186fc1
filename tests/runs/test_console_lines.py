from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.runs import parse_console_lines, read_console_log, read_history

IMPROVED = "{} increasing....saving weights !! "
STARS = "***************************Test{}************************"


def console(log: dict[str, Any]) -> str:
    """Return what the earlier code printed for a multiclass log, with progress bars between."""
    lines = ["The downstream dataset is PhysioNet-MI", "6300 1734 1758", "9792", "Model(", ")"]
    best = -math.inf
    for k, loss in enumerate(log["train_loss"]):
        values = "acc: {:.5f}, kappa: {:.5f}, f1: {:.5f}".format(
            *(log[f"val_{m}"][k] for m in ("acc", "kappa", "f1"))
        )
        lines.append(
            "  0%|          | 0/197 [00:00<?, ?it/s]\r100%|##########| 197/197 [00:36<00:00,  5.39it/s]"
        )
        rest = f"LR: {log['learning_rate'][k]:.5f}, Time elapsed {log['epoch_time'][k]:.2f} mins"
        lines.append(f"Epoch {k + 1} : Training Loss: {loss:.5f}, {values}, {rest}")
        lines.append(str(np.array([[258, 55], [48, 236]])))
        if log["val_kappa"][k] > best:
            best = log["val_kappa"][k]
            lines += [IMPROVED.format("kappa"), f"Val Evaluation: {values}"]
    test = log["test_results"]
    lines += [STARS.format(""), STARS.format(" results")]
    lines.append("Test Evaluation: acc: {acc:.5f}, kappa: {kappa:.5f}, f1: {f1:.5f}".format(**test))
    lines += [str(np.array(test["confusion_matrix"])), "model save in /x/epoch39.pth", "Done!!!!!"]
    return "\n".join(lines) + "\n"


def test_printed_run_equals_its_log_to_the_printed_digits(published_log: dict[str, Any]) -> None:
    (run,) = parse_console_lines(console(published_log))
    assert run.dataset == "PhysioNet-MI"
    assert run.best_epoch == 39
    for key in ("train_loss", "val_acc", "val_kappa", "val_f1", "learning_rate"):
        np.testing.assert_allclose(run[key], published_log[key], atol=5e-6)
    np.testing.assert_allclose(run["epoch_time"], published_log["epoch_time"], atol=5e-3)
    expected = published_log["test_results"]
    assert run.test_results["confusion_matrix"] == expected["confusion_matrix"]
    assert run.test_results["acc"] == pytest.approx(expected["acc"], abs=5e-6)


def test_a_killed_run_is_read_as_far_as_it_came(published_log: dict[str, Any]) -> None:
    text = console(published_log)
    (run,) = parse_console_lines(text[: text.index("Epoch 30 ") + 40])
    assert (run.n_epochs, run.best_epoch, run.test_results) == (29, 20, {"best_epoch": 20})


def test_binary_and_regression_lines() -> None:
    binary = (
        "Epoch 1 : Training Loss: 0.69315, acc: 0.51000, pr_auc: 0.30000, roc_auc: 0.62000, LR: 0.00010, "
        "Time elapsed 0.05 mins\nroc_auc increasing....saving weights !! \n"
        "Test Evaluation: acc: 0.70000, pr_auc: 0.60000, roc_auc: 0.80000\n[[ 9  1]\n [ 2 10]]\n"
    )
    regression = (
        "Epoch 1 : Training Loss: 0.05000, corrcoef: nan, r2: -0.50000, rmse: 0.30000, LR: 1e-4, "
        "Time elapsed 1.05 mins\nr2 increasing....saving weights !! \n"
        "Test Evaluation: corrcoef: 0.50000, r2: 0.10000, rmse: 0.25000\n"
    )
    first, second = parse_console_lines(binary + regression)
    assert (first.task, first.best_epoch, first["val_roc_auc"]) == ("binary", 1, [0.62])
    assert first.test_results["confusion_matrix"] == [[9, 1], [2, 10]]
    assert (second.task, second["val_r2"], second["learning_rate"]) == ("regression", [-0.5], [1e-4])
    assert math.isnan(second["val_corrcoef"][0])
    assert second.test_results["rmse"] == 0.25


def test_repeats_in_one_output_are_runs_of_their_own(published_log: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_text(console(published_log) * 3)
    runs = read_console_log(path)
    assert [run.n_epochs for run in runs] == [50, 50, 50]
    last = read_history(path)
    assert last.notes[0] == "the last of 3 runs in the console output"
    assert last.title == "PhysioNet-MI"


def test_output_without_epochs_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "output.txt"
    path.write_text("nothing of interest\n")
    with pytest.raises(DataError, match=r"output\.txt is neither JSON nor console output"):
        read_history(path)
    assert parse_console_lines("") == []


def test_a_matrix_before_the_test_is_not_the_tests(published_log: dict[str, Any]) -> None:
    (run,) = parse_console_lines(
        console(published_log | {"test_results": {"acc": 1, "kappa": 1, "f1": 1, "confusion_matrix": [[1]]}})
    )
    assert run.test_results["confusion_matrix"] == [[1]]
    assert json.dumps(dict(run))
