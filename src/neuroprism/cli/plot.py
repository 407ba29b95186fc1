"""`neuroprism plot`: draw recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.abr.source import read_file
from neuroprism.core.errors import DataError, UserError

app = typer.Typer(help="Draw recordings.", rich_markup_mode=None, no_args_is_help=True)

FORMATS = (".png", ".pdf", ".svg")


@app.callback()
def _plot() -> None:
    """Draw recordings."""


@app.command("abr")
def plot_abr(
    data: Annotated[Path, typer.Argument(help="Recordings in the project's .npz format.", metavar="DATA")],
    out: Annotated[
        Path | None, typer.Option(help="Picture to write: .png, .pdf or .svg.", metavar="FILE")
    ] = None,
) -> None:
    """Draw a level series of one ear for each hearing class, with marked waves."""
    from neuroprism.abr.level_series import example_series
    from neuroprism.figures import plot_level_series, save_figure

    if out is not None and out.suffix not in FORMATS:
        raise UserError(f"--out {out}: the name must end in {', '.join(FORMATS)}")
    figure = plot_level_series(example_series(read_file(data)))
    path = out or data.with_suffix(".png")
    try:
        save_figure(figure, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    typer.echo(f"Figure: {path}")
