"""What was predicted of recordings, drawn into their traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.level_axis import fit_time_axis, stack_columns
from neuroprism.figures.style import BLUE, GREY, VERMILLION, style
from neuroprism.figures.waveforms import RECORDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

SHOWN_FROM = 0.5
"""Probability of wave V from which its predicted latency is drawn."""

_PREDICTED: Any = {
    "color": VERMILLION,
    "marker": "o",
    "markersize": 3.8,
    "markeredgecolor": "white",
    "markeredgewidth": 0.4,
}
_TRUE: Any = {"color": "black", "marker": "|", "markersize": 9.0, "markeredgewidth": 1.1}
_INCHES_PER_ENTRY = 1.5
_DASHED = (0, (4, 2.5))


@dataclass(frozen=True, kw_only=True)
class PredictedSeries:
    """Recordings of one ear with their predictions, one panel of `plot_predicted_waves`.

    Attributes
    ----------
    title
        Name of the panel, e.g. the hearing class.
    time_ms
        (T,) after stimulus onset.
    signal_uv
        Recorded traces, (n, T).
    level_db
        (n,) in `level_unit`, one recording a level.
    v_probability
        Predicted probability of wave V, (n,).
    latency_ms, latency_low_ms, latency_high_ms
        Predicted latency of wave V with its interval of 95 %, (n,) each; bounds are NaN where there is none.
    threshold_db, threshold_low_db, threshold_high_db
        Predicted threshold of the ear with its interval of 95 %, in `level_unit`; bounds are NaN where
        there is none.
    true_latency_ms
        (n,); NaN where wave V is absent or not marked. None: not known at all.
    true_threshold_db
        None where it is not known.
    true_threshold_censored
        No response up to `true_threshold_db`.
    denoised_uv
        Traces without noise as predicted, (n, T).
    level_unit
        Of levels and thresholds; of all panels of a figure the same.
    """

    title: str
    time_ms: Floats
    signal_uv: Floats
    level_db: Floats
    v_probability: Floats
    latency_ms: Floats
    latency_low_ms: Floats
    latency_high_ms: Floats
    threshold_db: float
    threshold_low_db: float
    threshold_high_db: float
    true_latency_ms: Floats | None = None
    true_threshold_db: float | None = None
    true_threshold_censored: bool = False
    denoised_uv: Floats | None = None
    level_unit: str = "dB nHL"


def plot_predicted_waves(panels: Sequence[PredictedSeries]) -> Figure:
    """Draw one column per ear: its traces stacked by level, predicted and true wave V, and thresholds.

    A dot marks the predicted latency where wave V is more likely there than
    not, with a bar for the interval of 95 %; an upright stroke marks the true one. The
    numbers at the side are the predicted probabilities of wave V. The line with
    its band is the predicted threshold, the dashed line the true one.

    Raises
    ------
    ValueError
        If there is no panel.
    """
    if not panels:
        raise ValueError("plot_predicted_waves needs at least one panel")
    with style():
        figure = stack_columns(panels, _draw_series, inches=(1.65, 4.7), margin_inches=0.7)
        _legend(figure, panels)
    return figure


def _draw_series(axes: Axes, panel: PredictedSeries, db_per_uv: float) -> None:
    _draw_threshold(axes, panel)
    _draw_traces(axes, panel, db_per_uv)
    _write_probabilities(axes, panel)
    fit_time_axis(axes, panel.time_ms)


def _draw_traces(axes: Axes, panel: PredictedSeries, db_per_uv: float) -> None:
    for n, level in enumerate(panel.level_db):
        shown = level + db_per_uv * panel.signal_uv[n]
        axes.plot(panel.time_ms, shown, color=RECORDED, linewidth=0.6, zorder=2)
        if panel.denoised_uv is not None:
            shown = level + db_per_uv * panel.denoised_uv[n]
            axes.plot(panel.time_ms, shown, color=BLUE, linewidth=1.0, zorder=3)
        if panel.true_latency_ms is not None:
            _draw_mark(axes, panel, float(panel.true_latency_ms[n]), shown, zorder=6, **_TRUE)
        if panel.v_probability[n] >= SHOWN_FROM:
            height = _draw_mark(axes, panel, float(panel.latency_ms[n]), shown, zorder=5, **_PREDICTED)
            ends = [panel.latency_low_ms[n], panel.latency_high_ms[n]]
            axes.plot(ends, [height, height], color=VERMILLION, linewidth=1.6, zorder=4)


def _draw_mark(axes: Axes, panel: PredictedSeries, latency_ms: float, trace: Floats, **look: Any) -> float:
    """Mark a latency on the trace where it is in the window; return its height."""
    height = float(np.interp(latency_ms, panel.time_ms, trace))
    if panel.time_ms[0] <= latency_ms <= panel.time_ms[-1]:
        axes.plot([latency_ms], [height], **look)
    return height


def _draw_threshold(axes: Axes, panel: PredictedSeries) -> None:
    """Draw predicted and true threshold as lines, and write them below the title."""
    axes.axhspan(panel.threshold_low_db, panel.threshold_high_db, color=VERMILLION, alpha=0.13, linewidth=0)
    axes.axhline(panel.threshold_db, color=VERMILLION, linewidth=1.0, zorder=1)
    words = [f"threshold {panel.threshold_db:.0f} {panel.level_unit}"]
    if np.isfinite(panel.threshold_low_db):
        words = [
            f"threshold {panel.threshold_db:.0f} "
            f"({panel.threshold_low_db:.0f} to {panel.threshold_high_db:.0f}) {panel.level_unit}"
        ]
    true = panel.true_threshold_db
    if true is not None and panel.true_threshold_censored:
        words.append(f"true: no response up to {true:g}")
    elif true is not None:
        axes.axhline(true, color="black", linewidth=0.8, linestyle=_DASHED, zorder=1)
        words.append(f"true {true:g} {panel.level_unit}")
    axes.annotate(
        "\n".join(words),
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 24),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=7,
    )
    axes.set_title(panel.title, pad=27)


def _write_probabilities(axes: Axes, panel: PredictedSeries) -> None:
    beside = axes.get_yaxis_transform()
    look: Any = {"ha": "left", "fontsize": 7}
    for level, probability in zip(panel.level_db, panel.v_probability, strict=True):
        colour = VERMILLION if probability >= SHOWN_FROM else GREY
        said = f"{100 * probability:.0f} %"
        axes.text(1.02, float(level), said, transform=beside, va="center", color=colour, **look)
    axes.text(1.02, 1.0, "V is\nthere", transform=axes.transAxes, va="top", **look)


def _legend(figure: Figure, panels: Sequence[PredictedSeries]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=RECORDED, linewidth=0.8, label="recorded")]
    if any(panel.denoised_uv is not None for panel in panels):
        entries.append(Line2D([], [], color=BLUE, linewidth=1.0, label="denoised"))
    bounded = any(np.isfinite(panel.latency_low_ms).any() for panel in panels)
    entries.append(Line2D([], [], linewidth=1.6, label="predicted wave V" + ", 95 %" * bounded, **_PREDICTED))
    if any(panel.true_latency_ms is not None for panel in panels):
        entries.append(Line2D([], [], linestyle="", label="true wave V", **_TRUE))
    bounded = any(np.isfinite(panel.threshold_low_db) for panel in panels)
    entries.append(
        Line2D([], [], color=VERMILLION, linewidth=1.0, label="predicted threshold" + ", 95 %" * bounded)
    )
    if any(panel.true_threshold_db is not None and not panel.true_threshold_censored for panel in panels):
        entries.append(
            Line2D([], [], color="black", linewidth=0.8, linestyle=_DASHED, label="true threshold")
        )
    room = int(figure.get_figwidth() / _INCHES_PER_ENTRY)
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), room))
