"""Recordings as traces: level series with marked waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, GREEN, ORANGE, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

Floats = npt.NDArray[np.floating]

MARKED = {0: ("I", "v", ORANGE), 2: ("III", "s", GREEN), 4: ("V", "o", VERMILLION)}
"""Waves that are marked: column, name, marker, colour."""

RECORDED = "#8C8C8C"
_MARK: Any = {"markersize": 3.8, "markeredgecolor": "white", "markeredgewidth": 0.4}


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
    level_db
        (n,) in `level_unit`.
    wave_latency_ms
        (n, 7) waves I to VII; NaN where absent.
    threshold_db_nhl
        Threshold of the ear; None where it is not known.
    threshold_censored
        No response up to `threshold_db_nhl`.
    level_unit
        Of the levels; of all panels of a figure the same.
    """

    title: str
    time_ms: Floats
    signal_uv: Floats
    clean_uv: Floats | None
    level_db: Floats
    wave_latency_ms: Floats
    threshold_db_nhl: float | None
    threshold_censored: bool = False
    level_unit: str = "dB nHL"


def plot_level_series(panels: Sequence[LevelSeries]) -> Figure:
    """Draw one column per ear, its traces stacked by level.

    A trace stands at the height of its level; a bar gives the scale in
    microvolt. Grey: as recorded; blue: without noise; marks: waves I, III and
    V; dashed: just below the threshold of the ear.

    Raises
    ------
    ValueError
        If there is no panel.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("plot_level_series needs at least one panel")
    with style():
        # Five columns fill the 180 mm of a printed page.
        figure = Figure(figsize=(1.3 * len(panels) + 0.6 + 1.5 / len(panels), 5.0), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        levels = np.concatenate([panel.level_db for panel in panels])
        db_per_uv = _db_per_uv(panels)
        scale_uv = _round_scale(13.0 / db_per_uv)
        # Room for a line of text below, and for a large response and the scale bar above.
        axes[0].set_ylim(levels.min() - 13.0, levels.max() + 10.0 + scale_uv * db_per_uv)
        axes[0].set_yticks(_ticks(levels))
        axes[0].set_ylabel(f"level ({panels[0].level_unit})")
        for axis, panel in zip(axes, panels, strict=True):
            _draw_series(axis, panel, db_per_uv)
        _scale_bar(axes[0], scale_uv, db_per_uv)
        _legend(figure, panels)
    return figure


def _db_per_uv(panels: Sequence[LevelSeries]) -> float:
    """Return how many dB on the axis one microvolt takes: large traces fill about two steps of level."""
    extent = max(float(np.percentile(np.ptp(panel.signal_uv, axis=1), 90)) for panel in panels)
    return 18.0 / max(extent, 1e-9)


def _ticks(levels: Floats) -> Floats:
    """Return multiples of 20 dB within the tested range; the levels themselves where that is narrow."""
    low, high = float(levels.min()), float(levels.max())
    return np.unique(levels) if high - low < 40 else np.arange(20 * np.ceil(low / 20), high + 1, 20)


def _round_scale(largest_uv: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above `largest_uv`."""
    power = 10.0 ** np.floor(np.log10(largest_uv))
    return float(power * max(step for step in (1.0, 2.0, 5.0) if step * power <= largest_uv))


def _draw_series(axes: Axes, panel: LevelSeries, db_per_uv: float) -> None:
    for n, level in enumerate(panel.level_db):
        recorded = level + db_per_uv * panel.signal_uv[n]
        axes.plot(panel.time_ms, recorded, color=RECORDED, linewidth=0.6, zorder=2)
        shown = recorded
        if panel.clean_uv is not None:
            shown = level + db_per_uv * panel.clean_uv[n]
            axes.plot(panel.time_ms, shown, color=BLUE, linewidth=1.0, zorder=3)
        for wave, (_, marker, colour) in MARKED.items():
            latency = float(panel.wave_latency_ms[n, wave])
            if panel.time_ms[0] <= latency <= panel.time_ms[-1]:
                height = np.interp(latency, panel.time_ms, shown)
                axes.plot(latency, height, marker=marker, color=colour, **_MARK, zorder=4)
    axes.set_title(panel.title)
    axes.set_xlabel("time (ms)")
    axes.set_xlim(panel.time_ms[0], panel.time_ms[-1])
    axes.xaxis.set_major_locator(_whole_ms())
    axes.grid(visible=False, axis="y")
    _mark_threshold(axes, panel)


def _whole_ms() -> Locator:
    from matplotlib.ticker import MaxNLocator

    # The last tick of one column must not run into the first of the next.
    return MaxNLocator(nbins=4, integer=True, prune="upper")


def _mark_threshold(axes: Axes, panel: LevelSeries) -> None:
    """Draw the threshold as a line with its value, or say that there was no response."""
    threshold = panel.threshold_db_nhl
    if threshold is None:
        return
    if panel.threshold_censored:
        place, text = float(panel.level_db.min()), f"no response up to\n{threshold:g} dB nHL"
    else:
        # Between the lowest level with a response and the next one below, at which there is none.
        place, text = threshold - 2.5, f"threshold {threshold:g} dB nHL"
        axes.axhline(place, color="black", linewidth=0.8, linestyle=(0, (4, 2.5)), zorder=1)
        place = min(place, float(panel.level_db.min()))
    axes.annotate(
        text,
        (1.0, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, -15),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=7,
    )


def _scale_bar(axes: Axes, scale_uv: float, db_per_uv: float) -> None:
    """Draw the bar in the upper right corner, above the traces."""
    _, high = axes.get_ylim()
    first, last = axes.get_xlim()
    x, top = last - 0.04 * (last - first), high - 1.0
    length = scale_uv * db_per_uv
    axes.plot([x, x], [top - length, top], color="black", linewidth=1.8, solid_capstyle="butt", zorder=5)
    middle = (x - 0.04 * (last - first), top - 0.5 * length)
    axes.text(*middle, f"{scale_uv:g} µV", ha="right", va="center", fontsize=7.5)


def _legend(figure: Figure, panels: Sequence[LevelSeries]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=RECORDED, linewidth=0.8, label="recorded")]
    if any(panel.clean_uv is not None for panel in panels):
        entries.append(Line2D([], [], color=BLUE, linewidth=1.0, label="without noise"))
    entries += [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=f"wave {name}", **_MARK)
        for wave, (name, marker, colour) in MARKED.items()
        if any(np.isfinite(panel.wave_latency_ms[:, wave]).any() for panel in panels)
    ]
    if any(panel.threshold_db_nhl is not None and not panel.threshold_censored for panel in panels):
        dashed = (0, (4, 2.5))
        entries.append(Line2D([], [], color="black", linewidth=0.8, linestyle=dashed, label="threshold"))
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 2 * len(panels)))
