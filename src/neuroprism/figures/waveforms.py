"""Recordings as traces: level series with marked waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

MARKED = {0: ("I", "v", ORANGE), 2: ("III", "s", GREEN), 4: ("V", "o", VERMILLION)}
"""Waves that are marked: column, name, marker, colour."""

SCALE_UV = 0.5


@dataclass(frozen=True, kw_only=True)
class LevelSeries:
    """Recordings of one ear at several levels, one panel of `plot_level_series`.

    Attributes
    ----------
    title
        Name of the panel, e.g. the hearing class.
    time_ms
        (T,) after stimulus onset.
    signal_uv, clean_uv
        (n, T) recorded traces, and noise-free ones where they are known.
    level_db_nhl
        (n,).
    wave_latency_ms
        (n, 7) waves I to VII; NaN where absent.
    threshold_db_nhl
        Threshold of the ear; None where it is not known or beyond the highest level.
    """

    title: str
    time_ms: Floats
    signal_uv: Floats
    clean_uv: Floats | None
    level_db_nhl: Floats
    wave_latency_ms: Floats
    threshold_db_nhl: float | None


def plot_level_series(panels: Sequence[LevelSeries]) -> Figure:
    """Draw one column per ear, its traces stacked by level.

    A trace stands at the height of its level; a bar gives the scale in
    microvolt. Grey: as recorded; blue: without noise; marks: waves I, III and
    V; dashed: the threshold of the ear, above which the response sets in.

    Raises
    ------
    ValueError
        If there is no panel.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("plot_level_series needs at least one panel")
    with style():
        figure = Figure(figsize=(2.3 * len(panels) + 0.6, 5.6), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        db_per_uv = _db_per_uv(panels)
        for axis, panel in zip(axes, panels, strict=True):
            _draw_series(axis, panel, db_per_uv)
        levels = np.concatenate([panel.level_db_nhl for panel in panels])
        axes[0].set_ylim(levels.min() - 12.0, levels.max() + 14.0)
        axes[0].set_ylabel("level (dB nHL)")
        _scale_bar(axes[-1], db_per_uv)
        _legend(figure, panels)
    return figure


def _db_per_uv(panels: Sequence[LevelSeries]) -> float:
    """Return how many dB on the axis one microvolt takes: large traces fill about two steps of level."""
    extent = max(float(np.percentile(np.ptp(panel.signal_uv, axis=1), 90)) for panel in panels)
    return 18.0 / max(extent, 1e-9)


def _draw_series(axes: Axes, panel: LevelSeries, db_per_uv: float) -> None:
    for n, level in enumerate(panel.level_db_nhl):
        recorded = level + db_per_uv * panel.signal_uv[n]
        axes.plot(panel.time_ms, recorded, color=GREY, linewidth=0.8, zorder=2)
        shown = recorded
        if panel.clean_uv is not None:
            shown = level + db_per_uv * panel.clean_uv[n]
            axes.plot(panel.time_ms, shown, color=BLUE, linewidth=1.2, zorder=3)
        for wave, (_, marker, colour) in MARKED.items():
            latency = float(panel.wave_latency_ms[n, wave])
            if panel.time_ms[0] <= latency <= panel.time_ms[-1]:
                height = np.interp(latency, panel.time_ms, shown)
                axes.plot(latency, height, marker=marker, color=colour, markersize=4, zorder=4)
    if panel.threshold_db_nhl is not None:
        axes.axhline(
            panel.threshold_db_nhl - 2.5, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=1
        )
    axes.set_title(panel.title)
    axes.set_xlabel("time (ms)")
    axes.set_xlim(panel.time_ms[0], panel.time_ms[-1])
    axes.grid(visible=False, axis="y")


def _scale_bar(axes: Axes, db_per_uv: float) -> None:
    low, _ = axes.get_ylim()
    first, last = axes.get_xlim()
    x, bottom = last - 0.04 * (last - first), low + 3.0
    axes.plot([x, x], [bottom, bottom + SCALE_UV * db_per_uv], color="black", linewidth=2.0, zorder=5)
    axes.text(x - 0.02 * (last - first), bottom, f"{SCALE_UV} µV", ha="right", va="bottom", fontsize=7.5)


def _legend(figure: Figure, panels: Sequence[LevelSeries]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=GREY, linewidth=0.8, label="recorded")]
    if any(panel.clean_uv is not None for panel in panels):
        entries.append(Line2D([], [], color=BLUE, label="without noise"))
    entries += [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=4, label=f"wave {name}")
        for name, marker, colour in MARKED.values()
    ]
    entries.append(Line2D([], [], color="black", linewidth=0.9, linestyle=(0, (5, 3)), label="threshold"))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries))
