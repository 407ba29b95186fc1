"""The training progress of a run in nine panels."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.figures import training_grid_curves as curves
from neuroprism.figures import training_grid_results as results
from neuroprism.figures.style import TRAIN, VALIDATION, style, whole_epochs
from neuroprism.runs.history import LISTS, METRIC_LISTS, TrainingHistory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_PANELS = 9
SIZE_INCHES = (13.5, 8.1)
_N_SERIES = 16

Draw = Callable[["Axes", TrainingHistory], None]


def plot_training_grid(history: TrainingHistory, *, figure: Figure | None = None) -> Figure:
    """Draw a run in up to nine panels, three in a row.

    Loss; each validation metric with its best value; learning rate; time per
    epoch; loss against accuracy. The remaining places go to what the log
    holds: confusion matrix and recall of the classes, test beside validation,
    results by subject. The selected epoch is marked in every panel over epochs.

    Parameters
    ----------
    history
        A log, complete or not.
    figure
        Empty figure to draw into; None for a new one without a window.

    Raises
    ------
    DataError
        If the log holds no epoch.
    """
    if not any(history.has(key) for key in LISTS):
        raise DataError(f"{history.path or 'the log'} holds no epoch yet: nothing to draw")
    from matplotlib.figure import Figure

    over_epochs, others = _panels(history)
    panels = [*((draw, True) for draw in over_epochs), *((draw, False) for draw in others)][:N_PANELS]
    rows = _rows(len(panels))
    with style():
        height = SIZE_INCHES[1] * (len(rows) + 0.25) / 3.25
        if figure is None:
            figure = Figure()
        figure.set_size_inches(SIZE_INCHES[0] if len(panels) > 1 else SIZE_INCHES[0] / 2, height)
        figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05)
        for axes, (draw, is_course) in zip(_axes(figure, rows), panels, strict=True):
            draw(axes, history)
            if is_course:
                whole_epochs(axes, 1, history.n_epochs)
                axes.set_xlabel("epoch")
        figure.suptitle(
            f"Training progress: {history.title}", x=0.01, ha="left", fontsize=12, fontweight="bold"
        )
        _common_legend(figure, history)
    return figure


def _rows(n_panels: int) -> list[int]:
    """Return the number of panels in each row: at most 3, the fuller rows above."""
    n_rows = math.ceil(n_panels / 3)
    return [(n_panels + n_rows - 1 - row) // n_rows for row in range(n_rows)]


def _axes(figure: Figure, rows: list[int]) -> list[Axes]:
    """Return axes row by row, aligned in columns where all rows have the same number."""
    if len(set(rows)) == 1:
        return list(figure.subplots(len(rows), rows[0], squeeze=False).ravel())
    strips = figure.subfigures(len(rows), 1, squeeze=False).ravel()
    return [
        axes
        for strip, n in zip(strips, rows, strict=True)
        for axes in strip.subplots(1, n, squeeze=False).ravel()
    ]


def _panels(history: TrainingHistory) -> tuple[list[Draw], list[Draw]]:
    """Return the panels over epochs and those of results that apply, as many as there is room for."""
    courses: list[Draw] = []
    if history.has("train_loss") or history.validation_loss():
        courses.append(curves.loss_panel)
    courses += [
        partial(curves.metric_panel, key=key)
        for key in ("val_acc", "val_f1", "val_kappa")
        if history.has(key)
    ]
    tests = _results(history)
    ends: list[Draw] = []
    if history.has("learning_rate"):
        ends.append(curves.rate_panel)
    if history.has("epoch_time"):
        ends.append(curves.time_panel)
    against = curves.better_key(history)
    if against and history.has("train_loss"):
        ends.append(partial(curves.against_loss_panel, key=against))
    pairs = [
        ("AUC", [key for key in ("val_roc_auc", "val_pr_auc") if history.has(key)]),
        ("Fit", [key for key in ("val_r2", "val_corrcoef") if history.has(key)]),
        ("Error", [key for key in ("val_rmse",) if history.has(key)]),
    ]
    room = N_PANELS - len(courses) - len(ends) - len(tests)
    for title, keys in pairs:
        # Two metrics of different height get a panel each where there is room.
        apart = len(keys) == 1 or room > sum(bool(k) for _, k in pairs)
        if keys and not apart:
            courses.append(partial(curves.pair_panel, title=title, keys=keys))
        else:
            courses += [partial(curves.metric_panel, key=key) for key in keys]
            room -= max(0, len(keys) - 1)
    courses += ends
    spare = N_PANELS - len(courses) - len(tests)
    return courses + _further(history)[: max(0, spare)], tests


def _results(history: TrainingHistory) -> list[Draw]:
    panels: list[Draw] = []
    if history.confusion_matrix is not None:
        panels += [results.confusion_panel, results.recall_panel]
    if results.selected_against_test(history):
        panels.append(results.test_panel)
    if results.per_subject(history):
        panels.append(results.subject_panel)
    return panels


def _further(history: TrainingHistory) -> list[Draw]:
    """Return courses that are recorded beyond the documented lists."""
    panels: list[Draw] = []
    prefix = "val/recall/"
    recall = {key.removeprefix(prefix): key for key in history if key.startswith(prefix) and history.has(key)}
    if recall and len(recall) <= _N_SERIES:
        title = "Validation recall by class"
        panels.append(partial(curves.many_panel, title=title, series=recall, percent=True))
    parts = _parts(history)
    if len(parts) > 1:
        title = "Validation loss by component"
        panels.append(partial(curves.many_panel, title=title, series=parts, percent=False))
    return panels


def _parts(history: TrainingHistory) -> dict[str, str]:
    """Return the components of the validation loss by name: series that training has as well."""
    names = [key.removeprefix("train/") for key in history if key.startswith("train/")]
    found = {
        name.replace("_", " "): f"val/{name}"
        for name in names
        if name != "total" and history.has(f"val/{name}")
    }
    return dict(list(found.items())[:_N_SERIES])


def _common_legend(figure: Figure, history: TrainingHistory) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=TRAIN, label="training")]
    if history.validation_loss() or any(history.has(key) for key in METRIC_LISTS):
        entries.append(Line2D([], [], color=VALIDATION, label="validation"))
    parts = history.context.components
    if len(parts) == 1 and parts[0].baseline is not None:
        entries.append(Line2D([], [], label="constant predictor", **curves.BASELINE_STYLE))
    if len(parts) == 1 and parts[0].lower_bound is not None:
        text = f"least possible loss {parts[0].weight * parts[0].lower_bound:.4f}"
        entries.append(Line2D([], [], label=text, **curves.FLOOR_STYLE))
    best = history.best_epoch
    if best is not None and best <= history.n_epochs:
        look: dict[str, Any] = curves.BEST_STYLE | {"linewidth": 0.9}
        entries.append(Line2D([], [], label=f"selected epoch {best}", **look))
    gaps = (history.column(key)[: len(history[key])] for key in LISTS)
    if any(not np.isfinite(column).all() for column in gaps):
        entries.append(Line2D([], [], color="black", linestyle="none", marker="x", label="no finite value"))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), columnspacing=1.4)
