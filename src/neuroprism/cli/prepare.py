"""`neuroprism prepare`: raw recordings into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    name: Annotated[str, typer.Argument(help="Dataset; `neuroprism datasets` lists them.", metavar="NAME")],
    raw: Annotated[Path, typer.Argument(help="Folder with the raw recordings.", metavar="RAW")],
    out: Annotated[Path, typer.Argument(help="Folder of the store.", metavar="OUT")],
    subjects: Annotated[
        list[str] | None, typer.Option(help="Prepare these subjects only.", metavar="SUBJECT")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Recordings prepared at the same time.", metavar="N")] = 1,
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out recordings that cannot be prepared, and name them.")
    ] = False,
) -> None:
    """Cut raw recordings into the windows of a dataset; what an earlier run finished is reused."""
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.preparation import prepare as prepare_store

    report = prepare_store(datasets[name], raw, out, subjects=subjects, jobs=jobs, skip_bad=skip_bad)
    typer.echo(report.text())
