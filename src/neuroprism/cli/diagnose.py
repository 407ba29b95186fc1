"""`neuroprism diagnose`: what is wrong with a run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.errors import UserError, printable_lines


class Format(StrEnum):
    """How the diagnosis is written."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """Severity of an alert."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            help="Run folder, steps.jsonl, CSV, JSON lines, TensorBoard events, trainer_state.json, "
            "metrics.csv or training_log.json.",
            metavar="PATH",
        ),
    ],
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    fail_on: Annotated[
        Level, typer.Option("--fail-on", help="End with 1 where an alert is at least this severe.")
    ] = Level.WARNING,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="What a series of the log is: recon=loss/signal; repeatable.", metavar="THEIRS=OURS"
        ),
    ] = None,
) -> int:
    """Judge a run or a log: what is wrong, in which component, and what to do; ends with 1 on a warning."""
    from neuroprism.runs.diagnosis import diagnose as judge
    from neuroprism.runs.diagnosis_text import diagnosis_json, diagnosis_text

    found = judge(path, mapping=_pairs(mapping or []))
    typer.echo(diagnosis_json(found) if form is Format.JSON else printable_lines(diagnosis_text(found)))
    return 1 if found.at_least(fail_on.value) else 0


def _pairs(assignments: list[str]) -> dict[str, str]:
    pairs = {}
    for assignment in assignments:
        theirs, equals, ours = assignment.rpartition("=")
        if not equals or not theirs or not ours:
            raise UserError(f"--map {assignment}: expected THEIRS=OURS, e.g. recon=loss/signal")
        pairs[theirs] = ours
    return pairs
