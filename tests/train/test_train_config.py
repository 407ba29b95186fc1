"""Training configuration: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from neuroprism.core.config import load, to_dict
from neuroprism.core.errors import ConfigError
from neuroprism.core.schema import keys
from neuroprism.core.section import Section
from neuroprism.train import DataLoaderConfig, HardwareConfig, ReproducibilityConfig, TrainingConfig


class Root(Section):
    training: TrainingConfig = TrainingConfig()
    dataloader: DataLoaderConfig = DataLoaderConfig()
    hardware: HardwareConfig = HardwareConfig()
    reproducibility: ReproducibilityConfig = ReproducibilityConfig()


def resolve(values: dict[str, Any]) -> Root:
    return load(Root, overrides=[(key, value, "--set") for key, value in values.items()])


REFUSED = [
    (
        {"training.scheduler": {"type": "cosine_annealing_warm_restarts", "T_mult": 1.5}},
        "T_mult: must be a whole",
    ),
    ({"training.scheduler": {"type": "constant", "gamma": 0.5}}, "type 'constant' does not read it"),
    ({"training.scheduler.type": "cosine"}, "unknown training.scheduler.type 'cosine'"),
    ({"training.optimizer": {"type": "adamw", "momentum": 0.9}}, "type 'adamw' does not read it"),
    ({"training.optimizer.betas": [0.9, 1.0]}, "training.optimizer.betas"),
    ({"training.optimizer": {"type": "sgd", "momentum": 0.0, "nesterov": True}}, "nesterov needs a momentum"),
    ({"training.optimizer.learning_rate": -1.0}, "training.optimizer.learning_rate"),
    ({"training.scheduler": {"type": "multistep", "milestones": [3, 2]}}, "milestones: must be positive"),
    ({"training.scheduler.warmup_epochs": 1, "training.scheduler.warmup_steps": 5}, "not both"),
    ({"training.epochs": 3, "training.scheduler.warmup_epochs": 3}, "the learning rate never arrives"),
    ({"training.scheduler.eta_min": 1.0}, "lies above optimizer.learning_rate"),
    ({"training.early_stopping.monitor": "train/total"}, "must be a validation series"),
    ({"training.early_stopping.monitor": "val/"}, "must be a validation series"),
    ({"training.on_non_finite": "ignore"}, "training.on_non_finite"),
    ({"training.ema_decay": 1.0}, "training.ema_decay"),
    ({"training.epohcs": 3}, "did you mean 'training.epochs'"),
    ({"dataloader.batch_size": 0}, "dataloader.batch_size"),
    ({"hardware.device": "gpu"}, "hardware.device"),
    ({"hardware.device": "cuda:x"}, "hardware.device"),
    ({"hardware.device": "cpu:1"}, "hardware.device"),
    ({"reproducibility.deterministic": True, "reproducibility.benchmark": True}, "exclude each other"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_impossible_value_is_refused_with_one_line(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_key_is_documented() -> None:
    undocumented = [
        key.path for key in keys(Root) if not key.field.description and not key.path.endswith(".type")
    ]
    assert undocumented == []


@pytest.mark.parametrize(
    "kind",
    [
        "constant",
        "step",
        "multistep",
        "exponential",
        "cosine_annealing",
        "cosine_annealing_warm_restarts",
        "one_cycle",
        "reduce_on_plateau",
    ],
)
def test_every_schedule_can_be_chosen_and_resolved_again(kind: str) -> None:
    resolved = resolve({"training.scheduler.type": kind})
    assert resolved.training.scheduler.type == kind
    assert Root.model_validate(to_dict(resolved)) == resolved


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_every_optimizer_can_be_chosen(kind: str) -> None:
    assert resolve({"training.optimizer.type": kind}).training.optimizer.type == kind


def test_whole_number_written_as_float_is_accepted() -> None:
    restarts = {"type": "cosine_annealing_warm_restarts", "T_mult": 2.0}
    assert resolve({"training.scheduler": restarts}).training.scheduler.T_mult == 2  # type: ignore[union-attr]
