"""The registry of alert rules.

A rule is a pure function of the `History` that returns alerts. It is called
for every flushed window and every closed epoch. Its keyword arguments, with
defaults, are its settings under ``monitoring.rules.<name>``.
"""

from __future__ import annotations

from neuroprism.core.registry import Registry
from neuroprism.monitor.history import Rule

rules: Registry[Rule] = Registry("alert rule")
