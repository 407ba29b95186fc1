"""A user's mistake: exit code 2, one line that says what is wrong, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

ABSENT = "mps" if torch.cuda.is_available() else "cuda"
ARCHITECTURE = "model__architecture__"

SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "mistyped key": ({"training__epohcs": 3}, ["training.epohcs", "did you mean 'training.epochs'?"]),
    "wrong type": ({"training__epochs": "three"}, ["training.epochs", "integer", "'three'"]),
    "out of range": ({"training__epochs": 0}, ["training.epochs", "1", "not 0"]),
    "unknown value": ({"training__on_non_finite": "halt"}, ["training.on_non_finite", "'stop' or 'skip'"]),
    "not a number": ({"training__gradient_clip": "inf"}, ["training.gradient_clip", "number"]),
    "heads": ({f"{ARCHITECTURE}decoder__n_heads": 3}, ["n_heads = 3", "8 channels"]),
    "levels": ({f"{ARCHITECTURE}n_levels": 3}, ["channel_multipliers", "n_levels is 3"]),
    "too deep for the recordings": (
        {f"{ARCHITECTURE}n_levels": 8, f"{ARCHITECTURE}channel_multipliers": [1] * 8},
        ["8 levels", "512 samples", "not 256"],
    ),
    "network": ({"model__type": "unett"}, ["model.type", "hierarchical_unet"]),
    "T_mult": (
        {"training__scheduler": {"type": "cosine_annealing_warm_restarts", "T_mult": 1.5}},
        ["training.scheduler.T_mult", "whole number", "1.5"],
    ),
    "epsilon with cosine": ({"diffusion__prediction_type": "epsilon"}, ["epsilon", "cosine", "v or x0"]),
    "mistyped criterion": (
        {"training__early_stopping__monitor": "val/totl"},
        ["training.early_stopping.monitor", "'val/totl'", "did you mean 'val/total'?"],
    ),
    "criterion that is not computed": (
        {
            "training__early_stopping__monitor": "val/macro_f1",
            "training__validation__compute_metrics": False,
        },
        ["compute_metrics", "val/macro_f1"],
    ),
    "ratios": ({"data__splits__train_ratio": 0.9}, ["train_ratio", "1.15"]),
    "batch larger than the split": ({"data__dataloader__batch_size": 10_000}, ["10000", "batch_size"]),
    "control character in the log folder": ({"logging__log_dir": "a\0b"}, ["cannot write run folder"]),
    "long name of the log folder": ({"logging__log_dir": "a" * 300}, ["cannot write run folder"]),
    "absent device": ({"hardware__device": ABSENT}, [f"hardware.device={ABSENT}", "available: ", "cpu"]),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_is_refused(name: str, refused: Callable[..., str]) -> None:
    settings, expected = SETTINGS[name]
    line = refused(**settings)
    assert all(part in line for part in expected), line


@pytest.mark.parametrize(
    "name",
    ["mistyped criterion", "absent device", "too deep for the recordings", "long name of the log folder"],
)
def test_nothing_is_simulated_for_a_run_that_cannot_be(
    name: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    settings, expected = SETTINGS[name]
    data = {"data__dataset_path": None, "data__simulation__n_patients": 20}
    line = refused(**settings, **data, data__cache_dir=str(tmp_path / "cache"))
    assert all(part in line for part in expected), line


FLAGS = {
    "--epochs abc": ["--epochs", "integer"],
    "--epochs 0": ["training.epochs", "not 0"],
    "--learning_rate -1": ["training.optimizer.learning_rate", "greater than 0"],
    "--learning_rate nan": ["training.optimizer.learning_rate"],
    "--num_workers -1": ["data.dataloader.num_workers"],
    "--device tpu": ["hardware.device", "'cuda'"],
    "--log_level LOUD": ["logging.level", "'WARNING'"],
    "--epohcs 3": ["--epohcs", "--epochs"],
    "--set training.epochs": ["KEY=VALUE"],
    "--set training.epochs=[": ["training.epochs", "not valid YAML"],
    "--set training.epochs=!!python/name:os.system": ["not valid YAML"],
    "--resume": ["cannot resume", "run.json is missing"],
    "--resume --overwrite": ["exclude each other"],
    "surplus": ["surplus"],
    "--config missing.yaml": ["missing.yaml", "No such file"],
    "--config .": ["cannot read configuration", "directory"],
    "--learning_rate 1 --set training.optimizer.learning_rate=2": ["by its own flag", "by --set"],
}


@pytest.mark.parametrize("flags", FLAGS)
def test_flag_is_refused(flags: str, refused: Callable[..., str]) -> None:
    line = refused(*flags.split(" "))
    assert all(part in line for part in FLAGS[flags]), line


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", ".", ".hidden", "", " ", " x", "a\nb", "x" * 300, "\0", "/tmp"]
)
def test_experiment_must_be_a_plain_name(name: str, refused: Callable[..., str]) -> None:
    refused(experiment=name)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"training: {epochs: [3\n  a: b", "line 2: not valid YAML"),
        (b"- 3\n", "expected keys and values"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"training: {epochs: 3, epochs: 4}", "stands twice"),
        (b"training: {epohcs: 3}", "did you mean 'training.epochs'?"),
        (b"3: 4", "unknown key '3'"),
    ],
)
def test_configuration_file_is_refused(
    content: bytes, expected: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    line = refused("--config", "bad.yaml")
    assert "bad.yaml" in line
    assert expected in line


def test_environment_is_refused(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROPRISM__TRAINING__EPOHCS", "3")
    assert "NEUROPRISM__TRAINING__EPOHCS: unknown key 'training.epohcs'" in refused()


@pytest.mark.parametrize("place", ["logs", "logs/x", "inner/deeper"])
def test_file_in_place_of_the_run_folder(place: str, refused: Callable[..., str], tmp_path: Path) -> None:
    first, *rest = place.split("/")
    if rest == ["x"]:
        (tmp_path / first).mkdir()
        (tmp_path / place).write_text("in the way")
        settings = {}
    else:
        (tmp_path / first).write_text("in the way")
        settings = {} if not rest else {"logging__log_dir": str(tmp_path / place)}
    line = refused(**settings)
    assert "cannot write run folder" in line
    assert "is not a folder" in line


def test_folder_without_permission(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "is not writable" in refused()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], ["No such command 'trian'", "train"]),
        (["simulate", "ecg"], ["No such command 'ecg'"]),
        (["simulate", "eeg"], ["NAME"]),
        (["plot", "abr"], ["DATA"]),
        (["train", "--config"], ["--config", "argument"]),
    ],
)
def test_unknown_command(words: list[str], expected: list[str], refused: Any) -> None:
    line = refused.command(*words)
    assert all(part in line for part in expected), line
