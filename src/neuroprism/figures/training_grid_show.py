"""`plot_training_progress`: find a log, draw it, show it, print its summary."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from neuroprism.core.errors import DataError, UserError
from neuroprism.figures.saving import save_figure
from neuroprism.figures.style import style
from neuroprism.figures.training_grid import plot_training_grid
from neuroprism.runs.find import read_history
from neuroprism.runs.history import TrainingHistory
from neuroprism.runs.summary import training_summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
DPI = 150
_NOTEBOOK_DPI = 110


def plot_training_progress(
    path: str | Path | None = None, *, save: str | Path | None = None, show: bool | None = None
) -> TrainingHistory:
    """Draw the training progress of a run, print its summary and return its history.

    Parameters
    ----------
    path
        `training_log.json`, the folder of a run, or a file with the console
        output of earlier code. None: the newest `training_log.json` in or
        below the current folder; which one is printed.
    save
        Picture to write: .png, .pdf or .svg; without an ending .png. PDF and
        SVG are print-ready, with embedded fonts.
    show
        Show the figure in the notebook, or in a window where matplotlib has
        one. None: where that is possible; False: never.

    Returns
    -------
    TrainingHistory
        Also a mapping like the file: ``history["val_acc"]``.

    Raises
    ------
    DataError, RunError
        If there is no log, or it cannot be read or holds no epoch.
    UserError
        If `save` has another ending.

    Examples
    --------
    >>> from neuroprism import plot_training_progress
    >>> history = plot_training_progress("results/training_log.json")  # doctest: +SKIP
    """
    target = None if save is None else picture_path(save)
    history = read_history(path)
    window = show is not False and not in_notebook() and _has_windows()
    figure = _in_window(history) if window else plot_training_grid(history)
    found = f"Newest training log below {Path.cwd()}" if path is None else "Training log"
    lines = [f"{found}: {history.path}"]
    if target is not None:
        write_picture(figure, target)
        lines.append(f"Figure: {target}")
    elif show is not False and not window and not in_notebook():
        lines.append("No display: give save='figure.png' to keep the figure")
    sys.stdout.write("\n".join([*lines, training_summary(history)]) + "\n")
    if show is not False:
        _show(figure, window=window)
    return history


def picture_path(path: str | Path) -> Path:
    """Return where a picture goes; without an ending it becomes .png.

    Raises
    ------
    UserError
        If the ending names no format that is written.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not path.suffix:
        path = path.with_name(f"{path.name}.png")
    if path.suffix not in FORMATS:
        raise UserError(f"cannot write {path}: the name must end in {', '.join(FORMATS)}")
    return path


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure as its name says.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        save_figure(figure, path, dpi=DPI)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def in_notebook() -> bool:
    """Tell whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def _has_windows() -> bool:
    """Tell whether matplotlib can open windows here."""
    import matplotlib.pyplot as plt

    # Asked without a figure, so that none is left open.
    canvas = getattr(plt._get_backend_mod(), "FigureCanvas", None)
    return getattr(canvas, "required_interactive_framework", None) is not None


def _in_window(history: TrainingHistory) -> Figure:
    """Draw into a figure that matplotlib will show; none is left open where there is nothing to draw."""
    import matplotlib.pyplot as plt

    figure = plt.figure()
    try:
        return plot_training_grid(history, figure=figure)
    except DataError:
        plt.close(figure)
        raise


def _show(figure: Figure, *, window: bool) -> None:
    if window:
        import matplotlib.pyplot as plt

        plt.show()
    elif in_notebook():
        from IPython.display import Image, display

        picture = io.BytesIO()
        with style():
            figure.savefig(picture, format="png", dpi=_NOTEBOOK_DPI)
        display(Image(data=picture.getvalue()))  # type: ignore[no-untyped-call]
