"""Every flag of `neuroprism train` acts, and the nearest source of a setting wins."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.cli.app import run


def value(config: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        config = config[key]
    return config


def mean_total(rows: list[dict[str, Any]]) -> float:
    return float(np.mean([row["loss/total"] for row in rows]))


@pytest.mark.parametrize(
    ("words", "path", "expected"),
    [
        (["--epochs", "2"], "training.epochs", 2),
        (["--batch_size", "40"], "data.dataloader.batch_size", 40),
        (["--learning_rate", "3e-4"], "training.optimizer.learning_rate", 3e-4),
        (["--device", "cpu"], "hardware.device", "cpu"),
        (["--num_workers", "1"], "data.dataloader.num_workers", 1),
        (["--log_level", "warning"], "logging.level", "WARNING"),
        (["--mixed_precision"], "hardware.mixed_precision", True),
        (["--set", "loss.weights.diffusion=0.25"], "loss.weights.diffusion", 0.25),
    ],
)
def test_flag_reaches_the_stored_configuration(
    words: list[str], path: str, expected: Any, program: Any
) -> None:
    epochs = [] if "--epochs" in words else ["--epochs", "1"]
    assert program.train(*words, *epochs, training__max_steps_per_epoch=1) == 0
    assert value(program.config(), path) == expected


def test_epochs_and_batch_size_decide_the_number_of_steps(program: Any) -> None:
    settings = {"training__max_steps_per_epoch": None}
    assert program.train("--epochs", "2", "--batch_size", "100", **settings) == 0
    manifest = json.loads((program.run_folder() / "split.json").read_text())
    assert len(program.rows()) == 2 * (manifest["recordings"]["train"] // 100)
    assert [event["epoch"] for event in program.events("epoch")] == [1, 2]


def test_learning_rate_is_that_of_every_step(program: Any) -> None:
    assert program.train("--learning_rate", "3e-4", "--epochs", "1") == 0
    assert {row["lr"] for row in program.rows()} == {3e-4}


def test_mixed_precision_changes_the_numbers_a_little(program: Any) -> None:
    for name, words in (("full", []), ("mixed", ["--mixed_precision"])):
        assert program.train("--epochs", "1", *words, experiment=name) == 0
    full, mixed = (mean_total(program.rows(name)) for name in ("full", "mixed"))
    assert full != mixed
    assert mixed == pytest.approx(full, rel=0.05)


def test_workers_serve_the_same_batches(program: Any) -> None:
    for n in ("0", "1"):
        assert program.train("--epochs", "1", "--num_workers", n, experiment=n) == 0
    assert program.rows("0") == program.rows("1")


@pytest.mark.parametrize(
    ("words", "shown"),
    [([], True), (["--quiet"], False), (["--log_level", "WARNING"], False)],
)
def test_console_is_as_loud_as_asked(
    words: list[str], shown: bool, program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.train("--epochs", "1", *words, training__log_frequency=1) == 0
    out = capsys.readouterr().out
    assert ("Step 1 - Total:" in out) is shown
    assert ("Epoch 1/1 Summary:" in out) is shown
    assert ("Trained 1 epoch, 3 steps." in out) is ("--quiet" not in words)
    assert "Step 1 - Total:" in (program.run_folder() / "training.log").read_text()


def test_quiet_run_shows_alerts(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train("--epochs", "1", "--quiet", "--learning_rate", "1e30") == 1
    shown = capsys.readouterr()
    assert "Alert non_finite in" in shown.out + shown.err


def test_fast_dev_run_is_two_epochs_of_two_steps(program: Any) -> None:
    assert program.train("--fast_dev_run", "--epochs", "50", training__max_steps_per_epoch=None) == 0
    assert [row["epoch"] for row in program.rows()] == [1, 1, 2, 2]
    assert len(program.events("epoch")) == 2
    assert program.config()["training"]["epochs"] == 2


def test_overfit_batch_learns_one_batch(program: Any) -> None:
    settings = {
        "training__max_steps_per_epoch": None,
        "model__architecture__dropout": 0.0,
        "model__architecture__heads__dropout": 0.0,
    }
    assert program.train("--overfit_batch", "--epochs", "1", "--learning_rate", "1e-2", **settings) == 0
    rows = program.rows()
    assert len(rows) == 100
    assert mean_total(rows[-10:]) < 0.7 * mean_total(rows[:10])
    for name in ("signal", "classification", "threshold"):
        first, last = ([row[f"loss/{name}"] for row in part] for part in (rows[:10], rows[-10:]))
        assert np.mean(last) < np.mean(first), name


def test_flag_beats_environment_beats_file_beats_default(
    program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my.yaml").write_text(
        "training: {epochs: 5, gradient_clip: 5.0, accumulation_steps: 2}\nreproducibility: {seed: 5}\n"
    )
    monkeypatch.setenv("NEUROPRISM__TRAINING__EPOCHS", "4")
    monkeypatch.setenv("NEUROPRISM__TRAINING__GRADIENT_CLIP", "4.0")
    monkeypatch.setenv("NEUROPRISM__REPRODUCIBILITY__SEED", "4")
    words = ["--config", "my.yaml", "--epochs", "1", "--set", "reproducibility.seed=3"]
    assert program.train(*words) == 0
    config = program.config()
    assert config["training"]["epochs"] == 1
    assert config["reproducibility"]["seed"] == 3
    assert config["training"]["gradient_clip"] == 4.0
    assert config["training"]["accumulation_steps"] == 2
    assert config["training"]["on_non_finite"] == "stop"


def test_environment_decides_how_long_training_lasts(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROPRISM__TRAINING__EPOCHS", "3")
    assert program.train(training__max_steps_per_epoch=1) == 0
    assert len(program.events("epoch")) == 3


def test_run_without_a_name_is_named_after_its_file(program: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("training: {epochs: 1}\n")
    words = [word for word in program.arguments("--config", "mine.yaml") if word not in ("--experiment", "x")]
    assert run(words) == 0
    assert program.run_folder("mine").is_dir()


def test_seed_acts(program: Any) -> None:
    for name, seed in {"a": 1, "again": 1, "b": 2}.items():
        assert program.train("--epochs", "1", experiment=name, reproducibility__seed=seed) == 0
    assert program.rows("a") == program.rows("again")
    assert program.rows("a") != program.rows("b")


def test_threads_act(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    assert program.train("--epochs", "1", hardware__n_threads=3) == 0
    assert set(asked) == {3}


def test_script_is_the_same_door(
    program: Any, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *program.arguments("--epochs", "0")[1:]])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(repository / "train.py"), run_name="__main__")
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("neuroprism: command line: training.epochs: ")
