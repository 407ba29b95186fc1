"""Panels of the training grid that show results on the test data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.confusion import draw_confusion
from neuroprism.figures.style import BASELINE, CYCLE, SKY, TRAIN, VALIDATION
from neuroprism.figures.training_grid_curves import remark
from neuroprism.runs.history import METRIC_LISTS, TrainingHistory
from neuroprism.runs.naming import PERCENT, metric_label, metric_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_TEXTS = 12
_N_SHARES = 5
_N_NAMED_COLUMNS = 4
_N_SHORT = 14
_LEAST_SPAN = 0.04
_UNBOUNDED = frozenset({"rmse"})


def confusion_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw the confusion matrix of the test data: counts, and shades by share of the true class."""
    matrix = history.confusion_matrix
    assert matrix is not None
    n = len(matrix)
    draw_confusion(axes, matrix, _cell_text(n), fontsize=7.5 if n <= _N_SHARES else 6.0)
    names = class_labels(history, n)
    axes.set_yticks(range(n), names, fontsize=7 if n <= 6 else 6)
    short = names if n <= _N_NAMED_COLUMNS else [name.split()[0] for name in names]
    axes.set_xticks(range(n), short, fontsize=7 if n <= 6 else 6)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title("Test confusion matrix")
    remark(axes, f"{matrix.sum():,} samples")


def _cell_text(n: int) -> Callable[[int, float], str] | None:
    """Return what the cells of n classes have room for."""
    if n > _N_TEXTS:
        return None
    if n > _N_SHARES:
        return lambda count, _: f"{count}"
    return lambda count, share: f"{count} ({100 * share:.0f}%)"


def class_labels(history: TrainingHistory, n: int) -> list[str]:
    """Return number and, where it is known, name of each class."""
    names = history.class_names
    if len(names) != n:
        return [str(k) for k in range(n)]
    labels = [f"{k} {name}" for k, name in enumerate(names)]
    return [label if len(label) <= _N_SHORT else f"{label[: _N_SHORT - 1]}." for label in labels]


def recall_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw the share of each true class of the test data that was recognised."""
    matrix = history.confusion_matrix
    assert matrix is not None
    n, counts = len(matrix), matrix.sum(axis=1)
    recall = 100 * np.diag(matrix) / np.maximum(counts, 1)
    axes.barh(range(n), np.where(counts > 0, recall, 0.0), color=SKY, height=0.7)
    for k in range(n):
        text = f"{recall[k]:.1f}%" if counts[k] else "no sample"
        inside = counts[k] > 0 and recall[k] > 80
        axes.text(
            recall[k] + (-1.5 if inside else 1.5),
            k,
            text,
            va="center",
            ha="right" if inside else "left",
            fontsize=7 if n <= 9 else 5.5,
        )
    mean = float(recall[counts > 0].mean())
    axes.axvline(100 / n, color=BASELINE, linestyle=(0, (1, 1.5)), linewidth=1.3)
    axes.set_xlim(0, 100)
    axes.set_yticks(range(n), class_labels(history, n), fontsize=7 if n <= 9 else 5.5)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("% of the true class")
    axes.set_title("Test recall")
    remark(axes, f"mean {mean:.2f}%, chance {100 / n:.4g}%")


def selected_against_test(history: TrainingHistory) -> dict[str, tuple[float, float]]:
    """Return validation value at the selected epoch and test value of each metric that has both."""
    best = history.best_epoch
    pairs = {}
    for key, series in METRIC_LISTS.items():
        name = series.removeprefix("val/")
        test = history.test_results.get(key.removeprefix("val_"))
        if best is None or best > history.n_epochs or not isinstance(test, int | float):
            continue
        value = history.column(key)[best - 1]
        if math.isfinite(value) and math.isfinite(test):
            pairs[name] = (float(value), float(test))
    return pairs


def test_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw each metric at the selected epoch beside its test value, with the interval where recorded."""
    pairs = selected_against_test(history)
    spans = history.test_results.get("intervals")
    spans = spans if isinstance(spans, dict) else {}
    look: Any = {"linestyle": "none", "markersize": 6.0}
    for k, (name, (validation, test)) in enumerate(pairs.items()):
        span = spans.get(name)
        if isinstance(span, list) and len(span) == 2:
            axes.plot(span, [k, k], color=TRAIN, linewidth=4.0, alpha=0.25, solid_capstyle="butt")
        axes.plot([validation, test], [k, k], color=BASELINE, linewidth=1.0)
        axes.plot([validation], [k], "o", color=VALIDATION, label="validation" if k == 0 else None, **look)
        axes.plot([test], [k], "s", color=TRAIN, label="test" if k == 0 else None, **look)
    labels = [
        f"{metric_label(name)}\n{metric_text(name, validation)}, {metric_text(name, test)}"
        for name, (validation, test) in pairs.items()
    ]
    axes.set_yticks(range(len(pairs)), labels)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    low, high = axes.get_xlim()
    spare = max(0.0, _LEAST_SPAN - (high - low)) / 2 + 0.08 * (high - low)
    axes.set_xlim(low - spare, high + spare)
    axes.grid(visible=False, axis="y")
    axes.set_title("Selected epoch")
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        handletextpad=0.1,
        columnspacing=0.8,
        fontsize=7,
    )


def per_subject(history: TrainingHistory) -> tuple[str, npt.NDArray[np.float64]] | None:
    """Return a metric and its value for each subject of the test data, where recorded."""
    table = history.test_results.get("per_subject")
    if not isinstance(table, dict):
        return None
    rows = [row for row in table.values() if isinstance(row, dict)]
    for series in METRIC_LISTS.values():
        name = series.removeprefix("val/")
        values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        finite = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
        if len(finite) > 1:
            return name, finite
    return None


def subject_panel(axes: Axes, history: TrainingHistory) -> None:
    """Draw the test metric of each subject in rising order."""
    found = per_subject(history)
    assert found is not None
    name, values = found
    factor = 100.0 if name in PERCENT else 1.0
    values = factor * np.sort(values)
    axes.bar(range(1, len(values) + 1), values, color=CYCLE[2], width=0.75)
    axes.axhline(float(np.median(values)), color="#444444", linestyle=(0, (4, 1.5)), linewidth=1.0)
    low = float(values.min())
    if name not in _UNBOUNDED:
        axes.set_ylim(min(0.0, 1.1 * low), max(factor, float(values.max())))
    axes.set_xlabel("subjects in rising order")
    axes.set_ylabel(metric_label(name) + (" (%)" if factor != 1.0 else ""))
    axes.grid(visible=False, axis="x")
    axes.set_title("Test by subject")
    remark(axes, f"median of {len(values)}: {np.median(values):.3g}{'%' if factor != 1.0 else ''}")
