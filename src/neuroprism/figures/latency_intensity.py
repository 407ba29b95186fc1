"""Latency of wave V against the stimulus level, with the normal range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (VERMILLION, "v"), (SKY, "P"))
"""Colour and marker of each series."""

FEWEST = 3
"""Recordings at a level from which their median is drawn."""

NORMAL = "#8C8C8C"


@dataclass(frozen=True, kw_only=True)
class LatencySeries:
    """Wave V of one group of recordings.

    Attributes
    ----------
    label
        Name of the group, e.g. the hearing class.
    level_db, latency_ms
        (n,) each; recordings without a latency (NaN) are left out.
    """

    label: str
    level_db: Floats
    latency_ms: Floats


@dataclass(frozen=True, kw_only=True)
class NormalRange:
    """Normal latencies of wave V.

    Attributes
    ----------
    label
        Whose, with the source.
    level_db, low_ms, high_ms
        Range at each level, (n,), levels increasing.
    """

    label: str
    level_db: Floats
    low_ms: Floats
    high_ms: Floats


def plot_latency_intensity(
    series: Sequence[LatencySeries], normal: Sequence[NormalRange], *, level_unit: str = "dB nHL"
) -> Figure:
    """Draw the median latency of each group at each level with its quartiles, over the normal ranges.

    The first normal range is shaded, others are dashed frames.

    Raises
    ------
    ValueError
        If no group has a level with three latencies.
    """
    from matplotlib.figure import Figure

    points = [(one.label, *_quartiles(one)) for one in series]
    points = [point for point in points if len(point[1])]
    if not points or len(points) > len(LOOKS):
        raise ValueError(f"no group has {FEWEST} latencies of wave V at one level")
    with style():
        figure = Figure(figsize=(5.0, 4.3), layout="constrained")
        axes = figure.subplots()
        for place, one in enumerate(normal):
            _draw_normal(axes, one, frame=place > 0)
        for place, (label, level, quartiles) in enumerate(points):
            colour, marker = LOOKS[place]
            # Bars of different groups at one level must not hide each other.
            shifted = level + 0.7 * (place - 0.5 * (len(points) - 1))
            low, median, high = quartiles
            axes.errorbar(
                shifted,
                median,
                yerr=np.stack([median - low, high - median]),
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.2,
                elinewidth=0.8,
                capsize=1.5,
                label=label,
                zorder=3,
            )
        axes.set_xlabel(f"level ({level_unit})")
        axes.set_ylabel("latency of wave V (ms)")
        axes.set_title("Wave V: median and quartiles")
        figure.legend(loc="outside lower center", ncols=min(3, len(points) + len(normal)))
    return figure


def _quartiles(series: LatencySeries) -> tuple[Floats, Floats]:
    """Return levels (n,) with enough recordings, and quartiles and median of the latency there, (3, n)."""
    known = np.isfinite(series.latency_ms) & np.isfinite(series.level_db)
    levels, counts = np.unique(series.level_db[known], return_counts=True)
    levels = levels[counts >= FEWEST]
    if not len(levels):
        return levels, np.empty((3, 0))
    found = [
        np.percentile(series.latency_ms[known & (series.level_db == level)], (25, 50, 75)) for level in levels
    ]
    return levels, np.stack(found, axis=1)


def _draw_normal(axes: Axes, normal: NormalRange, *, frame: bool) -> None:
    if frame:
        axes.fill_between(
            normal.level_db,
            normal.low_ms,
            normal.high_ms,
            facecolor="none",
            edgecolor="black",
            linestyle=(0, (3, 2)),
            linewidth=0.8,
            label=normal.label,
            zorder=2,
        )
    else:
        axes.fill_between(
            normal.level_db,
            normal.low_ms,
            normal.high_ms,
            color=NORMAL,
            alpha=0.3,
            linewidth=0,
            label=normal.label,
        )
