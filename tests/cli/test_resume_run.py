"""Going on with a run: bit for bit as if it had never stopped, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.train import Checkpoint, load_checkpoint

SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step, two batches to a step": {
        "training__scheduler": {"type": "step", "step_size": 1.5, "gamma": 0.5},
        "training__accumulation_steps": 2,
    },
}


def same(one: Any, other: Any) -> bool:
    """Tell whether two states are equal bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def without_times(checkpoint: Checkpoint) -> dict[str, Any]:
    names = ("epoch", "batch", "step", "model", "average", "task_state", "evaluation", "training")
    return {name: getattr(checkpoint, name) for name in names}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_two_and_two_epochs_are_four(schedule: str, program: Any) -> None:
    settings = {"training__max_steps_per_epoch": 2, **SCHEDULES[schedule]}
    assert program.train("--epochs", "4", experiment="whole", **settings) == 0
    assert program.train("--epochs", "2", experiment="parts", **settings) == 0
    assert program.train("--epochs", "4", "--resume", experiment="parts", **settings) == 0
    whole, parts = (program.run_folder(name) for name in ("whole", "parts"))
    assert (whole / "steps.jsonl").read_bytes() == (parts / "steps.jsonl").read_bytes()
    for name in ("last.pt", "best.pt"):
        one, other = (load_checkpoint(folder / "checkpoints" / name) for folder in (whole, parts))
        assert one.average is not None
        assert same(without_times(one), without_times(other)), name
    for kind in ("epoch", "test"):
        one, other = (
            [_numbers(event) for event in program.events(kind, name)] for name in ("whole", "parts")
        )
        assert one == other
    assert (whole / "split.json").read_bytes() == (parts / "split.json").read_bytes()


def _numbers(event: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in event.items() if k not in ("time", "seconds", "samples_per_second")}


@pytest.fixture
def stopped(program: Any) -> Any:
    """Return the program after a run of one epoch."""
    assert program.train("--epochs", "1") == 0
    return program


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model__architecture__base_channels": 16}, "the section 'model' differs"),
        ({"data__splits__random_seed": 1}, "the section 'data' differs"),
        ({"data__dataset_path": None, "data__simulation__n_patients": 20}, "the section 'data' differs"),
        ({"diffusion__noise_schedule__num_timesteps": 50}, "the section 'diffusion' differs"),
        ({"training__optimizer__type": "sgd"}, "training.optimizer.type is not 'adamw'"),
        ({"project__name": "other"}, "project.name is not 'abr'"),
    ],
)
def test_other_data_or_network_is_refused(
    settings: dict[str, Any], expected: str, stopped: Any, refused: Callable[..., str]
) -> None:
    assert expected in refused("--resume", "--epochs", "2", **settings)


def test_replaced_file_is_refused(
    program: Any, rewritten: Callable[..., Path], refused: Callable[..., str]
) -> None:
    path = str(rewritten(lambda arrays: None))
    assert program.train("--epochs", "1", data__dataset_path=path) == 0

    def louder(arrays: dict[str, Any]) -> None:
        arrays["signal_uv"] = (arrays["signal_uv"] * np.float32(1.5)).astype(np.float32)

    assert str(rewritten(louder)) == path
    assert "the recordings differ" in refused("--resume", "--epochs", "2", data__dataset_path=path)


def test_existing_run_is_not_touched(stopped: Any, refused: Callable[..., str]) -> None:
    line = refused("--epochs", "2")
    assert "already holds a run" in line
    assert "--resume" in line
    assert "--overwrite" in line


def test_overwrite_begins_anew(stopped: Any) -> None:
    former = stopped.rows()
    assert stopped.train("--epochs", "1", "--overwrite", "--set", "reproducibility.seed=9") == 0
    assert len(stopped.rows()) == len(former)
    assert stopped.rows() != former


def test_resume_without_checkpoint_is_refused(stopped: Any, refused: Callable[..., str]) -> None:
    (stopped.run_folder() / "checkpoints" / "last.pt").unlink()
    assert "last.pt does not exist" in refused("--resume")


def test_resume_of_a_damaged_checkpoint_is_refused(stopped: Any, refused: Callable[..., str]) -> None:
    path = stopped.run_folder() / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:1000])
    assert "damaged" in refused("--resume")


def test_other_rate_may_be_used_after_a_resume(stopped: Any) -> None:
    assert stopped.train("--resume", "--epochs", "2", "--learning_rate", "0.02") == 0
    assert [row["lr"] for row in stopped.rows()] == [1e-3] * 3 + [0.02] * 3


def test_resume_of_a_complete_run_trains_nothing(stopped: Any) -> None:
    rows = stopped.rows()
    weights = load_checkpoint(stopped.run_folder()).model
    assert stopped.train("--resume", "--epochs", "1") == 0
    assert stopped.rows() == rows
    assert same(load_checkpoint(stopped.run_folder()).model, weights)
    assert len(stopped.events("test")) == 1
