"""`neuroprism compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.errors import DataError, UserError, printable_lines

FORMATS = (".png", ".pdf", ".svg")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders, folders of runs (one for each seed) or training logs.",
            metavar="RUN RUN ...",
            show_default=False,
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Series, e.g. val_acc or val/total; may be given several times.", metavar="NAME"),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            "--group-by", help="Configuration key, e.g. backbone; groups get intervals.", metavar="KEY"
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Also draw the runs: .png, .pdf or .svg.", metavar="FILE")
    ] = None,
) -> None:
    """Compare runs: selected and test values, mean and 95% interval of groups, paired differences."""
    from neuroprism.cli.stored_baselines import baseline_rows
    from neuroprism.runs.comparison import compare_runs
    from neuroprism.runs.comparison_text import comparison_text
    from neuroprism.runs.load import load_run, runs_in

    if save is not None and save.suffix not in FORMATS:
        raise UserError(f"--save {save}: the name must end in {', '.join(FORMATS)}")
    loaded = [load_run(path) for given in runs for path in runs_in(given)]
    names: list[str | None] = list(metric or ()) or [None]
    found = [compare_runs(loaded, metric=name, group_by=group_by) for name in names]
    texts = [comparison_text(one, further=baseline_rows(loaded, one.metric)) for one in found]
    if save is not None:
        from neuroprism.figures.comparison import plot_comparison
        from neuroprism.figures.saving import save_figure

        try:
            save_figure(plot_comparison(found), save, dpi=150)
        except OSError as error:
            raise DataError(f"cannot write {save}: {error.strerror or error}") from None
        texts.append(f"Figure: {save}")
    typer.echo(printable_lines("\n\n".join(texts)))
