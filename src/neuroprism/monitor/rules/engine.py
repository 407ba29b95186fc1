"""Applies rules to the history of a run and keeps them from repeating themselves or doing harm."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from neuroprism.core.records import Alert, EpochRecord, Gradients, Severity
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history import History, Stream
from neuroprism.monitor.rules.alert_book import AlertBook
from neuroprism.monitor.rules.needs import NotChecked, unmet
from neuroprism.monitor.rules.rule import Judge, Moment, Rule, as_rule
from neuroprism.monitor.scalars import plain
from neuroprism.monitor.window import StepWindow

_N_EPOCHS_KEPT = 1000
_N_GRADIENTS_KEPT = 64


class RuleEngine:
    """Holds the history of a run and asks every rule about each new record.

    An alert is raised once, updated while its cause lasts and closed when it has
    passed. A rule that raises is disabled, with one alert. Memory does not grow
    with the run, and `state_dict` holds all of it.

    Parameters
    ----------
    facts
        What the run declares about itself.
    rules
        Asked in this order; plain functions are taken as well.
    stop_on
        Severities at which an alert asks the loop to stop.
    """

    def __init__(
        self, facts: RunFacts, rules: Sequence[Rule | Judge], *, stop_on: Collection[Severity] = ()
    ) -> None:
        self.facts = facts
        self._rules = [as_rule(rule) for rule in rules]
        self._stop_on = frozenset(stop_on)
        self._stream = Stream(facts.components, gradient_clip=facts.gradient_clip)
        self._epochs: deque[EpochRecord] = deque(maxlen=_N_EPOCHS_KEPT)
        self._gradients: deque[Gradients] = deque(maxlen=_N_GRADIENTS_KEPT)
        self._skipped_in_a_row = 0
        self._book = AlertBook()
        self._written: dict[int, int] = {}

    def look(self, record: StepWindow | EpochRecord | Gradients) -> list[Alert]:
        """Return the alerts that a new record raises, makes more severe or closes, each once."""
        return _each_once(self.changes(record))

    def changes(self, record: StepWindow | EpochRecord | Gradients) -> Iterator[Alert]:
        """Yield an alert whenever the new record raises, closes or makes it more severe, as it then stands.

        To be exhausted: what is not asked for is not judged.
        """
        match record:
            case StepWindow():
                yield from self._look_at_steps(record)
            case EpochRecord():
                yield from self._judge("epoch", step=record.step, epoch=record)
                self._epochs.append(record)
            case Gradients():
                self._gradients.append(record)
                yield from self._judge("gradients", step=record.step)

    def finish(self) -> list[Alert]:
        """Judge what is left at the end of the run; return what that changes, and how open alerts stand."""
        self._stream.close()
        step = self._stream.step
        moments: tuple[Moment, ...] = ("block", "course", "epoch")
        changed = [
            alert for moment in moments for alert in self._judge(moment, step=step, ended=True, closing=False)
        ]
        lasting = [alert for alert in self._book.open_alerts() if self._written.get(id(alert)) != alert.count]
        found = _each_once([*changed, *lasting])
        for alert in found:
            alert.at_end = True
        return found

    def not_checked(self) -> list[NotChecked]:
        """Return the rules that could find nothing for want of something, and of what."""
        history = self._history()
        return [entry for rule in self._rules if (entry := unmet(rule, history)) is not None]

    def remember(self, epochs: Sequence[EpochRecord]) -> None:
        """Take in the epochs of an earlier attempt, after a resume."""
        self._epochs.extend(epochs)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the epochs, which the record of the run holds, as plain values."""
        return {
            "stream": self._stream.state_dict(),
            "book": self._book.state_dict(),
            "gradients": [msgspec.to_builtins(record) for record in self._gradients],
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._stream.load_state_dict(state["stream"])
        self._book.load_state_dict(state["book"])
        self._gradients.extend(msgspec.convert(record, Gradients) for record in state["gradients"])
        self._skipped_in_a_row = int(state["skipped_in_a_row"])

    def open_alerts(self) -> list[Alert]:
        """Return the alerts that last."""
        return self._book.open_alerts()

    def _look_at_steps(self, window: StepWindow) -> Iterator[Alert]:
        """Judge a window piece by piece, so that it does not matter where it was flushed."""
        for piece in self._stream.pieces(window):
            yield from self._judge("window", step=int(piece.step[-1]), window=piece, closing=False)
            self._skipped_in_a_row = _trailing(piece, self._skipped_in_a_row)
            if not self._stream.push(piece):
                continue
            yield from self._judge("block", step=self._stream.step)
            if self._stream.is_course:
                yield from self._judge("course", step=self._stream.step)

    def _history(self, **newest: Any) -> History:
        return History(
            facts=self.facts,
            stream=self._stream,
            epochs=tuple(self._epochs),
            gradients=tuple(self._gradients),
            skipped_before=self._skipped_in_a_row,
            **newest,
        )

    def _judge(self, moment: Moment, *, step: int, closing: bool = True, **newest: Any) -> Iterator[Alert]:
        """Ask the rules of a moment; yield the alerts that change."""
        asked = [rule for rule in self._rules if moment in rule.moments]
        if not asked:
            return
        history = self._history(**newest)
        for rule in asked:
            for alert in self._ask(rule, history):
                if (changed := self._book.see(rule, alert, step=step, ended=history.ended)) is not None:
                    self._written[id(changed)] = changed.count
                    yield changed
        if closing:
            names = [rule.name for rule in self._rules if moment in _closes(rule)]
            for alert in self._book.pass_by(names, step=step):
                self._written.pop(id(alert), None)
                yield alert

    def _ask(self, rule: Rule, history: History) -> Iterator[Alert]:
        try:
            alerts = [alert for alert in rule(history) if not self._is_explained(rule, alert)]
            for alert in alerts:
                # An alert must be fit for JSON before it meets a sink.
                alert.evidence = plain(alert.evidence)
                alert.stop = alert.stop or alert.severity in self._stop_on
        except Exception as error:  # noqa: BLE001 - the seam: a rule never harms the training
            self._rules.remove(rule)
            alerts = [_failed(rule, error)]
        yield from alerts

    def _is_explained(self, rule: Rule, alert: Alert) -> bool:
        return bool(rule.yields_to) and self._book.explains(rule.yields_to, alert.component)


def _closes(rule: Rule) -> frozenset[str]:
    """Return the moments that count as quiet ones for the alerts of a rule.

    Flushes are no measure of time: a rule that is asked then is counted by blocks.
    """
    return frozenset("block" if moment == "window" else moment for moment in rule.moments)


def _failed(rule: Rule, error: Exception) -> Alert:
    reason = " ".join(str(error).split())
    return Alert(
        rule=rule.name,
        kind="rule_failed",
        severity="warning",
        message=f"alert rule '{rule.name}' raised {type(error).__name__}: {reason}; it is off from now on",
    )


def _each_once(alerts: Iterable[Alert]) -> list[Alert]:
    return list({id(alert): alert for alert in alerts}.values())


def _trailing(window: StepWindow, before: int) -> int:
    """Return how many steps at the end of `window` were skipped without a break."""
    applied = (~window.skipped).nonzero()[0]
    return int(len(window) - 1 - applied[-1]) if len(applied) else before + len(window)
