"""Applies rules and keeps them from repeating themselves or doing harm."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

from neuroprism.core.records import Alert, Component, EpochRecord
from neuroprism.monitor.history import History, Rule
from neuroprism.monitor.scalars import plain
from neuroprism.monitor.window import StepWindow

_N_EPOCHS_KEPT = 1000


class RuleEngine:
    """Holds the history of a run and asks every rule about each new record.

    One alert per rule, kind, component and severity passes in an epoch, so that
    a trouble that grows worse is heard again. A rule that raises is disabled,
    with one alert.
    """

    def __init__(self, components: tuple[Component, ...], rules: Sequence[Rule]) -> None:
        self._components = components
        self._rules = list(rules)
        self._epochs: deque[EpochRecord] = deque(maxlen=_N_EPOCHS_KEPT)
        self._skipped_in_a_row = 0
        self._sent: set[tuple[str, str, str | None, str]] = set()

    def look(self, record: StepWindow | EpochRecord) -> list[Alert]:
        """Return the alerts about a new record that were not sent in this epoch."""
        history = self._history(record)
        alerts = [alert for rule in tuple(self._rules) for alert in self._ask(rule, history)]
        fresh = [alert for alert in alerts if self._is_new(alert)]
        if isinstance(record, EpochRecord):
            self._epochs.append(record)
            self._sent.clear()
        else:
            self._skipped_in_a_row = _trailing(record, self._skipped_in_a_row)
        return fresh

    def remember(self, epochs: Sequence[EpochRecord]) -> None:
        """Take in the epochs of an earlier attempt, after a resume."""
        self._epochs.extend(epochs)

    def _history(self, record: StepWindow | EpochRecord) -> History:
        return History(
            components=self._components,
            window=record if isinstance(record, StepWindow) else None,
            epoch=record if isinstance(record, EpochRecord) else None,
            epochs=tuple(self._epochs),
            skipped_before=self._skipped_in_a_row,
        )

    def _ask(self, rule: Rule, history: History) -> Iterator[Alert]:
        try:
            # An alert must be fit for JSON before it meets a sink.
            alerts = list(rule(history))
            for alert in alerts:
                alert.evidence = plain(alert.evidence)
        except Exception as error:  # noqa: BLE001 - the seam: a rule never harms the training
            self._rules.remove(rule)
            alerts = [_failed(rule, error)]
        yield from alerts

    def _is_new(self, alert: Alert) -> bool:
        key = (alert.rule, alert.kind, alert.component, alert.severity)
        if key in self._sent:
            return False
        self._sent.add(key)
        return True


def rule_name(rule: Rule) -> str:
    """Return the name of a rule for messages."""
    while isinstance(rule, partial):
        rule = rule.func
    return getattr(rule, "__name__", type(rule).__name__)


def _failed(rule: Rule, error: Exception) -> Alert:
    name = rule_name(rule)
    reason = " ".join(str(error).split())
    return Alert(
        rule=name,
        kind="rule_failed",
        severity="warning",
        message=f"alert rule '{name}' raised {type(error).__name__}: {reason}; it is off from now on",
    )


def _trailing(window: StepWindow, before: int) -> int:
    """Return how many steps at the end of `window` were skipped without a break."""
    applied = (~window.skipped).nonzero()[0]
    return int(len(window) - 1 - applied[-1]) if len(applied) else before + len(window)
