"""Panels of the training grid that show a course over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.axis_scales import fit_log_axis, fit_loss_axis
from neuroprism.figures.style import BASELINE, CYCLE, GREEN, PURPLE, TRAIN, VALIDATION
from neuroprism.runs.history import METRIC_LISTS, TrainingHistory, lower_is_better
from neuroprism.runs.naming import PERCENT, metric_label, metric_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FLOOR_STYLE: Any = {"color": BASELINE, "linestyle": (0, (1, 1.5)), "linewidth": 1.3}
BASELINE_STYLE: Any = {"color": BASELINE, "linestyle": (0, (5, 3)), "linewidth": 1.1}
BEST_STYLE: Any = {
    "color": GREEN,
    "marker": "D",
    "markersize": 5.5,
    "markerfacecolor": "none",
    "markeredgewidth": 1.4,
}
_DASHED = (0, (4, 1.5))
_RATE = "#333333"
_N_POINTS = 30
_LEAST_SPAN = {"percent": 1.0, "score": 0.01}
_SECONDS_BELOW_MINUTES = 0.1
_MINUTES_BELOW_HOURS = 120


def loss_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw training and validation loss, the constant predictor and the least possible value."""
    values = [draw_list(axes, history, "train_loss", color=TRAIN)]
    validation = history.validation_loss()
    if validation:
        values.append(draw_list(axes, history, validation, color=VALIDATION))
    shown = np.concatenate(values)
    for height, look in _levels(history):
        axes.axhline(height, **look)
        shown = np.append(shown, height)
    fit_loss_axis(axes, shown)
    mark_best(axes, history, validation or "train_loss")
    axes.set_title("Loss" if validation else "Training loss")
    best = history.best_of(validation or "train_loss")
    if best is not None:
        lowest = history.column(validation or "train_loss")[best - 1]
        remark(axes, f"lowest {'validation ' if validation else ''}{lowest:.4g} at {best}")


def _levels(history: TrainingHistory) -> list[tuple[float, Any]]:
    """Return heights of the constant predictor and of the least possible loss, where recorded."""
    if len(history.context.components) != 1:
        return []
    component = history.context.components[0]
    pairs = [(component.baseline, BASELINE_STYLE), (component.lower_bound, FLOOR_STYLE)]
    return [(component.weight * value, look) for value, look in pairs if value is not None]


def metric_panel(axes: Axes, history: TrainingHistory, key: str) -> None:
    """Draw one validation metric with its own best value, and the training metric where recorded."""
    name = METRIC_LISTS[key].removeprefix("val/")
    factor = 100.0 if name in PERCENT else 1.0
    shown = []
    if history.has(f"train/{name}"):
        shown.append(draw_list(axes, history, f"train/{name}", color=TRAIN, factor=factor))
    shown.append(draw_list(axes, history, key, color=VALIDATION, factor=factor))
    _mark_own_best(axes, history, key, factor=factor)
    fit_axis(axes, np.concatenate(shown), percent=name in PERCENT)
    mark_best(axes, history, key, factor=factor)
    axes.set_title(_capital(metric_label(name)))
    if name in PERCENT:
        axes.set_ylabel("%")


def _mark_own_best(axes: Axes, history: TrainingHistory, key: str, *, factor: float) -> None:
    best = history.best_of(key)
    if best is None:
        return
    value, name = history.column(key)[best - 1], METRIC_LISTS[key].removeprefix("val/")
    axes.axhline(factor * value, color=VALIDATION, linestyle=(0, (4, 3)), linewidth=0.8, alpha=0.7)
    remark(axes, f"best {metric_text(name, value)} at {best}")


def pair_panel(axes: Axes, history: TrainingHistory, title: str, keys: Sequence[str]) -> None:
    """Draw validation metrics that share an axis, named above the panel."""
    shown = []
    names = [METRIC_LISTS[key].removeprefix("val/") for key in keys]
    percent = all(name in PERCENT for name in names)
    factor = 100.0 if percent else 1.0
    for key, name, colour, line in zip(keys, names, (VALIDATION, PURPLE), ("-", _DASHED), strict=False):
        best = history.best_of(key)
        at = "" if best is None else f" {metric_text(name, history.column(key)[best - 1])} at {best}"
        look: Any = {
            "color": colour,
            "linestyle": line,
            "label": f"{metric_label(name).removesuffix(' AUC')}{at}",
        }
        shown.append(draw_list(axes, history, key, factor=factor, **look))
        mark_best(axes, history, key, factor=factor)
    fit_axis(axes, np.concatenate(shown), percent=percent)
    axes.set_title(title)
    if percent:
        axes.set_ylabel("%")
    legend_above(axes)


def rate_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw the learning rate, and those of named groups of parameters."""
    groups = [key for key in history if key.startswith("train/lr_") and history.has(key)]
    looks: Any = [{"color": _RATE}, *({"color": c, "linestyle": _DASHED} for c in CYCLE)]
    shown = []
    for key, look in zip(["learning_rate", *groups], looks, strict=False):
        label = "backbone" if key == "learning_rate" else key.removeprefix("train/lr_").replace("_", " ")
        shown.append(draw_list(axes, history, key, label=label, **look))
    values = np.concatenate(shown)
    fit_log_axis(axes, values, form="{:.0e}")
    mark_best(axes, history, "learning_rate")
    axes.set_title("Learning rate")
    if groups:
        legend_above(axes)
    elif len(values):
        remark(axes, f"{values[0]:.2e} to {values[-1]:.2e}")


def time_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw how long each epoch took, and the average."""
    minutes = history.column("epoch_time")
    finite = minutes[np.isfinite(minutes)]
    in_seconds = finite.max() < _SECONDS_BELOW_MINUTES
    factor, unit = (60.0, "s") if in_seconds else (1.0, "min")
    draw_list(axes, history, "epoch_time", color=CYCLE[1], factor=factor)
    average = factor * float(finite.mean())
    axes.axhline(average, color="#444444", linestyle=_DASHED, linewidth=1.0)
    axes.set_ylim(0, 1.15 * factor * float(finite.max()) or 1.0)
    mark_best(axes, history, "epoch_time", factor=factor)
    axes.set_title("Epoch time")
    axes.set_ylabel({"s": "seconds", "min": "minutes"}[unit])
    total = float(finite.sum())
    whole = f"{total:.1f} min" if total < _MINUTES_BELOW_HOURS else f"{total / 60:.1f} h"
    whole = f"{60 * total:.0f} s" if in_seconds and total < 1 else whole
    remark(axes, f"mean {average:.2f}, sum {whole}")


