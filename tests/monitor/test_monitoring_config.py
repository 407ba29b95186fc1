from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from neuroprism.core.records import Component
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.build import build_sinks, default_rules, default_sinks
from neuroprism.monitor.config import MonitoringConfig, RulesConfig, build_rules
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history import History, Stream
from neuroprism.monitor.logging_config import LoggingConfig
from neuroprism.monitor.rules import rules
from neuroprism.monitor.sinks import Sink

FILES = ["run_file", "steps_file", "events_file", "training_log"]


def diverged() -> History:
    components = (Component(name="mse", label="MSE"),)
    pending = PendingSteps(components)
    pending.add({"mse": math.nan})
    return History(
        facts=RunFacts(components=components),
        stream=Stream(components),
        window=pending.take(first_step=1, epoch=1),
    )


def test_every_registered_rule_can_be_configured() -> None:
    assert list(RulesConfig.model_fields) == list(rules)
    assert len(build_rules(MonitoringConfig())) == len(rules)
    assert default_rules() == list(rules.values())


def only(name: str, **settings: object) -> MonitoringConfig:
    sections = {other: {"enabled": False} for other in rules if other != name}
    return MonitoringConfig.model_validate({"rules": {**sections, name: settings}})


def test_a_rule_can_be_turned_off() -> None:
    config = MonitoringConfig.model_validate({"rules": {"non_finite": {"enabled": False}}})
    names_of_rules = [rule.name for rule in build_rules(config)]
    assert names_of_rules == [name for name in rules if name != "non_finite"]


@pytest.mark.parametrize(("severity", "stop"), [("critical", True), ("warning", False), ("info", False)])
def test_the_severity_acts(severity: str, stop: bool) -> None:
    (rule,) = build_rules(only("non_finite", severity=severity))
    (alert,) = rule(diverged())
    assert (alert.severity, alert.stop) == (severity, stop)


def test_settings_are_those_of_the_function() -> None:
    (rule,) = build_rules(only("spike", deviations=12.5))
    assert rule.settings["deviations"] == 12.5
    assert set(rule.settings) == set(rule.parameters)


@pytest.mark.parametrize(
    "content",
    [
        {"rules": {"non_finit": {}}},
        {"rules": {"non_finite": {"severity": "loud"}}},
        {"rules": {"spike": {"deviation": 3}}},
        {"rules": {"spike": {"deviations": -1}}},
        {"rules": {"stall": {"least_steps": 1}}},
        {"stop_on": ["loud"]},
        {"on_alert": {"webhook": "nowhere"}},
        {"gradients": {"every_n_steps": -1}},
    ],
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
