"""Methods beside each other, metric by metric, with intervals: a forest plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from neuroprism.figures.style import BLUE, GREEN, GREY, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["network", "trivial", "classical", "ceiling"]

LOOKS: Mapping[Kind, tuple[str, str]] = {
    "network": (BLUE, "o"),
    "trivial": (GREY, "X"),
    "classical": (ORANGE, "s"),
    "ceiling": (GREEN, "D"),
}
"""Colour and marker of each kind of method; the network is drawn larger and bold."""

MOST_COLUMNS = 2


@dataclass(frozen=True)
class MetricValue:
    """What one method reached.

    Attributes
    ----------
    value, low, high
        In the unit of the metric, with the interval of 95 %; bounds are NaN where there is none.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, kw_only=True)
class MetricPanel:
    """One metric, one panel of `plot_forest`.

    Attributes
    ----------
    metric
        Name of the metric, the title of the panel.
    unit
        E.g. ``ms``; empty where it has none.
    better
        Which values are better.
    values
        What each method reached, by its name; a method that does not answer is left out, or is NaN.
    """

    metric: str
    unit: str
    better: Literal["lower", "higher"]
    values: Mapping[str, MetricValue]


def plot_forest(panels: Sequence[MetricPanel], methods: Mapping[str, Kind]) -> Figure:
    """Draw the value of each method with its interval, one panel a metric, one row a method.

    Every metric has its own axis. A line through the value of the network makes
    rows comparable.

    Parameters
    ----------
    panels
        The metrics.
    methods
        Names of the methods from top to bottom, and what each is.

    Raises
    ------
    ValueError
        If there is no panel, or a value of a method that `methods` does not name.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("plot_forest needs at least one metric")
    unknown = sorted({name for panel in panels for name in panel.values} - set(methods))
    if unknown:
        raise ValueError(f"the figure has no row for {', '.join(unknown)}")
    n_columns = min(len(panels), MOST_COLUMNS)
    n_rows = math.ceil(len(panels) / n_columns)
    with style():
        size = (1.2 + 2.9 * n_columns, (0.85 + 0.23 * len(methods)) * n_rows + 0.3)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw(axes, panel, methods)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        first = grid[0, 0]
        first.set_ylim(len(methods) - 0.5, -0.5)
        first.set_yticks(range(len(methods)), list(methods))
        for row in grid:
            for label, kind in zip(row[0].get_yticklabels(), methods.values(), strict=True):
                label.set_color(LOOKS[kind][0] if kind == "network" else "black")
                label.set_fontweight("bold" if kind == "network" else "normal")
        _legend(figure, methods, n_columns)
    return figure


def _draw(axes: Axes, panel: MetricPanel, methods: Mapping[str, Kind]) -> None:
    digits = _digits(panel.values.values())
    for row, (name, kind) in enumerate(methods.items()):
        found = panel.values.get(name)
        if found is not None and not math.isfinite(found.value):
            found = None
        if found is not None:
            _draw_value(axes, row, found, kind)
        axes.text(
            1.03,
            row,
            "no answer" if found is None else _text(found, digits),
            transform=axes.get_yaxis_transform(),
            ha="left",
            va="center",
            fontsize=7,
            color=GREY if found is None else "black",
            fontweight="bold" if kind == "network" else "normal",
        )
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(panel.unit)
    axes.set_title(panel.metric, pad=15)
    axes.annotate(
        f"{panel.better} is better",
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=7.5,
        color=GREY,
    )


def _draw_value(axes: Axes, row: int, found: MetricValue, kind: Kind) -> None:
    colour, marker = LOOKS[kind]
    main = kind == "network"
    if main:
        axes.axvline(found.value, color=colour, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    if math.isfinite(found.low) and math.isfinite(found.high):
        axes.plot([found.low, found.high], [row, row], color=colour, linewidth=2.4 if main else 1.3, zorder=2)
    size: Any = {"markersize": 6.5 if main else 4.8, "markeredgecolor": "white", "markeredgewidth": 0.4}
    axes.plot([found.value], [row], marker, color=colour, zorder=3, **size)


def _digits(values: Iterable[MetricValue]) -> int:
    """Return the decimals that resolve the narrowest interval; three without intervals."""
    widths = [found.high - found.low for found in values if found.high > found.low]
    return min(4, max(0, math.ceil(0.5 - math.log10(min(widths))))) if widths else 3


def _text(found: MetricValue, digits: int) -> str:
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _legend(figure: Figure, methods: Mapping[str, Kind], n_columns: int) -> None:
    from matplotlib.lines import Line2D

    names = {
        "network": "network",
        "trivial": "without the trace",
        "classical": "classical",
        "ceiling": "limit of the noise",
    }
    entries = [
        Line2D([], [], color=LOOKS[kind][0], marker=LOOKS[kind][1], linestyle="", label=names[kind])
        for kind in LOOKS
        if kind in methods.values()
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=2 * n_columns)
