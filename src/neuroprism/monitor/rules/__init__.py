"""Alert rules: pure functions of the history of a run, and the engine that asks them."""

from __future__ import annotations

from neuroprism.monitor.history import History
from neuroprism.monitor.rules.engine import RuleEngine
from neuroprism.monitor.rules.needs import NotChecked
from neuroprism.monitor.rules.non_finite import non_finite
from neuroprism.monitor.rules.registry import rule, rules
from neuroprism.monitor.rules.rule import Rule
from neuroprism.monitor.rules.spike import spike

__all__ = ["History", "NotChecked", "Rule", "RuleEngine", "non_finite", "rule", "rules", "spike"]
