from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.records import Component
from neuroprism.monitor import Monitor
from neuroprism.monitor.sinks import EventsFile, RunFile, StepsFile, TrainingLog
from neuroprism.runs import load_run, read_training_log
from neuroprism.runs.summary import run_summary, training_summary

RULE = "=" * 80


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each section without their indent."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("   "):
            found[title].append(line[3:])
        elif line.endswith(":"):
            title = line.removesuffix(":")
            found[title] = []
    return found


def test_published_run_gives_the_published_summary(
    published_log: dict[str, Any], write_log: Callable[..., Path]
) -> None:
    text = training_summary(read_training_log(write_log(published_log)))
    assert text.splitlines()[:3] == [RULE, "TRAINING SUMMARY", RULE]
    found = sections(text)
    assert found["Training Duration"] == [
        "Total epochs: 50",
        "Total time: 31.33 minutes (0.52 hours)",
        "Avg time per epoch: 0.63 minutes",
    ]
    assert found["Training Loss"] == [
        "Initial: 1.23511",
        "Final: 0.35019",
        "Best (min): 0.35016",
        "Reduction: 71.65%",
    ]
    assert found["Validation Accuracy (balanced accuracy)"] == [
        "Initial: 53.39%",
        "Final: 53.92%",
        "Best: 54.15%",
        "Best epoch: 39",
        "Improvement: +0.53 percentage points",
    ]
    assert found["Validation Kappa"] == ["Initial: 0.3786", "Final: 0.3856", "Best: 0.3887", "Best epoch: 39"]
    assert found["Validation F1 Score"] == [
        "Initial: 53.11%",
        "Final: 53.85%",
        "Best: 54.10%",
        "Best epoch: 43",
    ]
    assert found["TEST SET RESULTS (Best Model)"][:4] == [
        "Best epoch: 39",
        "Accuracy: 58.13% (balanced accuracy)",
        "Kappa: 0.4410",
        "F1 Score: 57.97%",
    ]
    assert "279   28   60   70" in text
    assert "Notes" not in found


def test_every_metric_present_has_a_section(write_log: Callable[..., Path]) -> None:
    lists = {
        f"val_{name}": [0.5, 0.25] for name in ("acc", "kappa", "f1", "roc_auc", "pr_auc", "r2", "corrcoef")
    }
    test = {"roc_auc": 0.8, "pr_auc": 0.7, "r2": 0.3, "corrcoef": 0.6, "rmse": 0.25}
    found = sections(
        training_summary(
            read_training_log(write_log(lists | {"val_rmse": [0.5, 0.25], "test_results": test}))
        )
    )
    assert found["Validation ROC AUC"] == [
        "Initial: 50.00%",
        "Final: 25.00%",
        "Best: 50.00%",
        "Best epoch: 1",
    ]
    assert found["Validation R² Score"][2] == "Best: 0.5000"
    assert found["Validation Correlation"][3] == "Best epoch: 1"
    assert found["Validation RMSE"] == [
        "Initial: 0.5000",
        "Final: 0.2500",
        "Best (min): 0.2500",
        "Best epoch: 2",
    ]
    assert found["TEST SET RESULTS (Best Model)"] == [
        "ROC AUC: 80.00%",
        "PR AUC: 70.00%",
        "R² Score: 0.3000",
        "Correlation: 0.6000",
        "RMSE: 0.2500",
    ]
    assert "Validation Accuracy (balanced accuracy)" in found


def test_a_diverged_end_is_not_hidden(write_log: Callable[..., Path]) -> None:
    text = training_summary(read_training_log(write_log({"train_loss": [2.0, 1.0, None]})))
    assert sections(text)["Training Loss"] == ["Initial: 2.00000", "Final: nan", "Best (min): 1.00000"]
    assert "train_loss has no value in epoch 3" in text


