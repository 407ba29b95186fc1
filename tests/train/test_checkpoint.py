"""Checkpoints: plain, atomic, and refused with one clear line."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neuroprism.core.errors import DataError, RunError
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from neuroprism.train.config import ReproducibilityConfig
from neuroprism.train.seed import random_states, restore_random_states, seed_everything


def checkpoint(**values: Any) -> Checkpoint:
    net = nn.Linear(2, 2)
    defaults: dict[str, Any] = {
        "epoch": 3,
        "batch": 2,
        "step": 17,
        "task": "toy",
        "model": net.state_dict(),
        "average": {"weight": torch.ones(2, 2), "bias": torch.ones(2)},
        "task_state": {"classes": ["a"], "none": None, "pair": (1, 2.5), "best": math.inf},
    }
    return Checkpoint(**(defaults | values))


def test_round_trip_with_plain_content(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.pt"
    saved = checkpoint()
    save_checkpoint(path, saved)
    assert torch.load(path, weights_only=True)["step"] == 17
    loaded = load_checkpoint(path)
    assert loaded.task_state == saved.task_state
    assert torch.equal(loaded.model["weight"], saved.model["weight"])
    assert load_checkpoint(tmp_path).step == 17
    assert [file.name for file in path.parent.iterdir()] == ["last.pt"]


def test_weights_to_predict_with_are_the_average(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    load_weights(net, checkpoint())
    assert torch.equal(net.weight, torch.ones(2, 2))
    without = checkpoint(average=None)
    load_weights(net, without)
    assert torch.equal(net.weight, without.model["weight"])


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Linear(2, 3), "'weight' has shape (2, 2) instead of (3, 2)"),
        (nn.Linear(2, 2, bias=False), "the model has no 'bias'"),
        (nn.Sequential(nn.Linear(2, 2)), "does not fit this model"),
    ],
)
def test_weights_of_another_model_are_refused(net: nn.Module, words: str) -> None:
    with pytest.raises(DataError) as caught:
        load_weights(net, checkpoint())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.float64(1.0), np.ones(2), Path("x"), {1, 2}, object()])
def test_what_only_pickle_could_hold_is_refused_by_name(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"task_state\.scaler\.mean"):
        save_checkpoint(tmp_path / "x.pt", checkpoint(task_state={"scaler": {"mean": value}}))
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint(step=1))

    def fail(content: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RunError, match=r"cannot write checkpoint .*No space left"):
        save_checkpoint(path, checkpoint(step=2))
    monkeypatch.undo()
    assert load_checkpoint(path).step == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def damaged(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


BROKEN = {
    "does not exist": Path.unlink,
    "is damaged": damaged,
    "is damaged or": lambda path: path.write_text("hello"),
    "was not written by neuroprism": lambda path: path.write_bytes(b""),
    "is no checkpoint of neuroprism": lambda path: torch.save({"model": {}}, path),
    "has version 99": lambda path: torch.save(torch.load(path) | {"schema": 99}, path),
    "it lacks 'epoch'": lambda path: torch.save(
        {k: v for k, v in torch.load(path).items() if k != "epoch"}, path
    ),
}


@pytest.mark.parametrize("words", BROKEN)
def test_unusable_file_is_one_clear_line(tmp_path: Path, words: str) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint())
    BROKEN[words](path)
    with pytest.raises(DataError) as caught:
        load_checkpoint(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def draws() -> list[Any]:
    return [random.random(), np.random.standard_normal(), torch.rand(3).tolist()]  # noqa: NPY002


def test_random_states_come_back_through_a_file(tmp_path: Path) -> None:
    kept = random_states()
    try:
        np.random.standard_normal()  # noqa: NPY002 - leaves a cached second number behind
        saved = checkpoint()
        saved.training = {"random": random_states()}
        save_checkpoint(tmp_path / "x.pt", saved)
        first = draws()
        assert draws() != first
        restore_random_states(load_checkpoint(tmp_path / "x.pt").training["random"])
        assert draws() == first
    finally:
        restore_random_states(kept)


def test_seeding_makes_equal_draws_and_sets_the_algorithms() -> None:
    kept = random_states()
    try:
        seed_everything(ReproducibilityConfig(seed=3, deterministic=True))
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        first = draws()
        seed_everything(ReproducibilityConfig(seed=4, benchmark=True))
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.benchmark
        assert draws() != first
        seed_everything(ReproducibilityConfig(seed=3))
        assert not torch.backends.cudnn.benchmark
        assert draws() == first
    finally:
        restore_random_states(kept)
