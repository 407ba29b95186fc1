"""Records on their way: to the sinks, to the rules, and what these say back to the sinks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuroprism.core.records import Alert, EpochRecord, Finished, Gradients, Severity
from neuroprism.monitor.claim import Claim
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.fan_out import FanOut, harmless
from neuroprism.monitor.opening import Opening
from neuroprism.monitor.rules import Rule, RuleEngine
from neuroprism.monitor.rules.rule import Judge
from neuroprism.monitor.scalars import plain
from neuroprism.monitor.sinks.protocol import Record, Sink
from neuroprism.monitor.window import StepWindow


class Recorder:
    """Gives every record to the sinks and to the rules, and every alert to the sinks and to a listener.

    Parameters
    ----------
    sinks
        Where records go.
    facts
        What the run declares about itself.
    rules
        What judges the records.
    stop_on
        Severities at which an alert asks the loop to stop.
    on_alert
        Called with every alert that is news.

    Attributes
    ----------
    alerts : list of Alert
        In the order in which they were raised.
    stop_requested : Alert or None
        The first alert that asks the loop to stop.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        facts: RunFacts,
        rules: Sequence[Rule | Judge],
        *,
        stop_on: Collection[Severity] = (),
        on_alert: Callable[[Alert], None] | None = None,
    ) -> None:
        self.alerts: list[Alert] = []
        self.stop_requested: Alert | None = None
        self._fan_out = FanOut(sinks, self._tell)
        self._engine = RuleEngine(facts, rules, stop_on=stop_on)
        self._stop_on = frozenset(stop_on)
        self._on_alert = harmless(on_alert, "on_alert")
        self._told: dict[int, tuple[Alert, Severity]] = {}
        self._closed = False
        self._claim: Claim | None = None

    @property
    def ticks(self) -> Iterable[Callable[[], None]]:
        """Functions to call at every step."""
        return self._fan_out.ticks

    def open(self, opening: Opening, folder: Path) -> None:
        """Open the sinks and give them what stands at the beginning."""
        self._claim = opening.claim
        self._fan_out.open(opening.run, folder)
        for event in opening.events:
            self._fan_out.write(event)

    def write(self, record: Record) -> None:
        """Pass on a record, and what the rules say of it.

        Raises
        ------
        RuntimeError
            If the record of the run is closed.
        """
        self.check_open()
        self._fan_out.write(record)
        if isinstance(record, StepWindow | EpochRecord | Gradients):
            for alert in self._engine.changes(record):
                self._tell(alert)

    def alert(self, alert: Alert, *, step: int, epoch: int) -> None:
        """Pass on an alert that no rule raised, of this step and epoch unless it says otherwise."""
        self.check_open()
        alert.step = step if alert.step is None else alert.step
        alert.epoch = epoch if alert.epoch is None else alert.epoch
        alert.first_seen = alert.step if alert.first_seen is None else alert.first_seen
        alert.last_seen = alert.step if alert.last_seen is None else alert.last_seen
        alert.evidence = plain(alert.evidence)
        alert.stop = alert.stop or alert.severity in self._stop_on
        self._tell(alert)

    def finish(self) -> None:
        """Let the rules judge what is left at the end of the run."""
        for alert in self._engine.finish():
            self._tell(alert)

    def close(self, end: Finished) -> None:
        """Write how the run ended, close the sinks and leave the folder to others."""
        self._fan_out.write(end)
        self._closed = True
        self._fan_out.close()
        if self._claim is not None:
            self._claim.give_back()

    @property
    def closed(self) -> bool:
        """Whether the record of the run has ended."""
        return self._closed

    def check_open(self) -> None:
        """Raise RuntimeError if the record of the run has ended."""
        if self._closed:
            raise RuntimeError("the monitor is closed")

    def remember(self, epochs: Sequence[EpochRecord]) -> None:
        """Let the rules know the epochs of an earlier attempt, after a resume."""
        self._engine.remember(epochs)

    def state_dict(self) -> dict[str, Any]:
        """Return what the rules know and the alerts that last, as plain values."""
        return self._engine.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; alerts that last were told before."""
        self._engine.load_state_dict(state)
        for alert in self._engine.open_alerts():
            self.alerts.append(alert)
            self._told[id(alert)] = (alert, alert.severity)

    def _tell(self, alert: Alert) -> None:
        """Write a record of an alert; tell the listener and the loop where it is news."""
        _, told = self._told.pop(id(alert), (alert, None))
        if told is None:
            self.alerts.append(alert)
        alert.told = told == alert.severity
        if alert.state == "open":
            self._told[id(alert)] = (alert, alert.severity)
        if alert.is_news and alert.stop and self.stop_requested is None:
            self.stop_requested = alert
        self._fan_out.write(alert)
        if alert.is_news:
            self._on_alert(alert)
