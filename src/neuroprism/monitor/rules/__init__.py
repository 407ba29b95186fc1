"""Alert rules: pure functions of the history of a run."""

from __future__ import annotations

from neuroprism.monitor.history import History, Rule
from neuroprism.monitor.rules.engine import RuleEngine
from neuroprism.monitor.rules.non_finite import non_finite
from neuroprism.monitor.rules.registry import rules

__all__ = ["History", "Rule", "RuleEngine", "non_finite", "rules"]
