from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.errors import DataError
from neuroprism.runs.traces import read_trace


def trainer_state(path: Path, *, last_loss: float = 0.2) -> Path:
    """Write a state as the Trainer of transformers does: three epochs of 100 steps, logged every 10."""
    log: list[dict[str, Any]] = []
    for step in range(10, 301, 10):
        loss = 2 * math.exp(-step / 100) + 0.1 if step < 300 else last_loss
        row = {"epoch": step / 100, "grad_norm": 1.5, "learning_rate": 1e-4 * (1 - step / 300), "loss": loss}
        log.append({**row, "step": step})
        if step % 100 == 0:
            row = {"epoch": step / 100, "eval_loss": 0.9, "eval_accuracy": 0.7, "eval_runtime": 1.2}
            log.append({**row, "eval_samples_per_second": 80.0, "eval_steps_per_second": 10.0, "step": step})
    end = {"epoch": 3.0, "step": 300, "total_flos": 1e12, "train_loss": 0.7, "train_runtime": 10.0}
    log.append({**end, "train_samples_per_second": 90.0, "train_steps_per_second": 30.0})
    state = {
        "best_metric": None,
        "best_model_checkpoint": None,
        "epoch": 3.0,
        "eval_steps": 500,
        "global_step": 300,
        "is_hyper_param_search": False,
        "is_local_process_zero": True,
        "is_world_process_zero": True,
        "log_history": log,
        "logging_steps": 10,
        "max_steps": 300,
        "num_input_tokens_seen": 0,
        "num_train_epochs": 3,
        "save_steps": 500,
        "stateful_callbacks": {"TrainerControl": {"args": {"should_save": True}}},
        "total_flos": 1e12,
        "train_batch_size": 8,
        "trial_name": None,
        "trial_params": None,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(state, indent=2) + "\n")
    return path


def test_state_of_a_trainer_of_transformers(tmp_path: Path) -> None:
    trace = read_trace(trainer_state(tmp_path / "out" / "trainer_state.json"))
    assert trace.name == "out"
    assert (trace.facts.n_epochs, trace.facts.batch_size) == (3, 8)
    assert trace.steps.step.tolist() == list(range(10, 301, 10))
    assert trace.steps.epoch.tolist() == [1] * 10 + [2] * 10 + [3] * 10
    assert trace.steps.grad_norm.tolist() == [1.5] * 30
    assert trace.steps.lr[0] == pytest.approx(1e-4 * (1 - 1 / 30))
    assert [(e.epoch, e.step, e.val["loss"]) for e in trace.epochs] == [
        (1, 100, 0.9),
        (2, 200, 0.9),
        (3, 300, 0.9),
    ]
    assert trace.epochs[0].val_metrics["accuracy"] == 0.7


def test_a_bare_nan_is_a_nan(tmp_path: Path) -> None:
    trace = read_trace(trainer_state(tmp_path / "trainer_state.json", last_loss=math.nan))
    assert math.isnan(trace.steps.losses[-1, 0])
    assert trace.steps.counts[-1, 0] == 1


def test_the_latest_checkpoint_tells_of_the_whole_training(tmp_path: Path) -> None:
    trainer_state(tmp_path / "out" / "checkpoint-100" / "trainer_state.json", last_loss=7.0)
    trainer_state(tmp_path / "out" / "checkpoint-1000" / "trainer_state.json", last_loss=8.0)
    trainer_state(tmp_path / "out" / "checkpoint-200" / "trainer_state.json", last_loss=9.0)
    trace = read_trace(tmp_path / "out")
    assert (trace.name, trace.steps.total[-1]) == ("out", 8.0)


def test_a_published_training_log(write_log: Callable[..., Path], published_log: dict[str, Any]) -> None:
    trace = read_trace(write_log(published_log))
    assert trace.steps.step.tolist() == trace.steps.epoch.tolist() == list(range(1, 51))
    assert trace.steps.losses[:, 0].tolist() == published_log["train_loss"]
    assert trace.steps.lr.tolist() == published_log["learning_rate"]
    assert [e.val_metrics["balanced_accuracy"] for e in trace.epochs] == published_log["val_acc"]
    assert trace.epochs[0].seconds == pytest.approx(60 * published_log["epoch_time"][0])


def test_components_in_a_training_log(write_log: Callable[..., Path]) -> None:
    log = {"train_loss": [3.0, 2.0, None], "train/a": [1.0, 0.5, None], "train/b": [2.0, 1.5, 1.0]}
    log |= {"val/a": [1.0, 0.9, 0.8], "val/b": [2.0, 1.9, 1.8], "train/accuracy": [0.1, 0.2, 0.3]}
    trace = read_trace(write_log(log))
    assert [c.name for c in trace.facts.components] == ["a", "b"]
    assert str(trace.steps.losses[:, 0].tolist()) == "[1.0, 0.5, nan]"
    assert trace.epochs[2].val == pytest.approx({"a": 0.8, "b": 1.8, "total": 2.6})


def test_a_list_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps([{"_step": k, "train": {"loss": 1.0 / (k + 1)}} for k in range(5)]))
    trace = read_trace(path)
    assert trace.steps.losses[:, 0].tolist() == [1.0 / (k + 1) for k in range(5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "a": 1,\n "b": [1]\n}\n', "no log that is known"),
        ('{"log_history": []}', "no row"),
        ('{"train_loss": []}', "no epoch"),
        ("[1, 2, 3]", "no row"),
        ("[" * 100_000, "no JSON that a log can hold"),
        ('{\n "a": ', "not JSON: Expecting value in line 2"),
        ('{\n "log_history": [{"loss": ' + "9" * 5000 + "}]}", "no JSON that a log can hold"),
    ],
)
def test_what_is_no_log(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_trace(path)