def test_interval_over_subjects_stands_beside_the_result(record_run: Callable[..., Path]) -> None:
    text = run_summary(load_run(record_run("run", 0.7)))
    assert "Accuracy: 60.00% (balanced accuracy), 95% interval 50.00% to 70.00%" in text
    assert sections(text)["Validation Loss"][-1] == "Best epoch: 3"


def test_a_run_with_components_is_summarised_by_component(record_run: Callable[..., Path]) -> None:
    found = sections(run_summary(load_run(record_run("run", 0.7, parts=("signal", "peak")))))
    assert found["Run"] == ["Name: run", "Task: MentalArithmetic", "Status: finished", "Seed: 0", "Alerts: 0"]
    table = [re.split(r"  +", line.strip()) for line in found["Validation Loss by Component"]]
    assert table[0] == ["component", "initial", "final", "best", "epoch", "baseline", "beaten"]
    assert table[1] == ["Signal", "0.7000", "0.5667", "0.5667", "3", "0.6000", "yes"]
    assert table[3] == ["Total", "1.4000", "1.1333", "1.1333", "3", "-", "-"]
    assert "selected epoch: 2" in found["Validation Loss by Component"]
    assert re.split(r"  +", found["Validation Metrics"][1]) == [
        "balanced accuracy",
        "0.6900",
        "0.6900",
        "0.7000",
        "2",
    ]
    test = found["TEST SET RESULTS (Best Model)"]
    assert test[0] == "Best epoch: 2"
    assert re.split(r"  +", test[1]) == ["Total (loss)", "1.4000"]
    assert re.split(r"  +", test[-1]) == ["balanced accuracy", "0.6000"]


def test_a_component_worse_than_its_baseline_is_said(tmp_path: Path) -> None:
    parts = [Component(name="a", label="A", baseline=0.1), Component(name="b", label="B")]
    with Monitor(
        tmp_path / "run", parts, sinks=[RunFile(), StepsFile(), EventsFile(), TrainingLog()]
    ) as monitor:
        monitor.step({"a": 1.0, "b": 1.0})
        monitor.epoch(val={"a": 0.5, "b": float("nan")})
    lines = sections(run_summary(load_run(tmp_path / "run")))["Validation Loss by Component"]
    assert lines[1].split() == ["A", "0.5000", "0.5000", "0.5000", "1", "0.1000", "no"]
    assert lines[2].split() == ["B", "nan", "nan", "-", "-", "-", "-"]
    assert "no epoch was selected" in lines


def test_alerts_are_counted_and_a_lost_run_is_called_lost(tmp_path: Path) -> None:
    sinks = [RunFile(), StepsFile(), EventsFile(), TrainingLog()]
    with Monitor(tmp_path / "run", {"a": 1.0, "b": 1.0}, sinks=sinks) as monitor:
        monitor.step({"a": 1.0, "b": float("nan")})
    card = json.loads((tmp_path / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps(card | {"status": "running", "process_started": 1.0}))
    found = sections(run_summary(load_run(tmp_path / "run"), further=[("Baselines", ["x 0.5"])]))
    assert found["Run"][2].startswith("Status: lost (")
    assert (
        found["Run"][-1] == f"Alerts: {len(monitor.alerts)} ({monitor.alerts[0].kind} {len(monitor.alerts)})"
    )
    assert found["Training Duration"] == ["Total epochs: 0"]
    assert found["Baselines"] == ["x 0.5"]


@pytest.mark.parametrize("content", [{"train_loss": []}, {"train_loss": [None]}, {"val_acc": [0.5]}])
def test_hardly_anything_is_summarised(content: dict[str, Any], write_log: Callable[..., Path]) -> None:
    assert "Total epochs:" in training_summary(read_training_log(write_log(content)))


def test_a_run_without_training_log_is_summarised_from_its_events(record_run: Callable[..., Path]) -> None:
    folder = record_run("run", 0.7)
    (folder / "training_log.json").unlink()
    found = sections(run_summary(load_run(folder)))
    assert found["Training Duration"][0] == "Total epochs: 3"
    assert found["Validation Loss by Component"][1].split()[0] == "Bce"
