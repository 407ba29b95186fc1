"""What an alert rule is: a pure function of the history, and when to ask it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, get_args

from neuroprism.core.records import Alert
from neuroprism.monitor.history import History

Moment = Literal["window", "block", "course", "epoch", "gradients"]
"""When a rule is asked: at every flush, after a block of rows, when the course of the run is looked
at, at the end of an epoch, when gradients were taken apart. At the end of the run all but the rules
of flushes and gradients are asked once more."""

Need = Literal[
    "grad_norm", "lr", "schedule", "validation", "baselines", "several_components", "times", "gradients"
]
"""What a rule cannot do without."""

Judge = Callable[..., Iterable[Alert]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A named judgement with its settings.

    Attributes
    ----------
    name
        Under which it is configured, as `monitoring.rules.<name>`.
    judge
        Pure function of the history; its keyword-only parameters are the settings.
    moments
        When it is asked.
    needs
        Without which it can find nothing: said in the report of what was not checked.
    confirm
        Moments in a row in which a finding must stand before an alert is raised.
    quiet
        Moments without a finding after which an alert is closed.
    yields_to
        Kinds of open alerts, on the same component or the whole run, that explain
        what this rule would say, so that it says nothing.
    settings
        Values other than the defaults.
    """

    name: str
    judge: Judge
    moments: frozenset[Moment] = frozenset({"window", "epoch"})
    needs: tuple[Need, ...] = ()
    confirm: int = 1
    quiet: int = 3
    yields_to: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, history: History) -> Iterable[Alert]:
        """Return what the rule sees now."""
        return self.judge(history, **self.settings)

    def bind(self, **settings: Any) -> Rule:
        """Return the rule with these settings."""
        return replace(self, settings={**self.settings, **settings})

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its settings by name, with type and default."""
        found = inspect.signature(self.judge, eval_str=True).parameters
        return {name: p for name, p in found.items() if p.kind is p.KEYWORD_ONLY}


MOMENTS: tuple[Moment, ...] = get_args(Moment)


def as_rule(judge: Rule | Judge) -> Rule:
    """Return a rule; a plain function becomes one that is asked at every flush and epoch."""
    if isinstance(judge, Rule):
        return judge
    named: Any = judge
    while isinstance(named, partial):
        named = named.func
    return Rule(name=getattr(named, "__name__", type(named).__name__), judge=judge)