def against_loss_panel(axes: Axes, history: TrainingHistory, key: str) -> None:
    """Draw the training loss and a validation metric on two axes."""
    name = METRIC_LISTS[key].removeprefix("val/")
    factor = 100.0 if name in PERCENT else 1.0
    loss = draw_list(axes, history, "train_loss", color=TRAIN)
    fit_loss_axis(axes, loss)
    other: Any = axes.twinx()
    other.grid(visible=False)
    look: Any = {"color": VALIDATION, "linestyle": _DASHED}
    fit_axis(other, draw_list(other, history, key, factor=factor, **look), percent=name in PERCENT)
    mark_best(axes, history, "train_loss")
    mark_best(other, history, key, factor=factor, line=False)
    axes.set_ylabel("training loss", color=TRAIN)
    axes.tick_params(axis="y", colors=TRAIN)
    unit = " (%)" if name in PERCENT else ""
    other.set_ylabel(f"{metric_label(name)}{unit}", color=VALIDATION)
    other.tick_params(axis="y", colors=VALIDATION)
    axes.set_title(f"Loss against {metric_label(name)}")


def many_panel(
    axes: Axes, history: TrainingHistory, title: str, series: dict[str, str], *, percent: bool
) -> None:
    """Draw several series with a legend beside the panel.

    Parameters
    ----------
    series
        Key in the history by name.
    """
    shown = []
    for k, (name, key) in enumerate(series.items()):
        look: Any = {"color": CYCLE[k % len(CYCLE)], "linestyle": "-" if k < len(CYCLE) else _DASHED}
        shown.append(draw_list(axes, history, key, factor=100.0 if percent else 1.0, label=name, **look))
    values = np.concatenate(shown)
    if percent:
        fit_axis(axes, values, percent=True)
        axes.set_ylabel("%")
    else:
        fit_loss_axis(axes, values)
    mark_best(axes, history, None)
    axes.set_title(title)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.2, fontsize=6.5, borderaxespad=0.4
    )


def draw_list(axes: Axes, history: TrainingHistory, key: str, *, factor: float = 1.0, **look: Any) -> Floats:
    """Draw a list over the epochs; crosses at the upper edge mark entries without a finite value.

    Returns
    -------
    ndarray
        The finite values that were drawn.
    """
    n = len(history[key]) if key in history else 0
    x, y = history.epochs[:n], factor * history.column(key)[:n]
    finite = np.isfinite(y)
    if finite.any():
        line = np.where(finite, y, np.nan)
        size = 5.0 if n == 1 else 3.0 if n <= _N_POINTS else 0.0
        axes.plot(x, line, marker="o", markersize=size, **look)
        # A value between two gaps would be a line of no length.
        around = np.concatenate([[False], finite, [False]])
        alone = finite & ~around[:-2] & ~around[2:]
        axes.plot(x[alone], y[alone], "o", markersize=3.0, color=look["color"])
    if not finite.all():
        axes.plot(
            x[~finite],
            np.full(int((~finite).sum()), 0.94),
            "x",
            color=look["color"],
            markersize=4.5,
            markeredgewidth=1.3,
            transform=axes.get_xaxis_transform(),
        )
    return y[finite]


def mark_best(
    axes: Axes, history: TrainingHistory, key: str | None, *, factor: float = 1.0, line: bool = True
) -> None:
    """Mark the selected epoch by a line, and the value of a list there."""
    best = history.best_epoch
    if best is None or best > history.n_epochs:
        return
    if line:
        axes.axvline(best, color=GREEN, linewidth=0.9, alpha=0.55, zorder=1)
    value = math.nan if key is None else factor * history.column(key)[best - 1]
    if math.isfinite(value):
        axes.plot([best], [value], **BEST_STYLE, zorder=5, clip_on=False)


def remark(axes: Axes, text: str) -> None:
    """Put a short text above the right end of a panel."""
    axes.set_title(text, loc="right", fontweight="normal", fontsize=7.5, color="#444444")


def legend_above(axes: Axes) -> None:
    """Put the legend above the right end of a panel, where it covers no curve."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        handlelength=1.1,
        handletextpad=0.4,
        columnspacing=0.7,
        borderaxespad=0.1,
        borderpad=0.2,
        fontsize=6.5,
    )


def fit_axis(axes: Axes, values: Floats, *, percent: bool) -> None:
    """Fit the axis of a score to its values, but never to less than 1% or 0.01."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    least = _LEAST_SPAN["percent" if percent else "score"]
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    margin = 0.1 * (high - low)
    axes.set_ylim(low - margin, high + margin)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def better_key(history: TrainingHistory) -> str | None:
    """Return the metric that stands against the loss: balanced accuracy, else the criterion's."""
    candidates = ("val_acc", "val_r2", "val_roc_auc", "val_kappa", "val_corrcoef", "val_f1", "val_pr_auc")
    return next((key for key in candidates if history.has(key) and not lower_is_better(key)), None)
