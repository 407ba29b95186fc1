"""From the file of a sweep to the runs and their commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.config import load, parse_override
from neuroprism.core.errors import ConfigError
from neuroprism.eeg.config import EegConfig
from neuroprism.runs.sweep import SweepConfig, plan
from neuroprism.runs.sweep.plan import LONGEST_NAME, command_words, folder_name, key_ends, spelled


def described(**content: Any) -> SweepConfig:
    return SweepConfig.model_validate({"command": "finetune", "out": "s", **content})


def test_every_value_meets_every_other_with_every_seed() -> None:
    sweep = described(grid={"data.dataset": ["A", "B"], "model.dropout": [0.1, 0.5]}, seeds=[0, 7])
    runs = plan(sweep)
    assert [run.name for run in runs] == [
        f"dataset={d},dropout={p}/seed_{s}" for d in "AB" for p in ("0.1", "0.5") for s in (0, 7)
    ]
    last = runs[-1]
    assert last.folder == Path("s/dataset=B,dropout=0.5/seed_7")
    assert (last.combination, last.seed) == ({"data.dataset": "B", "model.dropout": 0.5}, 7)
    assert last.settings["reproducibility.seed"] == 7


def test_without_seeds_a_combination_is_a_run_and_without_a_grid_a_seed_is_one() -> None:
    assert [run.name for run in plan(described(grid={"model.frozen": [False]}))] == ["frozen=false"]
    assert [run.name for run in plan(described(seeds=[3]))] == ["seed_3"]


def test_the_command_of_fine_tuning() -> None:
    sweep = described(
        config="e.yaml", settings={"data": {"store": "my store"}}, grid={"training.epochs": [2]}, threads=3
    )
    (run,) = plan(sweep)
    assert command_words(sweep, run) == [
        *("finetune", "--config", "e.yaml", "--model_dir", "s/epochs=2"),
        *("--set", "data.store=my store", "--set", "training.epochs=2", "--set", "hardware.n_threads=3"),
    ]


def test_the_command_of_training_names_folder_and_experiment() -> None:
    sweep = described(command="train", seeds=[5], grid={"model.x": ["a"]})
    (run,) = plan(sweep)
    words = command_words(sweep, run)
    assert words[:3] == ["train", "--experiment", "seed_5"]
    assert words[-1] == "logging.log_dir=s/x=a"


def test_the_choice_of_an_optimizer_comes_before_its_options() -> None:
    options = {"training.optimizer.momentum": 0.5, "training.optimizer.learning_rate": 0.1}
    sweep = described(settings=options, grid={"training.optimizer.type": ["sgd"]})
    (run,) = plan(sweep)
    overrides = [(key, value, "sweep") for key, value in run.settings.items()]
    optimizer: Any = load(EegConfig, overrides=overrides).training.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.learning_rate) == ("sgd", 0.5, 0.1)


@pytest.mark.parametrize(
    "value", [None, True, "true", "2", "a b", "[x", 1e-30, 1e30, 3, [1, 2], {"a": None}, "ä: b", ""]
)
def test_a_spelled_value_is_read_back(value: Any) -> None:
    assert parse_override(f"key={spelled(value)}")[1] == value


def test_ends_of_keys_tell_them_apart() -> None:
    keys = {"training.scheduler.type": 1, "training.optimizer.type": 2, "data.x": 3, "x": 4}
    assert list(key_ends(keys).values()) == ["scheduler.type", "optimizer.type", "data.x", "x"]


def test_names_are_plain_and_not_endless() -> None:
    assert folder_name({"widths": [1, 2], "path": "a/b", "x": -1e-3}) == "widths=1-2,path=a-b,x=-0.001"
    long, other = (folder_name({"list": [*range(100), last]}) for last in (1, 2))
    assert long != other
    assert len(long) < LONGEST_NAME + 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "neither grid nor seeds"),
        ({"grid": {"a": []}}, "a has no values"),
        ({"grid": {"a": [1, 2, 1]}}, "a has a value twice"),
        ({"seeds": [1, 1]}, "a seed stands twice"),
        (
            {"seeds": [1], "settings": {"hardware": {"n_threads": 2}}},
            "n_threads is set by the sweep; give 'threads'",
        ),
        ({"grid": {"logging.log_dir": ["a"]}}, "log_dir is set by the sweep; give 'out'"),
        ({"grid": {"reproducibility.seed": [1]}}, "seed is set by the sweep; give 'seeds'"),
        ({"grid": {"a.b": [1]}, "settings": {"a": {"b": 1}}}, "a.b stands in settings and in grid"),
        ({"grid": {"a": [1]}, "settings": {"a": {"b": 1}}}, "a stands in settings and in grid"),
    ],
)
def test_contradictions(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        described(**content)


def test_two_combinations_with_one_name() -> None:
    with pytest.raises(ConfigError, match="two combinations of the grid would lie in s/path=a-b"):
        plan(described(grid={"data.path": ["a/b", "a b"]}))
