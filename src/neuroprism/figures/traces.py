"""Many recordings in one picture: the mean of each group with its spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, ORANGE, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

COLOURS = (BLUE, VERMILLION, ORANGE)
LINES: Any = ("-", (0, (4, 1.5)), (0, (1, 1)))
"""Line of each group: print in grey tells them apart as well."""

SPREAD = (10.0, 90.0)
"""Percentiles between which a group is shaded."""

SINGLE = "#B4B4B4"
MOST_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class TracePanel:
    """One panel of `plot_traces`.

    Attributes
    ----------
    title
        Name of the panel, e.g. the hearing class or a range of levels.
    groups
        Traces (n, T) in microvolt by the name of their group; at most three groups.
    """

    title: str
    groups: dict[str, Floats]


def plot_traces(panels: Sequence[TracePanel], time_ms: Floats, *, n_single: int = 0) -> Figure:
    """Draw the mean trace of each group, and shade between its 10th and 90th percentile.

    Parameters
    ----------
    panels
        All share the axes and the names of their groups; an empty group is left out.
    time_ms
        Time after stimulus onset, (T,).
    n_single
        Traces of the first group that are drawn as they are, thin and grey.

    Raises
    ------
    ValueError
        If there is no panel, or more than three groups.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for panel in panels for name in panel.groups))
    if not panels or len(names) > len(COLOURS):
        raise ValueError(f"plot_traces needs a panel and at most {len(COLOURS)} groups")
    n_columns = min(len(panels), MOST_COLUMNS)
    n_rows = math.ceil(len(panels) / n_columns)
    with style():
        figure = Figure(figsize=(1.0 + 2.05 * n_columns, 0.75 + 1.9 * n_rows), layout="constrained")
        axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _draw(axis, panel, time_ms, names, n_single)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for column in range(n_columns):
            lowest = max(n for n in range(len(panels)) if n % n_columns == column)
            axes.flat[lowest].set_xlabel("time (ms)")
            axes.flat[lowest].tick_params(labelbottom=True)
        for row in axes:
            row[0].set_ylabel("amplitude (µV)")
        axes[0, 0].set_xlim(time_ms[0], time_ms[-1])
        _legend(figure, names, n_single=n_single)
    return figure


def _draw(axes: Axes, panel: TracePanel, time_ms: Floats, names: Sequence[str], n_single: int) -> None:
    counts = []
    for place, name in enumerate(names):
        traces = panel.groups.get(name)
        if traces is None or not len(traces):
            continue
        counts.append(f"n = {len(traces):,}" if len(names) == 1 else f"{len(traces):,}")
        if place == 0:
            for trace in traces[:n_single]:
                axes.plot(time_ms, trace, color=SINGLE, linewidth=0.5, zorder=1.5)
        low, high = np.percentile(traces, SPREAD, axis=0)
        axes.fill_between(time_ms, low, high, color=COLOURS[place], alpha=0.22, linewidth=0, zorder=2)
        axes.plot(
            time_ms,
            traces.mean(axis=0),
            color=COLOURS[place],
            linestyle=LINES[place],
            linewidth=1.3,
            zorder=3,
        )
    axes.set_title(panel.title)
    said = counts[0] if len(names) == 1 and counts else "n = " + " / ".join(counts)
    if counts:
        axes.text(
            0.98,
            0.02,
            said,
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=7,
            # Readable over a trace that runs through it.
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )


def _legend(figure: Figure, names: Sequence[str], *, n_single: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Line2D | Patch] = [
        Line2D([], [], color=COLOURS[place], linestyle=LINES[place], linewidth=1.3, label=f"{name}, mean")
        for place, name in enumerate(names)
    ]
    low, high = SPREAD
    entries.append(
        Patch(color=SINGLE if len(names) > 1 else COLOURS[0], alpha=0.35, label=f"{low:g}-{high:g} %")
    )
    if n_single:
        entries.append(Line2D([], [], color=SINGLE, linewidth=0.8, label="single traces"))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries))
