"""`neuroprism summary`: what a run came to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.errors import printable_lines


def summary(
    run: Annotated[
        Path, typer.Argument(help="Run folder, training_log.json or console output.", metavar="RUN")
    ],
) -> None:
    """Print duration, losses, metrics, test results and alerts of a run, also of one that was lost."""
    from neuroprism.cli.stored_baselines import baseline_section
    from neuroprism.runs import load_run
    from neuroprism.runs.summary import run_summary

    loaded = load_run(run)
    typer.echo(printable_lines(run_summary(loaded, further=baseline_section(loaded))))
