from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from neuroprism.core.records import Component
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.build import build_sinks, default_rules, default_sinks
from neuroprism.monitor.config import MonitoringConfig, RulesConfig, build_rules
from neuroprism.monitor.history import History
from neuroprism.monitor.logging_config import LoggingConfig
from neuroprism.monitor.rules import rules
from neuroprism.monitor.sinks import Sink

FILES = ["run_file", "steps_file", "events_file", "training_log"]


def diverged() -> History:
    components = (Component(name="mse", label="MSE"),)
    pending = PendingSteps(components)
    pending.add({"mse": math.nan})
    return History(components=components, window=pending.take(first_step=1, epoch=1))


def test_every_registered_rule_can_be_configured() -> None:
    assert set(RulesConfig.model_fields) == set(rules)
    assert len(build_rules(MonitoringConfig())) == len(rules)
    assert default_rules() == list(rules.values())


def test_a_rule_can_be_turned_off() -> None:
    config = MonitoringConfig.model_validate({"rules": {"non_finite": {"enabled": False}}})
    assert build_rules(config) == []


@pytest.mark.parametrize(("severity", "stop"), [("critical", True), ("warning", False), ("info", False)])
def test_the_severity_acts(severity: str, stop: bool) -> None:
    config = MonitoringConfig.model_validate({"rules": {"non_finite": {"severity": severity}}})
    (rule,) = build_rules(config)
    (alert,) = rule(diverged())
    assert (alert.severity, alert.stop) == (severity, stop)


@pytest.mark.parametrize(
    "content", [{"rules": {"non_finit": {}}}, {"rules": {"non_finite": {"severity": "loud"}}}]
)
def test_unknown_rules_and_values_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MonitoringConfig.model_validate(content)


def names(sinks: list[Sink]) -> list[str]:
    return [sink.name for sink in sinks]


def test_a_monitor_alone_has_files_bar_and_console() -> None:
    assert names(default_sinks()) == [*FILES, "text_log", "progress_bar", "console"]


@pytest.mark.parametrize(
    ("content", "quiet", "expected"),
    [
        ({"use_tensorboard": False}, False, ["text_log", "progress_bar", "console"]),
        ({"use_tensorboard": True}, True, ["text_log", "console", "tensorboard"]),
        ({"use_tensorboard": False, "progress_bar": False}, False, ["text_log", "console"]),
        (
            {"use_wandb": True, "tracker": "trackio"},
            False,
            ["text_log", "progress_bar", "console", "tensorboard", "tracker"],
        ),
    ],
)
def test_the_configuration_chooses_the_other_sinks(
    content: dict[str, Any], quiet: bool, expected: list[str]
) -> None:
    built = build_sinks(
        LoggingConfig.model_validate(content), log_frequency=10, steps_per_epoch=5, quiet=quiet
    )
    found = [name if name not in ("wandb", "trackio") else "tracker" for name in names(built)]
    assert found == [*FILES, *expected]
    assert all(isinstance(sink, Sink) for sink in built)


@pytest.mark.parametrize(
    ("level", "quiet", "expected"),
    [
        ("DEBUG", False, "debug"),
        ("INFO", False, "info"),
        ("INFO", True, "warning"),
        ("WARNING", False, "warning"),
    ],
)
def test_the_level_reaches_the_console(level: str, quiet: bool, expected: str) -> None:
    built = build_sinks(LoggingConfig.model_validate({"level": level}), log_frequency=10, quiet=quiet)
    (console,) = [sink for sink in built if sink.name == "console"]
    assert console.level == expected  # type: ignore[attr-defined]
