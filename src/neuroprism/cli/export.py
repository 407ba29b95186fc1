"""`neuroprism export`: the tables of a run for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.errors import DataError, UserError


def export(
    run: Annotated[Path, typer.Argument(help="Run folder or training_log.json.", metavar="RUN")],
    form: Annotated[str, typer.Option("--format", help="csv, parquet, json or latex.", metavar="FORMAT")],
    table: Annotated[
        str,
        typer.Option(help="epochs, test, steps or alerts; latex is the table of results.", metavar="TABLE"),
    ] = "epochs",
    out: Annotated[
        Path | None, typer.Option(help="File to write; without it the table is printed.", metavar="PATH")
    ] = None,
) -> None:
    """Write a table of a run as CSV, Parquet, JSON or LaTeX."""
    from neuroprism.core.files import replace_bytes
    from neuroprism.runs import load_run
    from neuroprism.runs.export import export as as_bytes

    if form == "parquet" and out is None and sys.stdout.isatty():
        raise UserError("parquet is not text: give --out PATH")
    content = as_bytes(load_run(run), form, table=table)
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(out, content)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None
    typer.echo(f"Table: {out}")
