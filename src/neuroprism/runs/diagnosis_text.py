"""A diagnosis as text for people, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neuroprism.core import strict_json
from neuroprism.core.records import TOTAL, Alert
from neuroprism.runs.diagnosis import Diagnosis
from neuroprism.runs.sparkline import Sparkline, sparkline

WIDTH = 100
_INDENT = "  "
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
_SEVERITIES = ("critical", "warning", "info")


def diagnosis_json(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as strict JSON; non-finite numbers are strings."""
    content: dict[str, Any] = {
        "run": diagnosis.run,
        "healthy": diagnosis.healthy,
        "alerts": [{key: getattr(alert, key) for key in _ALERT_KEYS} for alert in diagnosis.alerts],
        "not_checked": [{"rule": entry.rule, "why": entry.why} for entry in diagnosis.not_checked],
    }
    return strict_json.encode_pretty(content).decode().rstrip("\n")


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return a report for people: alerts, worst first, the course of every loss, what was not checked."""
    blocks = [_head(diagnosis), *map(_block, diagnosis.alerts)]
    courses = list(_courses(diagnosis))
    if courses:
        blocks.append("\n".join(["Losses, from the first step to the last", *courses]))
    if diagnosis.not_checked:
        entries = (f"{entry.rule}: {entry.why}" for entry in diagnosis.not_checked)
        blocks.append(_section("Not checked", entries))
    if diagnosis.notes:
        blocks.append(_section("Notes", iter(diagnosis.notes)))
    return "\n\n".join(blocks)


def _head(diagnosis: Diagnosis) -> str:
    counts: Counter[str] = Counter(alert.severity for alert in diagnosis.alerts)
    found = ", ".join(f"{counts[name]} {name}" for name in _SEVERITIES if counts[name])
    size = f"{_number_of(diagnosis.n_steps, 'step')}, {_number_of(diagnosis.n_epochs, 'epoch')}"
    verdict = f"{_number_of(len(diagnosis.alerts), 'alert')} ({found})" if found else "no alert"
    return f"{diagnosis.run} ({diagnosis.status}): {size}, {verdict}"


def _number_of(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _block(alert: Alert) -> str:
    where = f" in {alert.component}" if alert.component else ""
    lines = [f"{alert.severity.upper()} {alert.kind}{where}{_place(alert)}"]
    lines += _wrapped(_sentence(alert.message))
    if alert.advice:
        lines += _wrapped(f"To do: {alert.advice}")
    return "\n".join(lines)


def _place(alert: Alert) -> str:
    parts = [f"{name} {value}" for name in ("step", "epoch") if (value := getattr(alert, name)) is not None]
    if alert.count > 1 and alert.first_seen is not None and alert.last_seen is not None:
        parts.append(f"seen {alert.count} times from step {alert.first_seen} to {alert.last_seen}")
    parts += ["passed"] if alert.state == "closed" else []
    return f": {', '.join(parts)}" if parts else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _section(title: str, entries: Iterator[str]) -> str:
    lines = [title]
    for entry in entries:
        lines += textwrap.wrap(entry, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)
    return "\n".join(lines)


def _courses(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield a line for every component, and below it where its alerts are."""
    lines = list(_lines(diagnosis))
    if not lines:
        return
    names = max(len(label) for label, _, _ in lines)
    blocks = max(len(line.text) for _, line, _ in lines)
    for label, line, alerts in lines:
        scale = ", log scale" if line.is_log else ""
        span = f"{_short(line.first)} -> {_short(line.last)}{scale}"
        yield f"{_INDENT}{label.ljust(names)}  {line.text.ljust(blocks)}  {span}"
        marks = line.marks(alert.step for alert in alerts if alert.step is not None)
        if marks:
            yield f"{_INDENT}{' ' * names}  {marks}"


def _lines(diagnosis: Diagnosis) -> Iterator[tuple[str, Sparkline, Sequence[Alert]]]:
    steps = diagnosis.trace.steps
    for k, component in enumerate(steps.components):
        rows = steps.counts[:, k] > 0
        alerts = [alert for alert in diagnosis.alerts if alert.component == component.name]
        line = sparkline(steps.losses[rows, k], steps.step[rows])
        if line is not None:
            yield component.label, line, alerts
    if len(steps.components) > 1:
        trained = np.flatnonzero((steps.counts > 0).any(axis=1))
        line = sparkline(steps.total[trained], steps.step[trained])
        if line is not None:
            alerts = [alert for alert in diagnosis.alerts if alert.component in (None, TOTAL)]
            yield TOTAL, line, alerts


def _short(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "not finite"
