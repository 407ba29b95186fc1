"""Loading a configuration: precedence, sources, and one clear line for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from neuroprism.core.config import config_hash, load, parse_override, to_dict, to_yaml
from neuroprism.core.errors import ConfigError
from neuroprism.core.schema import default_choices, keys, paths
from neuroprism.core.section import Section


class Step(Section):
    type: Literal["step"] = "step"
    step_size: int = 10


class Restarts(Section):
    type: Literal["warm_restarts"] = "warm_restarts"
    T_0: int = Field(5, ge=1)


class Training(Section):
    epochs: int = Field(3, ge=1)
    """Passes over the data."""
    learning_rate: float = 1e-3
    mode: Literal["min", "max"] = "min"
    betas: tuple[float, float] = (0.9, 0.95)
    scheduler: Step | Restarts = Field(Restarts(), discriminator="type")

    @field_validator("betas")
    @classmethod
    def _below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if max(betas) >= 1:
            raise ValueError(f"betas must lie below 1, not {max(betas)}")
        return betas


class Root(Section):
    training: Training = Training()
    name: str | None = None


def load_set(*assignments: str, **more: Any) -> Root:
    return load(Root, overrides=[parse_override(text) for text in assignments], **more)


def test_precedence_is_flag_environment_file_default(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("training: {epochs: 10, learning_rate: 2e-4}\nname: from file\n")
    environment = {"NEUROPRISM__TRAINING__EPOCHS": "20", "NEUROPRISM__NAME": "environment", "HOME": "/x"}
    config = load(Root, file=file, environment=environment, overrides=[parse_override("training.epochs=30")])
    assert config.training.epochs == 30
    assert config.name == "environment"
    assert config.training.learning_rate == 2e-4
    assert config.training.mode == "min"


def test_environment_finds_keys_in_any_case() -> None:
    config = load(Root, environment={"NEUROPRISM__TRAINING__SCHEDULER__T_0": "7"})
    assert config.training.scheduler == Restarts(T_0=7)


def test_choosing_another_type_drops_the_keys_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("training: {scheduler: {T_0: 4, type: warm_restarts}}\n")
    config = load(Root, file=file, overrides=[parse_override("training.scheduler.type=step")])
    assert config.training.scheduler == Step()


MISTAKES = {
    "training.epohcs=3": "--set: unknown key 'training.epohcs'; did you mean 'training.epochs'?",
    "epochs=3": "--set: unknown key 'epochs'; did you mean 'training.epochs'?",
    "traning.epochs=3": "--set: unknown key 'traning.epochs'; did you mean 'training.epochs'?",
    "training.epochs=0": "--set: training.epochs: input should be greater than or equal to 1, not 0",
    "training.epochs=[1]": "--set: training.epochs: input should be a valid integer, not [1]",
    "training.mode=mim": "--set: training.mode: input should be 'min' or 'max', not 'mim'; "
    "did you mean 'min'?",
    "training.learning_rate=.nan": "--set: training.learning_rate: input should be a finite number, not nan",
    "training.betas=[0.9, 1.0]": "--set: training.betas: betas must lie below 1, not 1.0",
    "training.scheduler.type=setp": "--set: unknown training.scheduler.type 'setp'; "
    "did you mean 'step'? valid: step, warm_restarts",
    "training.scheduler.step_size=2": "--set: unknown key 'training.scheduler.step_size': "
    "type 'warm_restarts' does not read it",
    "training.scheduler.T_0=x": "--set: training.scheduler.T_0: input should be a valid integer, "
    "unable to parse string as an integer, not 'x'",
    "training=3": "--set: training: input should be a valid dictionary or instance of Training, not 3",
    "training.epochs": "--set training.epochs: expected KEY=VALUE, e.g. training.epochs=3",
    "name=[1": "--set name: not valid YAML: expected ',' or ']', but got '<stream end>'",
}


@pytest.mark.parametrize("assignment", MISTAKES)
def test_a_mistake_is_one_line_with_key_and_nearest_name(assignment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_set(assignment)
    assert str(caught.value) == MISTAKES[assignment]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epochs: 3, epochs: 4}", "key 'epochs' stands twice"),
        ("training: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        ("- 1", "expected keys and values, found list"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "c: *b\n", "unknown key"),
        ("a: &a [*a]", "a value holds itself"),
        (
            "x0: &x0 [1, 1]\n" + "".join(f"x{k}: &x{k} [*x{k - 1}, *x{k - 1}]\n" for k in range(1, 40)),
            "values",
        ),
        ("# " + "x" * (1 << 20), "longer than 1 MiB"),
        ("a: b: c", "mapping values are not allowed here"),
        ("training: {epohcs: 3}", "unknown key 'training.epohcs'; did you mean 'training.epochs'?"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Root, file=file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*: No such file or directory"):
        load(Root, file=tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("text", "value"), [("2e-4", 2e-4), ("1.5e3", 1500.0), ("-1E+2", -100.0), ("3.", 3.0), (".5", 0.5)]
)
def test_numbers_are_read_as_yaml_1_2(text: str, value: float) -> None:
    assert load_set(f"training.learning_rate={text}").training.learning_rate == value


@given(st.floats(1e-8, 1e8), st.integers(1, 10**6), st.sampled_from(["step", "warm_restarts"]))
def test_resolved_configuration_loads_again(rate: float, epochs: int, scheduler: str) -> None:
    config = load_set(
        f"training.learning_rate={rate!r}",
        f"training.epochs={epochs}",
        f"training.scheduler.type={scheduler}",
    )
    again = load(Root, overrides=[(k, v, "file") for k, v in to_dict(config).items()])
    assert again == config
    assert config_hash(to_dict(again)) == config_hash(to_dict(config))


def test_yaml_of_the_resolved_configuration_loads_again(tmp_path: Path) -> None:
    config = load_set("training.scheduler.type=step", "training.learning_rate=1e-5", "name=x")
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(config))
    assert load(Root, file=file) == config


def test_the_schema_lists_the_keys_of_every_variant() -> None:
    assert paths(Root) == [
        "training.epochs",
        "training.learning_rate",
        "training.mode",
        "training.betas",
        "training.scheduler.type",
        "training.scheduler.step_size",
        "training.scheduler.T_0",
        "name",
    ]
    assert default_choices(Root) == {"training.scheduler": "warm_restarts"}
    assert next(iter(keys(Root))).field.description == "Passes over the data."
