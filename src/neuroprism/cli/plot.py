"""`neuroprism plot`: draw a run, or recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuroprism.cli.plot_recordings import plot_recordings
from neuroprism.core.errors import DataError, UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroprism.runs import Run

FORMATS = (".png", ".pdf", ".svg")
RECORDINGS = "abr"


def plot(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A run folder or training_log.json; or the word abr and a file of recordings (.npz) "
            "or an ABR run.",
            metavar="RUN | abr DATA | abr RUN",
            show_default=False,
        ),
    ],
    figure: Annotated[
        str,
        typer.Option(
            help="Of recordings: level-series, latency-intensity, class-averages or generated.",
            metavar="NAME",
        ),
    ] = "level-series",
    against: Annotated[
        Path | None,
        typer.Option(help="Recordings beside generated ones; those of the run unless given.", metavar="FILE"),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", "--out", help="Picture to write: .png, .pdf or .svg.", metavar="FILE"),
    ] = None,
) -> None:
    """Draw the training progress of a RUN, or with `abr` recordings, or those of an ABR run.

    Without --save the picture of a run goes to its folder, as figures/training_progress.png,
    and that of recordings beside their file.
    """
    if save is not None and save.suffix not in FORMATS:
        raise UserError(f"--save {save}: the name must end in {', '.join(FORMATS)}")
    first, *others = what
    if first == RECORDINGS and len(others) == 1:
        _write(*plot_recordings(Path(others[0]), figure, against, save))
    elif others:
        raise UserError(f"plot takes one RUN, or 'abr' and DATA; not {' '.join(what)}")
    elif first == RECORDINGS and not Path(first).exists():
        raise UserError("plot abr needs DATA, a file of recordings (there is no run folder 'abr' either)")
    else:
        _write(*_run(Path(first), save))


def _run(path: Path, save: Path | None) -> tuple[Figure, Path]:
    from neuroprism.runs import load_run

    run = load_run(path)
    folder = run.path if run.path.is_dir() else None
    default = path.with_suffix(".png") if folder is None else folder / "figures" / "training_progress.png"
    return _draw(run), save or default


def _draw(run: Run) -> Figure:
    from neuroprism.figures import plot_losses, plot_training_grid

    if len(run.components) > 1 or run.history is None:
        if not run.epoch_records:
            raise DataError(f"{run.path} holds no epoch yet: nothing to draw")
        return plot_losses(run.components, run.epoch_records, title=run.name)
    return plot_training_grid(run.history)


def _write(figure: Figure, path: Path) -> None:
    from neuroprism.figures import save_figure

    try:
        save_figure(figure, path, dpi=150)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    typer.echo(f"Figure: {path}")
