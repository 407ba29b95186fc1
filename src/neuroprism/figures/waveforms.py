"""Recordings as traces: level series with marked waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.level_axis import fit_time_axis, stack_columns
from neuroprism.figures.style import BLUE, GREEN, ORANGE, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    if not panels:
        raise ValueError("plot_level_series needs at least one panel")
    with style():
        # Five columns fill the 180 mm of a printed page.
        figure = stack_columns(panels, _draw_series, inches=(1.3, 5.0), margin_inches=0.6)
        _legend(figure, panels)
    return figure


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
    fit_time_axis(axes, panel.time_ms)
    _mark_threshold(axes, panel)


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
