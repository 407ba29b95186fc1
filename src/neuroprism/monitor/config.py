"""Configuration of what watches the training.

The sections of the rules follow from the rules themselves: a keyword-only
parameter is a key, its default the default, its line in the docstring the
description.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, create_model, field_validator

from neuroprism.core.section import Section
from neuroprism.monitor.rules import Rule, rules


class RuleConfig(Section):
    """Settings that every alert rule has."""

    enabled: bool = True
    """Whether the rule is asked at all."""


def rule_section(rule: Rule) -> type[RuleConfig]:
    """Return the section that configures a rule."""
    described = _parameter_descriptions(inspect.getdoc(rule.judge) or "")
    fields: dict[str, Any] = {
        name: (parameter.annotation, Field(default=parameter.default, description=described.get(name)))
        for name, parameter in rule.parameters.items()
    }
    title = "".join(part.capitalize() for part in rule.name.split("_"))
    summary = (inspect.getdoc(rule.judge) or "").partition("\n")[0]
    return create_model(f"{title}Config", __base__=RuleConfig, __doc__=summary, **fields)


def _parameter_descriptions(docstring: str) -> dict[str, str]:
    """Return what a NumPy docstring says of each parameter."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n\S|\Z)", docstring, re.MULTILINE | re.DOTALL)
    if section is None:
        return {}
    entries = re.findall(r"^(\w+)[^\n]*\n((?:[ ]+[^\n]*\n?)+)", section[1], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


if TYPE_CHECKING:
    RulesConfig = Section
else:
    _sections = {name: rule_section(rule) for name, rule in rules.items()}
    RulesConfig = create_model(
        "RulesConfig",
        __base__=Section,
        __doc__="One section per alert rule.",
        **{name: (section, section()) for name, section in _sections.items()},
    )


class OnAlertConfig(Section):
    """What is told of an alert outside the run; nothing of it can stop or harm the training."""

    command: tuple[str, ...] = ()
    """Program and arguments to run, without a shell; it gets the alert as JSON on standard input."""

    webhook: str | None = None
    """Address that gets the alert as a JSON POST request."""

    severity: Literal["info", "warning", "critical"] = "warning"
    """Least severity that is told."""

    timeout_seconds: float = Field(default=10.0, gt=0)
    """Time after which a command or request is given up."""

    @field_validator("command")
    @classmethod
    def _names_a_program(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if command and not command[0].strip():
            raise ValueError("the first word must name a program; [] runs none")
        return command

    @field_validator("webhook")
    @classmethod
    def _is_a_web_address(cls, webhook: str | None) -> str | None:
        # The message shows nothing of the address: its path is often a secret.
        if webhook is not None:
            try:
                parts = urlsplit(webhook)
                complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            except ValueError:
                complete = False
            if not complete:
                raise ValueError("must begin with http:// or https:// and name a host; null tells none")
        return webhook


class GradientsConfig(Section):
    """How often gradients are taken apart by loss component."""

    every_n_steps: int = Field(default=200, ge=0)
    """Optimizer steps between two looks, each with one more backward pass per component; 0 = never. A
    loss of one component is never taken apart."""


class MonitoringConfig(Section):
    """What watches the training."""

    rules: RulesConfig = RulesConfig()

    stop_on: tuple[Literal["info", "warning", "critical"], ...] = ()
    """Severities of alerts that end the training, with a checkpoint. A critical `non_finite` always does."""

    on_alert: OnAlertConfig = OnAlertConfig()

    gradients: GradientsConfig = GradientsConfig()


def build_rules(config: MonitoringConfig) -> list[Rule]:
    """Return the enabled rules with their settings bound."""
    built: list[Rule] = []
    for name in type(config.rules).model_fields:
        section: RuleConfig = getattr(config.rules, name)
        if section.enabled:
            built.append(rules[name].bind(**_settings(section)))
    return built


def _settings(section: RuleConfig) -> Mapping[str, Any]:
    return section.model_dump(exclude={"enabled"})
