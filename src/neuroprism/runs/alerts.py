"""The alerts of a record: each once, as its last record tells it."""

from __future__ import annotations

from collections.abc import Iterable

from neuroprism.core.records import Alert

SEVERITIES = ("info", "warning", "critical")


def last_records(alerts: Iterable[Alert]) -> list[Alert]:
    """Return every alert once, in the order in which they were raised.

    An alert is recorded when it is raised, when it becomes more severe, when it
    is closed and when the run ends; the last record holds.
    """
    found: dict[tuple[object, ...], Alert] = {}
    for alert in alerts:
        found[alert.key() if alert.first_seen is not None else (id(alert),)] = alert
    return list(found.values())


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts by severity, and those of one severity by where they were first seen."""
    return sorted(alerts, key=lambda alert: (-SEVERITIES.index(alert.severity), alert.first_seen or 0))


def at_least(alerts: Iterable[Alert], severity: str) -> list[Alert]:
    """Return the alerts of this severity or worse."""
    least = SEVERITIES.index(severity)
    return [alert for alert in alerts if SEVERITIES.index(alert.severity) >= least]
