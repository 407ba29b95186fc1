"""Configuration of the alert rules."""

from __future__ import annotations

from functools import partial
from typing import Literal

from neuroprism.core.section import Section
from neuroprism.monitor.rules import Rule, rules


class RuleConfig(Section):
    """Settings that every alert rule has."""

    enabled: bool = True
    """Whether the rule is asked at all."""


class NonFiniteConfig(RuleConfig):
    """NaN or infinity in a loss component, the total or the gradient norm."""

    severity: Literal["info", "warning", "critical"] = "critical"
    """Severity of the alert; training is asked to stop only when it is critical."""


class RulesConfig(Section):
    """One section per alert rule."""

    non_finite: NonFiniteConfig = NonFiniteConfig()


class MonitoringConfig(Section):
    """What watches the training."""

    rules: RulesConfig = RulesConfig()


def build_rules(config: MonitoringConfig) -> list[Rule]:
    """Return the enabled rules with their settings bound."""
    built: list[Rule] = []
    for name in RulesConfig.model_fields:
        section: RuleConfig = getattr(config.rules, name)
        if section.enabled:
            built.append(partial(rules[name], **section.model_dump(exclude={"enabled"})))
    return built
