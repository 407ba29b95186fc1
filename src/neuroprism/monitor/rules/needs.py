"""What could not be checked, and why."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from neuroprism.monitor.history import GRAD_NORM, LR, STEP_SECONDS, History
from neuroprism.monitor.rules.rule import Need, Rule


class NotChecked(msgspec.Struct, frozen=True):
    """A rule that could find nothing, and why."""

    rule: str
    why: str


_NEEDS: dict[Need, tuple[Callable[[History], bool], str]] = {
    "grad_norm": (lambda history: history.stream.has(GRAD_NORM), "no gradient norm was recorded"),
    "lr": (lambda history: history.stream.has(LR), "no learning rate was recorded"),
    "schedule": (lambda history: history.facts.schedule is not None, "no learning rate schedule is declared"),
    "validation": (
        lambda history: any(epoch.val for epoch in history.epochs),
        "no validation losses were recorded",
    ),
    "baselines": (
        lambda history: any(component.baseline is not None for component in history.components),
        "no component declares the value of its best constant predictor",
    ),
    "several_components": (lambda history: len(history.components) > 1, "the loss has one component only"),
    "times": (
        lambda history: (
            history.stream.has(STEP_SECONDS) or any(epoch.samples_per_second for epoch in history.epochs)
        ),
        "neither times of steps nor the rate of epochs were recorded",
    ),
    "gradients": (lambda history: bool(history.gradients), "no gradients by component were recorded"),
}


def unmet(rule: Rule, history: History) -> NotChecked | None:
    """Return why a rule could find nothing in this history, None where it could."""
    reasons = [why for need in rule.needs for is_met, why in (_NEEDS[need],) if not is_met(history)]
    return NotChecked(rule=rule.name, why="; ".join(reasons)) if reasons else None
