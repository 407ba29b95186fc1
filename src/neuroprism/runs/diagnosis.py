"""Judging a recorded run by the rules that watch a running one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from neuroprism.core.records import Alert, Status
from neuroprism.monitor.build import default_rules
from neuroprism.monitor.rules import NotChecked, Rule, RuleEngine
from neuroprism.monitor.rules import rules as registered
from neuroprism.monitor.rules.rule import Judge
from neuroprism.runs.alerts import at_least, last_records, worst_first
from neuroprism.runs.traces import Trace, read_trace

_GOES_ON = ("running", "interrupted")


@dataclass(frozen=True, kw_only=True, eq=False)
class Diagnosis:
    """What the rules say of a run.

    Attributes
    ----------
    run
        Its name.
    path
        What was read.
    status
        Of the run; a foreign log counts as finished.
    alerts
        Worst first.
    not_checked
        Rules that could find nothing for want of something.
    n_steps, n_epochs
        Steps and epochs that were looked at.
    notes
        What was odd about the log.
    trace
        The run itself.
    """

    run: str
    path: Path
    status: Status
    alerts: tuple[Alert, ...]
    not_checked: tuple[NotChecked, ...]
    n_steps: int
    n_epochs: int
    notes: tuple[str, ...] = ()
    trace: Trace = field(repr=False)

    @property
    def healthy(self) -> bool:
        """Whether no alert is a warning or worse."""
        return not self.at_least("warning")

    def at_least(self, severity: str) -> list[Alert]:
        """Return the alerts of this severity or worse."""
        return at_least(self.alerts, severity)


def diagnose(
    path: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    rules: Sequence[Rule | Judge] | None = None,
) -> Diagnosis:
    """Judge a finished or running run, or a log of another program.

    Parameters
    ----------
    path
        A run folder, a folder with `steps.jsonl`, or a file: JSON lines, CSV,
        TensorBoard events, `trainer_state.json` of transformers, `metrics.csv`
        of Lightning, `training_log.json`.
    mapping
        Names here by names in the log, e.g. ``{"recon": "loss/signal"}``.
    rules
        What judges; None: what the run itself was watched by, or every rule.

    Raises
    ------
    DataError, RunError, ConfigError, UnknownNameError
        If there is nothing to judge.

    Examples
    --------
    >>> diagnose("logs/demo").healthy  # doctest: +SKIP
    True
    """
    path = Path(path)
    trace = read_trace(path, mapping)
    notes = list(trace.notes)
    if rules is None:
        rules = _rules_of(trace, notes)
    engine = RuleEngine(trace.facts, rules)
    alerts = _replayed(engine, trace)
    alerts += _live_only(trace.alerts, alerts)
    return Diagnosis(
        run=trace.name,
        path=path,
        status=trace.status,
        alerts=tuple(worst_first(alerts)),
        not_checked=tuple(engine.not_checked()),
        n_steps=len(trace.steps),
        n_epochs=len(trace.epochs),
        notes=tuple(notes),
        trace=trace,
    )


def _replayed(engine: RuleEngine, trace: Trace) -> list[Alert]:
    """Return every alert that the rules raise over the run, as it stands in the end."""
    found: dict[int, Alert] = {}
    # Logs may hold numbers whose squares are too large.
    with np.errstate(all="ignore"):
        for record in trace.records:
            found |= {id(alert): alert for alert in engine.look(record)}
        if trace.status not in _GOES_ON:
            found |= {id(alert): alert for alert in engine.finish()}
    return list(found.values())


def _rules_of(trace: Trace, notes: list[str]) -> Sequence[Rule]:
    """Return the rules with the settings that the run itself had."""
    section: Any = trace.config.get("monitoring")
    if not isinstance(section, Mapping):
        return default_rules()
    from neuroprism.monitor.config import MonitoringConfig, build_rules

    try:
        return build_rules(MonitoringConfig.model_validate(section))
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        notes.append(f"the run's settings of rules cannot be used (monitoring.{place}): the defaults are")
        return default_rules()


def _live_only(recorded: Iterable[Alert], found: Sequence[Alert]) -> list[Alert]:
    """Return the recorded alerts that only the running process could raise, such as a failed sink."""
    again = {(alert.rule, alert.kind) for alert in found}
    return [
        alert
        for alert in last_records(recorded)
        if (alert.rule not in registered or alert.kind == "rule_failed")
        and (alert.rule, alert.kind) not in again
    ]
