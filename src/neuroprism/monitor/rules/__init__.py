"""Alert rules: pure functions of the history of a run, and the engine that asks them.

The order of the imports is the order in which rules are asked: causes first.
"""

# ruff: noqa: I001

from __future__ import annotations

from neuroprism.monitor.history import History
from neuroprism.monitor.rules.rule import Rule
from neuroprism.monitor.rules.registry import rule, rules
from neuroprism.monitor.rules.needs import NotChecked
from neuroprism.monitor.rules.engine import RuleEngine
from neuroprism.monitor.rules.non_finite import non_finite
from neuroprism.monitor.rules.explosion import explosion
from neuroprism.monitor.rules.lr_frozen import lr_frozen
from neuroprism.monitor.rules.vanishing_gradient import vanishing_gradient
from neuroprism.monitor.rules.stall import stall
from neuroprism.monitor.rules.oscillation import oscillation
from neuroprism.monitor.rules.spike import spike
from neuroprism.monitor.rules.dead_component import dead_component
from neuroprism.monitor.rules.task_stall import task_stall
from neuroprism.monitor.rules.dominance import dominance
from neuroprism.monitor.rules.gradient_conflict import gradient_conflict
from neuroprism.monitor.rules.ratio_drift import ratio_drift
from neuroprism.monitor.rules.overfitting import overfitting
from neuroprism.monitor.rules.worse_than_baseline import worse_than_baseline
from neuroprism.monitor.rules.slow_step import slow_step

__all__ = [
    "History",
    "NotChecked",
    "Rule",
    "RuleEngine",
    "dead_component",
    "dominance",
    "explosion",
    "gradient_conflict",
    "lr_frozen",
    "non_finite",
    "oscillation",
    "overfitting",
    "ratio_drift",
    "rule",
    "rules",
    "slow_step",
    "spike",
    "stall",
    "task_stall",
    "vanishing_gradient",
    "worse_than_baseline",
]
