"""How every component of the loss went: one picture of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.breakdown import shares, weighted_parts
from neuroprism.core.records import TOTAL, Component, EpochRecord
from neuroprism.figures.axis_scales import fit_log_axis, fit_loss_axis
from neuroprism.figures.style import BASELINE, CYCLE, GREEN, PURPLE, TRAIN, VALIDATION, style, whole_epochs
from neuroprism.runs.naming import as_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = npt.NDArray[np.float64]

MAX_METRICS = 8
_LR_COLOUR, _NORM_COLOUR = "#333333", PURPLE
_BEST_MARKER: Any = {
    "color": GREEN,
    "marker": "D",
    "markersize": 6.0,
    "markerfacecolor": "none",
    "markeredgewidth": 1.4,
}
_ERROR = re.compile(r"(^|_)(mae|mse|rmse|error|loss|ms|uv|db)(_|$)")


def plot_losses(components: Sequence[Component], epochs: Sequence[EpochRecord], *, title: str) -> Figure:
    """Draw the course of a run.

    One panel per component with the training and the validation curve, the
    value of a constant predictor as a dashed line and the selected epoch;
    then the total, the shares of the weighted components, learning rate with
    gradient norm, and the validation metrics. Panels without any data are
    left out; epochs whose value is not finite are marked by crosses.

    Parameters
    ----------
    components
        Components of the loss, 1 or more.
    epochs
        Records in the order of epochs, 1 or more.
    title
        Title of the figure, e.g. the name of the run.

    Returns
    -------
    Figure
        Without a window or a global state; `figure.savefig` writes it.

    Raises
    ------
    ValueError
        If there is no component or no epoch.
    """
    if not components or not epochs:
        raise ValueError("the figure needs at least one component and one epoch")
    from matplotlib.figure import Figure

    panels = _panels(components, epochs)
    rows = _rows(len(panels))
    with style():
        figure = Figure(
            figsize=(max(5.0, 3.3 * min(3, rows[0])), 2.3 * len(rows) + 0.75), layout="constrained"
        )
        remaining = iter(panels)
        for row, n in zip(figure.subfigures(len(rows), 1, squeeze=False).ravel(), rows, strict=True):
            for axes in row.subplots(1, n, squeeze=False).ravel():
                next(remaining)(axes)
                whole_epochs(axes, epochs[0].epoch, epochs[-1].epoch)
                if row is figure.subfigs[-1]:
                    axes.set_xlabel("epoch")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        _common_legend(figure, components, epochs)
    return figure


def _rows(n_panels: int) -> list[int]:
    """Return the number of panels in each row: at most 4, rows full, the fuller ones below."""
    n_rows = math.ceil(n_panels / 4)
    return [(n_panels + row) // n_rows for row in range(n_rows)]


def _panels(components: Sequence[Component], epochs: Sequence[EpochRecord]) -> list[Callable[[Axes], None]]:
    best = _best_epoch(epochs)
    panels: list[Callable[[Axes], None]] = [
        lambda axes, c=component: _loss_panel(axes, epochs, c.name, c.label, best, c)  # type: ignore[misc]
        for component in components
    ]
    if len(components) > 1 or components[0].weight != 1:
        panels.append(lambda axes: _loss_panel(axes, epochs, TOTAL, "Total (weighted)", best, None))
    if len(components) > 1:
        panels.append(lambda axes: _share_panel(axes, components, epochs))
    if any(e.lr is not None or e.grad_norm is not None for e in epochs):
        panels.append(lambda axes: _optimizer_panel(axes, epochs))
    scores, errors = _scores_and_errors(epochs)
    if scores:
        panels.append(lambda axes: _metrics_panel(axes, scores, best))
    if errors:
        panels.append(lambda axes: _errors_panel(axes, errors, best))
    return panels


def _best_epoch(epochs: Sequence[EpochRecord]) -> int | None:
    """Return the last epoch in which the selection criterion improved."""
    return next((e.epoch for e in reversed(epochs) if e.best), None)


def _curve(
    epochs: Sequence[EpochRecord], value: Callable[[EpochRecord], float | None]
) -> tuple[Curve, Curve]:
    """Return epoch numbers and values of the epochs that have one."""
    pairs = [(e.epoch, v) for e in epochs if (v := value(e)) is not None]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _draw_curve(axes: Axes, x: Curve, y: Curve, **look: Any) -> None:
    """Draw a line through the finite values and crosses at the top where a value is not finite."""
    finite = np.isfinite(y)
    # Points show where a short run was measured; a single epoch is a point.
    size = 5.0 if len(x) == 1 else 3.0 if len(x) <= 30 else 0.0
    if finite.any():
        axes.plot(x, np.where(finite, y, np.nan), marker="o", markersize=size, **look)
    _mark_lost(axes, x[~finite], look["color"], label=None if finite.any() else look.get("label"))


def _mark_lost(axes: Axes, x: Curve, colour: str, *, label: str | None = None) -> None:
    """Mark epochs without a finite value by crosses below the upper edge."""
    if len(x):
        edge = axes.get_xaxis_transform()
        axes.plot(
            x,
            np.full(len(x), 0.94),
            "x",
            color=colour,
            markersize=5,
            markeredgewidth=1.4,
            transform=edge,
            label=label,
        )


def _loss_panel(
    axes: Axes,
    epochs: Sequence[EpochRecord],
    name: str,
    label: str,
    best: int | None,
    component: Component | None,
) -> None:
    baseline = component.baseline if component else None
    seen = []
    for colour, pick in (
        (TRAIN, lambda e: e.train.get(name)),
        (VALIDATION, lambda e: e.val.get(name)),
    ):
        x, y = _curve(epochs, pick)
        _draw_curve(axes, x, y, color=colour)
        seen.append(y[np.isfinite(y)])
    values = np.concatenate(seen)
    # The baseline stays in sight.
    fit_loss_axis(axes, values if baseline is None else np.append(values, baseline))
    if baseline is not None:
        axes.axhline(baseline, color=BASELINE, linestyle=(0, (5, 3)), linewidth=1.1)
    _mark_best(axes, epochs, best, lambda e: e.val.get(name))
    weight = "" if component is None or component.weight == 1 else f"weight {component.weight:g}"
    axes.set_title(label)
    if weight:
        axes.set_title(weight, loc="right", fontweight="normal", fontsize=7.5, color=BASELINE)


def _mark_best(
    axes: Axes,
    epochs: Sequence[EpochRecord],
    best: int | None,
    value: Callable[[EpochRecord], float | None],
) -> None:
    if best is None:
        return
    axes.axvline(best, color=GREEN, linewidth=0.9, alpha=0.55, zorder=1)
    at = next((value(e) for e in epochs if e.epoch == best), None)
    if at is not None and math.isfinite(at):
        axes.plot([best], [at], **_BEST_MARKER, zorder=5, clip_on=False)


def _share_panel(axes: Axes, components: Sequence[Component], epochs: Sequence[EpochRecord]) -> None:
    by_epoch = [shares(weighted_parts(components, e.train, e.weights)) for e in epochs]
    x = np.array([e.epoch for e in epochs], dtype=np.float64)
    table = np.array([[s.get(c.name, math.nan if not s else 0.0) for s in by_epoch] for c in components])
    edges = np.vstack([np.zeros(len(x)), np.cumsum(table, axis=0)])
    for k, component in enumerate(components):
        look: Any = {
            "facecolor": CYCLE[k % len(CYCLE)],
            "hatch": "" if k < len(CYCLE) else "////",
            "label": component.label,
            "edgecolor": "white",
            "linewidth": 0.4,
        }
        if len(x) == 1:
            axes.bar(x, np.nan_to_num(table[k]), 0.6, np.nan_to_num(edges[k]), **look)
        else:
            axes.fill_between(x, edges[k], edges[k + 1], **look)
    _mark_lost(axes, x[np.isnan(table).any(axis=0)], TRAIN)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25%", "50%", "75%", "100%"])
    axes.set_title("Share of the training total")
    _legend_below(axes, n_columns=3)


def _legend_below(axes: Axes, *, n_columns: int) -> None:
    from matplotlib.transforms import ScaledTranslation

    # Below tick labels and axis label, whatever the height of the panel.
    below = ScaledTranslation(0, -30 / 72, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr]
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + below,
        ncols=n_columns,
        handlelength=0.9,
        handletextpad=0.4,
        columnspacing=0.9,
        labelspacing=0.3,
        borderaxespad=0.0,
        fontsize=7,
    )


def _optimizer_panel(axes: Axes, epochs: Sequence[EpochRecord]) -> None:
    x, lr = _curve(epochs, lambda e: e.lr)
    norm_x, norm = _curve(epochs, lambda e: e.grad_norm)
    axes.set_title("Learning rate" if not len(norm) else "Learning rate, gradient norm")
    if len(lr):
        _draw_curve(axes, x, lr, color=_LR_COLOUR)
        fit_log_axis(axes, lr)
        axes.set_ylabel("learning rate", color=_LR_COLOUR)
    if len(norm):
        other: Any = axes.twinx() if len(lr) else axes
        other.grid(visible=False)
        _draw_curve(other, norm_x, norm, color=_NORM_COLOUR, linestyle=(0, (4, 1.5)))
        fit_log_axis(other, norm)
        other.set_ylabel("gradient norm", color=_NORM_COLOUR)
        other.tick_params(axis="y", colors=_NORM_COLOUR)


def _scores_and_errors(
    epochs: Sequence[EpochRecord],
) -> tuple[dict[str, tuple[Curve, Curve]], dict[str, tuple[Curve, Curve]]]:
    """Return the validation metrics as curves: those between -1 and 1, and all others.

    Metrics whose name says that they have a unit or are errors count as
    others, whatever their size.
    """
    scores: dict[str, tuple[Curve, Curve]] = {}
    errors: dict[str, tuple[Curve, Curve]] = {}
    for name in dict.fromkeys(name for e in epochs for name in e.val_metrics if "/" not in name):
        curve = _curve(epochs, lambda e, n=name: e.val_metrics.get(n))  # type: ignore[misc]
        finite = curve[1][np.isfinite(curve[1])]
        is_score = not _ERROR.search(name) and bool((np.abs(finite) <= 1).all())
        (scores if is_score else errors)[name] = curve
    return scores, errors


def _metrics_panel(axes: Axes, scores: dict[str, tuple[Curve, Curve]], best: int | None) -> None:
    for k, (name, (x, y)) in enumerate(list(scores.items())[:MAX_METRICS]):
        _draw_curve(axes, x, y, color=CYCLE[k], label=as_words(name))
    _mark_best(axes, (), best, lambda _: None)
    axes.set_title("Validation metrics")
    _legend_below(axes, n_columns=2)


def _errors_panel(axes: Axes, errors: dict[str, tuple[Curve, Curve]], best: int | None) -> None:
    """Draw quantities of different units, each relative to its first finite value."""
    for k, (name, (x, y)) in enumerate(list(errors.items())[:MAX_METRICS]):
        finite = y[np.isfinite(y) & (y != 0)]
        first = abs(float(finite[0])) if len(finite) else 1.0
        newest = f"{finite[-1]:.3g}" if len(finite) else "none"
        _draw_curve(axes, x, y / first, color=CYCLE[k], label=f"{as_words(name)} ({newest})")
    _mark_best(axes, (), best, lambda _: None)
    axes.set_title("Errors (first = 1)")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    _legend_below(axes, n_columns=1)


def _common_legend(figure: Figure, components: Sequence[Component], epochs: Sequence[EpochRecord]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=TRAIN, label="training")]
    if any(e.val for e in epochs):
        entries.append(Line2D([], [], color=VALIDATION, label="validation"))
    if any(c.baseline is not None for c in components):
        dashed = Line2D(
            [], [], color=BASELINE, linestyle=(0, (5, 3)), linewidth=1.1, label="constant predictor"
        )
        entries.append(dashed)
    best = _best_epoch(epochs)
    if best is not None:
        look = {
            "color": GREEN,
            "marker": "D",
            "markersize": 5.5,
            "linewidth": 0.9,
            "markeredgecolor": "white",
        }
        entries.append(Line2D([], [], label=f"selected (epoch {best})", **look))  # type: ignore[arg-type]
    if any(not math.isfinite(v) for e in epochs for v in (*e.train.values(), *e.val.values())):
        entries.append(Line2D([], [], color="black", linestyle="none", marker="x", label="not finite"))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), columnspacing=1.4)
