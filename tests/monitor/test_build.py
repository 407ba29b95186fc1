"""Which sinks and rules a run gets."""

from __future__ import annotations

from typing import Any

import pytest

from neuroprism.monitor import Sink, rules
from neuroprism.monitor.build import build_sinks, default_rules, default_sinks, file_sinks
from neuroprism.monitor.config import OnAlertConfig
from neuroprism.monitor.logging_config import LoggingConfig

FILES = ["run_file", "steps_file", "events_file", "training_log", "text_log"]


def names(sinks: list[Sink]) -> list[str]:
    return [sink.name for sink in sinks]


def test_every_run_has_its_files() -> None:
    assert names(file_sinks()) == FILES[:-1]
    assert names(default_sinks()) == [*FILES, "progress_bar", "console"]


def test_every_sink_keeps_the_protocol() -> None:
    config = LoggingConfig(use_tensorboard=True, use_wandb=True)
    assert all(isinstance(sink, Sink) for sink in build_sinks(config, log_frequency=10))


@pytest.mark.parametrize(
    ("given", "quiet", "shown"),
    [
        ({}, False, ["progress_bar", "console"]),
        ({}, True, ["console"]),
        ({"progress_bar": False}, False, ["console"]),
        ({"use_tensorboard": True}, True, ["console", "tensorboard"]),
        ({"use_wandb": True, "tracker": "trackio"}, True, ["console", "tracker"]),
    ],
)
def test_the_configuration_chooses(given: dict[str, Any], quiet: bool, shown: list[str]) -> None:
    config = LoggingConfig.model_validate({"use_tensorboard": False, "use_wandb": False, **given})
    assert names(build_sinks(config, log_frequency=10, quiet=quiet)) == FILES + shown


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, []), ({"command": ["mail"]}, ["on_alert"]), ({"webhook": "https://host/x"}, ["on_alert"])],
)
def test_whom_to_tell_is_closed_last(given: dict[str, Any], told: list[str]) -> None:
    config = LoggingConfig(use_tensorboard=False)
    on_alert = OnAlertConfig.model_validate(given)
    sinks = build_sinks(config, log_frequency=10, quiet=True, on_alert=on_alert)
    assert names(sinks) == [*told, *FILES, "console"]


def test_no_rule_is_left_out() -> None:
    assert default_rules() == list(rules.values())
    assert "non_finite" in rules
