"""The alerts of a run: raised once, updated while they last, closed when they have passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from neuroprism.core.records import TOTAL, Alert
from neuroprism.monitor.rules.rule import Rule

_SEVERITIES = ("info", "warning", "critical")
_WHOLE_RUN = (None, TOTAL)

_Key = tuple[str, str, str | None]


@dataclass
class _Entry:
    """An open alert.

    Attributes
    ----------
    quiet
        Moments without a finding after which it is closed.
    passed
        Step of the last such moment.
    missed
        Moments in a row without a finding.
    """

    alert: Alert
    quiet: int
    passed: int
    missed: int = 0


@dataclass
class _Unconfirmed:
    """A finding that has not yet stood long enough.

    Attributes
    ----------
    first_seen
        Step at which it was first found.
    count
        Moments in a row in which it was found.
    seen
        Whether it was found since the last moment passed.
    """

    first_seen: int
    count: int = 0
    seen: bool = False


class AlertBook:
    """Keeps the open alerts, one per rule, kind and component."""

    def __init__(self) -> None:
        self._open: dict[_Key, _Entry] = {}
        self._unconfirmed: dict[_Key, _Unconfirmed] = {}

    def open_alerts(self) -> list[Alert]:
        """Return the alerts that last."""
        return [entry.alert for entry in self._open.values()]

    def explains(self, kinds: Iterable[str], component: str | None) -> bool:
        """Tell whether an open alert of one of the kinds covers a component."""
        wanted = set(kinds)
        return any(
            alert.kind in wanted
            and (alert.component == component or alert.component in _WHOLE_RUN or component in _WHOLE_RUN)
            for alert in self.open_alerts()
        )

    def see(self, rule: Rule, found: Alert, *, step: int, ended: bool = False) -> Alert | None:
        """Enter what a rule found; return the alert where it is new and confirmed, or more severe.

        Parameters
        ----------
        rule
            Who found it.
        found
            What it found.
        step
            Where the run is; a finding that says itself when it was seen is believed.
        ended
            Nothing comes after this that could confirm a finding.
        """
        found.first_seen = step if found.first_seen is None else found.first_seen
        found.last_seen = step if found.last_seen is None else found.last_seen
        key = (found.rule, found.kind, found.component)
        entry = self._open.get(key)
        if entry is None:
            waiting = self._unconfirmed.setdefault(key, _Unconfirmed(first_seen=found.first_seen))
            waiting.count, waiting.seen = waiting.count + 1, True
            if waiting.count < rule.confirm and not ended:
                return None
            found.first_seen = self._unconfirmed.pop(key).first_seen
            self._open[key] = _Entry(alert=found, quiet=rule.quiet, passed=found.first_seen - 1)
            return found
        alert = entry.alert
        alert.last_seen, alert.count = found.last_seen, alert.count + found.count
        if _SEVERITIES.index(found.severity) <= _SEVERITIES.index(alert.severity):
            return None
        for name in ("severity", "message", "evidence", "advice", "step", "epoch", "stop", "at_end"):
            setattr(alert, name, getattr(found, name))
        return alert

    def pass_by(self, names: Iterable[str], *, step: int) -> list[Alert]:
        """Let a moment pass for the alerts of these rules; return the alerts that it closes."""
        closed, asked = [], set(names)
        for key, waiting in list(self._unconfirmed.items()):
            if key[0] in asked:
                if waiting.seen:
                    waiting.seen = False
                else:
                    del self._unconfirmed[key]
        for key, entry in list(self._open.items()):
            if entry.alert.rule not in asked:
                continue
            last_seen = entry.alert.last_seen
            entry.missed = 0 if last_seen is not None and last_seen > entry.passed else entry.missed + 1
            entry.passed = step
            if entry.missed >= entry.quiet:
                del self._open[key]
                entry.alert.state = "closed"
                closed.append(entry.alert)
        return closed

    def state_dict(self) -> dict[str, Any]:
        """Return the open alerts and what waits to be confirmed, as plain values."""
        alerts = [
            {
                "alert": msgspec.to_builtins(entry.alert),
                "quiet": entry.quiet,
                "passed": entry.passed,
                "missed": entry.missed,
            }
            for entry in self._open.values()
        ]
        waiting = [
            [list(key), entry.first_seen, entry.count, entry.seen] for key, entry in self._unconfirmed.items()
        ]
        return {"alerts": alerts, "unconfirmed": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._open = {}
        self._unconfirmed = {
            (key[0], key[1], key[2]): _Unconfirmed(first_seen=first_seen, count=count, seen=seen)
            for key, first_seen, count, seen in state["unconfirmed"]
        }
        for saved in state["alerts"]:
            alert = msgspec.convert(saved["alert"], Alert, strict=False)
            numbers = {name: int(saved[name]) for name in ("quiet", "passed", "missed")}
            self._open[alert.rule, alert.kind, alert.component] = _Entry(alert=alert, **numbers)
