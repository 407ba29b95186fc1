"""A diagnosis as text for people, and as JSON."""

from __future__ import annotations

from typing import Any

from neuroprism.core import strict_json
from neuroprism.core.records import Alert
from neuroprism.runs.diagnosis import Diagnosis

_ALERT_KEYS = (
    "rule",
    "kind",
    "severity",
    "component",
    "step",
    "epoch",
    "message",
    "advice",
    "evidence",
    "first_seen",
    "last_seen",
    "count",
    "state",
)


def diagnosis_json(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as strict JSON; non-finite numbers are strings."""
    content: dict[str, Any] = {
        "run": diagnosis.run,
        "healthy": diagnosis.healthy,
        "alerts": [_plain(alert) for alert in diagnosis.alerts],
        "not_checked": [{"rule": entry.rule, "why": entry.why} for entry in diagnosis.not_checked],
    }
    return strict_json.encode_pretty(content).decode().rstrip("\n")


def _plain(alert: Alert) -> dict[str, Any]:
    return {key: getattr(alert, key) for key in _ALERT_KEYS}


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return the report for people."""
    return "\n".join(
        f"{alert.severity} {alert.kind} {alert.component}: {alert.message}" for alert in diagnosis.alerts
    )
